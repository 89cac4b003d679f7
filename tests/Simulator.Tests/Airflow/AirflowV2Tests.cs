using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace PipelineExporter.Simulator.Tests.Airflow;

public sealed class AirflowV2Tests(SimulatorClient simulator) : IClassFixture<SimulatorClient>
{
    const string Tasks = "/dags/~/dagRuns/~/taskInstances";
    const string Since = "2026-11-23T11:00:40Z";

    [Fact]
    public async Task A_token_is_hs512_names_its_end_and_is_all_of_the_answer()
    {
        var parts = simulator.Token!.Split('.');
        Assert.Equal("""{"alg":"HS512","typ":"JWT"}""", Decode(parts[0]));
        using var claims = JsonDocument.Parse(Decode(parts[1]));
        Assert.Equal(["sub", "role", "teams", "jti", "aud", "nbf", "iat", "exp"], claims.RootElement.EnumerateObject().Select(member => member.Name));
        Assert.Equal(SimulatorClient.Now.AddDays(1).ToUnixTimeSeconds(), claims.RootElement.GetProperty("exp").GetInt64());
        Assert.Equal(64, Convert.FromBase64String(Pad(parts[2])).Length);
    }

    [Fact]
    public async Task A_token_can_be_asked_for_by_form_and_a_shorter_one_for_the_cli()
    {
        using var form = new FormUrlEncodedContent([new("username", "exporter"), new("password", "simulator-password")]);
        using var answer = await simulator.Http.PostAsync("airflow3/auth/token", form);
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        using var cli = await simulator.Http.PostAsync("airflow3/auth/token/cli", SimulatorClient.Json("""{"username": "exporter", "password": "simulator-password"}"""));
        using var body = JsonDocument.Parse(await cli.Content.ReadAsStringAsync());
        using var claims = JsonDocument.Parse(Decode(body.RootElement.GetProperty("access_token").GetString()!.Split('.')[1]));
        Assert.Equal(SimulatorClient.Now.AddHours(1).ToUnixTimeSeconds(), claims.RootElement.GetProperty("exp").GetInt64());
    }

    [Theory]
    [InlineData("application/json", """{"username": "exporter", "password": "wrong"}""", "error.password.401")]
    [InlineData("application/json", """{"username": "nobody", "password": "simulator-password"}""", "error.password.401")]
    [InlineData("application/json", "{}", "error.empty_body.422")]
    [InlineData("text/plain", "x", "error.content_type.415")]
    public async Task A_login_is_refused_as_the_server_refuses_it(string contentType, string body, string recording)
    {
        using var content = new StringContent(body, new MediaTypeHeaderValue(contentType));
        using var answer = await simulator.Http.PostAsync("airflow3/auth/token", content);
        await AssertRecordedAsync(recording, answer);
    }

    [Fact]
    public async Task A_token_is_not_given_away_by_get()
    {
        using var answer = await simulator.Http.GetAsync("airflow3/auth/token");
        await AssertRecordedAsync("error.token_get.403", answer);
    }

    [Fact]
    public async Task No_token_is_401_and_one_that_is_garbage_or_signed_by_another_403()
    {
        using var none = await simulator.SendAsync("airflow3/api/v2/pools", authorization: null);
        await AssertRecordedAsync("error.no_token.401", none);
        using var basic = await simulator.SendAsync("airflow3/api/v2/pools", SimulatorClient.Basic("exporter", "simulator-password"));
        await AssertRecordedAsync("error.no_token.401", basic);

        var parts = simulator.Token!.Split('.');
        var forged = $"{parts[0]}.{parts[1]}.{parts[2][..^4]}AAAA";
        foreach (var token in new[] { "garbage", "a.b.c", forged })
        {
            using var answer = await simulator.SendAsync("airflow3/api/v2/pools", new AuthenticationHeaderValue("Bearer", token));
            await AssertRecordedAsync("error.garbage.403", answer);
        }
    }

    [Theory]
    [InlineData("airflow3/api/v2/monitor/health")]
    [InlineData("airflow3/api/v2/version")]
    public async Task Health_and_version_need_no_token(string path)
    {
        using var answer = await simulator.SendAsync(path, authorization: null);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Theory]
    [InlineData("airflow3/api/v1/dags", "error.v1.404")]
    [InlineData("airflow3/health", "error.v1_health.404")]
    public async Task What_airflow_2_had_is_gone(string path, string recording)
    {
        using var answer = await simulator.SendAsync(path, new AuthenticationHeaderValue("Bearer", simulator.Token));
        await AssertRecordedAsync(recording, answer);
    }

    [Fact]
    public async Task Answers_carry_the_simulators_clock_and_are_compressed_for_whoever_accepts_it()
    {
        using var answer = await simulator.SendAsync("airflow3/api/v2/dags", new AuthenticationHeaderValue("Bearer", simulator.Token), "gzip");
        Assert.Equal(SimulatorClient.Now, answer.Headers.Date);
        Assert.Equal(["gzip"], answer.Content.Headers.ContentEncoding);
        await using var gzip = new GZipStream(await answer.Content.ReadAsStreamAsync(), CompressionMode.Decompress);
        using var body = await JsonDocument.ParseAsync(gzip);
        Assert.Equal(21, body.RootElement.GetProperty("total_entries").GetInt32());
        using var plain = await simulator.SendAsync("3.3", "/dags");
        Assert.Empty(plain.Content.Headers.ContentEncoding);
    }

    [Theory]
    [InlineData("", 50)]
    [InlineData("&limit=5000", 100)]
    [InlineData("&limit=0", 0)]
    [InlineData("&offset=100000", 0)]
    public async Task Lists_have_50_rows_unless_asked_and_never_more_than_100(string query, int rows)
    {
        foreach (var (path, name) in new[] { ("/dags/~/dagRuns", "dag_runs"), (Tasks, "task_instances") })
        {
            var answer = await simulator.GetAsync("3.3", $"{path}?updated_at_gte={Since}{query}");
            Assert.Equal(rows, answer.GetProperty(name).GetArrayLength());
            Assert.True(answer.GetProperty("total_entries").GetInt32() > 100);
            Assert.Equal(JsonValueKind.Null, answer.GetProperty("next_cursor").ValueKind);
            Assert.Equal(JsonValueKind.Null, answer.GetProperty("total_entries_limit").ValueKind);
        }
    }

    [Theory]
    [InlineData("dag_runs", "/dags/~/dagRuns", "id")]
    [InlineData("dag_runs", "/dags/~/dagRuns", "-end_date")]
    [InlineData("dag_runs", "/dags/~/dagRuns", "-logical_date")]
    [InlineData("dag_runs", "/dags/~/dagRuns", "state&order_by=-start_date")]
    [InlineData("task_instances", Tasks, "id")]
    [InlineData("task_instances", Tasks, "-end_date")]
    [InlineData("task_instances", Tasks, "duration")]
    [InlineData("task_instances", Tasks, "map_index")]
    public async Task A_walk_by_cursor_gives_every_row_once_and_leads_back(string name, string path, string order)
    {
        var query = $"{path}?updated_at_gte={Since}&order_by={order}";
        List<string> walked = [], pages = [];
        string? cursor = "", previous = null;
        while (cursor is not null)
        {
            var page = await simulator.GetAsync("3.3", $"{query}&limit=60&cursor={Uri.EscapeDataString(cursor)}");
            Assert.Equal(50_000, page.GetProperty("total_entries_limit").GetInt32());
            pages.Add(page.GetProperty(name).GetRawText());
            walked.AddRange(page.GetProperty(name).EnumerateArray().Select(Key));
            cursor = SimulatorClient.Text(page, "next_cursor");
            previous = SimulatorClient.Text(page, "previous_cursor") ?? previous;
        }
        Assert.True(pages.Count > 2);
        Assert.Equal(walked.Count, walked.Distinct().Count());
        Assert.Equal((await simulator.GetAsync("3.3", $"{query}&limit=0")).GetProperty("total_entries").GetInt32(), walked.Count);
        var back = await simulator.GetAsync("3.3", $"{query}&limit=60&cursor={Uri.EscapeDataString(previous!)}");
        Assert.Equal(pages[^2], back.GetProperty(name).GetRawText());
    }

    [Fact]
    public async Task A_cursor_of_another_order_is_refused()
    {
        var page = await simulator.GetAsync("3.3", $"/dags/~/dagRuns?updated_at_gte={Since}&order_by=id&cursor=");
        using var answer = await simulator.SendAsync("3.3", $"/dags/~/dagRuns?updated_at_gte={Since}&order_by=-id&cursor={SimulatorClient.Text(page, "next_cursor")}");
        await AssertRecordedAsync("error.cursor_shape.400", answer);
    }

    [Fact]
    public async Task End_date_gte_takes_what_has_not_ended_and_rows_without_dates_for_ever()
    {
        var running = await simulator.RowsAsync("3.3", $"/dags/~/dagRuns?end_date_gte={Since}&state=running", "dag_runs");
        Assert.NotEmpty(running);
        var dateless = await simulator.RowsAsync("3.3", "/dags/catalog_hourly_snapshot/dagRuns/~/taskInstances?end_date_gte=2026-11-23T11:59:00Z&state=skipped&task_id=snapshot_label&limit=100", "task_instances");
        Assert.True(dateless.Count == 100, "one in five hours of ninety days has no label");
        Assert.All(dateless, row => Assert.Null(SimulatorClient.Text(row, "end_date")));
        Assert.Empty(await simulator.RowsAsync("3.3", "/dags/~/dagRuns?state=running&end_date_lte=2026-11-23T11:59:00Z&updated_at_gte=" + Since, "dag_runs"));
        Assert.NotEmpty(await simulator.RowsAsync("3.3", "/dags/~/dagRuns?state=running&end_date_lte=2027-11-23T11:59:00Z&updated_at_gte=" + Since, "dag_runs"));
    }

    [Fact]
    public async Task Manual_and_asset_runs_have_no_logical_date_and_a_triggered_run_is_operator_triggered()
    {
        var kpi = (await simulator.RowsAsync("3.3", $"/dags/music_streaming_kpi_computation/dagRuns?updated_at_gte={Since}", "dag_runs"))[0];
        Assert.Equal((null, null, "asset_triggered", "asset"), (SimulatorClient.Text(kpi, "logical_date"), SimulatorClient.Text(kpi, "data_interval_start"), SimulatorClient.Text(kpi, "run_type"), SimulatorClient.Text(kpi, "triggered_by")));
        Assert.Matches(@"^asset_triggered__\S+\+00:00_[A-Za-z0-9]{8}$", SimulatorClient.Text(kpi, "dag_run_id"));
        var load = (await simulator.RowsAsync("3.3", $"/dags/music_streaming_dynamodb_load/dagRuns?updated_at_gte={Since}&run_type=operator_triggered", "dag_runs"))[0];
        Assert.StartsWith("manual__", SimulatorClient.Text(load, "dag_run_id"), StringComparison.Ordinal);
        Assert.NotNull(SimulatorClient.Text(load, "logical_date"));
        var byHand = (await simulator.RowsAsync("3.3", "/dags/replay_stream_day/dagRuns?updated_at_gte=2026-11-23T00:00:00Z", "dag_runs"))[0];
        Assert.Equal((null, "manual", "rest_api"), (SimulatorClient.Text(byHand, "logical_date"), SimulatorClient.Text(byHand, "run_type"), SimulatorClient.Text(byHand, "triggered_by")));
    }

    [Fact]
    public async Task The_default_order_of_task_instances_is_the_map_index()
    {
        var rows = await simulator.RowsAsync("3.3", $"/dags/track_metadata_enrichment/dagRuns/~/taskInstances?updated_at_gte={Since}&limit=100", "task_instances");
        var indexes = rows.Select(row => row.GetProperty("map_index").GetInt32()).ToList();
        Assert.Equal(indexes.Order(), indexes);
        Assert.Contains(-1, indexes);
    }

    [Theory]
    [InlineData("none")]
    [InlineData("no_status")]
    public async Task Rows_without_a_state_are_asked_for_by_a_word(string word)
    {
        var rows = await simulator.RowsAsync("3.3", $"{Tasks}?state={word}", "task_instances");
        Assert.NotEmpty(rows);
        Assert.All(rows, row => Assert.Equal((null, 0), (SimulatorClient.Text(row, "state"), row.GetProperty("try_number").GetInt32())));
    }

    [Fact]
    public async Task A_mapped_task_without_its_index_is_404_and_a_try_that_never_was_too()
    {
        var run = (await simulator.RowsAsync("3.3", $"/dags/track_metadata_enrichment/dagRuns?updated_at_gte={Since}&state=success&limit=1", "dag_runs"))[0];
        var id = SimulatorClient.Text(run, "dag_run_id")!;
        var path = $"/dags/track_metadata_enrichment/dagRuns/{Uri.EscapeDataString(id)}/taskInstances/enrich_track";
        using var answer = await simulator.SendAsync("3.3", path + "/tries");
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Contains($"run_id: `{id}`, task_id: `enrich_track` and map_index: `-1` was not found", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.NotEmpty(await simulator.RowsAsync("3.3", path + "/2/tries", "task_instances"));
        Assert.NotEmpty(await simulator.RowsAsync("3.3", path + "/tries?map_index=2", "task_instances"));
        using var never = await simulator.SendAsync("3.3", path + "/2/tries/9");
        Assert.Equal(HttpStatusCode.NotFound, never.StatusCode);
    }

    [Fact]
    public async Task Ids_are_uuids_of_version_7_that_sort_by_creation()
    {
        var rows = await simulator.RowsAsync("3.3", $"/dags/~/dagRuns/~/taskInstances?updated_at_gte={Since}&order_by=id&limit=100", "task_instances");
        var ids = rows.Select(row => SimulatorClient.Text(row, "id")).ToList();
        Assert.Equal(ids.Order(StringComparer.Ordinal), ids);
        Assert.Equal(ids.Count, ids.Distinct().Count());
        Assert.All(ids, id => Assert.Matches("^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$", id));
    }

    [Fact]
    public async Task Unknown_parameters_are_ignored()
    {
        Assert.Single(await simulator.RowsAsync("3.3", $"/dags/~/dagRuns?updated_since=x&limit=1&updated_at_gte={Since}", "dag_runs"));
    }

    [Theory]
    [InlineData("paused=true", "legacy_catalog_import")]
    [InlineData("dag_id_pattern=REPLAY", "replay_stream_day")]
    [InlineData("owners=finance", "royalty_export")]
    [InlineData("tags=glue&tags=kpi&tags_match_mode=all", "music_streaming_kpi_computation")]
    [InlineData("order_by=-dag_id&limit=1", "track_metadata_enrichment")]
    public async Task Dags_can_be_chosen(string query, string dagId)
    {
        var dag = Assert.Single(await simulator.RowsAsync("3.3", "/dags?" + query, "dags"));
        Assert.Equal(dagId, SimulatorClient.Text(dag, "dag_id"));
    }

    [Fact]
    public async Task The_instances_of_a_pool_are_those_that_it_counts()
    {
        foreach (var pool in await simulator.RowsAsync("3.3", "/pools", "pools"))
        {
            var rows = await simulator.RowsAsync("3.3", $"{Tasks}?state=running&state=queued&state=scheduled&pool={SimulatorClient.Text(pool, "name")}&limit=100", "task_instances");
            Assert.Equal(pool.GetProperty("running_slots").GetInt32(), rows.Count(row => SimulatorClient.Text(row, "state") == "running"));
            Assert.Equal(pool.GetProperty("scheduled_slots").GetInt32(), rows.Count(row => SimulatorClient.Text(row, "state") == "scheduled"));
            Assert.Equal(pool.GetProperty("slots").GetInt32() - pool.GetProperty("occupied_slots").GetInt32(), pool.GetProperty("open_slots").GetInt32());
        }
    }

    static string Key(JsonElement row) => string.Join('/', new[] { "dag_id", "dag_run_id", "task_id", "map_index" }.Select(name => row.TryGetProperty(name, out var value) ? value.ToString() : ""));

    static async Task AssertRecordedAsync(string recording, HttpResponseMessage answer)
    {
        var body = await answer.Content.ReadAsStringAsync();
        Assert.Equal(recording[^3..], ((int)answer.StatusCode).ToString());
        using var json = JsonDocument.Parse(body);
        Assert.True(JsonElement.DeepEquals(RecordedAnswersTests.Recorded("3.3", recording), json.RootElement), body);
    }

    static string Decode(string part) => Encoding.UTF8.GetString(Convert.FromBase64String(Pad(part)));

    static string Pad(string part) => part.Replace('-', '+').Replace('_', '/') + new string('=', (4 - (part.Length % 4)) % 4);
}
