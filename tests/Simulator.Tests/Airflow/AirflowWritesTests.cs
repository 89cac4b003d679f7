using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace PipelineExporter.Simulator.Tests.Airflow;

/// <summary>Clears, edits and deletions, as the recorded servers took them.</summary>
public sealed class AirflowWritesTests : IAsyncLifetime
{
    const string Dag = "partner_feed_sync";

    readonly SimulatorClient simulator = new();
    AuthenticationHeaderValue token = null!;

    public async ValueTask InitializeAsync()
    {
        await simulator.InitializeAsync();
        token = new("Bearer", await simulator.LoginAsync("operator"));
    }

    public ValueTask DisposeAsync() => simulator.DisposeAsync();

    [Theory]
    [InlineData("2.11", 150)]
    [InlineData("3.3", 1)]
    public async Task A_cleared_instance_of_a_finished_run_waits_with_its_old_dates_and_is_played_again_with_its_run(string version, int minutesAgo)
    {
        var run = await FinishedRunAsync(version, minutesAgo);
        var before = await TasksAsync(version, run);
        var tries = await TriesAsync(version, run, "fetch_feed");
        var answer = await WriteAsync(version, HttpMethod.Post, $"/dags/{Dag}/clearTaskInstances",
            $$"""{"dry_run": false, "task_ids": ["fetch_feed"], "include_downstream": true, "only_failed": false, "reset_dag_runs": true, "dag_run_id": "{{run}}"}""");
        Assert.Equal(["fetch_feed", "merge_feed"], answer.GetProperty("task_instances").EnumerateArray().Select(row => Text(row, "task_id")).Order(StringComparer.Ordinal));

        var queued = await RunAsync(version, run);
        Assert.Equal(("queued", null, null, null), (Text(queued, "state"), Text(queued, "start_date"), Text(queued, "end_date"), Text(queued, "last_scheduling_decision")));
        if (version == "3.3")
            Assert.Equal(SimulatorClient.Now, queued.GetProperty("queued_at").GetDateTimeOffset());
        foreach (var (task, retries) in new[] { ("fetch_feed", 3), ("merge_feed", 0) })
        {
            var (old, row) = (before[task], (await TasksAsync(version, run))[task]);
            var number = old.GetProperty("try_number").GetInt32();
            Assert.Equal((null, number, number + retries), (Text(row, "state"), row.GetProperty("try_number").GetInt32(), row.GetProperty("max_tries").GetInt32()));
            foreach (var name in new[] { "start_date", "end_date", "duration", "queued_when", "pid" })
                Assert.Equal(Text(old, name), Text(row, name));
            if (version == "3.3")
                Assert.NotEqual(Text(old, "id"), Text(row, "id"));
        }
        var history = await TriesAsync(version, run, "fetch_feed");
        Assert.Equal(tries.Select(Text), history.SkipLast(1).Select(Text));
        Assert.Equal((null, tries[^1].GetProperty("try_number").GetInt32()), (Text(history[^1], "state"), history[^1].GetProperty("try_number").GetInt32()));

        // It is among what lives and what changed, however old it is.
        foreach (var query in new[] { "state=queued", "updated_at_gte=2026-11-23T12:00:40Z" })
            Assert.Contains(await simulator.RowsAsync(version, $"/dags/~/dagRuns?{query}&limit=100", "dag_runs"), row => Text(row, "dag_run_id") == run);

        simulator.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("running", Text(await RunAsync(version, run), "state"));
        simulator.Time.Advance(TimeSpan.FromMinutes(3));
        var finished = await RunAsync(version, run);
        Assert.Equal("success", Text(finished, "state"));
        Assert.InRange(finished.GetProperty("start_date").GetDateTimeOffset(), SimulatorClient.Now, SimulatorClient.Now.AddSeconds(1));
        var again = (await TasksAsync(version, run))["fetch_feed"];
        Assert.Equal("success", Text(again, "state"));
        Assert.True(again.GetProperty("try_number").GetInt32() > before["fetch_feed"].GetProperty("try_number").GetInt32());
        Assert.True(again.GetProperty("start_date").GetDateTimeOffset() > SimulatorClient.Now);
        history = await TriesAsync(version, run, "fetch_feed");
        Assert.Equal(tries.Select(Text), history.Take(tries.Count).Select(Text));
        Assert.Equal(history.Count, history.DistinctBy(row => row.GetProperty("try_number").GetInt32()).Count());
    }

    [Theory]
    [InlineData("2.11")]
    [InlineData("3.3")]
    public async Task A_dry_run_and_a_clear_of_the_failed_ones_alone_change_nothing_of_a_run_that_went_well(string version)
    {
        var run = await FinishedRunAsync(version);
        var before = await TasksAsync(version, run);
        var dry = await WriteAsync(version, HttpMethod.Post, $"/dags/{Dag}/clearTaskInstances", $$"""{"only_failed": false, "dag_run_id": "{{run}}"}""");
        Assert.Equal(2, dry.GetProperty("task_instances").GetArrayLength());
        var failed = await WriteAsync(version, HttpMethod.Post, $"/dags/{Dag}/clearTaskInstances", $$"""{"dry_run": false, "dag_run_id": "{{run}}"}""");
        Assert.Equal(0, failed.GetProperty("task_instances").GetArrayLength());
        var whole = await WriteAsync(version, HttpMethod.Post, RunPath(run) + "/clear", "{}");
        Assert.Equal(2, whole.GetProperty("total_entries").GetInt32());
        Assert.Equal(before.Values.Select(Text), (await TasksAsync(version, run)).Values.Select(Text));
    }

    [Theory]
    [InlineData("2.11")]
    [InlineData("3.3")]
    public async Task A_whole_run_is_cleared_and_answers_queued(string version)
    {
        var run = await FinishedRunAsync(version);
        var row = await WriteAsync(version, HttpMethod.Post, RunPath(run) + "/clear", """{"dry_run": false}""");
        Assert.Equal(("queued", null), (Text(row, "state"), Text(row, "start_date")));
        Assert.All((await TasksAsync(version, run)).Values, task => Assert.Null(Text(task, "state")));
        simulator.Time.Advance(TimeSpan.FromMinutes(3));
        Assert.Equal("success", Text(await RunAsync(version, run), "state"));
    }

    [Fact]
    public async Task Airflow_3_restarts_an_instance_that_is_cleared_while_it_runs()
    {
        var (path, row) = await RunningTaskAsync("3.3");
        var number = row.GetProperty("try_number").GetInt32();
        await ClearOneAsync("3.3", row);
        var restarting = await simulator.GetAsync("3.3", path);
        Assert.Equal(("restarting", number), (Text(restarting, "state"), restarting.GetProperty("try_number").GetInt32()));
        Assert.Equal((Text(row, "start_date"), SimulatorClient.Now), (Text(restarting, "start_date"), restarting.GetProperty("end_date").GetDateTimeOffset()));
        Assert.Equal([("failed", number), ("restarting", number)], (await simulator.RowsAsync("3.3", path + "/tries", "task_instances")).TakeLast(2).Select(Try));
        var run = await simulator.GetAsync("3.3", path[..path.IndexOf("/taskInstances", StringComparison.Ordinal)]);
        Assert.Equal("running", Text(run, "state"));
        Assert.True(run.GetProperty("queued_at").GetDateTimeOffset() > run.GetProperty("start_date").GetDateTimeOffset());
        simulator.Time.Advance(TimeSpan.FromMinutes(10));
        Assert.Equal([("failed", number), ("success", number + 1)], (await simulator.RowsAsync("3.3", path + "/tries", "task_instances")).TakeLast(2).Select(Try));
    }

    [Fact]
    public async Task Airflow_2_kills_an_instance_that_is_cleared_while_it_runs_and_has_its_try_twice()
    {
        var (path, row) = await RunningTaskAsync("2.11");
        var number = row.GetProperty("try_number").GetInt32();
        await ClearOneAsync("2.11", row);
        Assert.Equal("running", Text(await simulator.GetAsync("2.11", path), "state"));
        Assert.Equal([("failed", number), ("running", number)], (await simulator.RowsAsync("2.11", path + "/tries", "task_instances")).TakeLast(2).Select(Try));
        simulator.Time.Advance(TimeSpan.FromSeconds(20));
        var tries = (await simulator.RowsAsync("2.11", path + "/tries", "task_instances")).TakeLast(2).ToList();
        Assert.Equal([("failed", number), ("failed", number)], tries.Select(Try));
        Assert.NotEqual(Text(tries[0], "end_date"), Text(tries[1], "end_date"));
        Assert.Equal("failed", Text(await simulator.GetAsync("2.11", path[..path.IndexOf("/taskInstances", StringComparison.Ordinal)]), "state"));
    }

    [Theory]
    [InlineData("2.11")]
    [InlineData("3.3")]
    public async Task A_finished_runs_state_is_turned_over_without_its_dates_and_queued_it_ends_again(string version)
    {
        var run = await FinishedRunAsync(version);
        var before = await RunAsync(version, run);
        var failed = await WriteAsync(version, HttpMethod.Patch, RunPath(run), """{"state": "failed"}""");
        Assert.Equal(("failed", Text(before, "start_date"), Text(before, "end_date")), (Text(failed, "state"), Text(failed, "start_date"), Text(failed, "end_date")));
        Assert.All((await TasksAsync(version, run)).Values, task => Assert.Equal("success", Text(task, "state")));
        Assert.Contains(await simulator.RowsAsync(version, "/dags/~/dagRuns?state=failed", "dag_runs"), row => Text(row, "dag_run_id") == run);
        Assert.Contains(await simulator.RowsAsync(version, "/dags/~/dagRuns?updated_at_gte=2026-11-23T12:00:40Z", "dag_runs"), row => Text(row, "dag_run_id") == run);

        var queued = await WriteAsync(version, HttpMethod.Patch, RunPath(run), """{"state": "queued"}""");
        Assert.Equal(("queued", null, null), (Text(queued, "state"), Text(queued, "start_date"), Text(queued, "end_date")));
        simulator.Time.Advance(TimeSpan.FromSeconds(3));
        var again = await RunAsync(version, run);
        Assert.Equal("success", Text(again, "state"));
        Assert.True(again.GetProperty("end_date").GetDateTimeOffset() > SimulatorClient.Now);
    }

    [Theory]
    [InlineData("2.11")]
    [InlineData("3.3")]
    public async Task A_running_run_that_is_set_to_failed_ends_at_once_and_skips_what_waits(string version)
    {
        var (path, row) = await RunningTaskAsync(version);
        var run = path[..path.IndexOf("/taskInstances", StringComparison.Ordinal)];
        var failed = await WriteAsync(version, HttpMethod.Patch, run, """{"state": "failed"}""");
        Assert.Equal(("failed", SimulatorClient.Now), (Text(failed, "state"), failed.GetProperty("end_date").GetDateTimeOffset()));
        var tasks = await simulator.RowsAsync(version, run + "/taskInstances", "task_instances");
        Assert.Equal("failed", Text(tasks.Single(task => Text(task, "task_id") == Text(row, "task_id")), "state"));
        Assert.All(tasks.Where(task => task.GetProperty("try_number").GetInt32() == 0), task =>
            Assert.Equal(("skipped", Text(task, "start_date")), (Text(task, "state"), Text(task, "end_date"))));
        Assert.Contains(tasks, task => Text(task, "state") == "skipped");
        simulator.Time.Advance(TimeSpan.FromMinutes(20));
        Assert.Equal("failed", Text(await simulator.GetAsync(version, run), "state"));
    }

    [Theory]
    [InlineData("2.11")]
    [InlineData("3.3")]
    public async Task A_running_instance_that_is_set_to_failed_fails_its_run_and_set_to_success_lets_it_go_on(string version)
    {
        var (path, row) = await RunningTaskAsync(version);
        var run = path[..path.IndexOf("/taskInstances", StringComparison.Ordinal)];
        await WriteAsync(version, HttpMethod.Patch, path, """{"dry_run": false, "new_state": "failed"}""");
        var failed = await simulator.GetAsync(version, path);
        Assert.Equal(("failed", Text(row, "start_date"), SimulatorClient.Now), (Text(failed, "state"), Text(failed, "start_date"), failed.GetProperty("end_date").GetDateTimeOffset()));
        simulator.Time.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal("failed", Text(await simulator.GetAsync(version, run), "state"));
        Assert.Contains(await simulator.RowsAsync(version, run + "/taskInstances", "task_instances"), task => Text(task, "state") == "upstream_failed");

        await WriteAsync(version, HttpMethod.Patch, path, """{"dry_run": false, "new_state": "success"}""");
        var success = await simulator.GetAsync(version, path);
        Assert.Equal(("success", Text(failed, "end_date"), Text(failed, "try_number")), (Text(success, "state"), Text(success, "end_date"), Text(success, "try_number")));
        Assert.Equal("queued", Text(await simulator.GetAsync(version, run), "state"));
        Assert.Contains(await simulator.RowsAsync(version, run + "/taskInstances", "task_instances"), task => Text(task, "state") is null);
        simulator.Time.Advance(TimeSpan.FromMinutes(10));
        Assert.Equal("success", Text(await simulator.GetAsync(version, run), "state"));
    }

    [Theory]
    [InlineData("2.11", """{"dag_runs":[],"total_entries":0}""")]
    [InlineData("3.3", null)]
    public async Task A_deleted_run_is_gone_with_its_history_and_a_deleted_dag_with_everything(string version, string? runsOfDeleted)
    {
        var run = await FinishedRunAsync(version);
        using (var deleted = await SendAsync(version, HttpMethod.Delete, RunPath(run)))
        {
            Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
            Assert.Empty(await deleted.Content.ReadAsByteArrayAsync());
        }
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(version, RunPath(run)));
        Assert.DoesNotContain(await simulator.RowsAsync(version, $"/dags/{Dag}/dagRuns?end_date_gte=2026-11-23T11:30:00Z", "dag_runs"), row => Text(row, "dag_run_id") == run);
        using (var again = await SendAsync(version, HttpMethod.Delete, RunPath(run)))
            Assert.Equal(HttpStatusCode.NotFound, again.StatusCode);

        var (path, _) = await RunningTaskAsync(version);
        using (var busy = await SendAsync(version, HttpMethod.Delete, path[..path.IndexOf("/dagRuns", StringComparison.Ordinal)]))
            Assert.Equal(HttpStatusCode.Conflict, busy.StatusCode);

        using (var deleted = await SendAsync(version, HttpMethod.Delete, "/dags/legacy_catalog_import"))
            Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(version, "/dags/legacy_catalog_import"));
        Assert.DoesNotContain(await simulator.RowsAsync(version, "/dags?limit=100", "dags"), row => Text(row, "dag_id") == "legacy_catalog_import");
        using var runs = await simulator.SendAsync(version, "/dags/legacy_catalog_import/dagRuns");
        Assert.Equal(runsOfDeleted is null ? HttpStatusCode.NotFound : HttpStatusCode.OK, runs.StatusCode);
        if (runsOfDeleted is not null)
            Assert.Equal(runsOfDeleted, (await runs.Content.ReadAsStringAsync()).Replace(" ", "", StringComparison.Ordinal).Replace("\n", "", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("2.11")]
    [InlineData("3.3")]
    public async Task The_exporters_own_user_may_change_nothing(string version)
    {
        var run = await FinishedRunAsync(version);
        var viewer = version == "2.11" ? SimulatorClient.Basic("exporter", "simulator-password") : new AuthenticationHeaderValue("Bearer", simulator.Token);
        foreach (var (method, path) in new[]
        {
            (HttpMethod.Post, $"/dags/{Dag}/clearTaskInstances"), (HttpMethod.Post, RunPath(run) + "/clear"), (HttpMethod.Patch, RunPath(run)),
            (HttpMethod.Patch, RunPath(run) + "/taskInstances/fetch_feed"), (HttpMethod.Delete, RunPath(run)), (HttpMethod.Delete, $"/dags/{Dag}"),
        })
        {
            using var answer = await SendAsync(version, method, path, """{"dry_run": false, "state": "failed", "new_state": "failed"}""", viewer);
            Assert.Equal((path, HttpStatusCode.Forbidden), (path, answer.StatusCode));
        }
    }

    [Theory]
    [InlineData("2.11", "PATCH", "", """{"state": "running"}""", HttpStatusCode.BadRequest)]
    [InlineData("2.11", "PATCH", "/taskInstances/fetch_feed", """{"new_state": "bogus"}""", HttpStatusCode.BadRequest)]
    [InlineData("2.11", "PATCH", "/taskInstances/nope", """{"new_state": "failed"}""", HttpStatusCode.NotFound)]
    [InlineData("2.11", "POST", "/clear", "[", HttpStatusCode.BadRequest)]
    [InlineData("3.3", "PATCH", "", """{"state": "running"}""", HttpStatusCode.UnprocessableEntity)]
    [InlineData("3.3", "PATCH", "/taskInstances/fetch_feed", """{"new_state": "bogus"}""", HttpStatusCode.UnprocessableEntity)]
    [InlineData("3.3", "PATCH", "/taskInstances/nope", """{"new_state": "failed"}""", HttpStatusCode.NotFound)]
    [InlineData("3.3", "POST", "/clear", "[", HttpStatusCode.UnprocessableEntity)]
    public async Task What_cannot_be_done_is_refused(string version, string method, string path, string body, HttpStatusCode status)
    {
        using var answer = await SendAsync(version, new HttpMethod(method), RunPath(await FinishedRunAsync(version)) + path, body);
        Assert.Equal(status, answer.StatusCode);
    }

    [Fact]
    public async Task A_body_that_is_no_json_is_415_in_airflow_2()
    {
        using var request = new HttpRequestMessage(HttpMethod.Patch, "airflow2/api/v1" + RunPath(await FinishedRunAsync("2.11")));
        request.Headers.Authorization = SimulatorClient.Basic("operator", "simulator-password");
        using var answer = await simulator.Http.SendAsync(request);
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, answer.StatusCode);
        Assert.Contains("Invalid Content-type (), expected JSON data", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("2.11", "&airflow=2")]
    [InlineData("3.3", "")]
    public async Task The_truth_counts_what_was_played_again(string version, string airflow)
    {
        const string Interval = "/truth?from=2026-11-23T11:50:00Z&to=2026-11-23T12:05:00Z";
        var run = await FinishedRunAsync(version);
        simulator.Time.Advance(TimeSpan.FromMinutes(10));
        var before = await simulator.ControlAsync(HttpMethod.Get, Interval + airflow);
        await WriteAsync(version, HttpMethod.Post, RunPath(run) + "/clear", """{"dry_run": false}""");
        Assert.Equal(before.GetRawText(), (await simulator.ControlAsync(HttpMethod.Get, Interval + airflow)).GetRawText());
        simulator.Time.Advance(TimeSpan.FromMinutes(5));

        const string After = "/truth?from=2026-11-23T12:10:40Z&to=2026-11-23T12:15:00Z";
        var truth = await simulator.ControlAsync(HttpMethod.Get, After + airflow);
        await using var other = new SimulatorClientWithoutEdits();
        var without = await other.TruthAsync(After + airflow);
        foreach (var name in new[] { "task_tries", "task_instances_finished", "dag_runs" })
        {
            var more = Count(truth, name) - Count(without, name);
            Assert.InRange(more, name == "dag_runs" ? 1 : 2, name == "dag_runs" ? 1 : 6);
        }
    }

    /// <summary>The same pipeline, a quarter of an hour later, which nobody edited.</summary>
    sealed class SimulatorClientWithoutEdits : IAsyncDisposable
    {
        readonly SimulatorClient client = new();

        public async Task<JsonElement> TruthAsync(string path)
        {
            await client.InitializeAsync();
            client.Time.Advance(TimeSpan.FromMinutes(15));
            return await client.ControlAsync(HttpMethod.Get, path);
        }

        public ValueTask DisposeAsync() => client.DisposeAsync();
    }

    static int Count(JsonElement truth, string name) => truth.GetProperty(name).EnumerateArray()
        .Where(row => Text(row, "dag_id") == Dag && (!row.TryGetProperty("state", out var state) || state.GetString() == "success")).Sum(row => row.GetProperty("count").GetInt32());

    static (string?, int) Try(JsonElement row) => (Text(row, "state"), row.GetProperty("try_number").GetInt32());

    static string RunPath(string run) => $"/dags/{Dag}/dagRuns/{Uri.EscapeDataString(run)}";

    async Task<string> FinishedRunAsync(string version, int minutesAgo = 1)
    {
        var (from, to) = (SimulatorClient.Now.AddMinutes(-minutesAgo - 30), SimulatorClient.Now.AddMinutes(-minutesAgo));
        var rows = await simulator.RowsAsync(version, $"/dags/{Dag}/dagRuns?state=success&end_date_gte={from:yyyy-MM-ddTHH:mm:ssZ}&end_date_lte={to:yyyy-MM-ddTHH:mm:ssZ}&order_by=-end_date", "dag_runs");
        return Text(rows[0], "dag_run_id")!;
    }

    /// <summary>The Glue task of the first DAG, that runs for minutes and has others behind it.</summary>
    async Task<(string Path, JsonElement Row)> RunningTaskAsync(string version)
    {
        var rows = await simulator.RowsAsync(version, "/dags/music_streaming_validation/dagRuns/~/taskInstances?state=running", "task_instances");
        var row = rows.First(row => Text(row, "task_id") is "validate_streams" or "wait_for_stream_files" or "list_new_files");
        return ($"/dags/{Text(row, "dag_id")}/dagRuns/{Uri.EscapeDataString(Text(row, "dag_run_id")!)}/taskInstances/{Text(row, "task_id")}", row);
    }

    Task<JsonElement> ClearOneAsync(string version, JsonElement row) => WriteAsync(version, HttpMethod.Post, $"/dags/{Text(row, "dag_id")}/clearTaskInstances",
        $$"""{"dry_run": false, "task_ids": ["{{Text(row, "task_id")}}"], "only_failed": false, "dag_run_id": "{{Text(row, "dag_run_id")}}"}""");

    Task<JsonElement> RunAsync(string version, string run) => simulator.GetAsync(version, RunPath(run));

    async Task<Dictionary<string, JsonElement>> TasksAsync(string version, string run) =>
        (await simulator.RowsAsync(version, RunPath(run) + "/taskInstances", "task_instances")).ToDictionary(row => Text(row, "task_id")!);

    Task<IReadOnlyList<JsonElement>> TriesAsync(string version, string run, string task) =>
        simulator.RowsAsync(version, $"{RunPath(run)}/taskInstances/{task}/tries", "task_instances");

    async Task<HttpStatusCode> StatusAsync(string version, string path)
    {
        using var answer = await simulator.SendAsync(version, path);
        return answer.StatusCode;
    }

    async Task<JsonElement> WriteAsync(string version, HttpMethod method, string path, string body)
    {
        using var answer = await SendAsync(version, method, path, body);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == HttpStatusCode.OK, $"{path}: {(int)answer.StatusCode} {text}");
        return JsonElement.Parse(text);
    }

    async Task<HttpResponseMessage> SendAsync(string version, HttpMethod method, string path, string? body = null, AuthenticationHeaderValue? user = null)
    {
        using var request = new HttpRequestMessage(method, (version == "2.11" ? "airflow2/api/v1" : "airflow3/api/v2") + path);
        request.Headers.Authorization = user ?? (version == "2.11" ? SimulatorClient.Basic("operator", "simulator-password") : token);
        request.Content = body is null ? null : SimulatorClient.Json(body);
        return await simulator.Http.SendAsync(request);
    }

    static string Text(JsonElement row) => row.GetRawText();

    static string? Text(JsonElement row, string name) => SimulatorClient.Text(row, name);
}
