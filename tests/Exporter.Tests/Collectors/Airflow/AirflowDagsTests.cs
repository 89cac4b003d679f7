using PipelineExporter.Collectors.Airflow;
using PipelineExporter.Sources.Airflow;
using PipelineExporter.Tests.Sources.Airflow;
using static PipelineExporter.Tests.Collectors.Airflow.Rows;

namespace PipelineExporter.Tests.Collectors.Airflow;

public sealed class AirflowDagsTests
{
    [Fact]
    public async Task Owners_tags_schedule_and_the_next_run_are_told_of_each_DAG()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = new ReplayedExporter(server.Url);
        server.Dags = [Dag(next: 30), Dag("by_hand", schedule: null)];

        await exporter.PollAsync(Noon, "airflow_dags");

        var gauges = exporter.Gauges["airflow_dags"];
        Assert.Contains("airflow_dag_info music analytics,data glue,tier:1 0 * * * *", gauges.Keys);
        Assert.Contains("airflow_dag_info by_hand analytics,data glue,tier:1", gauges.Keys);
        Assert.Equal((Noon + TimeSpan.FromMinutes(30)).ToUnixTimeSeconds(), gauges["airflow_dag_next_run_timestamp_seconds music"]);
        Assert.DoesNotContain("airflow_dag_next_run_timestamp_seconds by_hand", gauges.Keys);
    }

    [Theory]
    [InlineData("2.11", "airflow_dag_info timedelta_schedule airflow timetable every 00:07:00")]
    [InlineData("2.11", "airflow_dag_info dag.with-dots_and-dashes data-platform a/b,with space,ünïcode 7-59/10 * * * *")]
    [InlineData("2.11", "airflow_dag_info music_streaming_kpi_computation analytics kpi,music-streaming Dataset")]
    [InlineData("3", "airflow_dag_info music_streaming_kpi_computation analytics,data-engineering glue,music-streaming Asset")]
    public async Task Recorded_DAGs_are_told_in_their_servers_words(string version, string expected)
    {
        await using var server = await ReplayServer.StartAsync(version);
        using var exporter = new ReplayedExporter(server.Url);

        await exporter.PollAsync(server.Date, "airflow_dags");

        Assert.Contains(expected, exporter.Gauges["airflow_dags"].Keys);
    }

    [Fact]
    public async Task No_label_becomes_a_document()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = new ReplayedExporter(server.Url);
        var dag = Dag();
        dag["tags"] = new System.Text.Json.Nodes.JsonArray([.. Enumerable.Range(0, 30).Select(i => new System.Text.Json.Nodes.JsonObject { ["name"] = $"tag-{i:00}-{new string('x', 40)}" })]);
        server.Dags = [dag];

        await exporter.PollAsync(Noon, "airflow_dags");

        var labels = exporter.Gauges["airflow_dags"].Keys.Single(gauge => gauge.StartsWith("airflow_dag_info", StringComparison.Ordinal)).Split(' ');
        Assert.Equal(257, labels[3].Length);
        Assert.EndsWith("…", labels[3], StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_last_success_is_asked_for_once_however_old_and_kept_over_restarts()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = new ReplayedExporter(server.Url);
        server.Dags = [Dag(), Dag("never_ran")];
        const double day = 24 * 60;
        server.History = [Run("success", "old", start: -90 * day, end: (-90 * day) + 10), Run("success", "older", start: -91 * day, end: (-91 * day) + 20)];

        server.Date = Noon;
        await exporter.PollAsync(Noon, "airflow_dags", "airflow_runs");
        Assert.DoesNotContain(server.Http.Requests, request => request.Contains("state=success", StringComparison.Ordinal)); // not at once
        await exporter.PollAsync(Noon, "airflow_runs");
        exporter.Restart();
        server.Date = Noon + TimeSpan.FromMinutes(5);
        await exporter.PollAsync(server.Date, "airflow_dags", "airflow_runs");
        await exporter.PollAsync(server.Date, "airflow_runs");

        Assert.Equal(2, server.Http.Requests.Count(request => request.Contains("state=success", StringComparison.Ordinal)));
        var gauges = exporter.Gauges["airflow_runs"];
        Assert.Equal((Noon - TimeSpan.FromDays(90) + TimeSpan.FromMinutes(10)).ToUnixTimeSeconds(), gauges["airflow_dag_last_success_timestamp_seconds music"]);
        Assert.Equal(20 * 60, gauges["airflow_dag_run_usual_duration_seconds music"]);
        Assert.DoesNotContain("airflow_dag_last_success_timestamp_seconds never_ran", gauges.Keys);
        Assert.Empty(exporter.Counted(RunMetrics.Finished));
    }

    /// <remarks>The retention of keys does not hold for what is still listed.</remarks>
    [Fact]
    public async Task What_is_kept_of_a_DAG_lasts_while_it_is_listed()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = new ReplayedExporter(server.Url);
        server.Dags = [Dag()];
        (server.Date, server.History) = (Noon, [Run("success", "old", start: -20, end: -10)]);
        await exporter.PollAsync(Noon, "airflow_dags", "airflow_runs");
        await exporter.PollAsync(Noon, "airflow_runs");

        for (var day = 1; day <= 80; day++)
            await exporter.PollAsync(Noon + TimeSpan.FromDays(day), "airflow_dags");
        exporter.Restart();
        server.Date = Noon + TimeSpan.FromDays(80);
        await exporter.PollAsync(server.Date, "airflow_runs");

        Assert.Contains("airflow_dag_last_success_timestamp_seconds music", exporter.Gauges["airflow_runs"].Keys);
    }

    [Fact]
    public async Task A_user_who_may_not_read_runs_still_reads_DAGs()
    {
        await using var server = await FakeAirflow.StartAsync(context => context.Request.Path.Value switch
        {
            "/api/v2/version" => (200, """{"version":"3.3.2"}"""),
            "/api/v2/dags" => (200, """{"dags":[{"dag_id":"music","is_paused":false}],"total_entries":1}"""),
            _ => (403, """{"detail":"Forbidden"}"""),
        });
        using var exporter = new ReplayedExporter(server.Url);

        await exporter.PollAsync(Noon, "airflow_dags");

        Assert.Contains("airflow_dag_paused music", exporter.Gauges["airflow_dags"].Keys);
        var refused = await Assert.ThrowsAsync<AirflowException>(() => exporter.PollAsync(Noon, "airflow_runs"));
        Assert.Contains("DAG Runs", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("2.11.2")]
    [InlineData("3.3.2")]
    public async Task Import_errors_are_counted_and_not_read(string version)
    {
        await using var server = await ListServer.StartAsync(version);
        using var exporter = new ReplayedExporter(server.Url);
        server.ImportErrors = 3;

        await exporter.PollAsync(Noon, "airflow_import_errors");

        Assert.Equal(3, exporter.Gauges["airflow_import_errors"]["airflow_import_errors"]);
        Assert.Contains(server.Http.Requests, request => request.EndsWith("/importErrors?limit=1", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_collector_that_is_skipped_does_not_exist()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = new ReplayedExporter(server.Url, configure: settings => settings with { Skip = ["airflow_pools", "airflow_runs"] });

        Assert.Equal(["airflow_dags", "airflow_health", "airflow_import_errors", "airflow_tasks"], exporter.Collectors.Select(collector => collector.Name).Order());
    }
}
