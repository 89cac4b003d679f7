using CsCheck;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Collectors;
using PipelineExporter.Collectors.Aws.CloudWatch;
using PipelineExporter.Configuration;
using PipelineExporter.Sources.Aws;
using PipelineExporter.State;
using PipelineExporter.Stack.Tests.Tools;
using PipelineExporter.Tests.Sources.Aws;

namespace PipelineExporter.Tests.Collectors.Aws.CloudWatch;

/// <summary>How much, how often and how far back CloudWatch may be asked.</summary>
public sealed class LimitsTests
{
    private const int MostDatapoints = 100_800;

    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private static readonly DateTimeOffset Start = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(0, 60, 60)]
    [InlineData(14.9, 60, 60)]
    [InlineData(15.1, 60, 300)]
    [InlineData(62.9, 60, 300)]
    [InlineData(63.1, 60, 3600)]
    [InlineData(454, 60, 3600)]
    [InlineData(500, 60, 3600)]
    [InlineData(1, 300, 300)]
    [InlineData(40, 300, 300)]
    [InlineData(70, 300, 3600)]
    [InlineData(400, 86400, 86400)]
    [InlineData(500, 86400, 86400)]
    public void The_period_asked_for_is_one_that_CloudWatch_still_has(double days, int own, int asked) =>
        Assert.Equal(TimeSpan.FromSeconds(asked), CloudWatchRetention.PeriodFor(Start.AddDays(-days), Start, TimeSpan.FromSeconds(own)));

    [Theory]
    [InlineData(10, 10)]
    [InlineData(454, 454)]
    [InlineData(456, 455)]
    [InlineData(5000, 455)]
    public void Nothing_is_asked_for_that_CloudWatch_has_forgotten(double days, double asked) =>
        Assert.InRange((Start - CloudWatchRetention.Oldest(Start.AddDays(-days), Start)).TotalDays, asked - 0.05, asked);

    /// <summary>Whatever is due, of whatever namespace, period and age.</summary>
    [Fact]
    public void Calls_hold_500_questions_and_100_800_datapoints_and_never_a_part_of_a_metric() => Gen.Select(
        Gen.Int[1, 5], Gen.Int[0, 2].Select(i => new[] { 60, 300, 3600 }[i]), Gen.Int[1, 10].Select(Gen.Int[1, 20_000], Gen.Bool, (few, many, isMany) => isMany ? many : few), Gen.Int[0, 2].Select(i => new[] { "Glue", "AWS/S3", "AWS/DynamoDB" }[i])).Array[1, 900].Sample(metrics =>
    {
        var questions = metrics.SelectMany((metric, i) =>
        {
            var (statistics, period, minutes, space) = metric;
            var of = new CloudWatchMetric(space, $"metric {i}", []);
            return Enumerable.Range(0, statistics).Select(statistic => new MetricQuestion(
                new(FakeGroup.Latency, [$"{i}"], of, $"p{statistic}", CloudWatchCadence.Minute), TimeSpan.FromSeconds(period), Start - minutes * Minute, Start));
        }).ToList();

        var calls = CloudWatchRequest.Pack(questions).ToList();

        Assert.Equal(questions.Count, calls.SelectMany(call => call.Questions).Distinct(ReferenceEqualityComparer.Instance).Count());
        Assert.All(calls, call =>
        {
            Assert.InRange(call.Questions.Count, 1, CloudWatchRequest.MostQueries);
            var seconds = (call.Questions.Max(question => question.Until) - call.Questions.Min(question => question.From)).TotalSeconds;
            // One metric is asked for in one call, however much there is of it.
            Assert.True(
                call.Questions.Sum(question => seconds / question.Period.TotalSeconds) <= MostDatapoints + 1 || call.Questions.DistinctBy(question => question.Query.Metric).Count() == 1);
        });
        var metricsByCall = calls.SelectMany(call => call.Questions.Select(question => question.Query.Metric).Distinct(ReferenceEqualityComparer.Instance)).ToList();
        Assert.Equal(metrics.Length, metricsByCall.Count);
    }, iter: 60, threads: 1);

    [Fact]
    public void Namespaces_share_their_calls()
    {
        var questions = Enumerable.Range(0, 1000).Select(i => new MetricQuestion(
            new(FakeGroup.Latency, [$"{i}"], new(i % 2 == 0 ? "Glue" : "AWS/S3", "metric", []), "Average", CloudWatchCadence.Minute), Minute, Start - 10 * Minute, Start)).ToList();

        var calls = CloudWatchRequest.Pack(questions).ToList();

        Assert.Equal([500, 500], calls.Select(call => call.Questions.Count));
        Assert.All(calls, call => Assert.Equal(2, call.Questions.Select(question => question.Query.Metric.Namespace).Distinct().Count()));
    }

    [Fact]
    public async Task The_configured_rates_are_those_that_requests_keep_to()
    {
        await using var aws = await FakeAws.StartAsync((context, request) => context.Response.WriteAsync(request.Operation switch
        {
            "ListTables" => $$"""{"TableNames":[{{string.Join(',', Enumerable.Range(0, 800).Select(i => $"\"t{i}\""))}}]}""",
            "DescribeTable" => $$"""{"Table":{{request.Body}}}""",
            "ListMetrics" => """{"Metrics":[]}""",
            _ => """{"MetricDataResults":[]}""",
        }));
        using var folder = new TemporaryDirectory();
        var configuration = ExporterConfiguration.Parse($$"""
            aws:
              - region: eu-west-1
                account_id: "123456789012"
                endpoint_url: {{aws.Address}}
                dynamodb: {}
                cloudwatch: { requests_per_second: 1, list_requests_per_second: 3 }
            """);
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        using var ledger = new Ledger(StateFile.Open(folder.Path, time, NullLogger.Instance), new ScrapeLog(), time, LedgerOptions.Default);
        var collectors = CollectorCatalog.AwsCollectorsOf(
            configuration, new(ledger, time, NullLoggerFactory.Instance, (_, _) => { }), FakeAws.Keys).Single().Collectors;
        await collectors.Single(collector => collector.Name == "dynamodb_tables").FetchAsync(default);

        await AssertRateAsync("cloudwatch_discovery", "ListMetrics", 3);
        time.Advance(5 * Minute); // until there is something to count
        await AssertRateAsync("cloudwatch", "GetMetricData", 1);

        async Task AssertRateAsync(string collector, string operation, int aSecond)
        {
            var collecting = collectors.Single(one => one.Name == collector).FetchAsync(default);
            for (var second = 1; second <= 2; second++)
            {
                // So many and no more, however long the clock stands still.
                Assert.True(SpinWait.SpinUntil(() => Asked() >= second * aSecond, TimeSpan.FromSeconds(30)));
                await Task.Delay(100);
                Assert.Equal(second * aSecond, Asked());
                time.Advance(AwsPace.Window);
            }

            while (!collecting.IsCompleted)
            {
                await Task.WhenAny(collecting, Task.Delay(5));
                time.Advance(TimeSpan.FromSeconds(1));
            }

            await collecting;

            int Asked() => aws.Requests.Count(request => request.Operation == operation);
        }
    }

    [Fact]
    public async Task A_thousand_buckets_cost_4000_metrics_a_day_at_most()
    {
        var buckets = Enumerable.Range(0, 1000).Select(i => $"bucket-{i}").ToHashSet();
        using var rig = new CloudWatchRig(() => [new S3StorageGroup(() => new(_ => true, buckets), TimeSpan.FromDays(1))]);
        var midnight = new DateTimeOffset(rig.Now.Date, TimeSpan.Zero);
        foreach (var bucket in buckets)
        {
            foreach (var (name, type) in new[] { ("BucketSizeBytes", "StandardStorage"), ("NumberOfObjects", "AllStorageTypes") })
            {
                var metric = rig.CloudWatch.Add("AWS/S3", name, ("BucketName", bucket), ("StorageType", type));
                for (var day = -3; day < 3; day++)
                    metric.Publish(midnight.AddDays(day), day + 10, midnight.AddDays(day + 1).AddHours(13));
            }
        }

        await rig.DiscoverAsync();
        await rig.CollectAsync();
        var billed = Billed();
        var gauges = new Dictionary<string, double>();
        for (var end = rig.Now + TimeSpan.FromDays(1); rig.Now < end; rig.Time.Advance(TimeSpan.FromMinutes(30)))
            gauges = await rig.CollectAsync();

        Assert.InRange(Billed() - billed, 2000, 4000);
        // The size of yesterday, whose datapoint has come meanwhile.
        Assert.All(buckets, bucket => Assert.Equal(9, gauges[$"aws_s3_bucket_size_bytes({bucket},StandardStorage)"]));

        double Billed() => rig.Own("pipeline_exporter_cloudwatch_billed_metrics_total", "s3_storage");
    }

    [Theory]
    [InlineData(2)]
    [InlineData(6)]
    [InlineData(11)]
    public async Task A_sum_that_comes_late_is_counted_in_full(int minutesLate)
    {
        using var rig = new CloudWatchRig();
        var requests = rig.CloudWatch.Add("AWS/DynamoDB", "Requests", ("TableName", "orders"), ("Operation", "GetItem"));
        var start = CloudWatchCadence.FloorTo(rig.Now, Minute);
        for (var i = 0; i < 20; i++)
            requests.Publish(start + i * Minute, 5, start + (i + 1 + minutesLate) * Minute);
        await rig.DiscoverAsync();

        await rig.RunAsync(50 * Minute);

        Assert.Equal(20 * 5, rig.Counted(FakeGroup.Requests, "orders", "GetItem"));
    }

    [Fact]
    public async Task A_gauge_that_was_published_by_halves_is_told_as_it_is_in_the_end()
    {
        using var rig = new CloudWatchRig();
        var latency = rig.CloudWatch.Add("AWS/DynamoDB", "Latency", ("TableName", "orders"));
        var start = CloudWatchCadence.FloorTo(rig.Now, Minute);
        for (var i = 0; i < 10; i++)
        {
            latency.Publish(start + i * Minute, 40, start + (i + 2) * Minute);
            latency.Publish(start + i * Minute, 80 + i, start + (i + 4) * Minute);
        }

        await rig.DiscoverAsync();

        Assert.Equal(0.04, (await rig.RunAsync(6 * Minute))["test_latency_seconds(orders)"]);
        var gauges = await rig.RunAsync(7 * Minute);
        // Nothing newer has come, and what was there was revised.
        Assert.Equal(0.089, gauges["test_latency_seconds(orders)"]);
        Assert.Equal((start + 10 * Minute).ToUnixTimeSeconds(), gauges["test_timestamp_seconds(orders)"]);
    }
}
