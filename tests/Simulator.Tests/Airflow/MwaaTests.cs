using System.Net;
using System.Text.Json;
using PipelineExporter.Simulator.Tests.Aws;

namespace PipelineExporter.Simulator.Tests.Airflow;

public sealed class MwaaTests : IAsyncLifetime
{
    const string Three = "music-streaming", Two = "music-streaming-2";

    readonly SimulatorClient simulator = new();

    public ValueTask InitializeAsync() => simulator.InitializeAsync();

    public ValueTask DisposeAsync() => simulator.DisposeAsync();

    [Theory]
    [InlineData(Three, "3.3", "/pools")]
    [InlineData(Three, "3.3", "/version")]
    [InlineData(Three, "3.3", "/monitor/health")]
    [InlineData(Three, "3.3", "/dags/playlist_refresh")]
    [InlineData(Two, "2.11", "/pools")]
    [InlineData(Two, "2.11", "/version")]
    [InlineData(Two, "2.11", "/health")]
    public async Task An_environment_passes_on_what_its_airflow_answers(string environment, string version, string path)
    {
        var (status, answer) = await InvokeAsync(environment, $$"""{"Path": "{{path}}", "Method": "GET"}""");
        Assert.Equal((HttpStatusCode.OK, 200), (status, answer.GetProperty("RestApiStatusCode").GetInt32()));
        Assert.True(JsonElement.DeepEquals(await simulator.GetAsync(version, path), answer.GetProperty("RestApiResponse")));
    }

    [Theory]
    [InlineData(Three, "3.3", """{"state": ["running", "queued"], "limit": 3, "order_by": "id"}""", "state=running&state=queued&limit=3&order_by=id")]
    [InlineData(Two, "2.11", """{"state": ["running", "queued"], "limit": "3"}""", "state=running&state=queued&limit=3")]
    public async Task Parameters_are_texts_numbers_or_lists(string environment, string version, string parameters, string query)
    {
        const string Path = "/dags/~/dagRuns/~/taskInstances";
        var (_, answer) = await InvokeAsync(environment, $$"""{"Path": "{{Path}}", "Method": "GET", "QueryParameters": {{parameters}}}""");
        Assert.True(JsonElement.DeepEquals(await simulator.GetAsync(version, $"{Path}?{query}"), answer.GetProperty("RestApiResponse")));
    }

    [Fact]
    public async Task A_boolean_parameter_is_one_too()
    {
        var (_, answer) = await InvokeAsync(Three, """{"Path": "/dags", "Method": "GET", "QueryParameters": {"paused": true, "dag_id_pattern": null}}""");
        Assert.Equal("legacy_catalog_import", SimulatorClient.Text(answer.GetProperty("RestApiResponse").GetProperty("dags")[0], "dag_id"));
    }

    [Fact]
    public async Task A_run_id_stands_in_the_path_encoded_or_not()
    {
        const string RunId = "scheduled__2026-11-23T11:58:00+00:00";
        foreach (var id in new[] { RunId, Uri.EscapeDataString(RunId) })
        {
            var path = $"/dags/x/dagRuns/{id}";
            var (status, answer) = await InvokeAsync(Three, $$"""{"Path": "{{path}}", "Method": "GET"}""");
            Assert.Equal((HttpStatusCode.BadRequest, 404), (status, answer.GetProperty("RestApiStatusCode").GetInt32()));
            Assert.Contains($"run_id: `{RunId}` was not found", SimulatorClient.Text(answer.GetProperty("RestApiResponse"), "detail"), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(Three, "/nowhere", "RestApiClientException", 404)]
    [InlineData(Three, "/api/v2/dags", "RestApiClientException", 404)]
    [InlineData(Two, "/dags/unknown", "RestApiClientException", 404)]
    [InlineData(Two, "/dags/~/dagRuns/~/taskInstances", "RestApiServerException", 500)]
    public async Task What_airflow_refuses_is_an_error_of_amazon_with_airflows_own_in_it(string environment, string path, string code, int airflows)
    {
        using var response = await SendAsync(environment, $$"""{"Path": "{{path}}", "Method": "GET", "QueryParameters": {"state": "bogus"} }""");
        using var answer = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        if (path == "/dags/unknown")
            airflows = 400; // REST v1 knows no state of a DAG
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal([code], response.Headers.GetValues("x-amzn-ErrorType"));
        Assert.Equal(code, SimulatorClient.Text(answer.RootElement, "__type"));
        Assert.Equal(airflows, answer.RootElement.GetProperty("RestApiStatusCode").GetInt32());
        Assert.NotEqual(JsonValueKind.Null, answer.RootElement.GetProperty("RestApiResponse").ValueKind);
    }

    [Theory]
    [InlineData(Three, """{"Method": "GET"}""", HttpStatusCode.BadRequest, "ValidationException")]
    [InlineData(Three, """{"Path": "/dags"}""", HttpStatusCode.BadRequest, "ValidationException")]
    [InlineData(Three, """{"Path": "", "Method": "GET"}""", HttpStatusCode.BadRequest, "ValidationException")]
    [InlineData(Three, """{"Path": "/dags/5678901234567890123456789012345678901234567890123456789012345", "Method": "GET"}""", HttpStatusCode.BadRequest, "ValidationException")]
    [InlineData(Three, """{"Path": "/dags", "Method": "HEAD"}""", HttpStatusCode.BadRequest, "ValidationException")]
    [InlineData(Three, """{"Path": "/dags", "Method": "GET", "QueryParameters": {"limit": {}} }""", HttpStatusCode.BadRequest, "ValidationException")]
    [InlineData(Three, """{"Path": 1, "Method": "GET"}""", HttpStatusCode.BadRequest, "SerializationException")]
    [InlineData("music_", """{"Path": "/dags", "Method": "GET"}""", HttpStatusCode.NotFound, "ResourceNotFoundException")]
    [InlineData("1music", """{"Path": "/dags", "Method": "GET"}""", HttpStatusCode.BadRequest, "ValidationException")]
    public async Task What_amazon_refuses_never_comes_to_airflow(string environment, string body, HttpStatusCode status, string code)
    {
        using var response = await SendAsync(environment, body);
        Assert.Equal((status, code), (response.StatusCode, response.Headers.GetValues("x-amzn-ErrorType").Single()));
    }

    [Fact]
    public async Task Path_of_sixty_four_characters_is_passed_on()
    {
        var (_, answer) = await InvokeAsync(Three, $$"""{"Path": "/dags/{{new string('x', 58)}}", "Method": "GET"}""");
        Assert.Equal(404, answer.GetProperty("RestApiStatusCode").GetInt32());
    }

    [Fact]
    public async Task A_signature_is_asked_for_and_has_to_name_airflow()
    {
        using var unsigned = new AwsTestClient(simulator.Http.BaseAddress!, simulator.Time) { Unsigned = true };
        using var missing = await unsigned.MwaaAsync(Three, """{"Path": "/dags", "Method": "GET"}""");
        Assert.Equal((HttpStatusCode.Forbidden, "MissingAuthenticationTokenException"), (missing.StatusCode, missing.Headers.GetValues("x-amzn-ErrorType").Single()));
        using var other = new AwsTestClient(simulator.Http.BaseAddress!, simulator.Time) { SigningName = "mwaa" };
        using var wrong = await other.MwaaAsync(Three, """{"Path": "/dags", "Method": "GET"}""");
        Assert.Equal((HttpStatusCode.Forbidden, "InvalidSignatureException"), (wrong.StatusCode, wrong.Headers.GetValues("x-amzn-ErrorType").Single()));
    }

    [Fact]
    public async Task Ten_requests_a_second_are_let_through_to_each_environment()
    {
        const string Version = """{"Path": "/version", "Method": "GET"}""";
        for (var i = 0; i < 10; i++)
            Assert.Equal(HttpStatusCode.OK, (await InvokeAsync(Three, Version)).Status);
        using (var throttled = await SendAsync(Three, Version))
            Assert.Equal((HttpStatusCode.TooManyRequests, "ThrottlingException"), (throttled.StatusCode, throttled.Headers.GetValues("x-amzn-ErrorType").Single()));
        Assert.Equal(HttpStatusCode.OK, (await InvokeAsync(Two, Version)).Status);
        simulator.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(HttpStatusCode.OK, (await InvokeAsync(Three, Version)).Status);
    }

    [Fact]
    public async Task An_answer_of_more_than_six_megabytes_is_refused()
    {
        var (status, answer) = await InvokeAsync(Two,
            """{"Path": "/dags/~/dagRuns/~/taskInstances", "Method": "GET", "QueryParameters": {"end_date_gte": "2026-11-23T01:00:00Z", "limit": 9000} }""");
        Assert.Equal((HttpStatusCode.InternalServerError, "InternalServerException"), (status, SimulatorClient.Text(answer, "__type")));
    }

    [Theory]
    [InlineData("""{"source": "airflow", "kind": "error", "status": 503}""", "RestApiServerException", HttpStatusCode.BadRequest)]
    [InlineData("""{"source": "airflow", "kind": "throttle"}""", "RestApiClientException", HttpStatusCode.BadRequest)]
    [InlineData("""{"source": "airflow", "kind": "cut"}""", "InternalServerException", HttpStatusCode.InternalServerError)]
    [InlineData("""{"source": "airflow", "kind": "broken_json"}""", "InternalServerException", HttpStatusCode.InternalServerError)]
    [InlineData("""{"source": "mwaa", "kind": "error", "status": 503}""", "ServiceUnavailableException", HttpStatusCode.ServiceUnavailable)]
    [InlineData("""{"source": "mwaa", "kind": "throttle", "match": "/pools"}""", "ThrottlingException", HttpStatusCode.TooManyRequests)]
    [InlineData("""{"source": "mwaa", "kind": "error", "status": 403}""", "AccessDeniedException", HttpStatusCode.Forbidden)]
    public async Task Faults_of_airflow_and_of_amazon_are_told_apart(string fault, string code, HttpStatusCode status)
    {
        await simulator.ControlAsync(HttpMethod.Post, "/faults", fault);
        foreach (var environment in new[] { Two, Three })
        {
            using var response = await SendAsync(environment, """{"Path": "/pools", "Method": "GET"}""");
            Assert.Equal((status, code), (response.StatusCode, response.Headers.GetValues("x-amzn-ErrorType").Single()));
        }
    }

    [Fact]
    public async Task An_airflow_that_takes_more_than_ten_seconds_is_given_up()
    {
        await simulator.ControlAsync(HttpMethod.Post, "/faults", """{"source": "airflow", "kind": "latency", "latency": 60, "count": 2}""");
        var answer = InvokeAsync(Three, """{"Path": "/pools", "Method": "GET"}""");

        // The clock moves when Airflow was asked, and the ten seconds have begun.
        while ((await simulator.ControlAsync(HttpMethod.Get, "/faults")).GetProperty("faults")[0].GetProperty("count").GetInt32() == 2)
            await Task.Delay(20);
        simulator.Time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(HttpStatusCode.InternalServerError, (await answer.WaitAsync(TimeSpan.FromMinutes(2))).Status);
    }

    [Fact]
    public async Task The_role_of_a_user_has_that_users_permissions()
    {
        var issued = new PipelineExporter.Simulator.Aws.AwsCredentials().Issue("123456789012", "without-pools", "session", simulator.Time.GetUtcNow(), TimeSpan.FromHours(1));
        using var client = new AwsTestClient(simulator.Http.BaseAddress!, simulator.Time) { AccessKey = issued.AccessKeyId, Secret = issued.SecretAccessKey, Token = issued.SessionToken };
        foreach (var environment in new[] { Two, Three })
        {
            using var refused = await client.MwaaAsync(environment, """{"Path": "/pools", "Method": "GET"}""");
            using var body = JsonDocument.Parse(await refused.Content.ReadAsStringAsync());
            Assert.Equal(403, body.RootElement.GetProperty("RestApiStatusCode").GetInt32());
            using var admitted = await client.MwaaAsync(environment, """{"Path": "/importErrors", "Method": "GET"}""");
            Assert.Equal(HttpStatusCode.OK, admitted.StatusCode);
        }
    }

    async Task<HttpResponseMessage> SendAsync(string environment, string body)
    {
        using var client = new AwsTestClient(simulator.Http.BaseAddress!, simulator.Time);
        return await client.MwaaAsync(environment, body);
    }

    async Task<(HttpStatusCode Status, JsonElement Answer)> InvokeAsync(string environment, string body)
    {
        using var response = await SendAsync(environment, body);
        Assert.Equal("application/json", response.Content.Headers.ContentType?.MediaType);
        return (response.StatusCode, JsonElement.Parse(await response.Content.ReadAsStringAsync()));
    }
}
