using System.Text.Json;

namespace PipelineExporter.Simulator.Tests.Airflow;

/// <summary>Each answer against the one that a real server gave: the same members, of the same types.</summary>
public sealed class RecordedAnswersTests(SimulatorClient simulator) : IClassFixture<SimulatorClient>
{
    const string Live = "state=running&state=queued&state=scheduled&state=deferred&state=up_for_retry&state=up_for_reschedule";
    const string Hour = "2026-11-23T11:00:40Z";
    const string Run = "/dags/partner_feed_sync/dagRuns/{run}";

    [Theory]
    [InlineData("2.11", "health", "/health")]
    [InlineData("2.11", "version", "/version")]
    [InlineData("2.11", "dags", "/dags")]
    [InlineData("2.11", "dag", "/dags/playlist_refresh")]
    [InlineData("2.11", "dag_runs", $"/dags/~/dagRuns?updated_at_gte={Hour}")]
    [InlineData("2.11", "dag_run", Run)]
    [InlineData("2.11", "task_instances", $"/dags/~/dagRuns/~/taskInstances?updated_at_gte={Hour}&limit=5000")]
    [InlineData("2.11", "task_instances.live", $"/dags/~/dagRuns/~/taskInstances?{Live}&limit=5000")]
    [InlineData("2.11", "task_instance", Run + "/taskInstances/fetch_feed")]
    [InlineData("2.11", "tries", Run + "/taskInstances/fetch_feed/tries")]
    [InlineData("2.11", "pools", "/pools")]
    [InlineData("2.11", "pool", "/pools/default_pool")]
    [InlineData("2.11", "import_errors", "/importErrors")]
    [InlineData("3.3", "health", "/monitor/health")]
    [InlineData("3.3", "version", "/version")]
    [InlineData("3.3", "dags", "/dags?limit=100")]
    [InlineData("3.3", "dag", "/dags/playlist_refresh")]
    [InlineData("3.3", "dag_runs", $"/dags/~/dagRuns?updated_at_gte={Hour}&limit=100")]
    [InlineData("3.3", "dag_runs.cursor", $"/dags/~/dagRuns?updated_at_gte={Hour}&limit=40&order_by=-start_date&cursor={{cursor}}")]
    [InlineData("3.3", "task_instances", $"/dags/~/dagRuns/~/taskInstances?updated_at_gte={Hour}&limit=100")]
    [InlineData("3.3", "task_instances.deferred", "/dags/~/dagRuns/~/taskInstances?state=deferred")]
    [InlineData("3.3", "task_instances.cursor", $"/dags/~/dagRuns/~/taskInstances?updated_at_gte={Hour}&limit=50&order_by=id&cursor={{cursor}}")]
    [InlineData("3.3", "task_instance", Run + "/taskInstances/fetch_feed")]
    [InlineData("3.3", "tries", Run + "/taskInstances/fetch_feed/tries")]
    [InlineData("3.3", "try", Run + "/taskInstances/fetch_feed/tries/1")]
    [InlineData("3.3", "pools", "/pools")]
    [InlineData("3.3", "pool", "/pools/glue_pool")]
    [InlineData("3.3", "import_errors", "/importErrors")]
    public async Task An_answer_has_the_members_and_types_of_the_recorded_one(string version, string recording, string path)
    {
        await simulator.ControlAsync(HttpMethod.Post, "/faults", """{"source": "airflow", "kind": "import_error"}""");
        if (path.Contains("{cursor}", StringComparison.Ordinal))
        {
            var first = await simulator.GetAsync(version, path.Replace("{cursor}", "", StringComparison.Ordinal));
            path = path.Replace("{cursor}", first.GetProperty("next_cursor").GetString(), StringComparison.Ordinal);
        }
        if (path.Contains("{run}", StringComparison.Ordinal))
            path = path.Replace("{run}", Uri.EscapeDataString(await RetriedRunAsync(version)), StringComparison.Ordinal);
        var simulated = await simulator.GetAsync(version, path);

        var shape = JsonShape.Of(simulated);
        Assert.Empty(shape.DifferencesFrom(JsonShape.Of(Recorded(version, recording)), Nullable(version)));
        Assert.NotEmpty(shape.Members);
        foreach (var list in simulated.EnumerateObject().Where(member => member.Value.ValueKind == JsonValueKind.Array))
            Assert.NotEqual(0, list.Value.GetArrayLength());
    }

    [Fact]
    public void The_comparison_sees_a_missing_an_invented_and_a_changed_member_and_a_null_that_may_not_be()
    {
        var recorded = JsonShape.Of(JsonDocument.Parse("""{"a": [{"b": 1, "c": "x", "d": 1, "e": 2.5}]}""").RootElement);
        var simulated = JsonShape.Of(JsonDocument.Parse("""{"a": [{"b": null, "c": "2026-11-23T11:00:00Z", "x": 1, "e": null}]}""").RootElement);
        Assert.Equal(
            [".a[].b is null, recorded integer, and may not be null", ".a[].c is date Z, recorded string", ".a[].d is missing", ".a[].x is invented"],
            simulated.DifferencesFrom(recorded, new HashSet<string> { "e" }).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("2.11", "error.unknown_parameter.400", "/dags?exclude_stale=true")]
    [InlineData("2.11", "error.order_by.400", "/dags/~/dagRuns?order_by=run_type")]
    [InlineData("2.11", "error.task_order_by.400", "/dags/~/dagRuns/~/taskInstances?order_by=start_date")]
    [InlineData("2.11", "error.date.400", "/dags/~/dagRuns?end_date_gte=2026-11-23T06:34:16")]
    [InlineData("2.11", "error.dag.404", "/dags/unknown_dag")]
    [InlineData("2.11", "error.run.404", "/dags/manual_with_conf/dagRuns/manual_conf_6")]
    [InlineData("2.11", "error.path.404", "/nothing")]
    [InlineData("2.11", "error.limit.400", "/dags?limit=-1")]
    [InlineData("2.11", "error.limit_text.400", "/dags?limit=abc")]
    [InlineData("2.11", "error.offset.400", "/dags?offset=-1")]
    [InlineData("2.11", "error.fields.400", "/dags/~/dagRuns?fields=nope")]
    [InlineData("2.11", "error.pool.404", "/pools/nope")]
    [InlineData("3.3", "error.order_by.400", "/dags/~/dagRuns?order_by=queued_at")]
    [InlineData("3.3", "error.order_by_comma.400", "/dags/~/dagRuns?order_by=state,-start_date&limit=5")]
    [InlineData("3.3", "error.state.422", "/dags/~/dagRuns/~/taskInstances?state=nonsense")]
    [InlineData("3.3", "error.state.422", "/dags/~/dagRuns/~/taskInstances?state=running,queued")]
    [InlineData("3.3", "error.state.422", "/dags/~/dagRuns/~/taskInstances?state=")]
    [InlineData("3.3", "error.run_state.422", "/dags/~/dagRuns?state=queued,running")]
    [InlineData("3.3", "error.run_type.422", "/dags/~/dagRuns?run_type=nonsense")]
    [InlineData("3.3", "error.date.422", "/dags/~/dagRuns?updated_at_gte=yesterday")]
    [InlineData("3.3", "error.date_naive.500", "/dags/~/dagRuns?updated_at_gte=2026-11-23T06:31:59&limit=2")]
    [InlineData("3.3", "error.limit.422", "/dags?limit=-1")]
    [InlineData("3.3", "error.limit_text.422", "/dags?limit=many")]
    [InlineData("3.3", "error.cursor.400", "/dags/~/dagRuns?cursor=%21%21%21")]
    [InlineData("3.3", "error.last_state.422", "/dags?last_dag_run_state=nonsense")]
    [InlineData("3.3", "error.dag.404", "/dags/no_such_dag")]
    [InlineData("3.3", "error.runs_dag.404", "/dags/no_such_dag/dagRuns")]
    [InlineData("3.3", "error.runs_dag.404", "/dags/no_such_dag/dagRuns/~/taskInstances")]
    [InlineData("3.3", "error.run.404", "/dags/music_streaming_validation/dagRuns/nope")]
    [InlineData("3.3", "error.tasks_run.404", "/dags/music_streaming_validation/dagRuns/nope/taskInstances")]
    [InlineData("3.3", "error.tilde.400", "/dags/~/dagRuns/nope/taskInstances")]
    [InlineData("3.3", "error.pool.404", "/pools/nope")]
    [InlineData("3.3", "error.path.404", "/nothing")]
    [InlineData("3.3", "error.slash.404", "/dags/")]
    public async Task A_refusal_is_the_recorded_one_to_the_letter(string version, string recording, string path)
    {
        using var answer = await simulator.SendAsync(version, path);
        var body = await answer.Content.ReadAsStringAsync();
        Assert.Equal(recording[^3..], ((int)answer.StatusCode).ToString());
        Assert.Equal(Recorded(version, recording).GetRawText(), body, JsonEqual.Instance);
        Assert.Equal(version == "2.11" ? "application/problem+json" : "application/json", answer.Content.Headers.ContentType?.MediaType);
    }

    internal static JsonElement Recorded(string version, string name) =>
        JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures", "airflow", version, name + ".json"))).RootElement;

    static HashSet<string> Nullable(string version) =>
        [.. Recorded(version, "nullable").EnumerateObject().SelectMany(schema => schema.Value.EnumerateArray()).Select(name => name.GetString()!)];

    /// <summary>The run id of a run whose first task was retried.</summary>
    async Task<string> RetriedRunAsync(string version)
    {
        var rows = await simulator.RowsAsync(version, $"/dags/partner_feed_sync/dagRuns/~/taskInstances?end_date_gte={Hour}&state=success&limit=100", "task_instances");
        return rows.First(row => row.GetProperty("try_number").GetInt32() > 1).GetProperty("dag_run_id").GetString()!;
    }

    sealed class JsonEqual : IEqualityComparer<string>
    {
        public static readonly JsonEqual Instance = new();

        public bool Equals(string? x, string? y) => JsonElement.DeepEquals(JsonDocument.Parse(x!).RootElement, JsonDocument.Parse(y!).RootElement);

        public int GetHashCode(string obj) => 0;
    }
}
