using System.Net;
using System.Text.Json;

namespace PipelineExporter.Simulator.Tests.Airflow;

/// <summary>DAGs whose file is gone or broken, and states that nobody has heard of.</summary>
public sealed class AirflowOdditiesTests : IAsyncLifetime
{
    const string Dag = "playlist_refresh";

    readonly SimulatorClient simulator = new();

    public ValueTask InitializeAsync() => simulator.InitializeAsync();

    public ValueTask DisposeAsync() => simulator.DisposeAsync();

    [Theory]
    [InlineData("2.11", "only_active=false", "is_active", "False")]
    [InlineData("3.3", "exclude_stale=false", "is_stale", "True")]
    public async Task A_stale_dag_leaves_the_list_and_gets_no_more_runs_while_those_that_it_had_remain(string version, string all, string flag, string value)
    {
        await AddAsync($$"""{"source": "airflow", "kind": "stale_dag", "match": "{{Dag}}"}""");
        var had = await RunsAsync(version);
        Assert.NotEmpty(had);
        simulator.Time.Advance(TimeSpan.FromMinutes(10));
        Assert.Equal(had, await RunsAsync(version));
        var total = (await simulator.GetAsync(version, $"/dags/{Dag}/dagRuns?state=success&limit=1")).GetProperty("total_entries").GetInt32();

        Assert.DoesNotContain(await DagsAsync(version, ""), row => Text(row, "dag_id") == Dag);
        var row = Assert.Single(await DagsAsync(version, all), row => Text(row, "dag_id") == Dag);
        Assert.Equal((value, "False"), (Text(row, flag), Text(row, "has_import_errors")));
        Assert.Equal(value, Text(await simulator.GetAsync(version, $"/dags/{Dag}"), flag));

        await simulator.ControlAsync(HttpMethod.Delete, "/faults");
        Assert.Contains(await DagsAsync(version, ""), row => Text(row, "dag_id") == Dag);
        Assert.Equal(total + 5, (await simulator.GetAsync(version, $"/dags/{Dag}/dagRuns?state=success&limit=1")).GetProperty("total_entries").GetInt32());
    }

    [Fact]
    public async Task A_broken_dag_is_stale_and_found_by_its_import_error()
    {
        await AddAsync($$"""{"source": "airflow", "kind": "import_error", "match": "{{Dag}}"}""");
        foreach (var version in new[] { "2.11", "3.3" })
        {
            Assert.DoesNotContain(await DagsAsync(version, ""), row => Text(row, "dag_id") == Dag);
            var error = Assert.Single(await simulator.RowsAsync(version, "/importErrors", "import_errors"));
            Assert.EndsWith("playlists.py", Text(error, "filename"), StringComparison.Ordinal);
        }
        Assert.Empty(await DagsAsync("3.3", "has_import_errors=true"));
        var row = Assert.Single(await DagsAsync("3.3", "has_import_errors=true&exclude_stale=false"));
        Assert.Equal((Dag, "True", "True"), (Text(row, "dag_id"), Text(row, "is_stale"), Text(row, "has_import_errors")));
    }

    [Fact]
    public async Task An_unknown_state_is_in_the_rows_in_the_filter_and_in_what_refuses_others()
    {
        const string Tasks = "/dags/~/dagRuns/~/taskInstances?updated_at_gte=2026-11-23T11:50:00Z";
        foreach (var version in new[] { "2.11", "3.3" })
        {
            using var unknown = await simulator.SendAsync(version, Tasks + "&state=quarantined");
            Assert.Equal(version == "2.11" ? HttpStatusCode.InternalServerError : HttpStatusCode.UnprocessableEntity, unknown.StatusCode);
        }
        await AddAsync("""{"source": "airflow", "kind": "unknown_state", "match": "merge_feed"}""");
        await AddAsync("""{"source": "airflow", "kind": "unknown_run_state", "match": "partner_feed_sync"}""");
        foreach (var version in new[] { "2.11", "3.3" })
        {
            var rows = await simulator.RowsAsync(version, Tasks + "&state=quarantined", "task_instances");
            Assert.NotEmpty(rows);
            Assert.All(rows, row => Assert.Equal(("merge_feed", "quarantined"), (Text(row, "task_id"), Text(row, "state"))));
            Assert.True(rows[0].TryGetProperty("quarantine", out _));
            Assert.DoesNotContain(await simulator.RowsAsync(version, Tasks + "&state=success&limit=100", "task_instances"), row => Text(row, "task_id") == "merge_feed");
            var run = Uri.EscapeDataString(Text(rows[0], "dag_run_id")!);
            var tries = await simulator.RowsAsync(version, $"/dags/partner_feed_sync/dagRuns/{run}/taskInstances/merge_feed/tries", "task_instances");
            Assert.Equal("quarantined", Text(tries[^1], "state"));

            var runs = await simulator.RowsAsync(version, "/dags/~/dagRuns?state=quarantined&end_date_gte=2026-11-23T11:50:00Z", "dag_runs");
            Assert.Contains(runs, row => Text(row, "state") == "quarantined");
            Assert.DoesNotContain(await simulator.RowsAsync(version, "/dags/~/dagRuns?state=success&end_date_gte=2026-11-23T11:50:00Z&limit=100", "dag_runs"),
                row => Text(row, "dag_id") == "partner_feed_sync");
        }
        using var bogus = await simulator.SendAsync("3.3", Tasks + "&state=bogus");
        Assert.EndsWith("""deferred, awaiting_input, quarantined"}""", await bogus.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using var bogusRun = await simulator.SendAsync("3.3", "/dags/~/dagRuns?state=bogus");
        Assert.EndsWith("""success, failed, quarantined"}""", await bogusRun.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    Task<JsonElement> AddAsync(string fault) => simulator.ControlAsync(HttpMethod.Post, "/faults", fault);

    Task<IReadOnlyList<JsonElement>> DagsAsync(string version, string query) => simulator.RowsAsync(version, "/dags?limit=100&" + query, "dags");

    async Task<List<string?>> RunsAsync(string version) =>
        [.. (await simulator.RowsAsync(version, $"/dags/{Dag}/dagRuns?start_date_gte=2026-11-23T11:40:00Z&limit=100", "dag_runs")).Select(row => Text(row, "dag_run_id"))];

    static string? Text(JsonElement row, string name) => SimulatorClient.Text(row, name);
}
