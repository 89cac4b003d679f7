using CsCheck;
using PipelineExporter.Collectors.Aws.CloudWatch;
using PipelineExporter.Metrics;
using PipelineExporter.State;

namespace PipelineExporter.Tests.Collectors.Aws.CloudWatch;

public sealed class SpendTests
{
    private const double UsdOfADay = 1440 * 0.00001;

    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    [Fact]
    public void With_enough_money_nobody_is_slowed_down() =>
        Assert.All(SpendBrake.Intervals(Costs(1, 1, 1), 3, Day).Values, interval => Assert.Equal(Minute, interval));

    [Fact]
    public void The_least_important_group_is_slowed_down_first_and_the_guides_alerts_last()
    {
        var costs = Costs(1, 1, 1);

        foreach (var usd in (double[])[2.9, 2.5, 2.1, 1.5, 1.1, 0.9, 0.5, 0.1, 0.03, 0.01])
        {
            var intervals = SpendBrake.Intervals(costs, usd, Day);
            var (charts, alerts, guide) = (Of(0), Of(1), Of(2));

            Assert.True(charts >= alerts && alerts >= guide, $"{usd}: {charts} {alerts} {guide}");
            Assert.Equal(usd > 2.05, alerts == Minute);
            Assert.Equal(usd > 1.05, guide == Minute);

            TimeSpan Of(int i) => intervals[costs[i].Group] ?? TimeSpan.MaxValue;
        }
    }

    [Fact]
    public void Groups_of_the_same_importance_are_slowed_down_by_the_same_factor()
    {
        GroupCost[] costs = [new(new Dummy(CloudWatchImportance.Alerts), 8), new(new Dummy(CloudWatchImportance.Alerts), 2), .. Costs(1)];

        var intervals = SpendBrake.Intervals(costs, 5, Day);

        Assert.Equal(intervals[costs[0].Group]!.Value.TotalSeconds, intervals[costs[1].Group]!.Value.TotalSeconds, 3);
        Assert.InRange(intervals[costs[0].Group]!.Value, 2 * Minute, 2.02 * Minute);
        Assert.InRange(intervals[costs[2].Group]!.Value, 59 * Minute, 60 * Minute);
    }

    [Fact]
    public void What_the_groups_cost_together_never_exceeds_what_is_left() =>
        Gen.Select(Gen.Double[0, 10].Array[3], Gen.Double[-1, 20], Gen.Double[0.001, 1]).Sample((usd, left, part) =>
        {
            var costs = Costs(usd);
            var span = Day * part;
            var spent = SpendBrake.Intervals(costs, left, span)
                .Sum(group => group.Value is { } interval ? costs.Single(cost => cost.Group == group.Key).UsdPer(span) * (Minute / interval) : 0);
            Assert.True(spent <= Math.Max(0, left) + 0.02, $"{spent} of {left}");
        });

    [Fact]
    public async Task A_day_costs_no_more_than_it_may_over_restarts_and_the_next_one_begins_anew()
    {
        using var rig = new CloudWatchRig(start: new DateTimeOffset(2026, 11, 23, 0, 0, 10, TimeSpan.Zero)) { MaxUsdPerDay = UsdOfADay / 3 };
        var table = rig.CloudWatch.Add("AWS/DynamoDB", "Requests", ("TableName", "orders"), ("Operation", "GetItem"));
        for (var at = CloudWatchCadence.FloorTo(rig.Now, Minute); at < rig.Now + TimeSpan.FromDays(2); at += Minute)
            table.Publish(at, 1, at + 2 * Minute);
        rig.Restart();
        await rig.DiscoverAsync();

        var gauges = await rig.RunAsync(TimeSpan.FromHours(12));
        Assert.Equal(1, gauges["pipeline_exporter_aws_spend_brake(test)"]);
        Assert.True(gauges["pipeline_exporter_cloudwatch_interval_seconds(test)"] > 100);
        rig.Restart();
        await rig.DiscoverAsync();
        gauges = await rig.RunAsync(TimeSpan.FromHours(11.9));

        Assert.InRange(gauges["pipeline_exporter_aws_spend_today_usd()"], UsdOfADay / 4, UsdOfADay / 3);
        Assert.Equal(UsdOfADay / 3, gauges["pipeline_exporter_aws_spend_limit_usd()"]);
        Assert.InRange(rig.Own("pipeline_exporter_aws_cost_usd_total"), UsdOfADay / 4, UsdOfADay / 3);
        await rig.RunAsync(TimeSpan.FromHours(1));
        // Slower, and whole.
        Assert.InRange(rig.Counted(FakeGroup.Requests, "orders", "GetItem")!.Value, (23.5 * 60) - 10, 25 * 60);
        Assert.InRange((await rig.CollectAsync())["pipeline_exporter_aws_spend_today_usd()"], 0, UsdOfADay / 3);
    }

    [Fact]
    public async Task A_day_takes_as_many_requests_metrics_and_dollars_as_the_plan_said()
    {
        using var rig = new CloudWatchRig(start: new DateTimeOffset(2026, 11, 23, 0, 0, 10, TimeSpan.Zero));
        for (var i = 0; i < 7; i++)
        {
            var table = rig.CloudWatch.Add("AWS/DynamoDB", "Requests", ("TableName", $"t{i}"), ("Operation", "GetItem"));
            for (var at = CloudWatchCadence.FloorTo(rig.Now, Minute) - 10 * Minute; at < rig.Now + Day; at += Minute)
                table.Publish(at, 1, at + 2 * Minute);
        }

        var size = rig.CloudWatch.Add("AWS/S3", "Size", ("TableName", "t0"));
        for (var day = -3; day < 2; day++)
            size.Publish(new DateTimeOffset(2026, 11, 23, 0, 0, 0, TimeSpan.Zero).AddDays(day), 1, new DateTimeOffset(2026, 11, 23, 13, 0, 0, TimeSpan.Zero).AddDays(day + 1));
        await rig.DiscoverAsync();
        var group = rig.Plan.Groups[0];
        var queries = rig.Plan[group].Select(metric => metric.Query).ToList();
        var planned = Assert.Single(await rig.Collector.PlanAsync(default));

        await rig.RunAsync(Day);

        Assert.Equal(7 * 1440 + 1, CloudWatchCost.BilledPerDay(queries, group.Interval));
        Assert.InRange(rig.Own("pipeline_exporter_cloudwatch_billed_metrics_total") / CloudWatchCost.BilledPerDay(queries, group.Interval), 0.99, 1.01);
        Assert.InRange(rig.Own("pipeline_exporter_aws_cost_usd_total") / rig.Plan.Costs.Single().UsdPerDay, 0.99, 1.01);
        Assert.InRange(rig.CloudWatch.Count("GetMetricData") / planned.ADay, 0.99, 1.01);
    }

    [Fact]
    public void Regions_of_one_account_share_what_it_may_cost()
    {
        var budget = new AwsBudgets().Of("123456789012", () => []);
        var today = new DateOnly(2026, 11, 23);

        Assert.Equal((1.5, 1.0, null), budget.Report("ireland", today, 1.5, 3, null));
        Assert.Equal((1.75, 0.25, 5.0), budget.Report("frankfurt", today, 0.25, 1, 5));
        // What one region is told of the limit holds for all: none can spend past it.
        Assert.Equal((0.5, 0.75, 5.0), budget.Report("ireland", today.AddDays(1), 0.5, 3, null));
        Assert.Equal((0.75, 0.25, 4.0), budget.Report("frankfurt", today.AddDays(1), 0.25, 1, 4));
    }

    [Fact]
    public async Task What_other_regions_spent_before_a_restart_is_spent()
    {
        using var rig = new CloudWatchRig { MaxUsdPerDay = 5 };
        rig.Restart();
        foreach (var (scope, value) in new[]
        {
            ("aws/123456789012/us-east-1", "2026-11-23 2.5"), ("aws/123456789012/eu-central-1", "2026-11-22 9"), ("aws/999999999999/us-east-1", "2026-11-23 9"),
        })
        {
            var batch = rig.Ledger.For(scope).Begin();
            batch.SetValue("aws.spent", value);
            batch.Commit();
        }

        await rig.DiscoverAsync();
        Assert.Equal(2.5, (await rig.CollectAsync())["pipeline_exporter_aws_spend_today_usd()"], 3);
    }

    [Fact]
    public async Task When_all_is_spent_nothing_is_looked_for_any_more()
    {
        using var rig = new CloudWatchRig { MaxUsdPerDay = 0.00002 };
        rig.Restart();
        rig.CloudWatch.Add("AWS/DynamoDB", "Latency", ("TableName", "orders"));
        await rig.DiscoverAsync();
        await rig.RunAsync(30 * Minute);
        var listed = rig.CloudWatch.Count("ListMetrics");
        Assert.True(listed > 0);

        await rig.DiscoverAsync();
        Assert.Equal(listed, rig.CloudWatch.Count("ListMetrics"));
        Assert.Single(rig.Plan[rig.Plan.Groups[0]]);

        rig.Time.Advance(Day);
        await rig.CollectAsync();
        await rig.DiscoverAsync();
        Assert.True(rig.CloudWatch.Count("ListMetrics") > listed);
    }

    [Fact]
    public async Task A_commit_that_fails_spends_nothing_twice()
    {
        using var rig = new CloudWatchRig();
        rig.CloudWatch.Add("AWS/DynamoDB", "Latency", ("TableName", "orders"));
        await rig.DiscoverAsync();
        await rig.CollectAsync();
        await rig.DiscoverAsync();
        rig.BreakCommits(true);
        for (var i = 0; i < 5; i++)
            await Assert.ThrowsAsync<StateException>(rig.CollectAsync);
        rig.BreakCommits(false);
        rig.Time.Advance(Minute);

        await rig.CollectAsync();
        var today = (await rig.CollectAsync())["pipeline_exporter_aws_spend_today_usd()"];
        Assert.InRange(today / 0.00001, rig.CloudWatch.Count("ListMetrics"), rig.CloudWatch.Count("ListMetrics") + rig.CloudWatch.Asked + 0.001);
    }

    private static GroupCost[] Costs(params double[] usd) =>
        [.. usd.Select((cost, i) => new GroupCost(new Dummy((CloudWatchImportance)i), cost))];

    private sealed class Dummy(CloudWatchImportance importance) : CloudWatchGroup(Minute)
    {
        public override string Name => "dummy";

        public override string Setting => "test.interval";

        public override CloudWatchImportance Importance => importance;

        public override IReadOnlyList<MetricDesc> Metrics => [];

        public override Task<IReadOnlyList<CloudWatchQuery>> DiscoverAsync(CloudWatchListing listing, CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<CloudWatchQuery>>([]);
    }
}
