using System.Collections.Concurrent;
using Amazon.Runtime;
using Microsoft.Extensions.Logging.Abstractions;
using PipelineExporter.Collectors.Aws;
using PipelineExporter.Simulator;
using PipelineExporter.Sources.Aws;
using PipelineExporter.State;

namespace PipelineExporter.Tests.Collectors.Aws;

/// <summary>The collectors as they ship, over HTTP, against a server that checks signatures by an implementation of its own.</summary>
public sealed class GlueOnSimulatorTests
{
    [Fact]
    public async Task The_three_jobs_of_the_pipeline_are_collected_with_their_driver_metrics()
    {
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, default);
        var outcomes = new ConcurrentQueue<string>();
        using var ledger = new TemporaryLedger();

        var collectors = AwsCollectors.For(
            Collection(simulator.Address), new(ledger.Ledger, TimeProvider.System, NullLoggerFactory.Instance, (_, outcome) => outcomes.Enqueue(outcome)),
            new BasicAWSCredentials("SIMULATOR", "simulator-secret"));
        var jobs = collectors.OfType<GlueJobs>().Single();
        var snapshot = await jobs.CollectAsync(default);
        var metrics = await collectors.OfType<GlueMetrics>().Single().CollectAsync(default);

        string[] expected = ["music_streaming_dynamodb_load", "music_streaming_kpi_computation", "music_streaming_validation"];
        Assert.Equal(expected, snapshot.Jobs.Select(job => job.Name));
        Assert.All(snapshot.Jobs, job => Assert.InRange(job.LastRunDuration!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromHours(2)));
        Assert.Equal("aws/123456789012/eu-west-1", jobs.Identity!.Scope);
        Assert.Subset(expected.ToHashSet(), metrics.DriverElapsedSeconds.Keys.ToHashSet());
        Assert.All(outcomes, outcome => Assert.Equal("ok", outcome));
    }

    [Theory]
    [InlineData("SIMULATOR", "wrong-secret")]
    [InlineData("somebody", "simulator-secret")]
    public async Task Wrong_keys_are_told_and_the_secret_is_not(string accessKey, string secret)
    {
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, default);
        using var ledger = new TemporaryLedger();
        var collectors = AwsCollectors.For(
            Collection(simulator.Address), new(ledger.Ledger, TimeProvider.System, NullLoggerFactory.Instance, (_, _) => { }), new BasicAWSCredentials(accessKey, secret));

        var error = await Assert.ThrowsAsync<AwsException>(() => collectors.OfType<GlueJobs>().Single().CollectAsync(default));

        Assert.Contains(error.Code, (string[])["SignatureDoesNotMatch", "InvalidSignatureException", "InvalidClientTokenId", "UnrecognizedClientException"]);
        Assert.DoesNotContain(secret, error.ToString(), StringComparison.Ordinal);
    }

    private static AwsCollection Collection(Uri simulator) => new()
    {
        Source = new() { Name = "eu-west-1", Region = "eu-west-1", EndpointUrl = simulator },
        Timeout = TimeSpan.FromSeconds(10),
        Glue = new(name => name.StartsWith("music_streaming_", StringComparison.Ordinal), TimeSpan.FromMinutes(1)),
    };

    private sealed class TemporaryLedger : IDisposable
    {
        private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("glue-on-simulator-");

        public TemporaryLedger() => Ledger = new(
            StateFile.Open(directory.FullName, TimeProvider.System, NullLogger.Instance), new ScrapeLog(), TimeProvider.System, LedgerOptions.Default);

        public Ledger Ledger { get; }

        public void Dispose()
        {
            Ledger.Dispose();
            directory.Delete(recursive: true);
        }
    }
}
