using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using Microsoft.Extensions.Time.Testing;

namespace PipelineExporter.Simulator.Tests.Aws;

/// <summary>What goes wrong is told by each service in its own words: JSON, CBOR, query, and S3's XML.</summary>
public sealed class AwsProtocolTests : IAsyncLifetime
{
    const string Identity = "Action=GetCallerIdentity&Version=2011-06-15";
    const string Owner = "arn:aws:iam::123456789012:user/simulator";

    readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 11, 23, 12, 0, 0, TimeSpan.Zero));
    SimulatorHost simulator = null!;

    public async ValueTask InitializeAsync() => simulator = await SimulatorHost.StartAsync(
        new SimulatorOptions { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null, Time = time }, TestContext.Current.CancellationToken);

    public ValueTask DisposeAsync() => simulator.DisposeAsync();

    [Theory]
    [InlineData("glue", "throttle", null, 400, "ThrottlingException", "Rate exceeded")]
    [InlineData("cloudwatch", "throttle", null, 400, "Throttling", "Rate exceeded")]
    [InlineData("dynamodb", "throttle", null, 400, "ThrottlingException", "Rate of requests exceeds the allowed throughput.")]
    [InlineData("s3", "throttle", null, 503, "SlowDown", "Please reduce your request rate.")]
    [InlineData("sts", "throttle", null, 400, "Throttling", "Rate exceeded")]
    [InlineData("glue", "error", null, 500, "InternalServiceException", "")]
    [InlineData("cloudwatch", "error", null, 500, "InternalServiceError", "")]
    [InlineData("dynamodb", "error", null, 500, "InternalServerError", "")]
    [InlineData("s3", "error", null, 500, "InternalError", "We encountered an internal error. Please try again.")]
    [InlineData("s3", "error", 503, 503, "SlowDown", "")]
    [InlineData("sts", "error", null, 500, "InternalFailure", "")]
    [InlineData("sts", "error", 503, 503, "ServiceUnavailable", "")]
    [InlineData("glue", "error", 403, 403, "AccessDeniedException", $"User: {Owner} is not authorized to perform: glue:GetJobs because no identity-based policy allows the glue:GetJobs action")]
    [InlineData("cloudwatch", "error", 403, 403, "AccessDeniedException", $"User: {Owner} is not authorized to perform: cloudwatch:ListMetrics")]
    [InlineData("dynamodb", "error", 403, 403, "AccessDeniedException", $"User: {Owner} is not authorized to perform: dynamodb:ListTables")]
    [InlineData("s3", "error", 403, 403, "AccessDenied", $"User: {Owner} is not authorized to perform: s3:ListAllMyBuckets")]
    [InlineData("sts", "error", 403, 403, "AccessDenied", $"User: {Owner} is not authorized to perform: sts:GetCallerIdentity")]
    public async Task A_fault_has_the_services_own_code_and_strikes_it_alone(string source, string kind, int? status, int expected, string code, string message)
    {
        await InjectAsync(new JsonObject { ["source"] = source, ["kind"] = kind, ["status"] = status });
        using var client = Client();

        foreach (var service in new[] { "glue", "cloudwatch", "dynamodb", "s3", "sts" })
        {
            using var answer = await CallAsync(client, service);
            if (service != source)
            {
                Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
                continue;
            }
            var error = await ErrorAsync(answer);
            Assert.Equal((expected, code), ((int)answer.StatusCode, error.Code));
            Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task An_action_is_called_as_policies_call_it()
    {
        await InjectAsync(new JsonObject { ["source"] = "s3", ["kind"] = "error", ["status"] = 403, ["match"] = "Lifecycle" });
        using var client = Client();
        using var lifecycle = await client.S3Async("/music-streaming-raw?lifecycle");
        using var metrics = await client.S3Async("/music-streaming-raw?metrics");

        Assert.Contains("perform: s3:GetLifecycleConfiguration because", (await ErrorAsync(lifecycle)).Message, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, metrics.StatusCode);
    }

    [Theory]
    [InlineData("glue", "application/x-amz-json-1.1")]
    [InlineData("dynamodb", "application/x-amz-json-1.0")]
    [InlineData("s3", "application/xml")]
    [InlineData("sts", "text/xml")]
    public async Task A_broken_answer_ends_in_the_middle_of_the_services_own_format(string source, string contentType)
    {
        await InjectAsync(new JsonObject { ["source"] = source, ["kind"] = "broken_json" });
        using var client = Client();
        using var answer = await CallAsync(client, source);
        var body = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);

        Assert.Equal((HttpStatusCode.OK, contentType), (answer.StatusCode, answer.Content.Headers.ContentType!.ToString()));
        if (contentType.EndsWith("xml", StringComparison.Ordinal))
            Assert.Throws<System.Xml.XmlException>(() => XElement.Parse(body));
        else
            Assert.ThrowsAny<System.Text.Json.JsonException>(() => JsonNode.Parse(body));
    }

    [Fact]
    public async Task A_broken_answer_in_cbor_ends_in_its_middle_too()
    {
        await InjectAsync(new JsonObject { ["source"] = "cloudwatch", ["kind"] = "broken_json" });
        using var client = Client();
        using var answer = await client.CborAsync("ListMetrics", [0xA0]);
        var body = await answer.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Throws<System.Formats.Cbor.CborContentException>(() => new System.Formats.Cbor.CborReader(body).ReadEncodedValue());
    }

    [Theory]
    [InlineData("glue", 400, "UnknownOperationException")]
    [InlineData("cloudwatch", 400, "UnknownOperationException")]
    [InlineData("dynamodb", 400, "UnknownOperationException")]
    [InlineData("s3", 501, "NotImplemented")]
    [InlineData("sts", 400, "InvalidAction")]
    public async Task A_region_that_is_without_a_service_knows_none_of_its_operations_and_others_do(string source, int status, string code)
    {
        await InjectAsync(new JsonObject { ["source"] = source, ["kind"] = "no_service", ["region"] = "us-east-1" });
        using var there = Client(region: "us-east-1");
        using var here = Client();

        using var unknown = await CallAsync(there, source);
        Assert.Equal((status, code), ((int)unknown.StatusCode, (await ErrorAsync(unknown)).Code));
        foreach (var service in new[] { "glue", "cloudwatch", "dynamodb", "s3", "sts" })
        {
            using var known = await CallAsync(here, service);
            Assert.Equal(HttpStatusCode.OK, known.StatusCode);
            using var other = await CallAsync(there, service);
            Assert.Equal(service == source, other.StatusCode != HttpStatusCode.OK);
        }
    }

    [Fact]
    public async Task An_endpoint_can_lack_one_operation_of_a_service()
    {
        await InjectAsync(new JsonObject { ["source"] = "cloudwatch", ["kind"] = "no_service", ["match"] = "GetMetricData" });
        using var client = Client();
        using var listed = await client.CborAsync("ListMetrics", [0xA0]);
        using var read = await client.CborAsync("GetMetricData", [0xA0]);
        var error = new System.Formats.Cbor.CborReader(await read.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.BadRequest), (listed.StatusCode, read.StatusCode));
        error.ReadStartMap();
        Assert.Equal(("__type", "com.amazon.coral.service#UnknownOperationException"), (error.ReadTextString(), error.ReadTextString()));
    }

    [Theory]
    [InlineData("glue", 200)]
    [InlineData("cloudwatch", 404)]
    [InlineData("dynamodb", 502)]
    [InlineData("s3", 200)]
    [InlineData("sts", 403)]
    public async Task In_place_of_a_service_a_proxy_answers_with_a_page_that_has_nothing_of_AWS(string source, int status)
    {
        await InjectAsync(new JsonObject { ["source"] = source, ["kind"] = "no_service", ["status"] = status });
        using var client = Client();
        using var answer = await CallAsync(client, source);

        Assert.Equal((status, "text/html"), ((int)answer.StatusCode, answer.Content.Headers.ContentType!.ToString()));
        Assert.StartsWith("<!DOCTYPE html>", await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.DoesNotContain(answer.Headers, header => header.Key.StartsWith("x-amz", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task A_cut_connection_gives_no_answer()
    {
        await InjectAsync(new JsonObject { ["source"] = "*", ["kind"] = "cut", ["match"] = "List" });
        using var client = Client();
        foreach (var service in new[] { "cloudwatch", "dynamodb", "s3" })
            await Assert.ThrowsAsync<HttpRequestException>(() => CallAsync(client, service));
        using var spared = await CallAsync(client, "sts");
        Assert.Equal(HttpStatusCode.OK, spared.StatusCode);
    }

    [Theory]
    [InlineData("glue", 400, "InvalidSignatureException")]
    [InlineData("cloudwatch", 400, "InvalidSignatureException")]
    [InlineData("dynamodb", 400, "InvalidSignatureException")]
    [InlineData("s3", 403, "RequestTimeTooSkewed")]
    [InlineData("sts", 403, "SignatureDoesNotMatch")]
    public async Task A_clock_that_is_off_shows_in_the_date_and_refuses_who_is_right(string source, int status, string code)
    {
        await InjectAsync(new JsonObject { ["source"] = source, ["kind"] = "clock_skew", ["skew"] = 960 });
        using var right = Client();
        using var ahead = Client(late: TimeSpan.FromMinutes(-16));
        using var refused = await CallAsync(right, source);
        using var taken = await CallAsync(ahead, source);
        using var other = await CallAsync(right, source == "glue" ? "sts" : "glue");

        Assert.Equal((status, code), ((int)refused.StatusCode, (await ErrorAsync(refused)).Code));
        Assert.Equal(time.GetUtcNow().AddMinutes(16), refused.Headers.Date);
        Assert.Equal(HttpStatusCode.OK, taken.StatusCode);
        // AWS has one clock.
        Assert.Equal(time.GetUtcNow().AddMinutes(16), other.Headers.Date);
    }

    [Theory]
    [InlineData("late", 403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")]
    [InlineData("early", 403, "RequestTimeTooSkewed", "")]
    [InlineData("secret", 403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")]
    [InlineData("key", 403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")]
    [InlineData("token", 400, "InvalidToken", "The provided token is malformed or otherwise invalid.")]
    [InlineData("scope", 400, "AuthorizationHeaderMalformed", "The authorization header is malformed;")]
    [InlineData("unsigned", 403, "AccessDenied", "Access Denied")]
    public async Task S3_has_words_of_its_own_for_signatures(string wrong, int status, string code, string message)
    {
        using var client = Client(
            late: wrong switch { "late" => TimeSpan.FromMinutes(15.1), "early" => TimeSpan.FromMinutes(-15.1), _ => default },
            key: wrong == "key" ? "AKIDEXAMPLE" : "SIMULATOR",
            secret: wrong == "secret" ? "other" : "simulator-secret",
            token: wrong == "token" ? "x" : null,
            signingName: wrong == "scope" ? "glue" : null,
            unsigned: wrong == "unsigned");
        using var answer = await CallAsync(client, "s3");
        var error = await ErrorAsync(answer);

        Assert.Equal((status, code), ((int)answer.StatusCode, error.Code));
        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("glue", 400, "InvalidSignatureException")]
    [InlineData("cloudwatch", 400, "InvalidSignatureException")]
    [InlineData("dynamodb", 400, "InvalidSignatureException")]
    [InlineData("s3", 400, "AuthorizationHeaderMalformed")]
    [InlineData("sts", 403, "SignatureDoesNotMatch")]
    public async Task A_region_that_AWS_does_not_have_is_refused(string service, int status, string code)
    {
        foreach (var region in new[] { "eu-nowhere-9", "eu-west-9", "EU-WEST-1", "nowhere" })
        {
            using var client = Client(region: region);
            using var answer = await CallAsync(client, service);

            var message = service == "s3"
                ? $"The authorization header is malformed; the region '{region}' is wrong; expecting 'eu-west-1'"
                : "Credential should be scoped to a valid region.";
            Assert.Equal(status, (int)answer.StatusCode);
            Assert.Equal((code, message), await ErrorAsync(answer));
        }
    }

    /// <summary>By a clock that only some of them tolerate.</summary>
    [Theory]
    [InlineData("glue", false)]
    [InlineData("cloudwatch", false)]
    [InlineData("dynamodb", false)]
    [InlineData("s3", true)]
    [InlineData("sts", true)]
    public async Task A_clock_that_is_ten_minutes_wrong_is_refused_by_the_services_that_tolerate_five(string service, bool isTaken)
    {
        foreach (var minutes in new[] { -10, 10 })
        {
            using var client = Client(late: TimeSpan.FromMinutes(minutes));
            using var answer = await CallAsync(client, service);

            Assert.Equal(isTaken, answer.StatusCode == HttpStatusCode.OK);
        }
    }

    [Fact]
    public async Task S3_says_that_a_token_has_expired()
    {
        using var client = Client();
        using var assumed = await client.StsAsync("Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::123456789012:role/reader&RoleSessionName=exporter&DurationSeconds=900");
        var xml = XElement.Parse(await assumed.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        string Part(string name) => (string)xml.Descendants(xml.Name.Namespace + name).Single();
        using var role = Client(key: Part("AccessKeyId"), secret: Part("SecretAccessKey"), token: Part("SessionToken"));
        using var before = await CallAsync(role, "s3");
        Assert.Equal(HttpStatusCode.OK, before.StatusCode);
        time.Advance(TimeSpan.FromMinutes(15));

        using var after = await CallAsync(role, "s3");
        Assert.Equal(("ExpiredToken", "The provided token has expired."), await ErrorAsync(after));
        using var tables = await CallAsync(role, "dynamodb");
        Assert.Equal("ExpiredTokenException", (await ErrorAsync(tables)).Code);
    }

    AwsTestClient Client(
        string key = "SIMULATOR", string secret = "simulator-secret", string? token = null, TimeSpan late = default, string? signingName = null, bool unsigned = false,
        string region = "eu-west-1") => new(simulator.Address, time)
        {
            AccessKey = key,
            Secret = secret,
            Token = token,
            Late = late,
            SigningName = signingName,
            Unsigned = unsigned,
            Region = region,
        };

    static Task<HttpResponseMessage> CallAsync(AwsTestClient client, string service) => service switch
    {
        "glue" => client.GlueAsync("GetJobs"),
        "cloudwatch" => client.CloudWatchAsync("ListMetrics"),
        "dynamodb" => client.DynamoDbAsync("ListTables"),
        "s3" => client.S3Async("/"),
        _ => client.StsAsync(Identity),
    };

    static async Task<(string Code, string Message)> ErrorAsync(HttpResponseMessage answer)
    {
        var body = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        if (body.StartsWith('{'))
        {
            var json = JsonNode.Parse(body)!;
            return (((string)json["__type"]!).Split('#')[^1], (string?)(json["Message"] ?? json["message"]) ?? "");
        }
        var xml = XElement.Parse(body);
        string Part(string name) => (string)xml.Descendants(xml.Name.Namespace + name).Single();
        return (Part("Code"), Part("Message"));
    }

    async Task InjectAsync(JsonObject fault)
    {
        if (fault["status"] is null)
            fault.Remove("status");
        using var http = new HttpClient { BaseAddress = simulator.Address };
        using var response = await http.PostAsJsonAsync("/simulator/faults", fault, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }
}
