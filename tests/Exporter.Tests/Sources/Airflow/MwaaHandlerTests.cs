using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Sources.Airflow;
using PipelineExporter.Sources.Aws;
using PipelineExporter.Tests.Sources.Aws;

namespace PipelineExporter.Tests.Sources.Airflow;

/// <summary>An Airflow behind Amazon MWAA's InvokeRestApi.</summary>
public sealed class MwaaHandlerTests
{
    private const string Lists = """{"version":"3.3.2","dag_runs":[],"task_instances":[],"pools":[],"dags":[],"total_entries":0}""";

    private static readonly string[] Secrets = ["wJalrXUtnFEMI-the-secret", "the-session-token", "hunter2"];

    private static readonly TaskInstance LongOne = new()
    {
        DagId = "music_streaming_kpi_computation", RunId = "scheduled__2026-11-23T06:20:00+00:00", TaskId = "compute",
    };

    [Fact]
    public async Task A_request_is_wrapped_and_signed_for_the_environment()
    {
        await using var mwaa = await Environment.StartAsync((_, _) => (200, Lists));
        var api = await mwaa.Connection.ApiAsync(default);

        await api.LiveRunsAsync(default);

        Assert.Equal(["POST /restapi/music-streaming", "POST /restapi/music-streaming"], mwaa.Targets);
        Assert.Equal(
            [
                """{"Path":"/version","Method":"GET"}""",
                """{"Path":"/dags/~/dagRuns","Method":"GET","QueryParameters":{"state":["queued","running"],"order_by":"id","limit":"100","cursor":""}}""",
            ],
            mwaa.Aws.Requests.Select(request => request.Body));
        var request = mwaa.Aws.Requests.Last();
        Assert.Equal("application/json", request.ContentType);
        Assert.StartsWith("pipeline-exporter/", request.Headers["User-Agent"]);
        Assert.Equal("the-session-token", request.Headers["X-Amz-Security-Token"]);
        Assert.Equal(Signature(request, mwaa.Aws.Address), request.Headers["Authorization"].Split("Signature=")[1]);
        Assert.Equal(["ok", "ok"], mwaa.Outcomes);
    }

    [Fact]
    public async Task A_body_is_passed_on_as_it_is()
    {
        await using var mwaa = await Environment.StartAsync((_, _) => (200, Lists));
        using var client = new HttpClient(new MwaaHandler(
            "production", mwaa.Credential, new AwsSource(mwaa.Credential.Source, TimeProvider.System, keys: FakeAws.Keys), TimeProvider.System, mwaa.Log));

        using var response = await client.PostAsync("http://a/api/v2/dags/~/dagRuns/list", new StringContent("""{ "page_limit": 5 }"""));

        Assert.Equal((HttpStatusCode.OK, Lists), (response.StatusCode, await response.Content.ReadAsStringAsync()));
        Assert.Equal("""{"Path":"/dags/~/dagRuns/list","Method":"POST","Body":{ "page_limit": 5 }}""", Assert.Single(mwaa.Aws.Requests).Body);
    }

    [Theory]
    [InlineData("http://a/api/v1/dags/~/dagRuns", "/dags/~/dagRuns")]
    [InlineData("http://a/prefix/api/v2/monitor/health?x=1", "/monitor/health")]
    [InlineData("http://a/api/v2/dags/m%C3%A9dia/dagRuns/manual__2026-11-23T06%3A20%3A00%2b00%3A00/taskInstances/a%2Fb", "/dags/m%C3%A9dia/dagRuns/manual__2026-11-23T06:20:00+00:00/taskInstances/a%2Fb")]
    [InlineData("http://a/api/v2/dags/api%2Fv2/api/v1", "/dags/api%2Fv2/api/v1")]
    public void A_path_loses_its_prefix_and_what_need_not_be_escaped(string url, string path) =>
        Assert.Equal(path, MwaaHandler.PathOf(new Uri(url)));

    [Fact]
    public async Task What_Airflow_answered_comes_back_with_the_date_of_AWS()
    {
        var date = new DateTimeOffset(2026, 11, 23, 6, 0, 0, TimeSpan.Zero);
        await using var mwaa = await Environment.StartAsync((path, _) => (200, path == "/version" ? """{"version":"2.10.3"}"""
            : """{"dag_runs":[{"dag_id":"d","dag_run_id":"r","state":"running"}],"total_entries":1}"""));
        mwaa.Date = date;

        var runs = await (await mwaa.Connection.ApiAsync(default)).LiveRunsAsync(default);

        Assert.Equal(("d", "r", "running"), (runs.Rows[0].DagId, runs.Rows[0].RunId, runs.Rows[0].State));
        Assert.Equal(date, runs.Date);
    }

    /// <remarks>Its question for v2's version is answered, since there are no prefixes; the number tells.</remarks>
    [Fact]
    public async Task An_Airflow_2_is_known_as_one_and_asked_for_pages_that_fit()
    {
        await using var mwaa = await Environment.StartAsync((_, _) => (200, Lists.Replace("3.3.2", "2.10.3")));
        var api = await mwaa.Connection.ApiAsync(default);

        Assert.IsType<AirflowV1>(api);
        await api.LiveTaskInstancesAsync(default);
        await api.HealthAsync(default);

        Assert.Equal(3, mwaa.Aws.Requests.Count);
        Assert.Equal("200", (string?)JsonNode.Parse(mwaa.Aws.Requests.ElementAt(1).Body)!["QueryParameters"]!["limit"]);
        Assert.Equal("""{"Path":"/health","Method":"GET"}""", mwaa.Aws.Requests.Last().Body);
    }

    /// <summary>RestApiClientException and RestApiServerException are Airflow's own refusals.</summary>
    [Theory]
    [InlineData("RestApiClientException", 403, """{"title":"Forbidden","detail":null}""", "GET /api/v2/pools: answered 403 (Forbidden). The Airflow role that IAM gives the exporter lacks \"can read on Pools\": allow airflow:InvokeRestApi on arn:aws:airflow:eu-west-1:<account>:role/music-streaming/Viewer")]
    [InlineData("RestApiClientException", 404, """{"detail":"not found"}""", "GET /api/v2/pools: answered 404 (not found)")]
    [InlineData("RestApiServerException", 500, """{"detail":"oh"}""", "GET /api/v2/pools: answered 500 (oh)")]
    [InlineData("RestApiServerException", 500, "\"<html>hunter2</html>\"", "GET /api/v2/pools: answered 500")]
    public async Task What_Airflow_refuses_is_told_as_if_it_had_been_asked_itself(string code, int status, string body, string message)
    {
        await using var mwaa = await Environment.StartAsync((path, _) => path == "/version" ? (200, Lists) : (status, body), code);

        var error = await FailAsync((await mwaa.Connection.ApiAsync(default)).PoolsAsync(default));

        Assert.Equal((message, (HttpStatusCode)status), (error.Message, error.Status));
        Assert.Equal(["ok", "error"], mwaa.Outcomes);
    }

    [Fact]
    public async Task A_run_that_is_gone_has_no_tries()
    {
        await using var mwaa = await Environment.StartAsync((path, _) => path == "/version" ? (200, Lists) : (404, """{"detail":"gone"}"""));

        Assert.Empty(await (await mwaa.Connection.ApiAsync(default)).TriesAsync(new() { DagId = "d", RunId = "r", TaskId = "t" }, default));
    }

    [Theory]
    [InlineData(403, "AccessDeniedException", "User: arn:aws:iam::123456789012:user/x is not authorized",
        "GET /api/v2/version: MWAA InvokeRestApi answered 403 AccessDeniedException: User: arn:aws:iam::123456789012:user/x is not authorized. "
        + "Allow airflow:InvokeRestApi in the IAM policy of the exporter's role, on arn:aws:airflow:eu-west-1:<account>:role/music-streaming/Viewer")]
    [InlineData(404, "ResourceNotFoundException", "Environment not found.",
        "GET /api/v2/version: MWAA InvokeRestApi answered 404 ResourceNotFoundException: Environment not found. "
        + "There is no environment music-streaming in eu-west-1 of this account: check name, region and role_arn of auth.mwaa")]
    [InlineData(400, "ValidationException", "Environment is not in AVAILABLE state",
        "GET /api/v2/version: MWAA InvokeRestApi answered 400 ValidationException: Environment is not in AVAILABLE state. "
        + "The environment music-streaming must be AVAILABLE, with Airflow 2.4.3 or later, and a request's path at most 64 characters long")]
    [InlineData(400, "UnrecognizedClientException", "The security token included in the request is invalid.",
        "GET /api/v2/version: MWAA InvokeRestApi answered 400 UnrecognizedClientException: The security token included in the request is invalid. "
        + "AWS does not know this access key: check the key, and that the region is enabled for the account.")]
    public async Task What_AWS_refuses_is_told_with_what_to_do(int status, string code, string reason, string message)
    {
        await using var mwaa = await Environment.StartAsync((context, _) => RefuseAsync(context, status, code, reason));

        var error = await FailAsync(mwaa.Connection.ApiAsync(default));

        Assert.Equal((message, null), (error.Message, error.Status)); // a 404 of AWS is none of Airflow
        Assert.Single(mwaa.Aws.Requests);
    }

    [Fact]
    public async Task Throttling_and_failures_of_AWS_are_tried_once_more_and_told_with_their_limits()
    {
        var code = "ThrottlingException";
        await using var mwaa = await Environment.StartAsync((context, _) => RefuseAsync(context, code == "ThrottlingException" ? 429 : 500, code, "Rate of hunting exceeded"));

        var throttled = await FailAsync(mwaa.Driven(mwaa.Connection.ApiAsync(default)));
        code = "InternalServerException";
        var failed = await FailAsync(mwaa.Driven(mwaa.Connection.ApiAsync(default)));

        Assert.EndsWith(
            "Rate of hunting exceeded. Amazon MWAA lets about 10 requests a second through to music-streaming, from all who ask: raise poll_interval, or see who else asks",
            throttled.Message);
        Assert.EndsWith("Amazon MWAA waits 10 s for an answer of music-streaming's web server, of at most 6 MB: see whether that is overloaded", failed.Message);
        Assert.Equal(["throttled", "throttled", "error", "error"], mwaa.Outcomes);
    }

    [Fact]
    public async Task An_AWS_that_does_not_answer_is_given_up()
    {
        await using var mwaa = await Environment.StartAsync((context, _) => Task.Delay(Timeout.Infinite, context.RequestAborted));

        var error = await FailAsync(mwaa.Driven(mwaa.Connection.ApiAsync(default)));

        Assert.StartsWith($"GET /api/v2/version: MWAA InvokeRestApi: {mwaa.Aws.Address.Authority} did not answer within 12 s. Amazon MWAA waits 10 s", error.Message);
    }

    [Theory]
    [InlineData("<html>hunter2</html>")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"RestApiStatusCode":"hunter2"}""")]
    [InlineData("""{"RestApiStatusCode":20000}""")]
    public async Task An_answer_that_is_none_of_MWAA_is_refused_without_repeating_it(string body)
    {
        await using var mwaa = await Environment.StartAsync((context, _) => context.Response.WriteAsync(body));

        var error = await FailAsync(mwaa.Connection.ApiAsync(default));

        Assert.Equal("GET /api/v2/version: MWAA InvokeRestApi: the answer is not what Amazon MWAA sends", error.Message);
    }

    [Fact]
    public async Task An_answer_without_a_body_is_refused_as_Airflows()
    {
        await using var mwaa = await Environment.StartAsync((context, _) => context.Response.WriteAsync("""{"RestApiStatusCode":200}"""));

        var error = await FailAsync(mwaa.Connection.ApiAsync(default));

        Assert.StartsWith("GET /api/v2/version: the answer ", error.Message);
    }

    [Theory]
    [InlineData("2.10.3")]
    [InlineData("3.3.2")]
    public async Task A_path_that_is_too_long_is_not_sent_and_the_history_is_empty_with_one_line_of_warning(string version)
    {
        await using var mwaa = await Environment.StartAsync((_, _) => (200, Lists.Replace("3.3.2", version)));
        var api = await mwaa.Connection.ApiAsync(default);

        Assert.Empty(await api.TriesAsync(LongOne, default));
        Assert.Empty(await api.TriesAsync(LongOne with { MapIndex = 3 }, default));
        Assert.Empty(await api.LastSuccessesAsync(new string('d', 60), default));

        Assert.Single(mwaa.Aws.Requests);
        var line = Assert.Single(mwaa.Log.All);
        Assert.StartsWith("Warning: airflow/production: Amazon MWAA passes on no path of more than 64 characters, and one of ", line);
        Assert.Contains("is not counted", line);
    }

    [Fact]
    public async Task A_path_that_just_fits_is_sent()
    {
        await using var mwaa = await Environment.StartAsync((_, _) => (200, Lists));

        await (await mwaa.Connection.ApiAsync(default)).TriesAsync(new() { DagId = "d", RunId = "scheduled__ab:cd", TaskId = "compute_xyz" }, default);

        var path = (string)JsonNode.Parse(mwaa.Aws.Requests.Last().Body)!["Path"]!;
        Assert.Equal(("/dags/d/dagRuns/scheduled__ab:cd/taskInstances/compute_xyz/tries", 64), (path, path.Length));
        Assert.Empty(mwaa.Log.All);
    }

    [Fact]
    public async Task A_connection_sends_five_requests_a_second_and_no_more()
    {
        await using var mwaa = await Environment.StartAsync((_, _) => (200, Lists));
        var api = await mwaa.Connection.ApiAsync(default);
        for (var i = 0; i < 4; i++)
            await api.PoolsAsync(default);

        var sixth = api.PoolsAsync(default);
        await Task.Delay(50);
        Assert.False(sixth.IsCompleted);
        Assert.Equal(5, mwaa.Aws.Requests.Count);
        mwaa.Time.Advance(AwsPace.Window);

        await sixth;
    }

    [Fact]
    public async Task Keys_that_have_expired_are_renewed_and_the_request_sent_again()
    {
        await using var mwaa = await Environment.StartAsync(
            (context, request) => request.Headers["X-Amz-Security-Token"] == "session-1"
                ? RefuseAsync(context, 403, "ExpiredTokenException", "The security token included in the request is expired")
                : WriteAsync(context, 200, Lists),
            role: new("arn:aws:iam::210987654321:role/monitoring", "the-external-id"));

        Assert.Equal("3.3.2", (await mwaa.Driven(mwaa.Connection.ApiAsync(default))).Version);

        Assert.Equal(2, mwaa.Aws.Requests.Count(request => request.Body.Contains("Action=AssumeRole", StringComparison.Ordinal)));
        Assert.Equal("session-2", mwaa.Aws.Requests.Last().Headers["X-Amz-Security-Token"]);
    }

    private static async Task<AirflowException> FailAsync(Task asking)
    {
        var error = await Assert.ThrowsAsync<AirflowException>(() => asking);
        Assert.Equal("production", error.Environment);
        Assert.All(Secrets, secret => Assert.DoesNotContain(secret, error.ToString()));
        return error;
    }

    private static Task WriteAsync(HttpContext context, int status, string response, string? code = null)
    {
        context.Response.ContentType = "application/json";
        if (status is < 200 or > 299)
        {
            context.Response.StatusCode = 400;
            context.Response.Headers["x-amzn-ErrorType"] = code ?? "RestApiClientException";
        }
        return context.Response.WriteAsync($$"""{"RestApiStatusCode":{{status}},"RestApiResponse":{{response}}}""");
    }

    private static Task RefuseAsync(HttpContext context, int status, string code, string message)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        context.Response.Headers["x-amzn-ErrorType"] = $"{code}:http://internal.amazon.com/coral/";
        return context.Response.WriteAsync(new JsonObject { ["message"] = message }.ToJsonString());
    }

    /// <summary>By the letter of AWS's description, sharing nothing with the signer.</summary>
    private static string Signature(FakeRequest request, Uri address)
    {
        var date = request.Headers["X-Amz-Date"];
        string[] signed = ["accept", "content-type", "host", "x-amz-date", "x-amz-security-token"];
        var canonical = string.Join('\n',
            [
                "POST", "/restapi/music-streaming", "",
                .. signed.Select(name => $"{name}:{(name == "host" ? address.Authority : request.Headers[name])}"),
                "", string.Join(';', signed), Hex(SHA256.HashData(Encoding.UTF8.GetBytes(request.Body))),
            ]);
        var scope = $"{date[..8]}/eu-west-1/airflow/aws4_request";
        var text = $"AWS4-HMAC-SHA256\n{date}\n{scope}\n{Hex(SHA256.HashData(Encoding.UTF8.GetBytes(canonical)))}";
        var key = Encoding.UTF8.GetBytes("AWS4wJalrXUtnFEMI-the-secret");
        foreach (var part in scope.Split('/'))
            key = HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(part));
        return Hex(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text)));

        static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);
    }

    /// <summary>An environment named music-streaming, and a connection to it.</summary>
    private sealed class Environment : IAsyncDisposable
    {
        public required FakeAws Aws { get; init; }

        public AirflowCredential.Mwaa Credential { get; private set; } = null!;

        public AirflowConnection Connection { get; private set; } = null!;

        public FakeTimeProvider Time { get; } = new(TimeProvider.System.GetUtcNow());

        public ConcurrentQueue<string> Outcomes { get; } = [];

        public ConcurrentQueue<string> Targets { get; } = [];

        public LogLines Log { get; } = new();

        public DateTimeOffset? Date { get; set; }

        /// <param name="answer">Airflow's status and body for a path and the query.</param>
        /// <param name="code">AWS's name for a refusal of Airflow.</param>
        public static Task<Environment> StartAsync(Func<string, JsonNode?, (int Status, string Body)> answer, string? code = null) =>
            StartAsync((context, request) =>
            {
                var body = JsonNode.Parse(request.Body)!;
                var (status, response) = answer((string)body["Path"]!, body["QueryParameters"]);
                return WriteAsync(context, status, response, code);
            });

        public static async Task<Environment> StartAsync(Func<HttpContext, FakeRequest, Task> answer, AwsRole? role = null)
        {
            var environment = new Environment { Aws = await FakeAws.StartAsync() };
            var roles = 0;
            environment.Aws.Answer = (context, request) =>
            {
                environment.Targets.Enqueue($"{context.Request.Method} {context.Request.Path}");
                if (environment.Date is { } date)
                    context.Response.Headers.Date = date.UtcDateTime.ToString("R", CultureInfo.InvariantCulture);
                return context.Request.Path == "/" ? AssumeRoleAsync(context, ++roles) : answer(context, request);
            };
            environment.Credential = new(
                "music-streaming", new() { Name = "production", Region = "eu-west-1", Role = role, EndpointUrl = environment.Aws.Address }, FakeAws.Keys);
            environment.Connection = new AirflowConnection(
                new AirflowEndpoint("production", environment.Aws.Address, environment.Credential) { Timeout = TimeSpan.FromMinutes(5) },
                environment.Time, environment.Outcomes.Enqueue, environment.Log);
            return environment;
        }

        /// <summary>Lets time pass until the task is done.</summary>
        public async Task<T> Driven<T>(Task<T> task)
        {
            while (!task.IsCompleted)
            {
                if (await Task.WhenAny(task, Task.Delay(20)) != task)
                    Time.Advance(TimeSpan.FromSeconds(1));
            }
            return await task;
        }

        public async ValueTask DisposeAsync()
        {
            Connection.Dispose();
            await Aws.DisposeAsync();
            Assert.All(Log.All, line => Assert.All(Secrets, secret => Assert.DoesNotContain(secret, line)));
        }

        private static Task AssumeRoleAsync(HttpContext context, int number)
        {
            context.Response.ContentType = "text/xml";
            return context.Response.WriteAsync(
                $"""
                <AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ASIA{number}</AccessKeyId>
                <SecretAccessKey>hunter2</SecretAccessKey><SessionToken>session-{number}</SessionToken>
                <Expiration>{TimeProvider.System.GetUtcNow().AddHours(1):yyyy-MM-ddTHH:mm:ssZ}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>
                """);
        }
    }
}
