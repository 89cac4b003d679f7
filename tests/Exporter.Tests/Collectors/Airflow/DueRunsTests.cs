using System.Text.Json.Nodes;
using PipelineExporter.Collectors.Airflow;
using static PipelineExporter.Tests.Collectors.Airflow.Rows;

namespace PipelineExporter.Tests.Collectors.Airflow;

/// <summary>When a DAG becomes overdue, by its own schedule. The usual duration is 10 minutes here and the grace 15.</summary>
public sealed class DueRunsTests : IAsyncLifetime
{
    private const string Overdue = "airflow_dag_overdue_timestamp_seconds music";

    private ListServer server = null!;
    private ReplayedExporter exporter = null!;

    public async ValueTask InitializeAsync()
    {
        server = await ListServer.StartAsync("3.3.2");
        exporter = new ReplayedExporter(server.Url, configure: settings => settings with
        {
            Thresholds = new(_ => TimeSpan.FromHours(2), (_, _, _) => null, dag => dag == "monthly" ? null : TimeSpan.FromMinutes(15)),
        });
    }

    public async ValueTask DisposeAsync()
    {
        exporter.Dispose();
        await server.DisposeAsync();
    }

    [Fact]
    public async Task The_next_run_of_a_schedule_is_due_when_Airflow_says_so_and_stays_due_when_nothing_makes_it()
    {
        await PollAsync(0, Dag(next: 60), Succeeded());
        Assert.Equal(60 + 10 + 15, At());

        await PollAsync(200, Dag(next: 60));
        Assert.Equal(60 + 10 + 15, At());
    }

    [Fact]
    public async Task A_run_that_was_made_is_due_from_its_start_until_it_ends_whatever_the_older_list_of_DAGs_says()
    {
        await PollAsync(0, Dag(next: 60), Succeeded());
        await RunsAsync(61, ScheduledRun("running", due: 60, start: 60.5, run: "run-2"));
        Assert.Equal(60.5 + 10 + 15, At());

        await RunsAsync(72, ScheduledRun("success", due: 60, start: 60.5, end: 70.5, run: "run-2"));
        Assert.Null(At());
        await PollAsync(75, Dag(next: 120));

        Assert.Equal(120 + 10 + 15, At());
    }

    [Fact]
    public async Task Of_several_live_runs_the_one_that_is_due_first_counts_and_one_by_hand_does_not()
    {
        await PollAsync(0, Dag(next: 180), Succeeded(), ScheduledRun("queued", due: -1, run: "run-2"), ScheduledRun("running", due: -30, start: -3, run: "run-3"), Run("running", "by-hand", start: -50, type: "manual"));

        Assert.Equal(-3 + 10 + 15, At());
    }

    /// <remarks>Catching up makes runs for moments long ago: they wait for each other, and are not overdue for that.</remarks>
    [Fact]
    public async Task A_queued_run_that_catches_up_is_due_when_the_run_before_it_began()
    {
        await PollAsync(0, Dag(next: null), Succeeded(), ScheduledRun("queued", due: -10_000, run: "run-2"));

        Assert.Equal(-20 + 10 + 15, At());
    }

    /// <remarks>A producer that rests on weekends leaves longer gaps than the mean: the longest counts.</remarks>
    [Fact]
    public async Task A_DAG_that_assets_trigger_is_due_when_the_longest_of_its_last_gaps_has_passed()
    {
        double[] starts = [-500, -440, -380, -200, -140, -80];
        await PollAsync(0, Dag(schedule: "Asset"), [.. starts.Select((start, i) => Run("success", $"run-{i}", start: start, end: start + 10, type: "asset_triggered"))]);
        Assert.Equal(-80 + 180 + 10 + 15, At());

        await RunsAsync(5, Run("running", "run-9", start: 4, type: "asset_triggered"));
        Assert.Equal(4 + 10 + 15, At());
    }

    [Fact]
    public async Task A_DAG_that_assets_trigger_is_not_due_while_too_little_is_known()
    {
        await PollAsync(0, Dag(schedule: "Asset"), Run("success", "run-0", start: -80, end: -70, type: "asset_triggered"), Run("success", "run-1", start: -20, end: -10, type: "asset_triggered"));

        Assert.Null(At());
    }

    [Fact]
    public async Task A_run_that_hung_once_and_repairs_of_a_few_tasks_do_not_change_what_is_usual()
    {
        (double Start, double Took)[] runs = [(-900, 60), (-800, 62), (-700, 61), (-600, 4000), (-500, 2), (-400, 2)];
        await PollAsync(0, Dag(next: 60), [.. runs.Select((run, i) => ScheduledRun("success", due: run.Start, start: run.Start, end: run.Start + run.Took, run: $"run-{i}"))]);

        Assert.Equal(62 * 60, exporter.Gauges["airflow_runs"]["airflow_dag_run_usual_duration_seconds music"]);
    }

    [Fact]
    public async Task Runs_that_queue_behind_each_other_are_due_when_the_one_before_began()
    {
        var queued = ScheduledRun("queued", due: -300, run: "run-3");
        queued["queued_at"] = (Noon - TimeSpan.FromMinutes(100)).ToString("O");
        await PollAsync(0, Dag(next: null), Succeeded(), ScheduledRun("running", due: -200, start: -5, run: "run-2"), queued);

        Assert.Equal(-5 + 10 + 15, At());
    }

    [Fact]
    public async Task While_a_run_by_hand_keeps_others_from_being_made_it_is_what_is_due()
    {
        await PollAsync(0, Dag(next: null), Succeeded(), Run("running", "by-hand", start: -50, type: "manual"));

        Assert.Equal(-50 + 10 + 15, At());
    }

    [Fact]
    public async Task A_DAG_that_leaves_the_list_stays_due_for_the_hour_in_which_it_is_shown()
    {
        await PollAsync(0, Dag(next: 60), Succeeded());
        await PollAsync(30, Dag("other"));
        await PollAsync(80, Dag("other"));
        Assert.Equal(60 + 10 + 15, At());
        await PollAsync(95, Dag("other"));

        Assert.Null(At());
    }

    [Theory]
    [InlineData(null, false)] // no schedule
    [InlineData("@once", false)]
    [InlineData("0 * * * *", true)] // paused
    public async Task Without_a_moment_to_come_nothing_is_overdue(string? schedule, bool paused)
    {
        await PollAsync(0, Dag(schedule: schedule, next: paused ? -60 : null, paused: paused), Succeeded());

        Assert.Null(At());
        Assert.Contains("airflow_dag_last_success_timestamp_seconds music", exporter.Gauges["airflow_runs"].Keys);
    }

    [Fact]
    public async Task A_DAG_that_never_succeeded_is_given_the_time_that_a_run_may_take_at_most()
    {
        await PollAsync(0, Dag(next: 60));

        Assert.Equal(60 + 120 + 15, At());
    }

    [Fact]
    public async Task The_grace_is_told_and_a_DAG_without_one_is_never_overdue()
    {
        await PollAsync(0, Dag("monthly", next: -600), Succeeded(), Run("success", start: -20, end: -10, dag: "monthly"));

        Assert.Equal(900, exporter.Gauges["airflow_runs"]["airflow_dag_overdue_grace_seconds music"]);
        Assert.DoesNotContain(exporter.Gauges["airflow_runs"].Keys, gauge => gauge.Contains("overdue", StringComparison.Ordinal) && gauge.Contains("monthly", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_schedule_delay_counts_when_a_run_starts_and_not_when_it_is_cleared_and_starts_again()
    {
        await PollAsync(0, Dag(next: 60), Succeeded(), ScheduledRun("success", due: -120, start: -119, end: -50, run: "run-0"));
        Assert.Equal(0, Delays()[0]);
        await RunsAsync(62, ScheduledRun("running", due: 60, start: 61.5, run: "run-2"));
        Assert.Equal([1, 90], Delays());
        Assert.Equal(90, exporter.Gauges["airflow_runs"]["airflow_dag_last_schedule_delay_seconds music"]);
        exporter.Restart();

        await RunsAsync(
            72, ScheduledRun("success", due: 60, start: 61.5, end: 71, run: "run-2"), Run("success", "by-hand", start: 63, end: 64, type: "manual"),
            ScheduledRun("running", due: -120, start: 70, run: "run-0"));
        Assert.Equal([1, 90], Delays());
        await RunsAsync(200, ScheduledRun("running", due: 120, start: 121, run: "run-3"), ScheduledRun("running", due: 180, start: 181, run: "run-4"));

        Assert.Equal([3, 210], Delays());

        double[] Delays() => exporter.Series(RunMetrics.ScheduleDelays).Single(series => series.Labels[0] == "music").Value;
    }

    /// <summary>It took ten minutes.</summary>
    private static JsonNode Succeeded() => Run("success", "run-1", start: -20, end: -10);

    private async Task PollAsync(double minute, JsonNode dag, params JsonNode[] runs)
    {
        server.Dags = [dag];
        (server.Date, server.Runs) = (Noon + TimeSpan.FromMinutes(minute), [.. runs]);
        await exporter.PollAsync(server.Date, "airflow_dags", "airflow_runs");
    }

    private async Task RunsAsync(double minute, params JsonNode[] runs)
    {
        (server.Date, server.Runs) = (Noon + TimeSpan.FromMinutes(minute), [.. runs]);
        await exporter.PollAsync(server.Date, "airflow_runs");
    }

    /// <summary>Minutes after noon; null: not told.</summary>
    private double? At() => exporter.Gauges["airflow_runs"].TryGetValue(Overdue, out var at) ? (at - Noon.ToUnixTimeSeconds()) / 60 : null;
}
