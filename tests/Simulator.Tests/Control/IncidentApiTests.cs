using System.Text.Json;

namespace PipelineExporter.Simulator.Tests.Control;

/// <summary>What a client of either Airflow sees twenty seconds after an incident's start.</summary>
public sealed class IncidentApiTests : IAsyncLifetime
{
    const string AnyTask = "/dags/~/dagRuns/~/taskInstances?limit=100&";

    readonly SimulatorClient simulator = new();

    public ValueTask InitializeAsync() => simulator.InitializeAsync();

    public ValueTask DisposeAsync() => simulator.DisposeAsync();

    [Theory]
    [InlineData("2.11")]
    [InlineData("3.3")]
    public async Task A_task_fails_for_good_and_its_run_succeeds(string version)
    {
        await StartAsync("task_failure");
        var run = Assert.Single(await simulator.RowsAsync(version, "/dags/label_notifications/dagRuns?start_date_gte=2026-11-23T12:00:40Z", "dag_runs"));
        Assert.Equal("success", Text(run, "state"));
        var failed = Assert.Single(await simulator.RowsAsync(version, AnyTask + "state=failed&updated_at_gte=2026-11-23T11:58:00Z", "task_instances"));
        Assert.Equal(("label_notifications", "send_notices", 1), (Text(failed, "dag_id"), Text(failed, "task_id"), failed.GetProperty("try_number").GetInt32()));
    }

    [Theory]
    [InlineData("2.11")]
    [InlineData("3.3")]
    public async Task A_run_is_two_hours_old_and_waits_for_its_sensor(string version)
    {
        await StartAsync("dag_slow");
        var run = Assert.Single(await simulator.RowsAsync(version, "/dags/quarterly_royalty_audit/dagRuns?state=queued&state=running", "dag_runs"));
        Assert.InRange(simulator.Time.GetUtcNow() - Date(run, "start_date"), TimeSpan.FromHours(2), TimeSpan.FromHours(2) + TimeSpan.FromSeconds(20));
        var sensor = Assert.Single(await simulator.RowsAsync(version, AnyTask.Replace("/dags/~", "/dags/quarterly_royalty_audit", StringComparison.Ordinal) + "state=up_for_reschedule", "task_instances"));
        Assert.Equal(("wait_for_ledger", "FileSensor"), (Text(sensor, "task_id"), Text(sensor, "operator")));
        Assert.True(Date(sensor, "start_date") >= SimulatorClient.Now);

        await simulator.ControlAsync(HttpMethod.Delete, "/incidents/dag_slow");
        simulator.Time.Advance(TimeSpan.FromSeconds(20));
        var ended = await simulator.GetAsync(version, $"/dags/quarterly_royalty_audit/dagRuns/{Uri.EscapeDataString(Text(run, "dag_run_id")!)}");
        Assert.Equal("success", Text(ended, "state"));
        Assert.Equal(Text(run, "start_date"), Text(ended, "start_date"));
        Assert.Contains(
            await simulator.RowsAsync(version, "/dags/~/dagRuns?limit=100&end_date_gte=2026-11-23T12:01:00Z", "dag_runs"),
            row => Text(row, "dag_run_id") == Text(run, "dag_run_id"));
    }

    [Theory]
    [InlineData("2.11")]
    [InlineData("3.3")]
    public async Task A_task_has_been_running_for_half_an_hour(string version)
    {
        await StartAsync("task_slow");
        var running = (await simulator.RowsAsync(version, AnyTask + "state=running", "task_instances")).Single(row => Text(row, "task_id") == "rebuild_index");
        Assert.InRange(simulator.Time.GetUtcNow() - Date(running, "start_date"), TimeSpan.FromMinutes(30), TimeSpan.FromMinutes(30) + TimeSpan.FromSeconds(20));
        Assert.Null(Text(running, "end_date"));
    }

    [Theory]
    [InlineData("2.11", "next_dagrun_create_after")]
    [InlineData("3.3", "next_dagrun_run_after")]
    public async Task A_dag_with_a_custom_timetable_should_have_run_an_hour_ago(string version, string next)
    {
        var before = await simulator.GetAsync(version, "/dags/release_calendar_import");
        Assert.True(Date(before, next) > SimulatorClient.Now);
        if (version == "2.11")
            Assert.Equal("""{"__type":"CronExpression","value":"Release calendar"}""", JsonSerializer.Serialize(before.GetProperty("schedule_interval")));
        else
            Assert.Equal("Release calendar", Text(before, "timetable_summary"));

        await StartAsync("dag_overdue");
        Assert.Equal(SimulatorClient.Now.AddHours(-1), Date(await simulator.GetAsync(version, "/dags/release_calendar_import"), next));
        Assert.Equal(
            SimulatorClient.Now.AddHours(-1),
            Date((await simulator.RowsAsync(version, "/dags?limit=100", "dags")).Single(row => Text(row, "dag_id") == "release_calendar_import"), next));

        await simulator.ControlAsync(HttpMethod.Delete, "/incidents/dag_overdue");
        simulator.Time.Advance(TimeSpan.FromSeconds(20));
        var late = Assert.Single(await simulator.RowsAsync(version, "/dags/release_calendar_import/dagRuns?start_date_gte=2026-11-23T12:00:50Z", "dag_runs"));
        Assert.Equal(("scheduled", "success"), (Text(late, "run_type"), Text(late, "state")));
        Assert.Equal(Text(before, next), Text(await simulator.GetAsync(version, "/dags/release_calendar_import"), next));
    }

    [Theory]
    [InlineData("2.11", "/health")]
    [InlineData("3.3", "/monitor/health")]
    public async Task The_scheduler_is_unhealthy_thirty_seconds_after_its_last_heartbeat_and_work_goes_on(string version, string path)
    {
        await StartAsync("scheduler_down");
        var beat = Scheduler(await simulator.GetAsync(version, path));
        Assert.Equal("healthy", beat.Status);
        simulator.Time.Advance(TimeSpan.FromSeconds(10));
        var late = await simulator.GetAsync(version, path);
        Assert.Equal(("unhealthy", beat.Heartbeat), Scheduler(late));
        Assert.Equal("healthy", Text(late.GetProperty("triggerer"), "status"));
        Assert.NotEmpty(await simulator.RowsAsync(version, "/dags/stream_event_ingest/dagRuns?start_date_gte=2026-11-23T12:01:00Z", "dag_runs"));

        await simulator.ControlAsync(HttpMethod.Delete, "/incidents/scheduler_down");
        Assert.Equal("healthy", Scheduler(await simulator.GetAsync(version, path)).Status);
    }

    [Theory]
    [InlineData("2.11")]
    [InlineData("3.3")]
    public async Task A_pool_has_no_open_slot_and_four_wait_for_one(string version)
    {
        await StartAsync("pool_full");
        var pool = await simulator.GetAsync(version, "/pools/render_pool");
        Assert.Equal((4, 4, 0, 4, 0), (Number(pool, "slots"), Number(pool, "running_slots"), Number(pool, "queued_slots"), Number(pool, "scheduled_slots"), Number(pool, "open_slots")));
        var waiting = await simulator.RowsAsync(version, AnyTask + "state=scheduled&pool=render_pool", "task_instances");
        Assert.Equal(["4", "5", "6", "7"], waiting.Select(row => Text(row, "map_index")).Order());
    }

    [Theory]
    [InlineData("2.11")]
    [InlineData("3.3")]
    public async Task A_task_has_been_queued_for_ten_minutes_in_a_pool_that_is_open(string version)
    {
        await StartAsync("queue_backlog");
        var queued = Assert.Single(await simulator.RowsAsync(version, AnyTask + "state=queued&queue=gpu", "task_instances"));
        Assert.InRange(simulator.Time.GetUtcNow() - Date(queued, "queued_when"), TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(10) + TimeSpan.FromSeconds(20));
        Assert.True(Number(await simulator.GetAsync(version, "/pools/" + Text(queued, "pool")), "open_slots") > 100);
    }

    [Theory]
    [InlineData("2.11")]
    [InlineData("3.3")]
    public async Task A_dag_file_cannot_be_imported(string version)
    {
        Assert.Empty(await simulator.RowsAsync(version, "/importErrors", "import_errors"));
        await StartAsync("import_error");
        Assert.Single(await simulator.RowsAsync(version, "/importErrors", "import_errors"));
        await simulator.ControlAsync(HttpMethod.Delete, "/incidents/import_error");
        Assert.Empty(await simulator.RowsAsync(version, "/importErrors", "import_errors"));
    }

    [Theory]
    [InlineData("2.11")]
    [InlineData("3.3")]
    public async Task Deliveries_are_tried_again_and_again_and_none_fails_for_good(string version)
    {
        await StartAsync("retries_storm");
        var tried = (await simulator.RowsAsync(version, "/dags/partner_webhooks/dagRuns/~/taskInstances?limit=100&updated_at_gte=2026-11-23T12:00:40Z", "task_instances"))
            .Where(row => Text(row, "task_id") == "deliver_webhook").ToList();
        Assert.Equal(10, tried.Count);
        Assert.All(tried, row => Assert.True(Number(row, "try_number") > 2));
        var first = tried[0];
        var tries = await simulator.RowsAsync(
            version, $"/dags/partner_webhooks/dagRuns/{Uri.EscapeDataString(Text(first, "dag_run_id")!)}/taskInstances/deliver_webhook/{Number(first, "map_index")}/tries", "task_instances");
        Assert.True(tries.Count(row => Text(row, "state") == "failed") >= 2);

        simulator.Time.Advance(TimeSpan.FromMinutes(5));
        var run = (await simulator.RowsAsync(version, "/dags/partner_webhooks/dagRuns?start_date_gte=2026-11-23T12:00:40Z&order_by=start_date", "dag_runs"))[0];
        Assert.Equal("success", Text(run, "state"));
    }

    async Task StartAsync(string incident)
    {
        await simulator.ControlAsync(HttpMethod.Post, "/incidents", $$"""{"name": "{{incident}}"}""");
        simulator.Time.Advance(TimeSpan.FromSeconds(20));
    }

    static (string? Status, string? Heartbeat) Scheduler(JsonElement health) =>
        (Text(health.GetProperty("scheduler"), "status"), Text(health.GetProperty("scheduler"), "latest_scheduler_heartbeat"));

    static DateTimeOffset Date(JsonElement row, string name) => row.GetProperty(name).GetDateTimeOffset();

    static int Number(JsonElement row, string name) => row.GetProperty(name).GetInt32();

    static string? Text(JsonElement row, string name) => SimulatorClient.Text(row, name);
}
