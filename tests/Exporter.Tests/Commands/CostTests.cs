using System.Globalization;
using System.Text.RegularExpressions;
using Amazon.Runtime;
using PipelineExporter.Commands;
using PipelineExporter.Configuration;
using PipelineExporter.Simulator;

namespace PipelineExporter.Tests.Commands;

public sealed class CostTests
{
    private static readonly AWSCredentials Keys = new BasicAWSCredentials("SIMULATOR", "simulator-secret");

    [Fact]
    public async Task It_tells_requests_metrics_and_dollars_and_what_other_settings_would_change()
    {
        var (code, text) = await RunAsync("max_usd_per_day: 0.5");

        Assert.Equal(0, code);
        Assert.Matches(@"glue_jobs +GetJobRuns +1m +8,640 +0\r?\n", text);
        Assert.Matches(@"s3_buckets +GetBucketLifecycleConfiguration +15m +480 +0.0002\r?\n", text);
        Assert.Matches(@"dynamodb_tables +DescribeTable +5m +864 +0\r?\n", text);
        Assert.Matches(@"cloudwatch +GetMetricData +15s +1,729 +0\r?\n", text);
        Assert.Matches(@"cloudwatch +dynamodb_capacity: 10 metrics +1m +14,400 +0.144\r?\n", text);
        Assert.Matches(@"cloudwatch +s3_storage: 13 metrics +1d +13 +0.0001\r?\n", text);
        Assert.Matches(@"dynamodb.capacity_interval +1m +5m: -0.1152 +15m: -0.1344 +never: -0.144\r?\n", text);
        Assert.Matches(
            @"max_usd_per_day: 0.5 is exceeded: glue_metrics every [0-9]+m, s3_storage not at all, s3_requests every [0-9]+m, dynamodb_capacity not at all, dynamodb_operations every [0-9]+m\.",
            text);
    }

    [Fact]
    public async Task A_limit_is_held_against_what_all_regions_of_the_account_cost_together()
    {
        const string Exceeded = "max_usd_per_day: [0-9.]+ is exceeded by the 2 regions of account 123456789012, [0-9.]+ USD a day together: ";
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, default);
        var totals = Regex.Matches(await AskAsync(1000), @"total +([0-9.]+)").Select(total => double.Parse(total.Groups[1].Value, CultureInfo.InvariantCulture)).ToArray();
        Assert.True(totals[1] > 0.02, "a region costs something though it holds nothing");

        var text = await AskAsync(totals[0] + (totals[1] / 2));

        // Of both, though one of them alone was told of the limit; the one that holds nothing has nothing to slow down.
        Assert.Single(Regex.Matches(text, Exceeded + "[a-z0-9_]+ every [0-9]+m"));
        Assert.Single(Regex.Matches(text, Exceeded + @"no group of this region is slowed down\."));
        Assert.Single(Regex.Matches(text, @"max_usd_per_day: [0-9.]+ is enough\.")); // the other account
        Assert.Equal(2, Regex.Count(await AskAsync(totals[0] + (2 * totals[1])), @"is enough for the 2 regions of account 123456789012, [0-9.]+ USD a day together\."));

        async Task<string> AskAsync(double limit)
        {
            var limited = $", max_usd_per_day: {limit.ToString("0.000", CultureInfo.InvariantCulture)}";
            string Source(string name, string region, string settings) =>
                $$"""  - { name: {{name}}, region: {{region}}, endpoint_url: "{{simulator.Address}}", glue: {}, s3: {}, dynamodb: {}{{settings}} }""";
            using var output = new StringWriter();
            Assert.Equal(0, await Cost.RunAsync(
                ExporterConfiguration.Parse(string.Join('\n', "aws:", Source("first", "eu-west-1", limited), Source("second", "us-east-1", ""),
                    Source("other", "eu-west-1", limited + ", role_arn: \"arn:aws:iam::210987654321:role/external-id-required\", external_id: music-streaming"))),
                Keys, output, default));
            return output.ToString();
        }
    }

    [Fact]
    public async Task Workers_of_an_Airflow_are_told_with_what_each_cluster_costs()
    {
        using var output = new StringWriter();

        var code = await Cost.RunAsync(
            ExporterConfiguration.Parse("""
                airflow:
                  - { environment: managed, auth: { mwaa: { name: music, region: eu-west-1 } } }
                  - { environment: own, url: "https://airflow.test", auth: { bearer: { token_env: TOKEN } } }
                """, environment: _ => "token"),
            Keys, output, default);

        Assert.Equal(0, code);
        Assert.Equal(
            "airflow/managed: CloudWatch is asked for two metrics of each cluster of its workers every minute, 0.0288 USD a day and cluster; no max_usd_per_day holds them.",
            output.ToString().TrimEnd());
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
        var code = await Cost.RunAsync(Configuration(simulator.Address, setting), Keys, output, default);
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
