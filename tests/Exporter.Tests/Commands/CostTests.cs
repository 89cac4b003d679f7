using Amazon.Runtime;
using PipelineExporter.Commands;
using PipelineExporter.Configuration;
using PipelineExporter.Simulator;

namespace PipelineExporter.Tests.Commands;

public sealed class CostTests
{
    [Fact]
    public async Task It_tells_requests_metrics_and_dollars_and_what_other_settings_would_change()
    {
        var (code, text) = await RunAsync("max_usd_per_day: 0.5");

        Assert.Equal(0, code);
        Assert.Matches(@"glue_jobs +GetJobRuns +1m +8,640 +0\r?\n", text);
        Assert.Matches(@"s3_buckets +GetBucketLifecycleConfiguration +15m +480 +0.0002\r?\n", text);
        Assert.Matches(@"dynamodb_tables +DescribeTable +5m +864 +0\r?\n", text);
        Assert.Matches(@"cloudwatch +GetMetricData +15s +1,440 +0\r?\n", text);
        Assert.Matches(@"cloudwatch +dynamodb_capacity: 10 metrics +1m +14,400 +0.144\r?\n", text);
        Assert.Matches(@"cloudwatch +s3_storage: 13 metrics +1d +13 +0.0001\r?\n", text);
        Assert.Matches(@"dynamodb.capacity_interval +1m +5m: -0.1152 +15m: -0.1344 +never: -0.144\r?\n", text);
        Assert.Matches("max_usd_per_day: 0.5 is exceeded: .*dynamodb_capacity every [0-9]+m", text);
    }

    [Fact]
    public async Task What_cannot_be_looked_at_is_told()
    {
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, default);
        using var output = new StringWriter();

        var code = await Cost.RunAsync(Configuration(simulator.Address, ""), new BasicAWSCredentials("SIMULATOR", "wrong"), output, default);

        Assert.Equal(1, code);
        Assert.Contains("cloudwatch_discovery could not be looked at: ", output.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("wrong", output.ToString(), StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Text)> RunAsync(string setting)
    {
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, default);
        using var output = new StringWriter();
        var code = await Cost.RunAsync(Configuration(simulator.Address, setting), new BasicAWSCredentials("SIMULATOR", "simulator-secret"), output, default);
        return (code, output.ToString());
    }

    private static ExporterConfiguration Configuration(Uri simulator, string setting) => ExporterConfiguration.Parse($$"""
        aws:
          - region: eu-west-1
            endpoint_url: {{simulator}}
            glue: {}
            s3: {}
            dynamodb: {}
            {{setting}}
        """);
}
