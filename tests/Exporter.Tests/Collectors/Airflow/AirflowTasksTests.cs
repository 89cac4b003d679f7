using PipelineExporter.Collectors.Airflow;
using PipelineExporter.Sources.Airflow;
using static PipelineExporter.Tests.Collectors.Airflow.Rows;

namespace PipelineExporter.Tests.Collectors.Airflow;

public sealed class AirflowTasksTests
{
    [Fact]
    public async Task A_task_is_born_at_zero_when_it_is_first_seen()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = new ReplayedExporter(server.Url);

        await PollAsync(server, exporter, 0, Instance("running", 1, start: -1));

        Assert.Equal(["music load failed", "music load success"], Labels(exporter, TaskMetrics.Tries));
        Assert.Equal(["music load failed", "music load success"], Labels(exporter, TaskMetrics.Finished));
        Assert.Equal(["music load"], Labels(exporter, TaskMetrics.Retries));
        Assert.Equal(["music load"], Labels(exporter, ReplayedExporter.TaskDurations));
        Assert.All(exporter.Series(TaskMetrics.Tries), series => Assert.Equal(0, series.Value[0]));
    }

    [Theory]
    [InlineData("success")]
    [InlineData("failed")]
    public async Task A_waiting_retry_that_is_set_by_hand_becomes_final_in_that_state(string state)
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = new ReplayedExporter(server.Url);
        await PollAsync(server, exporter, 0);
        await PollAsync(server, exporter, 2, Instance("up_for_retry", 1, start: 1, end: 1.5));
        Assert.Empty(exporter.Counted(TaskMetrics.Finished));

        await PollAsync(server, exporter, 3, Instance(state, 1, start: 1, end: 1.5));
        await PollAsync(server, exporter, 4, Instance(state == "failed" ? "success" : "failed", 1, start: 1, end: 1.5));

        Assert.Equal([("music load failed", 1.0)], Pairs(exporter.Counted(TaskMetrics.Tries)));
        Assert.Equal([($"music load {state}", 1.0)], Pairs(exporter.Counted(TaskMetrics.Finished)));
    }

    [Fact]
    public async Task A_retry_counts_when_it_runs_though_its_failure_was_before_the_first_poll()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = new ReplayedExporter(server.Url);
        await PollAsync(server, exporter, 0, Instance("up_for_retry", 1, start: -5, end: -4));
        exporter.Restart();

        await PollAsync(server, exporter, 2, Instance("queued", 2, start: -5, end: -4));
        Assert.Empty(exporter.Counted(TaskMetrics.Retries));
        await PollAsync(server, exporter, 3, Instance("running", 2, start: 2.5));
        await PollAsync(server, exporter, 4, Instance("success", 2, start: 2.5, end: 3.5));

        Assert.Equal([("music load", 1.0)], Pairs(exporter.Counted(TaskMetrics.Retries)));
        Assert.Equal([("music load success", 1.0)], Pairs(exporter.Counted(TaskMetrics.Tries)));
    }

    [Fact]
    public async Task A_retry_that_waits_at_the_first_poll_counts_when_it_runs()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = new ReplayedExporter(server.Url);
        server.Tries[TriesPath()] = [Instance("failed", 1, start: -5, end: -4), Instance("queued", 2, start: -5, end: -4)];
        await PollAsync(server, exporter, 0, Instance("queued", 2, start: -5, end: -4));

        await PollAsync(server, exporter, 2, Instance("running", 2, start: 1));

        Assert.Equal([("music load", 1.0)], Pairs(exporter.Counted(TaskMetrics.Retries)));
        Assert.Empty(exporter.Counted(TaskMetrics.Tries));
    }

    [Fact]
    public async Task A_retry_that_ran_before_the_first_poll_never_counts()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = new ReplayedExporter(server.Url);
        server.Tries[TriesPath()] = [Instance("failed", 1, start: -5, end: -4), Instance("failed", 2, start: -3, end: -2), Instance("running", 3, start: -1)];
        await PollAsync(server, exporter, 0);

        // Old history comes to light: the row was changed by hand.
        await PollAsync(server, exporter, 2, Instance("success", 3, start: -1, end: 1));

        Assert.Equal([("music load success", 1.0)], Pairs(exporter.Counted(TaskMetrics.Tries)));
        Assert.Empty(exporter.Counted(TaskMetrics.Retries));
    }

    [Fact]
    public async Task A_try_after_a_clear_is_no_retry()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = new ReplayedExporter(server.Url);
        await PollAsync(server, exporter, 0);
        await PollAsync(server, exporter, 2, Instance("failed", 1, maxTries: 0, start: 1, end: 2));

        await PollAsync(server, exporter, 4, Instance("success", 2, maxTries: 1, start: 3, end: 4));

        Assert.Empty(exporter.Counted(TaskMetrics.Retries));
        Assert.Equal([("music load failed", 1.0), ("music load success", 1.0)], Pairs(exporter.Counted(TaskMetrics.Finished)));
    }

    /// <remarks>Keys are kept 35 days. Older tries of a run that is cleared today cannot be told from ones that were counted.</remarks>
    [Fact]
    public async Task Tries_older_than_the_memory_are_not_counted_and_asked_for_once()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = new ReplayedExporter(server.Url);
        const double longAgo = -60 * 24 * 40;
        server.Tries[TriesPath()] = [Instance("failed", 1, start: longAgo, end: longAgo + 1), Instance("success", 2, start: longAgo + 2, end: longAgo + 3)];
        exporter.Time.SetUtcNow(Noon - TimeSpan.FromDays(41));
        server.Date = Noon - TimeSpan.FromDays(41);
        await exporter.PollAsync(server.Date, "airflow_tasks");

        for (var minute = 0; minute < 4; minute++)
            await PollAsync(server, exporter, minute, Instance("running", 3, start: -1));

        Assert.Empty(exporter.Counted(TaskMetrics.Tries));
        Assert.Single(server.Http.Requests, request => request.EndsWith("/tries", StringComparison.Ordinal));
    }

    /// <remarks>After a long outage there is more to ask for than one collection may take.</remarks>
    [Fact]
    public async Task A_catch_up_that_is_cut_off_goes_on_where_it_was()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = new ReplayedExporter(server.Url);
        await PollAsync(server, exporter, 0);
        for (var i = 0; i < 100; i++)
            server.Tries[TriesPath(map: $"/{i}")] = [Instance("failed", 1, start: 1, end: 2, map: i), Instance("success", 2, start: 3, end: 4, map: i)];
        server.Instances = [.. Enumerable.Range(0, 100).Select(i => Instance("success", 2, start: 3, end: 4, map: i))];
        server.Date = Noon + TimeSpan.FromHours(5);

        var polls = 0;
        for (var done = false; !done; polls++)
        {
            var left = 30;
            server.Fails = path => path.EndsWith("/tries", StringComparison.Ordinal) && --left < 0;
            try
            {
                await exporter.PollAsync(server.Date, "airflow_tasks");
                done = true;
            }
            catch (AirflowException)
            {
                exporter.Restart();
                Assert.True(polls < 10, "the catch-up gets nowhere");
            }
        }

        Assert.Equal([("music load failed", 100.0), ("music load success", 100.0)], Pairs(exporter.Counted(TaskMetrics.Tries)));
        Assert.Equal([("music load", 100.0)], Pairs(exporter.Counted(TaskMetrics.Retries)));
        Assert.Equal([("music load success", 100.0)], Pairs(exporter.Counted(TaskMetrics.Finished)));
    }

    [Fact]
    public async Task The_last_duration_is_that_of_the_try_that_ended_last_even_when_it_ended_before_the_start()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = new ReplayedExporter(server.Url);

        await PollAsync(server, exporter, 0, Instance("success", 1, start: -20, end: -10, run: "run-2"), Instance("failed", 1, start: -9, end: -8, run: "run-1"));
        Assert.Equal(60, exporter.Gauges["airflow_tasks"]["airflow_task_last_duration_seconds music load"]);
        Assert.Equal(0, exporter.Series(ReplayedExporter.TaskDurations).Sum(series => series.Value[0]));

        // Neither a queued retry, which carries the dates of the try before, nor a running one has a duration.
        await PollAsync(server, exporter, 2, Instance("queued", 2, start: -9, end: 1), Instance("running", 2, start: -7, end: 1, run: "run-2"));
        Assert.Equal(60, exporter.Gauges["airflow_tasks"]["airflow_task_last_duration_seconds music load"]);
    }

    [Fact]
    public void Live_instances_become_gauges()
    {
        TaskInstance Row(string state, DateTimeOffset? start, string task = "load") =>
            new() { DagId = "music", RunId = "r", TaskId = task, State = state, StartDate = start, TryNumber = 1 };

        var snapshot = TasksSnapshot.Of(
            [Row("running", Noon), Row("running", Noon - TimeSpan.FromMinutes(5)), Row("queued", Noon - TimeSpan.FromHours(1)), Row("running", Noon, "other"), Row("a_state_of_tomorrow", null), Row("success", Noon)],
            ReplayedExporter.Tasks, []);

        Assert.Equal([("queued", 1), ("running", 3), ("a_state_of_tomorrow", 1)], snapshot.Live.Select(live => (live.Key.State, live.Value)).OrderBy(live => live.State == "a_state_of_tomorrow").ThenBy(live => live.State));
        Assert.Equal(Noon - TimeSpan.FromMinutes(5), snapshot.OldestRunning[("music", "load")]);
        Assert.Equal(Noon, snapshot.OldestRunning[("music", "other")]);
    }

    [Fact]
    public async Task Queues_tell_how_many_wait_and_since_when_and_stand_at_zero_once_they_are_known()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = new ReplayedExporter(server.Url);
        await PollAsync(server, exporter, 0, Queued("default", -3, "a"), Queued("default", -7, "b"), Queued("high_memory", -1, "c"), InQueue(Instance("running", 1, start: -1, task: "d"), "default"));

        var gauges = exporter.Gauges["airflow_tasks"];
        Assert.Equal((2, 1), (gauges["airflow_queued_task_instances default"], gauges["airflow_queued_task_instances high_memory"]));
        Assert.Equal((Noon - TimeSpan.FromMinutes(7)).ToUnixTimeSeconds(), gauges["airflow_oldest_queued_timestamp_seconds default"]);

        await PollAsync(server, exporter, 1);
        Assert.Equal((0, 0), (exporter.Gauges["airflow_tasks"]["airflow_queued_task_instances default"], exporter.Gauges["airflow_tasks"]["airflow_queued_task_instances high_memory"]));
        Assert.DoesNotContain(exporter.Gauges["airflow_tasks"].Keys, gauge => gauge.StartsWith("airflow_oldest_queued", StringComparison.Ordinal));

        static System.Text.Json.Nodes.JsonNode Queued(string queue, double since, string task)
        {
            var row = InQueue(Instance("queued", 1, task: task), queue);
            row["queued_when"] = (Noon + TimeSpan.FromMinutes(since)).ToString("O");
            return row;
        }

        static System.Text.Json.Nodes.JsonNode InQueue(System.Text.Json.Nodes.JsonNode row, string queue)
        {
            row["queue"] = queue;
            return row;
        }
    }

    [Fact]
    public async Task Without_task_detail_the_tasks_of_a_DAG_are_one_and_each_is_counted_still()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = new ReplayedExporter(server.Url, configure: settings => settings with
        {
            TaskDetail = false,
            Thresholds = new(_ => null, (_, task, _) => TimeSpan.FromMinutes(task == "train" ? 60 : 30), _ => null),
        });
        await PollAsync(server, exporter, 0);
        await PollAsync(
            server, exporter, 40, Instance("success", 1, start: 1, end: 2, task: "load"), Instance("failed", 3, maxTries: 0, start: 3, end: 5, task: "store"),
            Instance("running", 1, start: 1, task: "train"), Instance("running", 1, start: 2, task: "transform"));

        Assert.Equal([("music  failed", 1.0), ("music  success", 1.0)], Pairs(exporter.Counted(TaskMetrics.Finished)));
        Assert.Equal([("music ", 1.0)], Pairs(exporter.Counted(TaskMetrics.OverThreshold))); // transform's, and not yet train's
        Assert.DoesNotContain(exporter.Gauges["airflow_tasks"].Keys, gauge => gauge.Contains("threshold", StringComparison.Ordinal));
        Assert.Equal((Noon + TimeSpan.FromMinutes(1)).ToUnixTimeSeconds(), exporter.Gauges["airflow_tasks"]["airflow_task_oldest_running_start_timestamp_seconds music"]);
    }

    [Fact]
    public async Task A_final_state_of_tomorrow_counts_under_its_own_name()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = new ReplayedExporter(server.Url);
        await PollAsync(server, exporter, 0);
        server.Tries[TriesPath()] = [Instance("quarantined", 1, start: 0.1, end: 0.5), Instance("running", 2, start: 2)];
        await PollAsync(server, exporter, 3, Instance("running", 2, start: 2));

        Assert.Equal([("music load quarantined", 1.0)], Pairs(exporter.Counted(TaskMetrics.Tries)));
    }

    private static async Task PollAsync(ListServer server, ReplayedExporter exporter, double minute, params System.Text.Json.Nodes.JsonNode[] instances)
    {
        server.Date = Noon + TimeSpan.FromMinutes(minute);
        server.Instances = [.. instances];
        await exporter.PollAsync(server.Date, "airflow_tasks");
    }

    private static IEnumerable<string> Labels(ReplayedExporter exporter, PipelineExporter.Metrics.MetricDesc metric) =>
        exporter.Series(metric).Select(series => string.Join(' ', series.Labels)).Order(StringComparer.Ordinal);

    private static IEnumerable<(string, double)> Pairs(IEnumerable<KeyValuePair<string, double>> counted) => counted.Select(series => (series.Key, series.Value));
}
