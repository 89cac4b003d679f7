using System.Net;
using System.Text.Json;

namespace PipelineExporter.Simulator.Tests.Control;

public sealed class FaultTests : IAsyncLifetime
{
    readonly SimulatorClient simulator = new();

    public ValueTask InitializeAsync() => simulator.InitializeAsync();

    public ValueTask DisposeAsync() => simulator.DisposeAsync();

    [Theory]
    [InlineData("throttle", "", HttpStatusCode.TooManyRequests)]
    [InlineData("error", "", HttpStatusCode.InternalServerError)]
    [InlineData("error", ", \"status\": 503", HttpStatusCode.ServiceUnavailable)]
    public async Task A_status_is_answered_by_both_airflows_until_the_fault_is_taken_away(string kind, string more, HttpStatusCode status)
    {
        await AddAsync($$"""{"source": "airflow", "kind": "{{kind}}"{{more}}}""");
        foreach (var version in new[] { "2.11", "3.3" })
            Assert.Equal(status, await StatusAsync(version, "/pools"));
        await simulator.ControlAsync(HttpMethod.Delete, "/faults");
        foreach (var version in new[] { "2.11", "3.3" })
            Assert.Equal(HttpStatusCode.OK, await StatusAsync(version, "/pools"));
    }

    [Fact]
    public async Task A_count_is_used_up_and_a_match_spares_other_paths()
    {
        await AddAsync("""{"source": "airflow", "kind": "error", "match": "airflow3/api/v2/pools", "count": 2}""");
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("2.11", "/pools"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("3.3", "/dags"));
        Assert.Equal(HttpStatusCode.InternalServerError, await StatusAsync("3.3", "/pools"));
        Assert.Equal(HttpStatusCode.InternalServerError, await StatusAsync("3.3", "/pools"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("3.3", "/pools"));
        Assert.Equal(0, (await simulator.ControlAsync(HttpMethod.Get, "/faults")).GetProperty("faults").GetArrayLength());
    }

    [Fact]
    public async Task A_fault_ends_at_its_moment_and_another_sources_fault_does_not_strike()
    {
        await AddAsync($$"""{"source": "airflow", "kind": "error", "until": "{{SimulatorClient.Now.AddMinutes(1):O}}"}""");
        await AddAsync("""{"source": "glue", "kind": "error"}""");
        Assert.Equal(HttpStatusCode.InternalServerError, await StatusAsync("3.3", "/pools"));
        simulator.Time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("3.3", "/pools"));
    }

    [Fact]
    public async Task A_probability_strikes_some_requests()
    {
        await AddAsync("""{"source": "airflow", "kind": "error", "probability": 0.5}""");
        var struck = 0;
        for (var i = 0; i < 40; i++)
            struck += await StatusAsync("3.3", "/version") == HttpStatusCode.OK ? 0 : 1;
        Assert.InRange(struck, 8, 32);
    }

    [Fact]
    public async Task Latency_holds_the_answer_back()
    {
        await AddAsync("""{"source": "airflow", "kind": "latency", "latency": 5}""");
        var answer = StatusAsync("3.3", "/pools");
        while (!answer.IsCompleted)
        {
            // The clock moves once the request waits on it; the answer must not come before.
            await Task.WhenAny(answer, Task.Delay(20));
            if (simulator.Time.GetUtcNow() < SimulatorClient.Now.AddSeconds(4))
            {
                Assert.False(answer.IsCompleted);
                simulator.Time.Advance(TimeSpan.FromSeconds(1));
            }
            else
            {
                simulator.Time.Advance(TimeSpan.FromSeconds(5));
            }
        }
        Assert.Equal(HttpStatusCode.OK, await answer);
    }

    [Fact]
    public async Task A_cut_connection_gives_no_answer_and_broken_json_one_that_cannot_be_read()
    {
        await AddAsync("""{"source": "airflow", "kind": "cut", "count": 1}""");
        await Assert.ThrowsAsync<HttpRequestException>(() => StatusAsync("2.11", "/pools"));
        await AddAsync("""{"source": "airflow", "kind": "broken_json", "count": 1}""");
        using var answer = await simulator.SendAsync("3.3", "/pools");
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var body = await answer.Content.ReadAsStringAsync();
        Assert.ThrowsAny<JsonException>(() => JsonDocument.Parse(body));
    }

    [Fact]
    public async Task An_unlimited_pool_breaks_the_whole_list_of_airflow_2_and_is_minus_one_in_airflow_3()
    {
        await AddAsync("""{"source": "airflow", "kind": "unlimited_pool"}""");
        foreach (var (path, recording) in new[] { ("/pools", "error.pools_unlimited.500"), ("/pools/unlimited_pool", "error.pool_unlimited.500") })
        {
            using var answer = await simulator.SendAsync("2.11", path);
            Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
            using var body = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
            Assert.Equal(
                SimulatorClient.Text(Airflow.RecordedAnswersTests.Recorded("2.11", recording), "detail")!.Replace("['pools'][3]", "['pools'][5]", StringComparison.Ordinal),
                SimulatorClient.Text(body.RootElement, "detail"));
        }

        // The way round: sorted by slots, descending, it is the last one.
        Assert.Equal(4, (await simulator.RowsAsync("2.11", "/pools?order_by=-slots&limit=4", "pools")).Count);
        Assert.Equal(HttpStatusCode.InternalServerError, await StatusAsync("2.11", "/pools?order_by=slots&limit=1"));

        var pool = (await simulator.RowsAsync("3.3", "/pools", "pools"))[^1];
        Assert.Equal((-1, -1), (pool.GetProperty("slots").GetInt32(), pool.GetProperty("open_slots").GetInt32()));
        await simulator.ControlAsync(HttpMethod.Delete, "/faults");
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("2.11", "/pools"));
    }

    [Theory]
    [InlineData("""{"source": "*", "kind": "no_service", "count": 1}""")]
    [InlineData("""{"source": "*", "kind": "error", "region": "eu-west-1", "count": 1}""")]
    public async Task What_is_of_regions_spares_sources_that_have_none_and_is_not_used_up_by_them(string fault)
    {
        await AddAsync(fault);
        foreach (var version in new[] { "2.11", "3.3" })
            Assert.Equal(HttpStatusCode.OK, await StatusAsync(version, "/pools"));
        Assert.Equal(1, (await simulator.ControlAsync(HttpMethod.Get, "/faults")).GetProperty("faults").GetArrayLength());
    }

    [Theory]
    [InlineData("""{"kind": "error"}""")]
    [InlineData("""{"source": "airflow", "kind": "flood"}""")]
    [InlineData("""{"source": "airflow", "kind": "error", "colour": 1}""")]
    [InlineData("""{"source": "airflw", "kind": "error"}""")]
    [InlineData("""{"source": "airflow", "kind": "error", "status": 200}""")]
    [InlineData("""{"source": "airflow", "kind": "error", "probability": 2}""")]
    [InlineData("""{"source": "airflow", "kind": "error", "count": 0}""")]
    [InlineData("""{"source": "airflow", "kind": "latency", "latency": -1}""")]
    [InlineData("""{"source": "airflow", "kind": "no_service"}""")]
    [InlineData("""{"source": "mwaa", "kind": "error", "region": "eu-west-1"}""")]
    [InlineData("""{"source": "cloudwatch", "kind": "late", "region": "eu-west-1"}""")]
    [InlineData("""{"source": "glue", "kind": "no_service", "status": 302}""")]
    [InlineData("null")]
    public async Task What_is_no_fault_is_refused(string body) =>
        await simulator.ControlAsync(HttpMethod.Post, "/faults", body, HttpStatusCode.BadRequest);

    Task<JsonElement> AddAsync(string fault) => simulator.ControlAsync(HttpMethod.Post, "/faults", fault);

    async Task<HttpStatusCode> StatusAsync(string version, string path)
    {
        using var answer = await simulator.SendAsync(version, path);
        return answer.StatusCode;
    }
}
