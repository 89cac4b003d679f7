using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace PipelineExporter.Simulator.Tests.Airflow;

/// <summary>What can be changed of the Airflows while they run.</summary>
public sealed class AirflowServersTests : IAsyncLifetime
{
    readonly SimulatorClient simulator = new();

    public ValueTask InitializeAsync() => simulator.InitializeAsync();

    public ValueTask DisposeAsync() => simulator.DisposeAsync();

    [Fact]
    public async Task A_token_of_thirty_seconds_is_expired_after_forty_and_a_new_one_is_not()
    {
        await ChangeAsync("""{"token_lifetime": 30}""");
        var token = await simulator.LoginAsync();
        simulator.Time.Advance(TimeSpan.FromSeconds(40));
        Assert.Equal(HttpStatusCode.OK, (await PoolsAsync(token)).Status);
        simulator.Time.Advance(TimeSpan.FromSeconds(1));
        var (status, body) = await PoolsAsync(token);
        Assert.Equal(HttpStatusCode.Unauthorized, status);
        Assert.Equal("""{"detail":"Token Expired"}""", body);
        Assert.Equal(HttpStatusCode.OK, (await PoolsAsync(await simulator.LoginAsync())).Status);
        Assert.Equal(HttpStatusCode.OK, (await PoolsAsync(simulator.Token!)).Status);
    }

    [Fact]
    public async Task One_address_is_airflow_2_and_then_airflow_3()
    {
        await ChangeAsync("""{"edition": 2, "airflow2_version": "2.10.5"}""");
        Assert.Equal("2.10.5", await VersionAsync("airflow/api/v1/version"));
        using (var answer = await simulator.SendAsync("airflow/api/v2/version", authorization: null))
            Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        using (var answer = await simulator.SendAsync("airflow/api/v1/dags/~/dagRuns?limit=1", SimulatorClient.Basic("exporter", "simulator-password")))
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);

        var changed = await ChangeAsync("""{"edition": 3}""");
        Assert.Equal("2.10.5", SimulatorClient.Text(changed, "airflow2_version"));
        Assert.Equal("3.3.2", await VersionAsync("airflow/api/v2/version"));
        using (var answer = await simulator.SendAsync("airflow/api/v1/version", authorization: null))
            Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        using var login = await simulator.Http.PostAsync("airflow/auth/token", SimulatorClient.Json("""{"username": "exporter", "password": "simulator-password"}"""));
        Assert.Equal(HttpStatusCode.Created, login.StatusCode);
    }

    [Theory]
    [InlineData("""{"edition": 4}""")]
    [InlineData("""{"airflow2_version": "2.5.0"}""")]
    [InlineData("""{"airflow2_version": "3.0.0"}""")]
    [InlineData("""{"airflow3_version": "3.9.0"}""")]
    [InlineData("""{"airflow3_version": "three"}""")]
    [InlineData("""{"token_lifetime": 0}""")]
    [InlineData("""{"colour": 1}""")]
    [InlineData("null")]
    public async Task What_no_airflow_can_be_is_refused_and_changes_nothing(string body)
    {
        var before = (await simulator.ControlAsync(HttpMethod.Get, "/airflow")).GetRawText();
        await simulator.ControlAsync(HttpMethod.Post, "/airflow", body, HttpStatusCode.BadRequest);
        Assert.Equal(before, (await simulator.ControlAsync(HttpMethod.Get, "/airflow")).GetRawText());
    }

    [Theory]
    [InlineData(5, "2.11.2", "3.3.2")]
    [InlineData(2, "2.11", "3.3.2")]
    [InlineData(2, "2.11.2", "4.0.0")]
    public async Task A_simulator_of_an_airflow_that_does_not_exist_does_not_start(int edition, string two, string three) =>
        await Assert.ThrowsAsync<FormatException>(() => SimulatorHost.StartAsync(
            new SimulatorOptions { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null, AirflowEdition = edition, Airflow2Version = two, Airflow3Version = three },
            CancellationToken.None));

    [Fact]
    public async Task A_skewed_clock_is_in_the_date_in_all_dates_and_in_tokens()
    {
        await simulator.ControlAsync(HttpMethod.Post, "/faults", """{"source": "airflow", "kind": "clock_skew", "skew": -300}""");
        var skewed = SimulatorClient.Now.AddMinutes(-5);
        using (var answer = await simulator.SendAsync("2.11", "/health"))
        {
            Assert.Equal(skewed, answer.Headers.Date);
            using var health = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
            var heartbeat = health.RootElement.GetProperty("scheduler").GetProperty("latest_scheduler_heartbeat").GetDateTimeOffset();
            Assert.InRange(heartbeat, skewed.AddSeconds(-6), skewed);
        }
        var latest = (await simulator.RowsAsync("3.3", "/dags/stream_event_ingest/dagRuns?order_by=-run_after&limit=1&updated_at_gte=2026-11-23T11:00:00Z", "dag_runs"))[0];
        Assert.Equal(new DateTimeOffset(2026, 11, 23, 11, 55, 0, TimeSpan.Zero), latest.GetProperty("run_after").GetDateTimeOffset());
        var claims = (await simulator.LoginAsync()).Split('.')[1];
        using var token = JsonDocument.Parse(System.Buffers.Text.Base64Url.DecodeFromChars(claims));
        Assert.Equal(skewed.ToUnixTimeSeconds(), token.RootElement.GetProperty("iat").GetInt64());

        await simulator.ControlAsync(HttpMethod.Delete, "/faults");
        using var after = await simulator.SendAsync("3.3", "/version");
        Assert.Equal(SimulatorClient.Now, after.Headers.Date);
    }

    [Fact]
    public async Task An_airflow_3_before_3_3_has_no_cursors_and_one_before_3_1_no_duration_of_runs()
    {
        const string Runs = "/dags/music_streaming_dynamodb_load/dagRuns?limit=1&cursor=&updated_at_gte=2026-11-23T11:00:00Z";
        await ChangeAsync("""{"airflow3_version": "3.1.8"}""");
        var page = await simulator.GetAsync("3.3", Runs);
        Assert.Equal(["dag_runs", "total_entries"], page.EnumerateObject().Select(member => member.Name));
        var run = page.GetProperty("dag_runs")[0];
        Assert.Equal("manual", SimulatorClient.Text(run, "run_type"));
        Assert.True(run.TryGetProperty("duration", out _));
        Assert.False(run.TryGetProperty("partition_date", out _));
        using (var refused = await simulator.SendAsync("3.3", "/dags/~/dagRuns/~/taskInstances?state=awaiting_input"))
        {
            Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.StatusCode);
            Assert.EndsWith("""skipped, deferred"}""", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        await ChangeAsync("""{"airflow3_version": "3.0.6"}""");
        Assert.Equal("3.0.6", await VersionAsync("airflow3/api/v2/version"));
        Assert.False((await simulator.RowsAsync("3.3", Runs, "dag_runs"))[0].TryGetProperty("duration", out _));
    }

    [Fact]
    public async Task An_airflow_2_before_2_10_has_no_tries_and_counts_a_try_when_it_starts()
    {
        await ChangeAsync("""{"airflow2_version": "2.9.3"}""");
        const string Tasks = "/dags/~/dagRuns/~/taskInstances?";
        var waiting = await simulator.RowsAsync("2.11", Tasks + "state=scheduled&state=queued&state=deferred&state=up_for_reschedule", "task_instances");
        Assert.NotEmpty(waiting);
        Assert.Contains(waiting, row => row.GetProperty("try_number").GetInt32() == 0);
        Assert.All(waiting, row => Assert.False(row.TryGetProperty("executor", out _)));
        var running = await simulator.RowsAsync("2.11", Tasks + "state=running", "task_instances");
        Assert.All(running, row => Assert.True(row.GetProperty("try_number").GetInt32() > 0));
        Assert.True(running[0].TryGetProperty("rendered_map_index", out _));
        var (run, task) = (Uri.EscapeDataString(SimulatorClient.Text(running[0], "dag_run_id")!), SimulatorClient.Text(running[0], "task_id"));
        using (var tries = await simulator.SendAsync("2.11", $"/dags/{SimulatorClient.Text(running[0], "dag_id")}/dagRuns/{run}/taskInstances/{task}/tries"))
            Assert.Equal(HttpStatusCode.NotFound, tries.StatusCode);

        await ChangeAsync("""{"airflow2_version": "2.6.0"}""");
        running = await simulator.RowsAsync("2.11", Tasks + "state=running", "task_instances");
        Assert.False(running[0].TryGetProperty("rendered_map_index", out _));
        Assert.False((await simulator.RowsAsync("2.11", "/pools", "pools"))[0].TryGetProperty("deferred_slots", out _));
        Assert.False((await simulator.GetAsync("2.11", "/health")).TryGetProperty("dag_processor", out _));
    }

    Task<JsonElement> ChangeAsync(string body) => simulator.ControlAsync(HttpMethod.Post, "/airflow", body);

    async Task<(HttpStatusCode Status, string Body)> PoolsAsync(string token)
    {
        using var answer = await simulator.SendAsync("airflow3/api/v2/pools", new AuthenticationHeaderValue("Bearer", token));
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    async Task<string?> VersionAsync(string path)
    {
        using var answer = await simulator.SendAsync(path, authorization: null);
        using var body = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        return SimulatorClient.Text(body.RootElement, "version");
    }
}
