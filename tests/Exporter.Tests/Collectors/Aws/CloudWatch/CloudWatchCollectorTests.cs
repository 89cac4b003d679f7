using System.Globalization;
using PipelineExporter.Collectors.Aws.CloudWatch;
using PipelineExporter.Sources.Aws;
using PipelineExporter.State;
using PipelineExporter.Tests.Sources.Aws;

namespace PipelineExporter.Tests.Collectors.Aws.CloudWatch;

public sealed class CloudWatchCollectorTests : IDisposable
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly CloudWatchRig rig = new();

    public void Dispose() => rig.Dispose();

    [Fact]
    public async Task A_sum_is_counted_once_a_period_from_the_first_look_on()
    {
        var table = Requests("orders");
        Publish(table, -10, 30, 5);
        await rig.DiscoverAsync();

        await rig.RunAsync(10 * Minute);

        // The minute in which counting began is the first; the last ones are not settled yet.
        Assert.Equal(8 * 5, rig.Counted(FakeGroup.Requests, "orders", "GetItem"));
        Assert.Equal(0, rig.Own("pipeline_exporter_cloudwatch_revisions_total"));
    }

    [Fact]
    public async Task Each_metric_is_asked_when_its_next_datapoint_can_exist_and_not_before()
    {
        Publish(Requests("orders"), -10, 90, 5);
        await rig.DiscoverAsync();

        await rig.RunAsync(60 * Minute);

        Assert.InRange(rig.CloudWatch.Count("GetMetricData"), 58, 61);
        Assert.InRange(rig.Own("pipeline_exporter_cloudwatch_billed_metrics_total"), 58, 61);
        Assert.All(Asked(), at => Assert.InRange(at.Second, 0, 15));
    }

    [Fact]
    public async Task A_longer_interval_costs_less_and_loses_nothing()
    {
        using var slow = new CloudWatchRig(() => [new FakeGroup(TimeSpan.FromMinutes(5))]);
        var table = Requests("orders", slow);
        Publish(table, -10, 90, 5, slow);
        await slow.DiscoverAsync();

        var gauges = await slow.RunAsync(60 * Minute);

        Assert.InRange(slow.CloudWatch.Count("GetMetricData"), 12, 14);
        Assert.Equal(55 * 5, slow.Counted(FakeGroup.Requests, "orders", "GetItem")); // up to the last five minutes that have settled
        Assert.Equal(25, gauges["test_requests_last_5m(orders)"]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(15)]
    [InlineData(60)]
    public async Task The_highest_window_is_shown_however_many_a_longer_interval_skips(int minutes)
    {
        using var slow = new CloudWatchRig(() => [new FakeGroup(minutes * Minute)]);
        var table = Requests("orders", slow);
        Publish(table, -20, 720, 0, slow);
        await slow.DiscoverAsync();
        await slow.RunAsync(2 * minutes * Minute);

        // Two minutes that lie in one window of five minutes; wherever the question comes that looks at them.
        for (var offset = 0; offset < 2; offset++)
        {
            var start = CloudWatchCadence.FloorTo(slow.Now, minutes * Minute) + (2 * minutes + offset * minutes / 2) * Minute;
            foreach (var i in (int[])[3, 5])
                table.Publish(start + i * Minute, 6, start + (i + 2) * Minute);

            var seen = new List<double>();
            for (var end = start + (2 * minutes + 13) * Minute; slow.Now < end;)
                seen.Add((await slow.RunAsync(TimeSpan.FromSeconds(15)))["test_requests_last_5m(orders)"]);
            Assert.Equal(12, seen.Max());
            Assert.Equal(0, seen[^1]);
        }
    }

    [Fact]
    public async Task A_window_of_which_nothing_new_is_known_vanishes()
    {
        Publish(Requests("orders"), 0, 120, 5);
        await rig.DiscoverAsync();
        Assert.Equal(25, (await rig.RunAsync(20 * Minute))["test_requests_last_5m(orders)"]);
        rig.CloudWatch.StatusOf = _ => "InternalError";
        Assert.Equal(25, (await rig.RunAsync(2 * Minute))["test_requests_last_5m(orders)"]);

        Assert.DoesNotContain("test_requests_last_5m(orders)", (await rig.RunAsync(5 * Minute)).Keys);
        Assert.NotNull(rig.Counted(FakeGroup.Requests, "orders", "GetItem"));
        rig.CloudWatch.StatusOf = _ => null;
        Assert.Equal(25, (await rig.RunAsync(10 * Minute))["test_requests_last_5m(orders)"]);
    }

    /// <summary>Of what comes too late for a window that ends now, an alert is to hear nonetheless.</summary>
    [Theory]
    [InlineData(5)]
    [InlineData(8)]
    public async Task A_window_that_passed_while_nothing_was_answered_is_told_when_something_is(int minutes)
    {
        var requests = Requests("orders");
        Publish(requests, 0, 5, 0);
        await rig.DiscoverAsync();
        await rig.RunAsync(5 * Minute);
        rig.CloudWatch.StatusOf = _ => "InternalError";
        var at = Floor(rig.Now);
        for (var i = 0; i < 60; i++)
            requests.Publish(at + i * Minute, i < 5 ? 3 : 0, at + (i + 2) * Minute);
        await rig.RunAsync(minutes * Minute);
        rig.CloudWatch.StatusOf = _ => null;

        var highest = 0.0;
        for (var i = 0; i < 20 * 4; i++)
            highest = Math.Max(highest, (await rig.RunAsync(Minute / 4)).GetValueOrDefault("test_requests_last_5m(orders)"));

        Assert.Equal(15, highest);
        Assert.Equal(15, rig.Counted(FakeGroup.Requests, "orders", "GetItem"));
        Assert.Equal(0, (await rig.RunAsync(Minute))["test_requests_last_5m(orders)"]);
    }

    [Fact]
    public async Task What_was_answered_is_stored_and_shown_though_one_request_hangs()
    {
        using var slow = new CloudWatchRig(retries: 20);
        var tables = Enumerable.Range(0, 1200).Select(i => $"table{i}").ToList();
        tables.ForEach(table => Publish(Requests(table, slow), 0, 30, 5, slow));
        await slow.DiscoverAsync();
        await slow.CollectAsync();
        slow.Time.Advance(5 * Minute);
        var hung = "table0";
        slow.CloudWatch.Hangs = (operation, body) => operation == "GetMetricData" && body.ToJsonString().Contains($"\"{hung}\"", StringComparison.Ordinal);

        var collecting = slow.CollectAsync();
        var waited = await AwsSourceTests.AdvanceUntilAsync(slow.Time, TimeSpan.FromSeconds(5), collecting);
        var gauges = await collecting;

        Assert.InRange(waited, TimeSpan.FromSeconds(55), TimeSpan.FromSeconds(70));

        var counted = tables.Where(table => slow.Counted(FakeGroup.Requests, table, "GetItem") > 0).ToList();
        Assert.Equal(700, counted.Count);
        Assert.DoesNotContain(hung, counted);
        Assert.Equal(15, gauges[$"test_requests_last_5m({counted[0]})"]);
        slow.CloudWatch.Hangs = (_, _) => false;
        await slow.RunAsync(10 * Minute);
        Assert.All(tables, table => Assert.Equal(slow.Counted(FakeGroup.Requests, counted[0], "GetItem"), slow.Counted(FakeGroup.Requests, table, "GetItem")));
    }

    [Fact]
    public void What_a_brake_put_off_is_due_again_when_it_lets_go()
    {
        var query = new CloudWatchQuery(FakeGroup.Latency, ["orders"], new("AWS/DynamoDB", "Latency", []), "Average", CloudWatchCadence.Minute);
        var metric = new TrackedMetric(query, new FakeGroup(Minute));
        for (var i = 0; i < 4; i++)
            metric.Answered(rig.Now, null, rig.Now);
        Assert.False(metric.IsDue(rig.Now + TimeSpan.FromHours(20), TimeSpan.FromHours(10)));
        Assert.True(metric.IsDue(rig.Now + 5 * Minute, Minute));

        metric.Answered(rig.Now, rig.Now - Minute, rig.Now);
        Assert.False(metric.IsDue(rig.Now + TimeSpan.FromHours(1), TimeSpan.FromHours(10)));
        Assert.True(metric.IsDue(rig.Now + 4 * Minute, Minute));
    }

    [Fact]
    public void Questions_of_different_periods_are_different_requests()
    {
        var metric = new CloudWatchMetric("AWS/DynamoDB", "Requests", []);
        var until = Floor(rig.Now);
        var questions = new[] { Minute, TimeSpan.FromDays(1), Minute, 5 * Minute }.Select((period, i) => new MetricQuestion(
            new(FakeGroup.Size, [$"{i}"], metric with { }, "Sum", new(period, Minute)), period, CloudWatchCadence.FloorTo(until - 10 * period, period), until)).ToList();

        var requests = CloudWatchRequest.Pack(questions).ToList();

        Assert.Equal([2, 1, 1], requests.Select(request => request.Questions.Count));
        Assert.All(requests, request => Assert.Single(request.Questions.Select(question => question.Period).Distinct()));
    }

    [Fact]
    public async Task A_clock_that_was_set_wrong_while_running_skips_nothing()
    {
        Publish(Requests("orders"), 0, 240, 5);
        await rig.DiscoverAsync();
        await rig.RunAsync(10 * Minute);
        // Signed by a clock that is an hour ahead: refused, and sent again by AWS's own.
        rig.CloudWatch.Ahead = -TimeSpan.FromHours(1);
        rig.Time.Advance(TimeSpan.FromHours(1));
        await rig.RunAsync(30 * Minute);

        Assert.InRange(rig.Counted(FakeGroup.Requests, "orders", "GetItem")!.Value, 37 * 5, 39 * 5);
    }

    [Fact]
    public async Task A_datapoint_that_grows_later_adds_the_difference()
    {
        var table = Requests("orders");
        Publish(table, 0, 1, 3);
        var start = Floor(rig.Now);
        table.Publish(start, 10, start + 6 * Minute);
        await rig.DiscoverAsync();

        await rig.RunAsync(4 * Minute);
        Assert.Equal(3, rig.Counted(FakeGroup.Requests, "orders", "GetItem"));
        await rig.RunAsync(6 * Minute);

        Assert.Equal(10, rig.Counted(FakeGroup.Requests, "orders", "GetItem"));
        Assert.Equal(1, rig.Own("pipeline_exporter_cloudwatch_revisions_total"));
    }

    /// <summary>With each question the newest three of before, or those that a window of five minutes tells of.</summary>
    [Theory]
    [InlineData("Reads", 4)]
    [InlineData("Requests", 6)]
    public async Task All_that_can_be_revised_is_asked_for_in_every_fifth_question(string name, int minutes)
    {
        Publish(name == "Reads" ? rig.CloudWatch.Add("AWS/DynamoDB", name, ("TableName", "orders")) : Requests("orders"), 0, 40, 3);
        await rig.DiscoverAsync();
        await rig.RunAsync(20 * Minute);
        rig.CloudWatch.Requests.Clear();

        await rig.RunAsync(10 * Minute);

        var spans = rig.CloudWatch.Requests.Select(request => ((double)request.Body["EndTime"]! - (double)request.Body["StartTime"]!) / 60);
        Assert.Equal([.. Enumerable.Repeat<double>(minutes, 8), 15, 15], spans.Order());
    }

    [Fact]
    public void Metrics_take_turns_to_look_back()
    {
        const int count = 200;
        var (group, now) = (new FakeGroup(Minute), Floor(rig.Now) + 5 * Minute);
        var metric = new CloudWatchMetric("AWS/DynamoDB", "Reads", []);
        var metrics = Enumerable.Range(0, count).Select(i => new TrackedMetric(new(FakeGroup.Reads, [$"{i}"], metric, "Sum", CloudWatchCadence.Minute), group)).ToList();
        foreach (var one in metrics)
            one.Answered(now - 2 * Minute, null, now);

        var looking = Enumerable.Range(1, CloudWatchCadence.LookBackEvery).Select(minute => metrics.Count(one =>
            one.Question(PeriodSums.StartingAt(now + (minute - 3) * Minute, Minute), Minute, now + minute * Minute) is { } question
            && question.Until - question.From > 10 * Minute)).ToList();

        Assert.All(looking, one => Assert.InRange(one, 1, count / 2));
        Assert.Equal(count, looking.Sum());
    }

    [Fact]
    public async Task A_gauge_is_asked_for_no_further_back_than_it_is_shown()
    {
        Publish(rig.CloudWatch.Add("AWS/DynamoDB", "Latency", ("TableName", "orders")), 0, 40, 3);
        await rig.DiscoverAsync();
        await rig.RunAsync(20 * Minute);

        var last = rig.CloudWatch.Requests[^1].Body;
        Assert.Equal(3, ((double)last["EndTime"]! - (double)last["StartTime"]!) / 60);
    }

    [Fact]
    public async Task A_datapoint_that_shrinks_is_a_debt_of_what_comes_next()
    {
        var table = Requests("orders");
        var start = Floor(rig.Now);
        table.Publish(start, 10, start);
        table.Publish(start, 4, start + 5 * Minute);
        for (var i = 6; i < 12; i++)
            table.Publish(start + i * Minute, 4, start);
        await rig.DiscoverAsync();

        await rig.RunAsync(4 * Minute);
        Assert.Equal(10, rig.Counted(FakeGroup.Requests, "orders", "GetItem"));
        await rig.RunAsync(5.5 * Minute);
        Assert.Equal(10, rig.Counted(FakeGroup.Requests, "orders", "GetItem"));
        rig.Restart();
        await rig.DiscoverAsync();
        await rig.RunAsync(10 * Minute);

        Assert.Equal(4 + 6 * 4, rig.Counted(FakeGroup.Requests, "orders", "GetItem"));
    }

    [Fact]
    public async Task What_was_missed_while_the_exporter_was_down_is_counted_then()
    {
        var table = Requests("orders");
        Publish(table, -10, 400, 2);
        await rig.DiscoverAsync();
        await rig.RunAsync(10 * Minute);

        rig.Time.Advance(TimeSpan.FromHours(5));
        rig.Restart();
        await rig.DiscoverAsync();
        await rig.RunAsync(TimeSpan.FromSeconds(15));

        Assert.Equal(2 * 308, rig.Counted(FakeGroup.Requests, "orders", "GetItem"));
    }

    [Fact]
    public async Task What_was_missed_for_weeks_is_counted_by_the_periods_that_CloudWatch_still_has()
    {
        var table = Requests("orders");
        await rig.DiscoverAsync();
        var start = Floor(rig.Now);
        table.Publish(start + Minute, 7, start);
        await rig.RunAsync(10 * Minute);
        // One of them in the five minutes of which the first one was counted already.
        foreach (var minutes in (int[])[14, 500, 5000, 20_000, 28_000])
            table.Publish(start + minutes * Minute, 1, start);

        rig.Time.Advance(TimeSpan.FromDays(20));
        rig.Restart();
        await rig.DiscoverAsync();
        await rig.RunAsync(10 * Minute);

        Assert.Equal(12, rig.Counted(FakeGroup.Requests, "orders", "GetItem"));
        Assert.Contains(300, rig.CloudWatch.Requests.Where(request => request.Operation == "GetMetricData")
            .Select(request => (int)request.Body["MetricDataQueries"]![0]!["MetricStat"]!["Period"]!));
    }

    [Fact]
    public async Task A_new_resource_is_counted_from_its_first_request_although_it_is_listed_later()
    {
        await rig.DiscoverAsync();
        await rig.RunAsync(30 * Minute);
        await rig.DiscoverAsync();
        var table = Requests("new");
        table.IsListed = false;
        Publish(table, 2, 12, 5);
        await rig.RunAsync(15 * Minute);

        table.IsListed = true;
        await rig.DiscoverAsync();
        await rig.RunAsync(Minute);

        Assert.Equal(50, rig.Counted(FakeGroup.Requests, "new", "GetItem"));
    }

    [Fact]
    public async Task A_gone_resource_vanishes_and_comes_back_with_what_was_counted()
    {
        var table = Requests("orders");
        Publish(table, 0, 60, 1);
        await rig.DiscoverAsync();
        await rig.RunAsync(5 * Minute);
        var filter = rig.Collector.Shown()!;
        Assert.True(filter(FakeGroup.Requests, ["orders", "GetItem"]));
        Assert.True(filter(FakeGroup.RequestsLately, ["orders"]));
        Assert.True(filter(FakeGroup.At, ["orders"]));

        table.IsListed = false;
        await rig.DiscoverAsync();
        Assert.False(filter(FakeGroup.Requests, ["orders", "GetItem"]));
        await rig.RunAsync(20 * Minute);

        table.IsListed = true;
        await rig.DiscoverAsync();
        await rig.RunAsync(15 * Minute);

        Assert.True(filter(FakeGroup.Requests, ["orders", "GetItem"]));
        Assert.Equal(38, rig.Counted(FakeGroup.Requests, "orders", "GetItem"));
    }

    [Fact]
    public async Task Dimension_sets_are_matched_exactly()
    {
        Requests("orders");
        rig.CloudWatch.Add("AWS/DynamoDB", "Requests", ("TableName", "orders"), ("Operation", "GetItem"), ("Source", "app"));
        rig.CloudWatch.Add("AWS/DynamoDB", "Requests", ("TableName", "orders"));

        await rig.DiscoverAsync();

        Assert.Single(rig.Plan[rig.Plan.Groups[0]]);
    }

    [Fact]
    public async Task A_gauge_shows_the_newest_settled_datapoint_with_its_time_and_vanishes_when_it_is_stale()
    {
        var latency = rig.CloudWatch.Add("AWS/DynamoDB", "Latency", ("TableName", "orders"));
        var start = Floor(rig.Now);
        for (var i = -10; i < 5; i++)
            latency.Publish(start + i * Minute, 100 + i, start);
        await rig.DiscoverAsync();

        var gauges = await rig.RunAsync(4 * Minute);
        // Two minutes pass before a minute counts as settled.
        Assert.Equal(0.101, gauges["test_latency_seconds(orders)"], 6);
        Assert.Equal((start + 2 * Minute).ToUnixTimeSeconds(), gauges["test_timestamp_seconds(orders)"]);

        gauges = await rig.RunAsync(5 * Minute);
        Assert.Equal(0.104, gauges["test_latency_seconds(orders)"], 6);
        gauges = await rig.RunAsync(6 * Minute);
        Assert.DoesNotContain("test_latency_seconds(orders)", gauges.Keys);
        Assert.DoesNotContain("test_timestamp_seconds(orders)", gauges.Keys);
    }

    [Fact]
    public async Task What_is_late_is_asked_for_less_and_less_often()
    {
        Publish(Requests("idle"), -30, -20, 1);
        await rig.DiscoverAsync();

        var gauges = await rig.RunAsync(60 * Minute);

        Assert.InRange(rig.CloudWatch.Count("GetMetricData"), 14, 18);
        Assert.Equal(1, gauges["pipeline_exporter_cloudwatch_late_metrics(test)"]);
    }

    [Fact]
    public async Task What_is_sparse_is_never_late()
    {
        using var sparse = new CloudWatchRig(() => [new FakeGroup(Minute) { IsSparse = true }]);
        Requests("quiet", sparse);
        await sparse.DiscoverAsync();

        var gauges = await sparse.RunAsync(60 * Minute);

        Assert.InRange(sparse.CloudWatch.Count("GetMetricData"), 58, 61);
        Assert.Equal(0, gauges["pipeline_exporter_cloudwatch_late_metrics(test)"]);
        Assert.Equal(0, gauges["test_requests_last_5m(quiet)"]);
    }

    [Fact]
    public async Task What_alerts_need_is_asked_by_declared_dimensions_before_it_is_listed()
    {
        using var declared = new CloudWatchRig(() => [new FakeGroup(Minute) { Declared = { ("orders", "PutItem") } }]);
        var throttles = declared.CloudWatch.Add("AWS/DynamoDB", "Requests", ("TableName", "orders"), ("Operation", "PutItem"));
        throttles.IsListed = false;
        await declared.DiscoverAsync();
        await declared.RunAsync(5 * Minute);
        throttles.Publish(Floor(declared.Now), 11, declared.Now);

        var gauges = await declared.RunAsync(4 * Minute);

        Assert.Equal(11, declared.Counted(FakeGroup.Requests, "orders", "PutItem"));
        Assert.Equal(11, gauges["test_requests_last_5m(orders)"]);
    }

    [Fact]
    public async Task A_daily_metric_is_asked_for_twice_a_day_at_most_and_stays_until_its_successor_comes()
    {
        var size = rig.CloudWatch.Add("AWS/S3", "Size", ("TableName", "raw"));
        var day = new DateTimeOffset(2026, 11, 20, 0, 0, 0, TimeSpan.Zero);
        for (var i = 0; i < 10; i++)
            size.Publish(day.AddDays(i), 1000 + i, day.AddDays(i + 1).AddHours(13));
        await rig.DiscoverAsync();

        var missing = 0;
        for (var i = 0; i < 4 * 24; i++)
            missing += (await rig.RunAsync(TimeSpan.FromHours(1))).ContainsKey("test_size_bytes(raw)") ? 0 : 1;

        Assert.Equal(0, missing);
        Assert.InRange(rig.CloudWatch.Asked, 4, 9);
        Assert.Equal(1005, (await rig.CollectAsync())["test_size_bytes(raw)"]);
    }

    [Fact]
    public async Task Five_hundred_questions_are_one_request()
    {
        for (var i = 0; i < 1250; i++)
            Publish(Requests($"table{i}"), -3, 10, 1);
        await rig.DiscoverAsync();

        await rig.CollectAsync();

        Assert.Equal([250, 500, 500], rig.CloudWatch.Requests.Where(request => request.Operation == "GetMetricData")
            .Select(request => request.Body["MetricDataQueries"]!.AsArray().Count).Order());
        Assert.Equal(1250, rig.Own("pipeline_exporter_cloudwatch_billed_metrics_total"));
    }

    [Fact]
    public async Task Requests_are_sent_side_by_side_but_not_all_at_once()
    {
        for (var i = 0; i < 10_000; i++)
            Requests($"table{i}");
        await rig.DiscoverAsync();
        rig.CloudWatch.Latency = TimeSpan.FromMilliseconds(30);

        await rig.CollectAsync();

        Assert.InRange(rig.CloudWatch.MostInFlight, 5, CloudWatchRequest.AtOnce);
    }

    [Fact]
    public async Task Pages_of_an_answer_are_followed_to_the_last()
    {
        for (var i = 0; i < 800; i++)
            Publish(Requests($"table{i}"), 0, 1, 1);
        rig.CloudWatch.LargestPage = 160;
        await rig.DiscoverAsync();

        await rig.RunAsync(4 * Minute);

        Assert.All(Enumerable.Range(0, 800), i => Assert.Equal(1, rig.Counted(FakeGroup.Requests, $"table{i}", "GetItem")));
    }

    [Fact]
    public async Task A_page_that_fails_loses_nothing_and_counts_nothing_twice()
    {
        for (var i = 0; i < 300; i++)
            Publish(Requests($"table{i}"), 0, 20, 1);
        rig.CloudWatch.LargestPage = 100;
        await rig.DiscoverAsync();
        var fails = 0;
        rig.CloudWatch.Interfere = (operation, body) =>
            operation == "GetMetricData" && body["NextToken"] is not null && ++fails % 3 != 0 ? FakeCloudWatch.Error(500, "InternalServiceError") : null;
        await rig.RunAsync(10 * Minute);
        rig.CloudWatch.Interfere = (_, _) => null;

        await rig.RunAsync(20 * Minute);

        Assert.True(fails > 20);
        Assert.All(Enumerable.Range(0, 300), i => Assert.Equal(20, rig.Counted(FakeGroup.Requests, $"table{i}", "GetItem")));
    }

    [Fact]
    public async Task An_entry_that_says_InternalError_hurts_no_other_and_is_counted_later()
    {
        Publish(Requests("orders"), 0, 30, 5);
        var latency = rig.CloudWatch.Add("AWS/DynamoDB", "Latency", ("TableName", "orders"));
        for (var i = -5; i < 30; i++)
            latency.Publish(Floor(rig.Now) + i * Minute, 7, rig.Now);
        await rig.DiscoverAsync();
        await rig.RunAsync(5 * Minute);
        rig.CloudWatch.StatusOf = name => name == "Requests" ? "InternalError" : null;

        var gauges = await rig.RunAsync(10 * Minute);
        Assert.Equal(0.007, gauges["test_latency_seconds(orders)"]);
        Assert.Equal(1, gauges["pipeline_exporter_cloudwatch_failed_metrics(test)"]);
        Assert.Single(rig.Log.All, line => line.EndsWith(
            "metrics that CloudWatch did not answer: 1, the first being AWS/DynamoDB Requests{TableName=orders,Operation=GetItem}, Sum: CloudWatch answered InternalError",
            StringComparison.Ordinal));
        rig.CloudWatch.StatusOf = _ => null;
        gauges = await rig.RunAsync(10 * Minute);

        Assert.Equal(0, gauges["pipeline_exporter_cloudwatch_failed_metrics(test)"]);
        Assert.Equal(23 * 5, rig.Counted(FakeGroup.Requests, "orders", "GetItem"));
    }

    [Fact]
    public async Task A_group_whose_service_hangs_when_it_is_discovered_does_not_keep_the_others_waiting()
    {
        using var cancellation = new CancellationTokenSource();
        using var hung = new CloudWatchRig(() => [new FakeGroup(Minute), new HangingGroup()]);
        hung.CloudWatch.Add("AWS/DynamoDB", "Latency", ("TableName", "orders")).Publish(Floor(hung.Now) - 3 * Minute, 7, hung.Now);
        var (start, discovering) = (hung.Now, hung.Discovery.CollectAsync(cancellation.Token));
        while (hung.Plan[hung.Plan.Groups[0]].Length == 0)
            await Task.Delay(20, TestContext.Current.CancellationToken);

        var collecting = hung.CollectAsync();
        while (!collecting.IsCompleted && hung.Now < start + Minute)
        {
            hung.Time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }

        Assert.Equal(0.007, (await collecting)["test_latency_seconds(orders)"]);
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => discovering);
    }

    [Theory]
    [InlineData(5)]
    [InlineData(25)]
    public async Task Requests_that_fail_many_times_running_lose_nothing(int times)
    {
        using var patient = new CloudWatchRig(retries: 1);
        Publish(Requests("orders", patient), 0, 60, 5, patient);
        await patient.DiscoverAsync();
        await patient.RunAsync(5 * Minute);
        var left = times;
        patient.CloudWatch.Interfere = (operation, _) => operation == "GetMetricData" && left-- > 0 ? FakeCloudWatch.Error(500, "InternalServiceError") : null;

        for (var end = patient.Now + 50 * Minute; patient.Now < end; patient.Time.Advance(TimeSpan.FromSeconds(15)))
        {
            try
            {
                await patient.CollectAsync();
            }
            catch (AwsException)
            {
                // What the runner tells of.
            }
        }

        Assert.Equal(53 * 5, patient.Counted(FakeGroup.Requests, "orders", "GetItem")); // all minutes that have settled
    }

    [Theory]
    [InlineData(5)]
    [InlineData(25)]
    public async Task A_call_that_fails_many_times_running_hides_nothing_of_the_others(int times)
    {
        var tables = Enumerable.Range(0, 600).Select(i => $"table{i}").ToList();
        tables.ForEach(table => Publish(Requests(table), 0, 60, 5));
        await rig.DiscoverAsync();
        await rig.RunAsync(5 * Minute);
        var (left, counted) = (times, 0.0);
        rig.CloudWatch.Interfere = (operation, body) =>
            operation == "GetMetricData" && body.ToJsonString().Contains("\"table0\"", StringComparison.Ordinal) && left-- > 0 ? FakeCloudWatch.Error(500, "InternalServiceError") : null;

        for (var end = rig.Now + 50 * Minute; rig.Now < end; rig.Time.Advance(TimeSpan.FromSeconds(15)))
        {
            var gauges = await rig.CollectAsync();
            // A call has 500 of them.
            Assert.InRange(tables.Count(table => gauges.ContainsKey($"test_requests_last_5m({table})")), 100, 600);
            var sum = tables.Sum(table => rig.Counted(FakeGroup.Requests, table, "GetItem")!.Value);
            Assert.True(sum >= counted);
            counted = sum;
        }

        Assert.True(left < 0);
        Assert.All(tables, table => Assert.Equal(53 * 5, rig.Counted(FakeGroup.Requests, table, "GetItem")));
    }

    [Fact]
    public async Task A_failure_is_told_until_what_failed_is_answered()
    {
        Publish(Requests("orders"), 0, 60, 5);
        await rig.DiscoverAsync();
        await rig.RunAsync(5 * Minute);
        rig.CloudWatch.Interfere = (operation, _) => operation == "GetMetricData" ? FakeCloudWatch.Error(500, "InternalServiceError") : null;
        rig.Time.Advance(Minute);
        await Assert.ThrowsAsync<AwsException>(rig.CollectAsync);

        // Nothing is due yet, and so nothing is asked: it is no success.
        var asked = rig.CloudWatch.Requests.Count;
        var idle = await rig.Collector.CollectAsync(CancellationToken.None);
        Assert.Equal(asked, rig.CloudWatch.Requests.Count);
        Assert.Equal("GetMetricData", Assert.IsType<AwsException>(rig.Collector.FailureIn(idle)).Operation);

        rig.CloudWatch.Interfere = (_, _) => null;
        rig.Time.Advance(5 * Minute);
        Assert.Null(rig.Collector.FailureIn(await rig.Collector.CollectAsync(CancellationToken.None)));
    }

    [Fact]
    public async Task What_was_answered_is_stored_though_the_collection_does_not_end()
    {
        // Of two weeks, five metrics fill a request.
        var tables = Enumerable.Range(0, 120).Select(i => $"table{i}").ToList();
        tables.ForEach(table => Publish(Requests(table), 0, 30, 5));
        await rig.DiscoverAsync();
        await rig.CollectAsync();
        rig.Time.Advance(TimeSpan.FromDays(14));
        using var cancellation = new CancellationTokenSource();
        var asked = 0;
        rig.CloudWatch.Interfere = (operation, _) =>
        {
            if (operation == "GetMetricData" && Interlocked.Increment(ref asked) > 2 * CloudWatchRequest.AtOnce)
                cancellation.Cancel();
            return null;
        };

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => rig.Collector.CollectAsync(cancellation.Token));

        Assert.Contains(tables, table => rig.Counted(FakeGroup.Requests, table, "GetItem") == 30 * 5);
        Assert.Contains(tables, table => rig.Counted(FakeGroup.Requests, table, "GetItem") == 0);
        rig.CloudWatch.Interfere = (_, _) => null;
        await rig.CollectAsync();
        Assert.All(tables, table => Assert.Equal(30 * 5, rig.Counted(FakeGroup.Requests, table, "GetItem")));
    }

    [Fact]
    public async Task A_listing_that_fails_keeps_what_was_listed_before()
    {
        for (var i = 0; i < 600; i++)
            Requests($"table{i}");
        rig.CloudWatch.Add("AWS/DynamoDB", "Latency", ("TableName", "orders"));
        await rig.DiscoverAsync();
        rig.CloudWatch.Interfere = (operation, body) => operation == "ListMetrics" && (string?)body["MetricName"] == "Requests" && body["NextToken"] is not null
            ? FakeCloudWatch.Error(500, "InternalServiceError")
            : null;
        rig.CloudWatch.Add("AWS/DynamoDB", "Latency", ("TableName", "new"));

        var error = await Assert.ThrowsAsync<AwsException>(rig.DiscoverAsync);

        Assert.Equal("ListMetrics", error.Operation);
        Assert.Equal(602, rig.Plan[rig.Plan.Groups[0]].Length);
    }

    [Fact]
    public async Task A_listing_that_fails_at_the_start_hides_nothing_and_is_tried_again_soon_but_less_and_less_so()
    {
        Publish(Requests("orders"), 0, 60, 5);
        await rig.DiscoverAsync();
        Assert.Equal(15 * Minute, rig.Discovery.Interval);
        await rig.RunAsync(10 * Minute);
        rig.CloudWatch.Interfere = (operation, _) => operation == "ListMetrics" ? FakeCloudWatch.Error(500, "InternalServiceError") : null;
        rig.Restart();

        foreach (var minutes in (int[])[1, 2, 4, 8, 15, 15])
        {
            await Assert.ThrowsAsync<AwsException>(rig.DiscoverAsync);
            Assert.Equal(minutes * Minute, rig.Discovery.Interval);
            Assert.True(rig.Plan.Shows(FakeGroup.Requests, ["orders", "GetItem"]));
        }

        rig.CloudWatch.Interfere = (_, _) => null;
        await rig.DiscoverAsync();
        Assert.Equal(15 * Minute, rig.Discovery.Interval);
        Assert.True(rig.Plan.Shows(FakeGroup.Requests, ["orders", "GetItem"]));
        Assert.False(rig.Plan.Shows(FakeGroup.Requests, ["gone", "GetItem"]));
    }

    [Fact]
    public async Task A_metric_that_is_listed_twice_is_one()
    {
        for (var i = 0; i < 2; i++)
            Requests("orders");
        Requests("others");

        await rig.DiscoverAsync();

        Assert.Equal(2, rig.Plan[rig.Plan.Groups[0]].Length);
    }

    [Fact]
    public async Task A_question_that_CloudWatch_does_not_take_hurts_no_other_of_its_call()
    {
        var tables = Enumerable.Range(0, 100).Select(i => $"table{i}").ToList();
        tables.ForEach(table => Publish(Requests(table), 0, 30, 5));
        await rig.DiscoverAsync();
        var billed = 0;
        rig.CloudWatch.Interfere = (operation, body) =>
        {
            if (operation == "GetMetricData" && body.ToJsonString().Contains("table42\"", StringComparison.Ordinal))
                return FakeCloudWatch.Error(400, "ValidationError");
            billed += body["MetricDataQueries"]?.AsArray().Count ?? 0;
            return null;
        };

        await rig.RunAsync(10 * Minute);
        var snapshot = await rig.Collector.CollectAsync(CancellationToken.None);

        Assert.Equal("ValidationError", Assert.IsType<AwsException>(rig.Collector.FailureIn(snapshot)).Code);
        Assert.Equal(billed, rig.Own("pipeline_exporter_cloudwatch_billed_metrics_total"));
        Assert.All(tables, table => Assert.Equal(table == "table42" ? 0 : 8 * 5, rig.Counted(FakeGroup.Requests, table, "GetItem")));
    }

    [Fact]
    public async Task A_server_that_takes_no_question_is_not_asked_for_each()
    {
        for (var i = 0; i < 500; i++)
            Requests($"table{i}");
        await rig.DiscoverAsync();
        rig.CloudWatch.Interfere = (operation, _) => operation == "GetMetricData" ? FakeCloudWatch.Error(400, "ValidationError") : null;

        await Assert.ThrowsAsync<AwsException>(rig.CollectAsync);

        Assert.InRange(rig.CloudWatch.Count("GetMetricData"), 10, 40);
    }

    [Fact]
    public async Task A_refused_listing_names_the_missing_action_and_leaves_the_declared_ones()
    {
        using var declared = new CloudWatchRig(() => [new FakeGroup(Minute) { Declared = { ("orders", "PutItem") } }]);
        declared.CloudWatch.Interfere = (operation, _) => operation == "ListMetrics" ? FakeCloudWatch.Error(400, "AccessDeniedException") : null;

        var error = await Assert.ThrowsAsync<AwsException>(declared.DiscoverAsync);

        Assert.Contains("cloudwatch:ListMetrics", error.Message, StringComparison.Ordinal);
        Assert.Single(declared.Plan[declared.Plan.Groups[0]]);
    }

    [Fact]
    public async Task Throttling_slows_down_and_loses_nothing()
    {
        for (var i = 0; i < 2000; i++)
            Publish(Requests($"table{i}"), 0, 30, 1);
        await rig.DiscoverAsync();
        var refused = 0;
        rig.CloudWatch.Interfere = (operation, _) =>
            operation == "GetMetricData" && rig.CloudWatch.Requests.Count % 3 == 0 && ++refused > 0 ? FakeCloudWatch.Error(400, "Throttling", "Rate exceeded") : null;

        for (var end = rig.Now + 20 * Minute; rig.Now < end; rig.Time.Advance(TimeSpan.FromSeconds(15)))
        {
            var collecting = rig.CollectAsync();
            while (!collecting.IsCompleted)
            {
                await Task.WhenAny(collecting, Task.Delay(5));
                rig.Time.Advance(TimeSpan.FromMilliseconds(collecting.IsCompleted ? 0 : 500));
            }

            await collecting;
        }

        rig.CloudWatch.Interfere = (_, _) => null;
        await rig.RunAsync(20 * Minute);

        Assert.True(refused > 5);
        Assert.All(Enumerable.Range(0, 2000), i => Assert.Equal(30, rig.Counted(FakeGroup.Requests, $"table{i}", "GetItem")));
    }

    [Fact]
    public async Task Values_that_are_no_numbers_are_left_out()
    {
        var table = Requests("orders");
        var latency = rig.CloudWatch.Add("AWS/DynamoDB", "Latency", ("TableName", "orders"));
        var start = Floor(rig.Now);
        double[] odd = [1, double.NaN, double.PositiveInfinity, -5, 1];
        for (var i = 0; i < odd.Length; i++)
        {
            table.Publish(start + i * Minute, odd[i], start);
            latency.Publish(start + i * Minute, i == 4 ? double.NaN : 9, start);
        }

        await rig.DiscoverAsync();
        var gauges = await rig.RunAsync(8 * Minute);

        Assert.Equal(2, rig.Counted(FakeGroup.Requests, "orders", "GetItem"));
        Assert.Equal(0.009, gauges["test_latency_seconds(orders)"]);
    }

    [Fact]
    public async Task What_CloudWatch_says_of_a_request_is_logged()
    {
        Publish(Requests("orders"), 0, 30, 5);
        rig.CloudWatch.Messages.Add(("ArithmeticError", "One or more data-points have been dropped"));
        await rig.DiscoverAsync();

        await rig.CollectAsync();

        Assert.Contains(rig.Log.All, line => line.Contains("ArithmeticError", StringComparison.Ordinal) && line.Contains("dropped", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_commit_that_fails_counts_the_same_periods_at_the_next_collection()
    {
        Publish(Requests("orders"), 0, 30, 5);
        await rig.DiscoverAsync();
        await rig.RunAsync(5 * Minute);
        rig.BreakCommits(true);
        rig.Time.Advance(3 * Minute);
        await Assert.ThrowsAsync<PipelineExporter.State.StateException>(rig.CollectAsync);
        rig.BreakCommits(false);

        await rig.RunAsync(Minute);

        Assert.Equal(35, rig.Counted(FakeGroup.Requests, "orders", "GetItem"));
    }

    private IEnumerable<DateTimeOffset> Asked() => rig.CloudWatch.Requests.Where(request => request.Operation == "GetMetricData").Skip(1).Select(request => request.At);

    private FakeMetric Requests(string table, CloudWatchRig? of = null) =>
        (of ?? rig).CloudWatch.Add("AWS/DynamoDB", "Requests", ("TableName", table), ("Operation", "GetItem"));

    /// <summary>The same value each minute, from the given minute to before the other, counted from now, visible two minutes after its end.</summary>
    private void Publish(FakeMetric metric, int from, int until, double value, CloudWatchRig? of = null)
    {
        var start = Floor((of ?? rig).Now);
        for (var i = from; i < until; i++)
            metric.Publish(start + i * Minute, value, start + (i + 2) * Minute);
    }

    private static DateTimeOffset Floor(DateTimeOffset at) => CloudWatchCadence.FloorTo(at, Minute);
}
