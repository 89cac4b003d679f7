using System.Globalization;
using System.Text.RegularExpressions;
using Amazon.Runtime;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Collectors;
using PipelineExporter.Collectors.Aws.CloudWatch;
using PipelineExporter.Commands;
using PipelineExporter.Configuration;
using PipelineExporter.Simulator;
using PipelineExporter.Sources.Aws;
using PipelineExporter.State;

namespace PipelineExporter.Tests.Commands;

/// <summary>What <c>cost</c> tells of a day beforehand, against what the exporter counts when it runs for one.</summary>
public sealed partial class CostOfADayTests : IDisposable
{
    private static readonly AWSCredentials Keys = new BasicAWSCredentials("SIMULATOR", "simulator-secret");

    private readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 11, 23, 0, 0, 5, TimeSpan.Zero));
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("cost-of-a-day-");
    private readonly Ledger ledger;

    /// <summary>By group, how often metrics were not asked for because they had no new datapoint, as most of Glue's have none between runs.</summary>
    private readonly Dictionary<string, double> idle = [];

    public CostOfADayTests() =>
        ledger = new(StateFile.Open(folder.FullName, time, NullLogger.Instance), new ScrapeLog(), time, LedgerOptions.Default);

    public void Dispose()
    {
        ledger.Dispose();
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task The_exporter_asks_and_spends_in_a_day_what_cost_told()
    {
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null, Time = time }, default);
        var configuration = Configuration(simulator);
        var told = await CostAsync(configuration);
        var collectors = CollectorsOf(configuration);

        await RunADayAsync(collectors);

        // Once a start AWS is asked who is asking; and Glue for the histories of jobs, which are some pages.
        var requests = Counted(collectors, "pipeline_exporter_aws_requests_total").ToDictionary(one => one.Labels[1], one => one.Value);
        Assert.Equal(1, requests.Remove("GetCallerIdentity", out var asked) ? asked : 0);
        var planned = Requests().Matches(told).ToDictionary(row => row.Groups["operation"].Value, row => Number(row.Groups["requests"]));
        Assert.Equal(planned.Keys.Order(), requests.Keys.Order());
        Assert.All(planned, operation => AssertNear(operation.Value, requests[operation.Key], operation.Key));

        // At a start every metric is asked for once more, whether a datapoint is due or not.
        var billed = Counted(collectors, "pipeline_exporter_cloudwatch_billed_metrics_total").ToDictionary(one => one.Labels[0], one => one.Value);
        var groups = GroupsOf(told);
        Assert.Equal(6, groups.Count);
        Assert.All(groups, group => AssertNear(group.Value.ADay + group.Value.Metrics - idle[group.Key], billed[group.Key], group.Key));
        Assert.True(idle["glue_metrics"] > groups["glue_metrics"].ADay / 4, "most jobs are idle most of the day");
        Assert.All(idle.Where(group => group.Key != "glue_metrics"), group => Assert.True(group.Value < 0.05 * groups[group.Key].ADay, group.Key));

        var usd = Number(Total().Match(told).Groups["usd"]);
        AssertNear(usd - (idle.Values.Sum() * AwsPrices.Metric), Counted(collectors, "pipeline_exporter_aws_cost_usd_total").Sum(one => one.Value), "USD");
    }

    [Fact]
    public async Task A_limit_is_kept_by_the_charts_and_the_guides_alerts_are_asked_for_as_before()
    {
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null, Time = time }, default);
        var without = await CostAsync(Configuration(simulator));
        var groups = GroupsOf(without);
        // Less than alerts and the guide's alerts cost together.
        var limit = Math.Round(Number(Total().Match(without).Groups["usd"]) - ((groups["glue_metrics"].ADay + (groups["dynamodb_capacity"].ADay * 2 / 3)) * AwsPrices.Metric), 4);
        var configuration = Configuration(simulator, limit);
        var collectors = CollectorsOf(configuration);

        await RunADayAsync(collectors);

        var usd = Counted(collectors, "pipeline_exporter_aws_cost_usd_total").Sum(one => one.Value);
        Assert.InRange(usd, 0.9 * limit, limit);
        var billed = Counted(collectors, "pipeline_exporter_cloudwatch_billed_metrics_total").ToDictionary(one => one.Labels[0], one => one.Value);
        AssertNear(groups["dynamodb_throttles"].ADay, billed["dynamodb_throttles"], "the guide's alerts");
        var (charts, alerts) = (Part("dynamodb_capacity"), new[] { Part("s3_requests"), Part("dynamodb_operations"), Part("glue_metrics") });
        Assert.All(alerts, part => Assert.InRange(part, 2 * charts, 0.9));
        Assert.Equal(alerts[0], alerts[1], 0.1);

        double Part(string group) => billed[group] / groups[group].ADay;
    }

    [Fact]
    public async Task When_all_is_spent_nothing_is_asked_that_is_billed_until_midnight()
    {
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null, Time = time }, default);
        var collectors = CollectorsOf(Configuration(simulator, limit: 0.0001));
        // The brake knows of what a collection spent at the next one.
        await OnceAsync();
        await OnceAsync();
        var asked = Billed();
        Assert.Contains(asked, operation => operation.Key == "ListBuckets");

        for (var hour = 0; hour < 4; hour++)
            await OnceAsync();
        Assert.Equal(asked, Billed());

        time.Advance(TimeSpan.FromDays(1) - time.GetUtcNow().TimeOfDay);
        await OnceAsync();
        await OnceAsync();
        Assert.All(Billed(), operation => Assert.True(operation.Value > asked[operation.Key], operation.Key));

        async Task OnceAsync()
        {
            time.Advance(TimeSpan.FromHours(1));
            foreach (var collector in collectors)
                Assert.Null((await collector.FetchAsync(default)).Failure);
        }

        Dictionary<string, double> Billed() => Counted(collectors, "pipeline_exporter_aws_requests_total")
            .Where(one => AwsPrices.Request(one.Labels[0], one.Labels[1]) > 0 || one.Labels[1] == "GetMetricData").ToDictionary(one => one.Labels[1], one => one.Value);
    }

    // Nobody advances the clock for a request that waits for its turn. Under a limit Glue's runs are read seldom: they cost nothing, but time.
    private static ExporterConfiguration Configuration(SimulatorHost simulator, double? limit = null) => ExporterConfiguration.Parse($$"""
        aws:
          - region: eu-west-1
            endpoint_url: {{simulator.Address}}
            cloudwatch: { requests_per_second: 1000, list_requests_per_second: 1000 }
            glue: {{(limit is null ? "{}" : "{ poll_interval: 5m }")}}
            s3: {}
            dynamodb: {}
            {{(limit is { } usd ? string.Create(CultureInfo.InvariantCulture, $"max_usd_per_day: {usd}") : "")}}
        """);

    private static async Task<string> CostAsync(ExporterConfiguration configuration)
    {
        using var told = new StringWriter();
        Assert.Equal(0, await Cost.RunAsync(configuration, Keys, told, default));
        return told.ToString();
    }

    private IReadOnlyList<ICollector> CollectorsOf(ExporterConfiguration configuration) =>
        CollectorCatalog.AwsCollectorsOf(configuration, new(ledger, time, NullLoggerFactory.Instance, (_, _) => { }), Keys).Single().Collectors;

    private static Dictionary<string, (double Metrics, double ADay)> GroupsOf(string told) =>
        Groups().Matches(told).ToDictionary(row => row.Groups["group"].Value, row => (Number(row.Groups["metrics"]), Number(row.Groups["billed"])));

    // In the order of the list: what one collector makes known, the next may need.
    private async Task RunADayAsync(IReadOnlyList<ICollector> collectors)
    {
        var due = collectors.ToDictionary(collector => collector, _ => time.GetUtcNow());
        var tick = collectors.Min(collector => collector.Interval);
        for (var end = time.GetUtcNow().AddDays(1); time.GetUtcNow() < end; time.Advance(tick))
        {
            foreach (var collector in collectors.Where(collector => time.GetUtcNow() >= due[collector]))
            {
                Assert.Null((await collector.FetchAsync(default)).Failure);
                if (collector is CloudWatchCollector cloudWatch)
                    Note(cloudWatch.Plan);
                due[collector] += collector.Interval;
            }
        }

        void Note(CloudWatchPlan plan)
        {
            foreach (var group in plan.Groups)
            {
                // The statistics of a metric are late together, and billed as one.
                var late = plan[group].Where(metric => metric.Late > 0).DistinctBy(metric => metric.Query.Metric);
                idle[group.Name] = idle.GetValueOrDefault(group.Name) + late.Sum(metric => Saved(metric, group.Interval));
            }
        }

        // A metric that is late is asked for after one, two, then four intervals.
        double Saved(TrackedMetric metric, TimeSpan interval)
        {
            var onTime = interval > metric.Query.Cadence.Period ? interval : metric.Query.Cadence.Period;
            var late = (metric.Query.Cadence.Retry ?? interval) * Math.Min(4, Math.Pow(2, metric.Late - 1));
            return (tick / onTime) - (tick / late);
        }
    }

    private IEnumerable<(string[] Labels, double Value)> Counted(IEnumerable<ICollector> collectors, string name) =>
        ledger.For("aws/123456789012/eu-west-1").Counted(collectors.SelectMany(collector => collector.Metrics).First(metric => metric.Name == name))
            .Select(series => (series.Labels, series.Value[0]));

    private static void AssertNear(double told, double counted, string what) =>
        Assert.True(Math.Abs(counted - told) <= 0.03 * told, $"{what}: {told} was told, {counted} counted");

    private static double Number(Group text) => double.Parse(text.Value, NumberStyles.Float | NumberStyles.AllowThousands, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^  [a-z0-9_]+ +(?<operation>[A-Z][A-Za-z]+) +[0-9]+[smhd] +(?<requests>[0-9,]+) ", RegexOptions.Multiline)]
    private static partial Regex Requests();

    [GeneratedRegex(@"^  cloudwatch +(?<group>[a-z0-9_]+): (?<metrics>[0-9]+) metrics +[0-9]+[smhd] +(?<billed>[0-9,]+) ", RegexOptions.Multiline)]
    private static partial Regex Groups();

    [GeneratedRegex(@"^  total +(?<usd>[0-9.]+)", RegexOptions.Multiline)]
    private static partial Regex Total();
}
