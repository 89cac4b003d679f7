using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Xml.Linq;

namespace PipelineExporter.Simulator.Tests.Aws;

public sealed class AwsEndpointTests(SimulatorFixture fixture) : IClassFixture<SimulatorFixture>
{
    static readonly XNamespace Sts = "https://sts.amazonaws.com/doc/2011-06-15/";

    [Fact]
    public async Task Answers_json_with_the_exact_content_type_and_a_request_id()
    {
        using var client = Client();
        using var glue = await client.GlueAsync("ListJobs");
        using var cloudWatch = await client.CloudWatchAsync("ListMetrics");

        Assert.Equal(HttpStatusCode.OK, glue.StatusCode);
        Assert.Equal("application/x-amz-json-1.1", Assert.Single(glue.Content.Headers.GetValues("Content-Type")));
        Assert.Equal("application/x-amz-json-1.0", Assert.Single(cloudWatch.Content.Headers.GetValues("Content-Type")));
        Assert.True(Guid.TryParse(Assert.Single(glue.Headers.GetValues("x-amzn-RequestId")), out _));
    }

    [Theory]
    [InlineData("glue", "AWSGlue.GetDatabases", "application/x-amz-json-1.1", "UnknownOperationException")]
    [InlineData("glue", "AWSGlue", "application/x-amz-json-1.1", "UnknownOperationException")]
    [InlineData("monitoring", "GraniteServiceVersion20100801.PutMetricData", "application/x-amz-json-1.0", "com.amazon.coral.service#UnknownOperationException")]
    [InlineData("nothing", "Nothing.AtAll", "application/x-amz-json-1.1", "UnknownOperationException")]
    public async Task Answers_an_unknown_operation_as_AWS_does(string service, string target, string contentType, string type)
    {
        using var client = Client();
        using var response = await client.JsonAsync(service, target, "{}", contentType);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal("UnknownOperationException", Assert.Single(response.Headers.GetValues("x-amzn-ErrorType")));
        Assert.Equal(contentType, response.Content.Headers.ContentType!.ToString());
        Assert.Equal($$"""{"__type":"{{type}}"}""", await BodyAsync(response));
    }

    [Theory]
    [InlineData("application/x-amz-json-1.1; charset=utf-8")]
    [InlineData("application/x-amz-json-1.0")]
    [InlineData("application/json")]
    public async Task Knows_no_operation_under_another_content_type(string contentType)
    {
        using var client = Client();
        using var response = await client.JsonAsync("glue", "AWSGlue.ListJobs", "{}", contentType);

        await AssertJsonErrorAsync(response, "UnknownOperationException", null);
    }

    [Fact]
    public async Task Refuses_a_request_without_signature()
    {
        using var client = Client(unsigned: true);
        await AssertJsonErrorAsync(await client.GlueAsync("ListJobs"), "MissingAuthenticationTokenException", "Missing Authentication Token");
        await AssertXmlErrorAsync(await client.StsAsync("Action=GetCallerIdentity&Version=2011-06-15"), 403, "MissingAuthenticationToken", "Missing Authentication Token");
    }

    [Fact]
    public async Task Refuses_an_unknown_key()
    {
        using var client = Client(key: "AKIDEXAMPLE");
        const string Message = "The security token included in the request is invalid.";
        await AssertJsonErrorAsync(await client.GlueAsync("ListJobs"), "UnrecognizedClientException", Message);
        await AssertXmlErrorAsync(await client.StsAsync("Action=GetCallerIdentity&Version=2011-06-15"), 403, "InvalidClientTokenId", Message);
    }

    [Fact]
    public async Task Refuses_a_wrong_secret()
    {
        using var client = Client(secret: "other");
        const string Message = "The request signature we calculated does not match the signature you provided.";
        await AssertJsonErrorAsync(await client.GlueAsync("ListJobs"), "InvalidSignatureException", Message);
        await AssertXmlErrorAsync(await client.StsAsync("Action=GetCallerIdentity&Version=2011-06-15"), 403, "SignatureDoesNotMatch", Message);
    }

    [Theory]
    [InlineData(20, "Signature expired: ")]
    [InlineData(-20, "Signature not yet current: ")]
    public async Task Refuses_a_clock_that_is_wrong(int lateMinutes, string message)
    {
        using var client = Client(late: TimeSpan.FromMinutes(lateMinutes));
        await AssertJsonErrorAsync(await client.GlueAsync("ListJobs"), "InvalidSignatureException", message);
        await AssertXmlErrorAsync(await client.StsAsync("Action=GetCallerIdentity&Version=2011-06-15"), 403, "SignatureDoesNotMatch", message);
    }

    [Fact]
    public async Task Refuses_the_scope_of_another_service()
    {
        using var client = Client(signingName: "cloudwatch");
        await AssertJsonErrorAsync(await client.CloudWatchAsync("ListMetrics"), "InvalidSignatureException", "Credential should be scoped to correct service: 'monitoring'.");
        await AssertXmlErrorAsync(await client.StsAsync("Action=GetCallerIdentity&Version=2011-06-15"), 403, "SignatureDoesNotMatch", "Credential should be scoped to correct service: 'sts'.");
    }

    [Fact]
    public async Task Names_the_errors_of_glue_with_their_message()
    {
        using var client = Client();
        using var response = await client.GlueAsync("GetJobRuns", """{"JobName": "nobody"}""");

        Assert.Equal("""{"__type":"EntityNotFoundException","Message":"Job with name: nobody not found."}""", await BodyAsync(response));
        Assert.Equal("EntityNotFoundException", Assert.Single(response.Headers.GetValues("x-amzn-ErrorType")));
    }

    [Fact]
    public async Task Says_who_the_caller_is()
    {
        using var client = Client();
        using var response = await client.StsAsync("Action=GetCallerIdentity&Version=2011-06-15");

        Assert.Equal("text/xml", response.Content.Headers.ContentType!.ToString());
        var xml = XElement.Parse(await BodyAsync(response));
        Assert.Equal(Sts + "GetCallerIdentityResponse", xml.Name);
        var result = xml.Element(Sts + "GetCallerIdentityResult")!;
        Assert.Equal("arn:aws:iam::123456789012:user/simulator", (string?)result.Element(Sts + "Arn"));
        Assert.Equal("123456789012", (string?)result.Element(Sts + "Account"));
        Assert.Equal(
            Assert.Single(response.Headers.GetValues("x-amzn-RequestId")), (string?)xml.Element(Sts + "ResponseMetadata")?.Element(Sts + "RequestId"));
    }

    [Fact]
    public async Task Takes_the_credentials_of_an_assumed_role_until_they_expire()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider(new DateTimeOffset(2026, 11, 23, 12, 0, 0, TimeSpan.Zero));
        await using var simulator = await SimulatorHost.StartAsync(
            new SimulatorOptions { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null, Time = time }, TestContext.Current.CancellationToken);
        using var client = new AwsTestClient(simulator.Address, time);
        using var assumed = await client.StsAsync(
            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fteam%2Freader&RoleSessionName=exporter&DurationSeconds=900");
        var credentials = XElement.Parse(await BodyAsync(assumed)).Descendants(Sts + "Credentials").Single();
        string Part(string name) => (string)credentials.Element(Sts + name)!;
        using var role = new AwsTestClient(simulator.Address, time)
        {
            AccessKey = Part("AccessKeyId"), Secret = Part("SecretAccessKey"), Token = Part("SessionToken"),
        };

        Assert.Equal("2026-11-23T12:15:00Z", Part("Expiration"));
        Assert.Equal(time.GetUtcNow(), assumed.Headers.Date);
        using var identity = await role.StsAsync("Action=GetCallerIdentity&Version=2011-06-15");
        Assert.Contains("arn:aws:sts::123456789012:assumed-role/reader/exporter", await BodyAsync(identity), StringComparison.Ordinal);
        using var jobs = await role.GlueAsync("ListJobs");
        Assert.Equal(HttpStatusCode.OK, jobs.StatusCode);

        time.Advance(TimeSpan.FromMinutes(15));
        await AssertJsonErrorAsync(await role.GlueAsync("ListJobs"), "ExpiredTokenException", "The security token included in the request is expired");
        await AssertXmlErrorAsync(await role.StsAsync("Action=GetCallerIdentity&Version=2011-06-15"), 403, "ExpiredToken", "expired");
    }

    [Theory]
    [InlineData("Version=2011-06-15", 400, "MissingAction", "missing an action")]
    [InlineData("Action=GetFederationToken&Version=2011-06-15", 400, "InvalidAction", "Could not find operation GetFederationToken for version 2011-06-15")]
    [InlineData("Action=GetCallerIdentity", 400, "InvalidAction", "Could not find operation GetCallerIdentity for version NO_VERSION_SPECIFIED")]
    [InlineData("Action=AssumeRole&Version=2011-06-15", 400, "ValidationError", "Value null at 'roleArn' failed to satisfy constraint: Member must not be null")]
    [InlineData("Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::123456789012:role/a&RoleSessionName=x", 400, "ValidationError", "Value 'x' at 'roleSessionName' failed to satisfy constraint: Member must have length greater than or equal to 2")]
    [InlineData("Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::123456789012:role/a&RoleSessionName=a%20b", 400, "ValidationError", "regular expression")]
    [InlineData("Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::123456789012:role/a&RoleSessionName=ab&DurationSeconds=899", 400, "ValidationError", "greater than or equal to 900")]
    [InlineData("Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::123456789012:role/a&RoleSessionName=ab&DurationSeconds=43201", 400, "ValidationError", "less than or equal to 43200")]
    [InlineData("Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::999999999999:role/a&RoleSessionName=ab", 403, "AccessDenied", "is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::999999999999:role/a")]
    public async Task Answers_errors_of_query_in_xml(string form, int status, string code, string message)
    {
        using var client = Client();
        await AssertXmlErrorAsync(await client.StsAsync(form), status, code, message);
    }

    [Theory]
    [InlineData("glue", "throttle", null, 400, "ThrottlingException")]
    [InlineData("cloudwatch", "throttle", null, 400, "Throttling")]
    [InlineData("glue", "error", null, 500, "InternalServiceException")]
    [InlineData("cloudwatch", "error", null, 500, "InternalServiceError")]
    [InlineData("glue", "error", 503, 503, "ServiceUnavailable")]
    [InlineData("glue", "error", 403, 403, "AccessDeniedException")]
    public async Task Injected_faults_speak_as_the_service_and_strike_it_alone(string source, string kind, int? status, int expected, string code)
    {
        await using var simulator = await SimulatorHost.StartAsync(
            new SimulatorOptions { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, TestContext.Current.CancellationToken);
        using var client = new AwsTestClient(simulator.Address, TimeProvider.System);
        await InjectAsync(simulator, new JsonObject { ["source"] = source, ["kind"] = kind, ["status"] = status, ["count"] = 1 });

        using var struck = source == "glue" ? await client.GlueAsync("ListJobs") : await client.CloudWatchAsync("ListMetrics");
        using var other = source == "glue" ? await client.CloudWatchAsync("ListMetrics") : await client.GlueAsync("ListJobs");
        using var after = source == "glue" ? await client.GlueAsync("ListJobs") : await client.CloudWatchAsync("ListMetrics");

        Assert.Equal(expected, (int)struck.StatusCode);
        Assert.Equal(code, Assert.Single(struck.Headers.GetValues("x-amzn-ErrorType")));
        Assert.Equal(HttpStatusCode.OK, other.StatusCode);
        Assert.Equal(HttpStatusCode.OK, after.StatusCode);
    }

    [Fact]
    public async Task Faults_strike_one_operation_cut_connections_and_break_json()
    {
        await using var simulator = await SimulatorHost.StartAsync(
            new SimulatorOptions { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, TestContext.Current.CancellationToken);
        using var client = new AwsTestClient(simulator.Address, TimeProvider.System);
        await InjectAsync(simulator, new JsonObject { ["source"] = "sts", ["kind"] = "throttle" });
        await InjectAsync(simulator, new JsonObject { ["source"] = "glue", ["kind"] = "cut", ["match"] = "GetJobRuns" });
        await InjectAsync(simulator, new JsonObject { ["source"] = "cloudwatch", ["kind"] = "broken_json" });

        await AssertXmlErrorAsync(await client.StsAsync("Action=GetCallerIdentity&Version=2011-06-15"), 400, "Throttling", "Rate exceeded");
        using var jobs = await client.GlueAsync("ListJobs");
        Assert.Equal(HttpStatusCode.OK, jobs.StatusCode);
        await Assert.ThrowsAsync<HttpRequestException>(() => client.GlueAsync("GetJobRuns", """{"JobName": "music_streaming_validation"}"""));
        using var broken = await client.CloudWatchAsync("ListMetrics");
        Assert.Equal(HttpStatusCode.OK, broken.StatusCode);
        Assert.ThrowsAny<System.Text.Json.JsonException>(() => JsonNode.Parse(broken.Content.ReadAsStream(TestContext.Current.CancellationToken)));
    }

    [Fact]
    public async Task A_form_holds_five_hundred_queries()
    {
        var now = TimeProvider.System.GetUtcNow();
        const string metric = "MetricStat.Metric.";
        var queries = Enumerable.Range(1, 500).SelectMany(i => new[]
        {
            $"Id=q{i}", "MetricStat.Period=60", "MetricStat.Stat=Sum", $"{metric}Namespace=AWS%2FMWAA", $"{metric}MetricName=CPUUtilization",
            $"{metric}Dimensions.member.1.Name=Environment", $"{metric}Dimensions.member.1.Value=music-streaming",
            $"{metric}Dimensions.member.2.Name=Cluster", $"{metric}Dimensions.member.2.Value=Scheduler",
        }.Select(part => $"MetricDataQueries.member.{i}.{part}"));
        using var client = Client();
        using var response = await client.QueryAsync("monitoring", string.Join('&', queries.Prepend(
            $"Action=GetMetricData&Version=2010-08-01&StartTime={now.AddMinutes(-30):yyyy-MM-dd'T'HH:mm:ss'Z'}&EndTime={now:yyyy-MM-dd'T'HH:mm:ss'Z'}")));

        var xml = XElement.Parse(await BodyAsync(response));
        Assert.Equal(500, xml.Descendants(xml.Name.Namespace + "StatusCode").Count(code => code.Value == "Complete"));
        Assert.Equal(Enumerable.Range(1, 500).Select(i => $"q{i}"), xml.Descendants(xml.Name.Namespace + "Id").Select(id => id.Value));
    }

    [Fact]
    public async Task Refuses_a_body_that_is_too_large()
    {
        using var client = Client();
        using var response = await client.GlueAsync("ListJobs", new string(' ', 5 * 1024 * 1024) + "{}");

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
    }

    AwsTestClient Client(string key = "SIMULATOR", string secret = "simulator-secret", TimeSpan late = default, string? signingName = null, bool unsigned = false) =>
        new(fixture.Simulator.Address, TimeProvider.System) { AccessKey = key, Secret = secret, Late = late, SigningName = signingName, Unsigned = unsigned };

    static async Task InjectAsync(SimulatorHost simulator, JsonObject fault)
    {
        if (fault["status"] is null)
            fault.Remove("status");
        using var http = new HttpClient { BaseAddress = simulator.Address };
        using var response = await http.PostAsJsonAsync("/simulator/faults", fault, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    static async Task AssertJsonErrorAsync(HttpResponseMessage response, string code, string? message)
    {
        using (response)
        {
            var body = JsonNode.Parse(await BodyAsync(response))!;
            Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
            Assert.Equal(code, Assert.Single(response.Headers.GetValues("x-amzn-ErrorType")));
            Assert.Equal(code, ((string)body["__type"]!).Split('#')[^1]);
            Assert.StartsWith(message ?? "", (string?)(body["Message"] ?? body["message"]) ?? "", StringComparison.Ordinal);
        }
    }

    static async Task AssertXmlErrorAsync(HttpResponseMessage response, int status, string code, string message)
    {
        using (response)
        {
            var xml = XElement.Parse(await BodyAsync(response));
            Assert.Equal(status, (int)response.StatusCode);
            Assert.Equal("ErrorResponse", xml.Name.LocalName);
            var error = xml.Element(xml.Name.Namespace + "Error")!;
            Assert.Equal(code, (string?)error.Element(xml.Name.Namespace + "Code"));
            Assert.Contains(message, (string?)error.Element(xml.Name.Namespace + "Message"), StringComparison.Ordinal);
            Assert.NotEmpty((string?)xml.Element(xml.Name.Namespace + "RequestId") ?? "");
        }
    }

    static Task<string> BodyAsync(HttpResponseMessage response) => response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
}
