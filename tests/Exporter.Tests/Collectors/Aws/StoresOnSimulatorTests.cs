using System.Collections.Concurrent;
using Amazon.Runtime;
using PipelineExporter.Collectors.Aws;
using PipelineExporter.Simulator;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Tests.Collectors.Aws;

/// <summary>S3 and DynamoDB over HTTP, against a server that checks signatures by an implementation of its own.</summary>
public sealed class StoresOnSimulatorTests
{
    private readonly LogLines log = new();
    private readonly ConcurrentQueue<string> outcomes = [];

    [Fact]
    public async Task The_pipelines_buckets_are_collected()
    {
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, default);
        using var source = Source(simulator);
        using var catalog = new S3BucketCatalog(source, IsOfPipeline, TimeSpan.FromMinutes(15), TimeProvider.System);
        var collector = new S3Buckets(source, catalog, TimeSpan.FromMinutes(15), log);

        var snapshot = await collector.CollectAsync(default);

        Assert.Equal(
            ["music-streaming-kpi", "music-streaming-logs", "music-streaming-raw", "music-streaming-scripts", "music-streaming-validated"],
            snapshot.Buckets.Select(bucket => bucket.Name));
        Assert.Empty(snapshot.Buckets.Single(bucket => bucket.Name.EndsWith("scripts", StringComparison.Ordinal)).FilterIds);
        Assert.Contains(("music-streaming-raw", "EntireBucket"), collector.Filters);
        Assert.Contains(GlueRig.Written(collector, snapshot), sample => sample.Key.StartsWith("aws_s3_lifecycle_transition_seconds{music-streaming-logs,", StringComparison.Ordinal));
        Assert.DoesNotContain("timeout", outcomes);
        Assert.Empty(log.All);
    }

    [Fact]
    public async Task The_pipelines_tables_are_collected()
    {
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, default);
        using var source = Source(simulator);
        using var catalog = new DynamoDbTableCatalog(source, IsOfPipeline, TimeSpan.FromMinutes(5), TimeProvider.System);
        var collector = new DynamoDbTables(source, catalog, TimeSpan.FromMinutes(5), log);

        var published = GlueRig.Written(collector, await collector.CollectAsync(default));

        Assert.Contains("aws_dynamodb_table_info{music_streaming_kpi,on_demand,ACTIVE,STANDARD}", published);
        Assert.Contains("aws_dynamodb_table_info{music_streaming_catalog,provisioned,ACTIVE,STANDARD_INFREQUENT_ACCESS}", published);
        Assert.Contains("aws_dynamodb_index_items{music_streaming_kpi,by_genre,gsi}", published);
        Assert.Contains("aws_dynamodb_index_items{music_streaming_sessions,by_day,lsi}", published);
        Assert.Contains("aws_dynamodb_provisioned_read_capacity_units{music_streaming_sessions,by_user}", published);
        Assert.All(outcomes, outcome => Assert.Equal("ok", outcome));
        Assert.Empty(log.All);
    }

    [Fact]
    public async Task A_wrong_secret_is_told_and_not_repeated()
    {
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, default);
        using var source = Source(simulator, "wrong-secret");

        var s3 = await Assert.ThrowsAsync<AwsException>(() => source.S3.ListBucketsAsync("eu-west-1", null, 1000, default));
        var dynamoDb = await Assert.ThrowsAsync<AwsException>(() => source.DynamoDb.ListTablesAsync(null, default));

        Assert.Equal(("SignatureDoesNotMatch", "InvalidSignatureException"), (s3.Code, dynamoDb.Code));
        Assert.DoesNotContain("wrong-secret", s3.ToString() + dynamoDb, StringComparison.Ordinal);
    }

    private static bool IsOfPipeline(string name) => name.StartsWith("music", StringComparison.Ordinal);

    private AwsSource Source(SimulatorHost simulator, string secret = "simulator-secret") => new(
        new() { Name = "eu-west-1", Region = "eu-west-1", EndpointUrl = simulator.Address }, TimeProvider.System, outcomes.Enqueue,
        new BasicAWSCredentials("SIMULATOR", secret), environment: _ => null);
}
