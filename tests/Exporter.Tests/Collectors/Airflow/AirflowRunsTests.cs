using System.Text.Json.Nodes;
using PipelineExporter.Collectors.Airflow;
using static PipelineExporter.Tests.Collectors.Airflow.Rows;

namespace PipelineExporter.Tests.Collectors.Airflow;

public sealed class AirflowRunsTests
{
    private const string Open = "airflow_dag_failed_runs_open music";
    private const string Last = "airflow_dag_last_failed_run_info music";

    [Fact]
    public async Task A_run_is_born_at_zero_for_both_ends_as_soon_as_one_of_its_type_is_seen()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = new ReplayedExporter(server.Url);

        await PollAsync(server, exporter, 0, Run("running", type: "operator_triggered"));

        Assert.Equal(
            ["music operator_triggered failed 0", "music operator_triggered success 0"],
            exporter.Series(RunMetrics.Finished).Select(series => $"{string.Join(' ', series.Labels)} {series.Value[0]}").Order());
        Assert.Equal(["music"], exporter.Series(ReplayedExporter.RunDurations).Select(series => series.Labels[0]));
    }

    [Fact]
    public async Task A_failed_run_is_open_until_it_is_repaired_also_while_it_runs_again_and_over_a_restart()
    {
        await using var server = await ListServer.StartAsync("2.11.2");
        using var exporter = new ReplayedExporter(server.Url);
        await PollAsync(server, exporter, 0);

        await PollAsync(server, exporter, 10, Run("failed", start: 1, end: 9));
        Assert.Equal(1, exporter.Gauges["airflow_runs"][Open]);

        await PollAsync(server, exporter, 20, Run("queued", start: null));
        Assert.Equal(1, exporter.Gauges["airflow_runs"][Open]);
        exporter.Restart();
        await PollAsync(server, exporter, 30, Run("running", start: 29));
        Assert.Equal(1, exporter.Gauges["airflow_runs"][Open]);
        Assert.Equal(1, exporter.Gauges["airflow_runs"][$"{Last} run-1"]);

        await PollAsync(server, exporter, 40, Run("success", start: 29, end: 39));
        Assert.Equal(0, exporter.Gauges["airflow_runs"][Open]);
        Assert.DoesNotContain($"{Last} run-1", exporter.Gauges["airflow_runs"].Keys);
        Assert.Equal(
            [("music scheduled failed", 1.0), ("music scheduled success", 1.0)], exporter.Counted(RunMetrics.Finished).Select(run => (run.Key, run.Value)));

        exporter.Restart();
        await PollAsync(server, exporter, 50, Run("running", start: 45));
        Assert.Equal(0, exporter.Gauges["airflow_runs"][Open]);
    }

    [Fact]
    public async Task A_failed_run_is_closed_by_the_success_of_a_run_that_started_later_and_by_no_other()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = new ReplayedExporter(server.Url);
        var failed = Run("failed", "run-2", start: 5, end: 9);
        await PollAsync(server, exporter, 10, failed);
        Assert.Equal(1, exporter.Gauges["airflow_runs"][Open]);

        await PollAsync(server, exporter, 20, failed, Run("success", "run-1", start: 1, end: 19));
        Assert.Equal(1, exporter.Gauges["airflow_runs"][Open]);

        await PollAsync(server, exporter, 30, failed, Run("success", "run-3", start: 21, end: 29));
        Assert.Equal(0, exporter.Gauges["airflow_runs"][Open]);
        Assert.Equal(1, exporter.Gauges["airflow_runs"][$"{Last} run-2"]);
    }

    [Fact]
    public async Task The_last_success_of_a_DAG_that_failed_is_asked_for_once_unless_a_poll_tells_it()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = new ReplayedExporter(server.Url);
        JsonNode[] runs = [Run("failed", "run-2", start: -300, end: -290), Run("success", "run-3", start: -200, end: -190), Run("failed", "b-1", start: -300, end: -290, dag: "billing")];

        await PollAsync(server, exporter, 0, runs);
        exporter.Restart();
        await PollAsync(server, exporter, 1, runs);

        Assert.Equal(0, exporter.Gauges["airflow_runs"][Open]);
        Assert.Equal(1, exporter.Gauges["airflow_runs"]["airflow_dag_failed_runs_open billing"]);
        Assert.Equal(
            ["GET /api/v2/dags/billing/dagRuns"],
            server.Http.Requests.Where(request => request.Contains("state=success")).Select(request => request.Split('?')[0]).Order());
        Assert.Empty(exporter.Counted(RunMetrics.Finished));
    }

    [Fact]
    public async Task A_failed_run_that_is_deleted_or_set_to_success_is_found_within_five_minutes()
    {
        await using var server = await ListServer.StartAsync("2.11.2");
        using var exporter = new ReplayedExporter(server.Url);
        var (one, two) = (Run("failed", "run-1", start: 1, end: 2), Run("failed", "run-2", start: 3, end: 4));
        await PollAsync(server, exporter, 5, one, two);
        Assert.Equal(2, exporter.Gauges["airflow_runs"][Open]);

        await PollAsync(server, exporter, 6, two);
        Assert.Equal(2, exporter.Gauges["airflow_runs"][Open]);
        await PollAsync(server, exporter, 11, two);
        Assert.Equal(1, exporter.Gauges["airflow_runs"][Open]);
        Assert.Equal(1, exporter.Gauges["airflow_runs"][$"{Last} run-2"]);
    }

    [Fact]
    public async Task Failed_runs_of_seven_days_are_looked_for_once_and_then_in_five_minutes_since_the_oldest_that_is_open()
    {
        await using var server = await ListServer.StartAsync("2.11.2");
        using var exporter = new ReplayedExporter(server.Url);
        for (var minute = 0; minute < 12; minute++)
            await PollAsync(server, exporter, minute);
        Assert.Contains("end_date_gte=2026-11-16T12%3A00%3A00.000000Z", Assert.Single(Asked()));

        var (old, open, success) = (Run("failed", "run-1", start: 12, end: 13), Run("failed", "run-3", start: 16, end: 17), Run("success", "run-2", start: 14, end: 15));
        await PollAsync(server, exporter, 18, old, success, open);
        for (var minute = 19; minute < 25; minute++)
            await PollAsync(server, exporter, minute, old, success, open);
        Assert.Contains("end_date_gte=2026-11-23T12%3A16%3A00.000000Z", Asked()[^1]);
        Assert.Equal(1, exporter.Gauges["airflow_runs"][Open]);

        var asked = Asked().Count;
        for (var minute = 25; minute < 40; minute++)
            await PollAsync(server, exporter, minute, old, success, open, Run("success", "run-4", start: 24, end: 25));
        Assert.Equal(0, exporter.Gauges["airflow_runs"][Open]);
        Assert.Equal(1, exporter.Gauges["airflow_runs"][$"{Last} run-3"]);
        Assert.InRange(Asked().Count, asked, asked + 1);

        List<string> Asked() => [.. server.Http.Requests.Where(request => request.Contains("state=failed"))];
    }

    [Fact]
    public async Task After_an_outage_everything_that_ended_meanwhile_is_asked_for_and_counted()
    {
        await using var server = await ListServer.StartAsync("2.11.2");
        using var exporter = new ReplayedExporter(server.Url);
        await PollAsync(server, exporter, 0);
        exporter.Restart();

        await PollAsync(server, exporter, 60 * 50, [.. Enumerable.Range(1, 40).Select(i => Run("failed", $"run-{i}", start: i * 60, end: (i * 60) + 30))]);

        Assert.Equal(40, exporter.Counted(RunMetrics.Finished)["music scheduled failed"]);
        Assert.Contains("end_date_gte=2026-11-23T11%3A58%3A00.000000Z", server.Http.Requests.Last(request => request.Contains("end_date_gte") && !request.Contains("state=")));
        Assert.Equal(40 * 1800, exporter.Series(ReplayedExporter.RunDurations).Single().Value[(ReplayedExporter.RunDurations.Buckets.Length + 1)..].Sum());
    }

    private static async Task PollAsync(ListServer server, ReplayedExporter exporter, double minute, params JsonNode[] runs)
    {
        server.Date = Noon + TimeSpan.FromMinutes(minute);
        server.Runs = [.. runs];
        await exporter.PollAsync(server.Date, "airflow_runs");
    }
}
