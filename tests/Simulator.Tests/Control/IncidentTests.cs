using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace PipelineExporter.Simulator.Tests.Control;

/// <summary>Each test has a simulator of its own, whose clock it moves.</summary>
public sealed class IncidentTests : IAsyncLifetime
{
    readonly SimulatorClient simulator = new();

    public ValueTask InitializeAsync() => simulator.InitializeAsync();

    public ValueTask DisposeAsync() => simulator.DisposeAsync();

    [Fact]
    public async Task Incidents_are_listed_with_which_are_on_and_since_when_and_ended_ones_stay()
    {
        var off = Incident(await simulator.ControlAsync(HttpMethod.Get, "/incidents"));
        Assert.False(off.GetProperty("on").GetBoolean());

        var on = await simulator.ControlAsync(HttpMethod.Post, "/incidents", """{"name": "dag_failure"}""");
        Assert.True(on.GetProperty("on").GetBoolean());
        Assert.Equal(SimulatorClient.Now, on.GetProperty("since").GetDateTimeOffset());
        simulator.Time.Advance(TimeSpan.FromMinutes(5));
        await simulator.ControlAsync(HttpMethod.Post, "/incidents", """{"name": "dag_failure"}""");
        await simulator.ControlAsync(HttpMethod.Delete, "/incidents/dag_failure");

        var ended = Incident(await simulator.ControlAsync(HttpMethod.Get, "/incidents"));
        Assert.False(ended.GetProperty("on").GetBoolean());
        var span = Assert.Single(ended.GetProperty("history").EnumerateArray());
        Assert.Equal(SimulatorClient.Now.AddMinutes(5), span.GetProperty("end").GetDateTimeOffset());
    }

    [Fact]
    public async Task What_is_no_incident_or_not_on_is_refused_with_what_to_do()
    {
        var unknown = await simulator.ControlAsync(HttpMethod.Post, "/incidents", """{"name": "meteor"}""", HttpStatusCode.NotFound);
        Assert.Equal("unknown incident 'meteor', known are: " + string.Join(", ", PipelineExporter.Simulator.Control.IncidentKind.All.Select(kind => kind.Name)), SimulatorClient.Text(unknown, "error"));
        await simulator.ControlAsync(HttpMethod.Delete, "/incidents/dag_failure", status: HttpStatusCode.NotFound);
        await simulator.ControlAsync(HttpMethod.Post, "/incidents", "{", HttpStatusCode.BadRequest);
        await simulator.ControlAsync(HttpMethod.Post, "/incidents", """{"nome": "dag_failure"}""", HttpStatusCode.BadRequest);
    }

    [Theory]
    [InlineData("2.11")]
    [InlineData("3.3")]
    public async Task Both_airflows_show_the_failed_run_within_twenty_seconds_and_the_repaired_one_after_the_end(string version)
    {
        const string Runs = "/dags/music_streaming_validation/dagRuns?order_by=-start_date&state=failed";
        Assert.Empty(await simulator.RowsAsync(version, Runs, "dag_runs"));
        await simulator.ControlAsync(HttpMethod.Post, "/incidents", """{"name": "dag_failure"}""");

        simulator.Time.Advance(TimeSpan.FromSeconds(20));
        var failed = Assert.Single(await simulator.RowsAsync(version, Runs, "dag_runs"));
        Assert.Equal("manual", SimulatorClient.Text(failed, "run_type"));
        var id = Uri.EscapeDataString(SimulatorClient.Text(failed, "dag_run_id")!);
        var tasks = await simulator.RowsAsync(version, $"/dags/music_streaming_validation/dagRuns/{id}/taskInstances", "task_instances");
        var states = tasks.ToDictionary(row => SimulatorClient.Text(row, "task_id")!, row => (SimulatorClient.Text(row, "state"), row.GetProperty("try_number").GetInt32()));
        Assert.Equal(("failed", 1), states["validate_streams"]);
        Assert.Equal(("upstream_failed", 0), states["publish_valid_files"]);

        await simulator.ControlAsync(HttpMethod.Delete, "/incidents/dag_failure");
        simulator.Time.Advance(TimeSpan.FromSeconds(20));
        var last = (await simulator.RowsAsync(version, "/dags/music_streaming_validation/dagRuns?order_by=-start_date&limit=1", "dag_runs"))[0];
        Assert.Equal("success", SimulatorClient.Text(last, "state"));
        Assert.True(Date(last, "start_date") > Date(failed, "end_date"));
    }

    [Fact]
    public async Task A_token_lives_ten_seconds_longer_than_it_says()
    {
        var bearer = new AuthenticationHeaderValue("Bearer", simulator.Token);
        simulator.Time.Advance(TimeSpan.FromDays(1) + TimeSpan.FromSeconds(5));
        using var leeway = await simulator.SendAsync("airflow3/api/v2/pools", bearer);
        Assert.Equal(HttpStatusCode.OK, leeway.StatusCode);
        simulator.Time.Advance(TimeSpan.FromSeconds(6));
        using var expired = await simulator.SendAsync("airflow3/api/v2/pools", bearer);
        Assert.Equal(HttpStatusCode.Unauthorized, expired.StatusCode);
        Assert.Equal("""{"detail":"Token Expired"}""", await expired.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("2.11")]
    [InlineData("3.3")]
    public async Task A_retried_task_is_seen_as_real_servers_show_it(string version)
    {
        // Second by second, as a poll would see it.
        const string Tasks = "/dags/partner_feed_sync/dagRuns/~/taskInstances?state=up_for_retry&state=queued&state=scheduled&state=running&task_id=fetch_feed";
        var query = version == "2.11" ? Tasks.Replace("&task_id=fetch_feed", "", StringComparison.Ordinal) : Tasks;
        JsonElement? waiting = null;
        for (var second = 0; second < 3600 && waiting is null; second++)
        {
            simulator.Time.Advance(TimeSpan.FromSeconds(1));
            waiting = (await simulator.RowsAsync(version, query, "task_instances")).Cast<JsonElement?>().FirstOrDefault(row => SimulatorClient.Text(row!.Value, "state") == "up_for_retry");
        }
        var retry = Assert.NotNull(waiting);
        var path = $"/dags/partner_feed_sync/dagRuns/{Uri.EscapeDataString(SimulatorClient.Text(retry, "dag_run_id")!)}/taskInstances/fetch_feed";
        var history = Assert.Single(await simulator.RowsAsync(version, path + "/tries", "task_instances"));
        Assert.Equal(("failed", 1), (SimulatorClient.Text(history, "state"), history.GetProperty("try_number").GetInt32()));

        JsonElement row = retry, queued = retry;
        while (SimulatorClient.Text(row, "state") != "running")
        {
            queued = row;
            simulator.Time.Advance(TimeSpan.FromMilliseconds(20));
            row = await simulator.GetAsync(version, path);
        }
        Assert.Equal(("queued", 2), (SimulatorClient.Text(queued, "state"), queued.GetProperty("try_number").GetInt32()));
        foreach (var name in new[] { "start_date", "end_date", "duration" })
            Assert.Equal(SimulatorClient.Text(retry, name), SimulatorClient.Text(queued, name));
        Assert.Null(SimulatorClient.Text(row, "end_date"));
        Assert.Equal(SimulatorClient.Text(retry, "duration"), SimulatorClient.Text(row, "duration"));
        Assert.Equal(2, (await simulator.RowsAsync(version, path + "/tries", "task_instances")).Count);
        if (version == "3.3")
        {
            Assert.Equal(SimulatorClient.Text(retry, "id"), SimulatorClient.Text(row, "id"));
            var before = await simulator.RowsAsync(version, $"/dags/partner_feed_sync/dagRuns/~/taskInstances?try_number=1&state=success&limit=1&order_by=-start_date&updated_at_gte=2026-11-23T11:00:00Z", "task_instances");
            Assert.NotEqual(SimulatorClient.Text(before[0], "id"), SimulatorClient.Text(row, "id"));
        }
    }

    static DateTimeOffset Date(JsonElement row, string name) => row.GetProperty(name).GetDateTimeOffset();

    static JsonElement Incident(JsonElement list) => list.GetProperty("incidents").EnumerateArray().Single(row => SimulatorClient.Text(row, "name") == "dag_failure");
}
