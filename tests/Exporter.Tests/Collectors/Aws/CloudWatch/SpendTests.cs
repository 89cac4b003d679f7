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
    private static readonly DateTimeOffset Midnight = new(2026, 11, 23, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void With_enough_money_nobody_is_slowed_down() =>
        Assert.All(SpendBrake.Intervals(Costs(1, 1, 1), 3, Day).Values, interval => Assert.Equal(Minute, interval));

    [Fact]
    public void The_least_important_group_is_slowed_down_first_and_the_guides_alerts_last()
    {
        var costs = Costs(1, 1, 1);

        foreach (var usd in (double[])[2.9, 2.5, 2, 1.9, 1.5, 1, 0.9, 0.5, 0.1, 0])
        {
            var intervals = SpendBrake.Intervals(costs, usd, Day);

            Assert.Equal(usd <= 2, intervals[costs[0].Group] is null);
            Assert.Equal(usd >= 2, intervals[costs[1].Group] == Minute);
            Assert.Equal(usd <= 1, intervals[costs[1].Group] is null);
            Assert.Equal(usd >= 1, intervals[costs[2].Group] == Minute);
        }

        Assert.Equal(2 * Minute, SpendBrake.Intervals(costs, 2.5, Day)[costs[0].Group]);
        Assert.Equal(10 * Minute, SpendBrake.Intervals(costs, 0.1, Day)[costs[2].Group]);
    }

    [Fact]
    public void Groups_of_the_same_importance_are_slowed_down_by_the_same_factor()
    {
        GroupCost[] costs = [new(new Dummy(CloudWatchImportance.Alerts), 8), new(new Dummy(CloudWatchImportance.Alerts), 2), .. Costs(1)];

        var intervals = SpendBrake.Intervals(costs, 5, Day);

        Assert.Equal(intervals[costs[0].Group], intervals[costs[1].Group]);
        Assert.Equal(2 * Minute, intervals[costs[0].Group]);
        Assert.Null(intervals[costs[2].Group]);
    }

    [Fact]
    public void A_group_that_asks_for_nothing_is_not_slowed_down_and_one_asked_less_than_once_a_month_stands_still()
    {
        var costs = Costs(0, 1);

        Assert.Equal(Minute, SpendBrake.Intervals(costs, 0, Day)[costs[0].Group]);
        Assert.Null(SpendBrake.Intervals(costs, 1e-9, Day)[costs[1].Group]);
    }

    [Fact]
    public void What_is_left_is_never_exceeded_and_nobody_gets_anything_of_it_that_a_more_important_group_of_any_region_lacks() =>
        Gen.Select(Gen.Int[0, 10_000].Select(thousandths => thousandths / 1000.0).Array[3].Array[1, 4], Gen.Double[0, 40], Gen.Double[0.001, 1]).Sample((regions, limit, part) =>
        {
            var (budget, now, span) = (Budget(), Midnight + (Day * (1 - part)), Day * part);
            var groups = regions.Select(Costs).ToList();
            for (var i = 0; i < groups.Count; i++)
                budget.Report($"{i}", now, 0, groups[i], limit);
            // Each region is told of its own groups.
            var all = groups.SelectMany((costs, i) => budget.Report($"{i}", now, 0, costs, limit).Intervals
                .Select(one => (Cost: costs.Single(cost => cost.Group == one.Key), Interval: one.Value))).Where(one => one.Cost.UsdPerDay > 0).ToList();

            var spent = all.Sum(one => one.Cost.UsdPer(span, one.Interval));
            Assert.True(spent <= limit + 1e-6, $"{spent} of {limit}");
            if (all.Any(one => one.Interval is null))
                Assert.True(spent >= limit - 2e-3, $"{spent} of {limit}");
            foreach (var slow in all.Where(one => one.Interval != Minute))
            {
                Assert.All(all.Where(one => one.Cost.Group.Importance < slow.Cost.Group.Importance), one => Assert.Null(one.Interval));
                Assert.All(all.Where(one => one.Cost.Group.Importance == slow.Cost.Group.Importance), one => Assert.Equal(slow.Interval, one.Interval));
            }

            // Whatever the others take, each can have what its groups are to have.
            for (var i = 0; i < groups.Count; i++)
            {
                var wanted = groups[i].Sum(cost => cost.UsdPer(span, all.FirstOrDefault(one => one.Cost == cost).Interval));
                Assert.True(budget.Take($"{i}", now, wanted) >= wanted - 1e-6, $"{i}: {wanted}");
            }
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
        var budget = Budget();

        Assert.Equal((1.5, null), Told(budget.Report("ireland", Midnight, 1.5, [], null)));
        Assert.Equal((1.75, 5.0), Told(budget.Report("frankfurt", Midnight, 0.25, [], 5)));
        // What one region is told of the limit holds for all: none can spend past it.
        Assert.Equal((0.5, 5.0), Told(budget.Report("ireland", Midnight + Day, 0.5, [], null)));
        Assert.Equal((0.75, 4.0), Told(budget.Report("frankfurt", Midnight + Day, 0.25, [], 4)));

        static (double, double?) Told((double Spent, double? Limit, Dictionary<CloudWatchGroup, TimeSpan?>) report) => (report.Spent, report.Limit);
    }

    [Fact]
    public void Charts_of_one_region_give_way_to_the_guides_alerts_of_another()
    {
        var budget = Budget();
        GroupCost charts = new(new Dummy(CloudWatchImportance.Charts), 10), guide = new(new Dummy(CloudWatchImportance.GuideAlerts), 10);

        // Who has not found out what there is wants nothing.
        budget.Report("frankfurt", Midnight, 0, [guide with { UsdPerDay = 0 }], 10);
        Assert.Equal(Minute, Report("ireland", Midnight, 0, charts));
        Assert.Equal(Minute, Report("frankfurt", Midnight, 0, guide));
        Assert.Null(Report("ireland", Midnight, 0, charts));
        Assert.Equal((0, 0.01), (budget.Take("ireland", Midnight, 0.01), budget.Take("frankfurt", Midnight, 0.01)));

        // Money that the guide's alerts did not need, up to noon, is there for the charts; that of the afternoon is not.
        var noon = Midnight + (Day / 2);
        Assert.Equal(Minute, Report("frankfurt", noon, 4, guide));
        Assert.Equal(5 * Minute, Report("ireland", noon, 0, charts));
        Assert.Equal(1, budget.Take("ireland", noon, 6), 6);

        // Past midnight the other has not reported yet, and wants what it wanted.
        Assert.Null(Report("ireland", Midnight + Day, 0, charts));
        Assert.Equal(0, budget.Take("ireland", Midnight + Day, 0.01));
        Assert.Equal(Minute, Report("frankfurt", Midnight + Day, 0, guide));

        TimeSpan? Report(string region, DateTimeOffset now, double spent, GroupCost cost) => budget.Report(region, now, spent, [cost], 10).Intervals[cost.Group];
    }

    [Fact]
    public void Equals_of_all_regions_are_slowed_down_by_the_same_factor_and_cannot_spend_what_the_others_need()
    {
        var budget = Budget();
        GroupCost[] costs = [new(new Dummy(CloudWatchImportance.Alerts), 8), new(new Dummy(CloudWatchImportance.Alerts), 2)];
        budget.Report("ireland", Midnight, 0, costs[..1], 5);

        Assert.Equal(2 * Minute, budget.Report("frankfurt", Midnight, 0, costs[1..], 5).Intervals[costs[1].Group]);
        Assert.Equal(2 * Minute, budget.Report("ireland", Midnight, 0, costs[..1], 5).Intervals[costs[0].Group]);
        Assert.Equal(4, budget.Take("ireland", Midnight, 10), 6);
        Assert.Equal(0, budget.Take("ireland", Midnight, 10), 6);
        Assert.Equal(1, budget.Take("frankfurt", Midnight, 10), 6);
    }

    [Fact]
    public async Task Regions_that_ask_at_the_same_time_spend_no_dollar_twice()
    {
        var budget = Budget();
        var regions = Enumerable.Range(0, 4).Select(i => (Scope: $"{i}", Costs: Costs(i, 1, 4 - i), Random: new Random(i))).ToList();

        var spent = await Task.WhenAll(regions.Select(region => Task.Run(() =>
        {
            var usd = 0.0;
            for (var minute = 0; minute < 1440; minute++)
            {
                budget.Report(region.Scope, Midnight + (minute * Minute), usd, region.Costs, 10);
                usd += budget.Take(region.Scope, Midnight + (minute * Minute), region.Random.NextDouble() / 10);
            }

            return usd;
        })));

        Assert.InRange(spent.Sum(), 9.9, 10 + 1e-6);
    }

    [Fact]
    public async Task A_region_asks_for_nothing_that_takes_the_money_of_more_important_groups_elsewhere()
    {
        using var rig = new CloudWatchRig { MaxUsdPerDay = 5 };
        rig.Restart();
        rig.CloudWatch.Add("AWS/DynamoDB", "Latency", ("TableName", "orders"));
        await rig.DiscoverAsync();
        // What is left is half of what they take until midnight.
        Elsewhere(usdPerDay: 20);

        var gauges = await rig.RunAsync(10 * Minute);

        Assert.Equal(0, rig.CloudWatch.Asked);
        Assert.Equal(1, gauges["pipeline_exporter_aws_spend_brake(test)"]);
        Assert.Equal(double.PositiveInfinity, gauges["pipeline_exporter_cloudwatch_interval_seconds(test)"]);

        Elsewhere(usdPerDay: 1);
        gauges = await rig.RunAsync(10 * Minute);

        Assert.Equal(0, gauges["pipeline_exporter_aws_spend_brake(test)"]);
        Assert.True(rig.CloudWatch.Asked > 0);

        void Elsewhere(double usdPerDay) => rig.Budgets.Of("123456789012", () => [])
            .Report("aws/123456789012/us-east-1", rig.Now, 0, [new(new Dummy(CloudWatchImportance.GuideAlerts), usdPerDay)], null);
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

    private static AwsBudget Budget() => new AwsBudgets().Of("123456789012", () => []);

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
