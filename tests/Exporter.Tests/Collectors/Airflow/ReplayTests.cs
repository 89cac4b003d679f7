using PipelineExporter.Collectors.Airflow;

namespace PipelineExporter.Tests.Collectors.Airflow;

/// <summary>The shipped collectors, polling recorded Airflows, end with what the Airflows' databases say.</summary>
public sealed partial class ReplayTests
{
    /// <summary>What the list of live and the list of failed runs come to, without instants.</summary>
    [System.Text.RegularExpressions.GeneratedRegex("^(airflow_dag_runs|airflow_dag_failed_runs_open|airflow_dag_last_failed_run_info) ")]
    private static partial System.Text.RegularExpressions.Regex OfRuns { get; }

    /// <summary>Version, and how many frames of 5 seconds lie between two polls, beginning where.</summary>
    public static TheoryData<string, int, int> Polls => new(
        from steps in new[] { ("2.11", new[] { 1, 2 }), ("3", [1, 2, 3, 6]) }
        from step in steps.Item2
        from phase in Enumerable.Range(2, step)
        where (steps.Item1, step, phase) != MissesAnEdit
        select (steps.Item1, step, phase));

    /// <summary>Polls between which a try succeeds and is set to failed by hand.</summary>
    private static readonly (string, int, int) MissesAnEdit = ("2.11", 2, 2);

    public static TheoryData<string, int> Steps => new([("2.11", 1), ("2.11", 2), ("3", 1), ("3", 2), ("3", 3), ("3", 6)]);

    public static TheoryData<string, int> LongerSteps => new([("2.11", 2), ("3", 3), ("3", 6)]);

    [Fact]
    public void The_truth_holds_what_the_recordings_are_known_for()
    {
        var two = ReplayTruth.Of("2.11");
        var three = ReplayTruth.Of("3");

        Assert.Equal((94, 27, 18), (two.Tries.Values.Sum(), two.Runs.Values.Sum(), two.Retries.Values.Sum()));
        Assert.Equal((79, 24, 13), (three.Tries.Values.Sum(), three.Runs.Values.Sum(), three.Retries.Values.Sum()));
        Assert.Equal((84, 73), (two.Finished.Values.Sum(), three.Finished.Values.Sum()));
    }

    [Theory]
    [MemberData(nameof(Polls))]
    public async Task What_was_counted_is_what_the_database_says(string version, int step, int phase)
    {
        await using var server = await ReplayServer.StartAsync(version);
        using var exporter = new ReplayedExporter(server.Url);

        foreach (var frame in Frames(server, step, phase))
        {
            server.Frame = frame;
            await exporter.PollAsync(server.Date);
        }
        AssertIsTruth(version, exporter);
        Assert.InRange(server.TriesAsked, 1, 16);
    }

    [Fact]
    public async Task A_state_that_was_edited_between_two_polls_counts_as_edited()
    {
        var (version, step, phase) = MissesAnEdit;
        await using var server = await ReplayServer.StartAsync(version);
        using var exporter = new ReplayedExporter(server.Url);

        foreach (var frame in Frames(server, step, phase))
        {
            server.Frame = frame;
            await exporter.PollAsync(server.Date, "airflow_tasks");
        }

        var truth = ReplayTruth.Of(version);
        foreach (var counts in new[] { truth.Tries, truth.Finished })
        {
            counts["manual_with_conf second success"]--;
            counts.Add("manual_with_conf second failed", 1);
        }
        Assert.Equal(truth.Tries, exporter.Counted(TaskMetrics.Tries));
        Assert.Equal(truth.Finished, exporter.Counted(TaskMetrics.Finished));
    }

    [Theory]
    [MemberData(nameof(Steps))]
    public async Task An_exporter_that_is_killed_after_every_poll_counts_the_same(string version, int step)
    {
        await using var server = await ReplayServer.StartAsync(version);
        using var exporter = new ReplayedExporter(server.Url);

        foreach (var frame in Frames(server, step, phase: 3))
        {
            server.Frame = frame;
            await exporter.PollAsync(server.Date, "airflow_runs", "airflow_tasks");
            exporter.Restart();
        }

        AssertIsTruth(version, exporter);
    }

    [Theory]
    [MemberData(nameof(LongerSteps))]
    public async Task An_exporter_that_is_killed_once_between_any_two_polls_counts_the_same(string version, int step)
    {
        await using var server = await ReplayServer.StartAsync(version);
        int[] frames = [.. Frames(server, step, phase: 3)];

        foreach (var kill in frames)
        {
            using var exporter = new ReplayedExporter(server.Url);
            foreach (var frame in frames)
            {
                server.Frame = frame;
                await exporter.PollAsync(server.Date, "airflow_runs", "airflow_tasks");
                if (frame == kill)
                    exporter.Restart();
            }
            AssertIsTruth(version, exporter);
        }
    }

    /// <remarks>Each second poll fails, at another request each time, and the exporter is killed after it.</remarks>
    [Theory]
    [InlineData("2.11", 5)]
    [InlineData("3", 7)]
    public async Task Polls_that_fail_at_any_request_lose_nothing_and_double_nothing(string version, int requests)
    {
        await using var server = await ReplayServer.StartAsync(version);
        using var exporter = new ReplayedExporter(server.Url);
        var failures = 0;

        foreach (var frame in Frames(server, step: 1, phase: 2))
        {
            server.Frame = frame;
            foreach (var name in new[] { "airflow_runs", "airflow_tasks" })
            {
                var left = frame % 2 == 0 ? 1 + (frame / 2 % requests) : int.MaxValue;
                server.Fails = _ => --left == 0;
                try
                {
                    await exporter.PollAsync(server.Date, name);
                }
                catch (PipelineExporter.Sources.Airflow.AirflowException e)
                {
                    failures++;
                    Assert.Contains("answered 500", e.Message);
                }
                server.Fails = _ => false;
                if (left == 0)
                    exporter.Restart();
            }
        }

        AssertIsTruth(version, exporter);
        Assert.True(failures >= 15, $"only {failures} polls failed");
    }

    [Theory]
    [InlineData("2.11", 9)]
    [InlineData("2.11", 20)]
    [InlineData("3", 9)]
    [InlineData("3", 24)]
    public async Task What_had_ended_before_the_first_poll_is_never_counted(string version, int first)
    {
        await using var server = await ReplayServer.StartAsync(version);
        using var exporter = new ReplayedExporter(server.Url);

        for (server.Frame = first; server.Frame <= server.LastFrame; server.Frame++)
            await exporter.PollAsync(server.Date, "airflow_runs", "airflow_tasks");

        server.Frame = first;
        var truth = ReplayTruth.Of(version, since: server.Date, seen: server.FinishedInFrame());
        Assert.Equal(truth.Tries, exporter.Counted(TaskMetrics.Tries));
        Assert.Equal(truth.Finished, exporter.Counted(TaskMetrics.Finished));
    }

    [Fact]
    public async Task Open_failures_of_Airflow_2_are_those_that_no_later_run_made_good()
    {
        var gauges = await GaugesAtTheEnd("2.11", "airflow_runs");

        Assert.Equal(
            [
                "airflow_dag_failed_runs_open killed_and_timed_out 1",
                "airflow_dag_failed_runs_open long_running 2",
                "airflow_dag_failed_runs_open music_streaming_validation 1",
                "airflow_dag_failed_runs_open retries_exhausted 2",
                "airflow_dag_failed_runs_open run_timeout 1",
                "airflow_dag_last_failed_run_info killed_and_timed_out tl2_kill_1 1",
                "airflow_dag_last_failed_run_info long_running tl2_long_2 1",
                "airflow_dag_last_failed_run_info music_streaming_validation scheduled__2026-11-23T06:48:00+00:00 1",
                "airflow_dag_last_failed_run_info retries_exhausted scheduled__2026-11-23T06:45:00+00:00 1",
                "airflow_dag_last_failed_run_info run_timeout tl2_timeout_1 1",
                "airflow_dag_runs long_running running 1",
                "airflow_dag_runs paused_dag queued 1",
                "airflow_dag_runs pool_contention running 3",
            ],
            gauges.Where(gauge => OfRuns.IsMatch(gauge)));
    }

    /// <remarks>awkward.set-state-by-api was repaired; that of awkward.clear-me was set to failed and a later run succeeded.</remarks>
    [Fact]
    public async Task Open_failures_of_Airflow_3_are_those_that_no_later_run_made_good()
    {
        var gauges = await GaugesAtTheEnd("3", "airflow_runs");

        Assert.Equal(
            [
                "airflow_dag_failed_runs_open awkward.retries-exhausted 1",
                "airflow_dag_failed_runs_open awkward.run-timeout 1",
                "airflow_dag_last_failed_run_info awkward.clear-me manual__2026-11-23T06:31:48.572597+00:00 1",
                "airflow_dag_last_failed_run_info awkward.retries-exhausted manual__2026-11-23T06:32:00.894014+00:00 1",
                "airflow_dag_last_failed_run_info awkward.run-timeout manual__2026-11-23T06:31:54.605682+00:00 1",
                "airflow_dag_runs awkward.absent-pool running 1",
                "airflow_dag_runs awkward.human-approval running 1",
                "airflow_dag_runs awkward.long-running running 1",
            ],
            gauges.Where(gauge => OfRuns.IsMatch(gauge)));
    }

    [Fact]
    public async Task Live_instances_are_counted_by_state_and_started_when_their_own_try_did()
    {
        await using var server = await ReplayServer.StartAsync("2.11");
        using var exporter = new ReplayedExporter(server.Url);
        server.Frame = 6;

        await exporter.PollAsync(server.Date, "airflow_tasks");

        Assert.Equal(server.LiveInFrame(), exporter.Gauges["airflow_tasks"]
            .Where(gauge => gauge.Key.StartsWith("airflow_task_instances ", StringComparison.Ordinal))
            .Select(gauge => $"{gauge.Key.Split(' ', 2)[1]} {gauge.Value}"));
        Assert.Equal(server.OldestRunningInFrame(), exporter.Gauges["airflow_tasks"]
            .Where(gauge => gauge.Key.StartsWith("airflow_task_oldest", StringComparison.Ordinal))
            .Select(gauge => $"{gauge.Key.Split(' ', 2)[1]} {gauge.Value:F6}"));
    }

    /// <summary>The first frame is the first poll, whose history is not counted; the last one must be seen.</summary>
    private static IEnumerable<int> Frames(ReplayServer server, int step, int phase)
    {
        yield return 1;
        for (var frame = phase; frame < server.LastFrame; frame += step)
            yield return frame;
        yield return server.LastFrame;
    }

    private static async Task<IEnumerable<string>> GaugesAtTheEnd(string version, string collector)
    {
        await using var server = await ReplayServer.StartAsync(version);
        using var exporter = new ReplayedExporter(server.Url);
        foreach (var frame in Frames(server, step: 2, phase: 3))
        {
            server.Frame = frame;
            await exporter.PollAsync(server.Date, collector);
        }
        Assert.Contains(exporter.Gauges[collector], gauge => gauge is { Value: 0 } && gauge.Key.StartsWith("airflow_dag_failed_runs_open", StringComparison.Ordinal));
        return exporter.Gauges[collector].Where(gauge => gauge.Value != 0).Select(gauge => $"{gauge.Key} {gauge.Value}");
    }

    private static void AssertIsTruth(string version, ReplayedExporter exporter)
    {
        var truth = ReplayTruth.Of(version);
        Assert.Equal(truth.Tries, exporter.Counted(TaskMetrics.Tries));
        Assert.Equal(truth.Finished, exporter.Counted(TaskMetrics.Finished));
        Assert.Equal(truth.Retries, exporter.Counted(TaskMetrics.Retries));
        Assert.Equal(truth.Runs, WithoutRunType(exporter.Counted(RunMetrics.Finished)));
        Assert.Equal(truth.Runs.Values.Sum(), exporter.Series(ReplayedExporter.RunDurations).Sum(series => series.Value[..(series.Value.Length / 2)].Sum()));

        // The end of a task that skips itself was not yet set when the trigger of 2.11 saw it finish.
        var durations = exporter.Series(ReplayedExporter.TaskDurations).Where(series => version == "3" || series.Labels[1] != "skip_itself").ToList();
        Assert.Equal(truth.DatedTries, durations.Sum(series => series.Value[0]));
        Assert.Equal(truth.TrySeconds, durations.Sum(series => series.Value[1]), tolerance: 0.001);
    }

    private static SortedDictionary<string, double> WithoutRunType(SortedDictionary<string, double> runs)
    {
        var sums = new SortedDictionary<string, double>(StringComparer.Ordinal);
        foreach (var (labels, count) in runs)
        {
            var parts = labels.Split(' ');
            var key = $"{parts[0]} {parts[2]}";
            sums[key] = sums.GetValueOrDefault(key) + count;
        }
        return sums;
    }
}
