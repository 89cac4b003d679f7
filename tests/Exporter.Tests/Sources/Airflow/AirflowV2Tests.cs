using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using PipelineExporter.Sources.Airflow;

namespace PipelineExporter.Tests.Sources.Airflow;

/// <summary>States of task instances that a version has and this exporter does not know.</summary>
public sealed class AirflowV2Tests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 23, 7, 0, 0, TimeSpan.Zero);

    private static readonly string Recorded = System.Text.Encoding.UTF8.GetString(Recording.Read("3/task_instances.state_invalid").Body);

    private static readonly string Of32 = Recorded.Replace(", awaiting_input", "");

    [Fact]
    public async Task The_states_of_a_version_are_asked_for_once_and_are_those_that_its_lists_are_asked_by()
    {
        await using var server = await StartAsync("3.2.0", 422, Of32);
        using var connection = server.Connect();
        var api = await connection.ApiAsync(default);

        await api.LiveTaskInstancesAsync(default);
        await api.FinishedTaskInstancesAsync(Now, default);
        await api.LiveTaskInstancesAsync(default);

        Assert.Equal(
            [
                "list_valid_states",
                "running queued scheduled deferred up_for_retry up_for_reschedule restarting",
                "success failed skipped upstream_failed removed",
                "running queued scheduled deferred up_for_retry up_for_reschedule restarting",
            ],
            States(server));
    }

    [Fact]
    public async Task A_state_that_is_known_is_asked_for_where_the_server_has_it()
    {
        await using var server = await StartAsync("3.3.2", 422, Recorded);
        using var connection = server.Connect();

        await (await connection.ApiAsync(default)).LiveTaskInstancesAsync(default);

        Assert.Equal("running queued scheduled deferred up_for_retry up_for_reschedule restarting awaiting_input", States(server).Last());
    }

    [Fact]
    public async Task A_state_of_tomorrow_is_asked_for_in_both_lists_and_as_live_for_a_day_only()
    {
        var tomorrow = Recorded.Replace("deferred,", "deferred, paused_by_hand, archived,");
        await using var server = await StartAsync("3.9.0", 422, tomorrow, states => states.Contains("paused_by_hand") ? ["t1"] : states.Contains("running") ? ["t1", "t2"] : []);
        using var connection = server.Connect();
        var api = await connection.ApiAsync(default);

        var live = await api.LiveTaskInstancesAsync(default);
        await api.FinishedTaskInstancesAsync(Now, default);

        Assert.Equal(["t1", "t2"], live.Rows.Select(row => row.TaskId));
        Assert.Equal(Now, live.Date);
        Assert.Equal(
            [
                "list_valid_states",
                "running queued scheduled deferred up_for_retry up_for_reschedule restarting awaiting_input",
                "paused_by_hand archived",
                "success failed skipped upstream_failed removed paused_by_hand archived",
            ],
            States(server));
        Assert.Contains("updated_at_gte=2026-11-22T07%3A00%3A00.000000Z", server.Requests.Single(request => request.Contains("?state=paused_by_hand")));
    }

    [Theory]
    [InlineData(422, """{"detail":[{"type":"enum","loc":["query","state"]}]}""")]
    [InlineData(422, """{"detail":"Invalid value for state. Valid values are something else altogether!"}""")]
    [InlineData(422, """{"detail":"Invalid value for state. Valid values are a, b"}""")]
    [InlineData(400, """{"detail":"Bad Request"}""")]
    [InlineData(200, """{"task_instances":[],"total_entries":0}""")]
    public async Task A_server_that_does_not_tell_is_asked_for_the_known_states_from_then_on(int status, string body)
    {
        await using var server = await StartAsync("3.1.0", status, body);
        using var connection = server.Connect();
        var api = await connection.ApiAsync(default);

        await api.LiveTaskInstancesAsync(default);
        await api.LiveTaskInstancesAsync(default);

        const string live = "running queued scheduled deferred up_for_retry up_for_reschedule restarting";
        Assert.Equal(["list_valid_states", live, live], States(server));
    }

    [Fact]
    public async Task A_server_that_fails_at_the_question_is_asked_again_the_next_time()
    {
        await using var server = await StartAsync("3.1.0", 500, "Internal Server Error");
        using var connection = server.Connect();
        var api = await connection.ApiAsync(default);

        await api.LiveTaskInstancesAsync(default);
        await api.LiveTaskInstancesAsync(default);

        const string live = "running queued scheduled deferred up_for_retry up_for_reschedule restarting";
        Assert.Equal(["list_valid_states", live, "list_valid_states", live], States(server));
    }

    [Fact]
    public async Task A_missing_permission_is_told_as_ever()
    {
        await using var server = await StartAsync("3.1.0", 403, """{"detail":"Forbidden"}""");
        using var connection = server.Connect(new AirflowCredential.Bearer(() => "a-token"));
        var api = await connection.ApiAsync(default);

        var error = await Assert.ThrowsAsync<AirflowException>(() => api.LiveTaskInstancesAsync(default));

        Assert.StartsWith("GET /api/v2/dags/~/dagRuns/~/taskInstances: answered 403 (Forbidden)", error.Message);
    }

    [Fact]
    public async Task A_new_version_is_asked_anew()
    {
        var version = "3.2.0";
        await using var server = await StartAsync(() => version, 422, Recorded);
        using var connection = server.Connect();
        await (await connection.ApiAsync(default)).LiveTaskInstancesAsync(default);

        version = "3.3.2";
        await (await connection.DiscoverAsync(default)).LiveTaskInstancesAsync(default);

        Assert.Equal(2, States(server).Count(states => states == "list_valid_states"));
    }

    private static IEnumerable<string> States(FakeAirflow server) => server.Requests
        .Where(request => request.Contains("/taskInstances?"))
        .Select(request => string.Join(' ', System.Text.RegularExpressions.Regex.Matches(request, "state=([a-z_]+)").Select(match => match.Groups[1].Value)));

    private static Task<FakeAirflow> StartAsync(string version, int status, string refusal, Func<string[], string[]>? tasks = null) =>
        StartAsync(() => version, status, refusal, tasks);

    private static Task<FakeAirflow> StartAsync(Func<string> version, int status, string refusal, Func<string[], string[]>? tasks = null) =>
        FakeAirflow.StartAsync(context =>
        {
            if (context.Request.Path.Value!.EndsWith("/version", StringComparison.Ordinal))
                return FakeAirflow.WriteAsync(context, 200, "application/json", $$"""{"version":"{{version()}}"}""");
            string[] states = [.. context.Request.Query["state"].OfType<string>()];
            if (states is ["list_valid_states"])
                return FakeAirflow.WriteAsync(context, status, "application/json", refusal);
            JsonNode[] rows = [.. (tasks?.Invoke(states) ?? []).Select(task => new JsonObject { ["dag_id"] = "d", ["dag_run_id"] = "r", ["task_id"] = task })];
            return FakeAirflow.WriteAsync(
                context, 200, "application/json", new JsonObject { ["task_instances"] = new JsonArray(rows), ["total_entries"] = rows.Length }.ToJsonString(), Now);
        });
}
