using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using Amazon.Runtime;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Sources;
using PipelineExporter.Sources.Aws;
using PipelineExporter.Tests.Collectors.Aws.CloudWatch;

namespace PipelineExporter.Tests.Sources.Aws;

public sealed class AwsSourceTests
{
    private static readonly CancellationToken Now = CancellationToken.None;

    [Fact]
    public async Task Glue_is_asked_in_its_JSON_protocol_with_no_charset_and_a_signature()
    {
        await using var aws = await FakeAws.StartAsync((context, _) => context.Response.WriteAsync(
            """{"JobRuns":[{"Id":"jr_1","JobRunState":"RUNNING","StartedOn":1.7958E9,"Arguments":{"--password":"hunter2"}}]}"""));
        using var source = aws.Source();

        var answer = await source.Glue.GetJobRunsAsync(new("música ✓", MaxResults: 200), Now);

        var run = Assert.Single(answer.JobRuns);
        Assert.Equal(("jr_1", "RUNNING", DateTimeOffset.FromUnixTimeSeconds(1795800000)), (run.Id, run.JobRunState, run.StartedOn));
        var request = Assert.Single(aws.Requests);
        Assert.Equal("AWSGlue.GetJobRuns", request.Target);
        Assert.Equal("application/x-amz-json-1.1", request.ContentType);
        Assert.Equal("""{"JobName":"m\u00FAsica \u2713","MaxResults":200}""", request.Body);
        Assert.Equal("the-session-token", request.Headers["X-Amz-Security-Token"]);
        Assert.Matches(
            "^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/[0-9]{8}/eu-west-1/glue/aws4_request, "
            + "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature=[0-9a-f]{64}$",
            request.Headers["Authorization"]);
        Assert.StartsWith("pipeline-exporter/", request.Headers["User-Agent"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task CloudWatch_is_asked_in_its_JSON_protocol_with_times_in_seconds()
    {
        await using var aws = await FakeAws.StartAsync((context, _) => context.Response.WriteAsync(
            """{"MetricDataResults":[{"Id":"q0","Timestamps":[1795800300.0,1795800000.0],"Values":[2.5,1],"StatusCode":"Complete"}],"Messages":[]}"""));
        using var source = aws.Source();
        var query = new MetricDataQuery("q0", new(new("Glue", "glue.driver.aggregate.elapsedTime", [new("JobName", "a")]), 300, "Average"));

        var answer = await source.CloudWatch.GetMetricDataAsync(
            new([query], DateTimeOffset.FromUnixTimeSeconds(1795800000), DateTimeOffset.FromUnixTimeSeconds(1795800600), "TimestampDescending"), Now);

        Assert.Equal([2.5, 1], Assert.Single(answer.MetricDataResults).Values);
        var request = Assert.Single(aws.Requests);
        Assert.Equal("GraniteServiceVersion20100801.GetMetricData", request.Target);
        Assert.Equal("application/x-amz-json-1.0", request.ContentType);
        Assert.Contains("/eu-west-1/monitoring/aws4_request", request.Headers["Authorization"], StringComparison.Ordinal);
        Assert.Equal(
            """{"MetricDataQueries":[{"Id":"q0","MetricStat":{"Metric":{"Namespace":"Glue","MetricName":"glue.driver.aggregate.elapsedTime","Dimensions":[{"Name":"JobName","Value":"a"}]},"Period":300,"Stat":"Average"}}],"StartTime":1795800000,"EndTime":1795800600,"ScanBy":"TimestampDescending"}""",
            request.Body);
    }

    [Fact]
    public async Task Throttling_is_retried_after_the_time_that_AWS_names_and_each_request_is_observed()
    {
        var outcomes = new ConcurrentQueue<string>();
        await using var aws = await FakeAws.StartAsync();
        aws.Answer = (context, _) =>
        {
            switch (aws.Requests.Count)
            {
                case 1:
                    return Fail(context, 400, """{"__type":"ThrottlingException","message":"Rate exceeded"}""");
                case 2:
                    context.Response.Headers.RetryAfter = "7";
                    return Fail(context, 429, "");
                case 3:
                    return Fail(context, 500, """{"__type":"com.amazonaws.glue#InternalServiceException"}""");
                default:
                    return context.Response.WriteAsync("""{"Jobs":[]}""");
            }
        };
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(56));
        using var source = aws.Source(time, outcomes.Enqueue);

        var call = source.Glue.GetJobsAsync(new(), Now);
        var waited = await AdvanceUntilAsync(time, TimeSpan.FromSeconds(1), call);

        Assert.Empty((await call).Jobs);
        Assert.InRange(waited, TimeSpan.FromSeconds(7), TimeSpan.FromSeconds(30));
        Assert.Equal([RequestOutcome.Throttled, RequestOutcome.Throttled, RequestOutcome.Error, RequestOutcome.Ok], outcomes);
    }

    [Fact]
    public async Task A_missing_permission_is_not_retried_and_names_the_action_to_allow()
    {
        await using var aws = await FakeAws.StartAsync((context, _) => Fail(
            context, 400, """{"__type":"AccessDeniedException","Message":"User: arn:aws:iam::123456789012:user/x is not authorized to perform: glue:GetJobs"}"""));
        using var source = aws.Source();

        var error = await Assert.ThrowsAsync<AwsException>(() => source.Glue.GetJobsAsync(new(), Now));

        Assert.Equal(
            "Glue GetJobs answered 400 AccessDeniedException: User: arn:aws:iam::123456789012:user/x is not authorized to perform: glue:GetJobs. "
            + "Allow glue:GetJobs in the IAM policy of the exporter's role.",
            error.Message);
        Assert.Equal(("Glue", "GetJobs", "AccessDeniedException", HttpStatusCode.BadRequest), (error.Service, error.Operation, error.Code, error.Status));
        Assert.Single(aws.Requests);
    }

    // What the policy in the documentation allows must be what a refusal names.
    [Theory]
    [InlineData("Glue", "GetJobRuns", "glue:GetJobRuns")]
    [InlineData("CloudWatch", "GetMetricData", "cloudwatch:GetMetricData")]
    [InlineData("CloudWatch", "ListMetrics", "cloudwatch:ListMetrics")]
    [InlineData("DynamoDB", "ListTables", "dynamodb:ListTables")]
    [InlineData("DynamoDB", "DescribeTable", "dynamodb:DescribeTable")]
    [InlineData("S3", "ListBuckets", "s3:ListAllMyBuckets")]
    [InlineData("S3", "GetBucketLocation", "s3:GetBucketLocation")]
    [InlineData("S3", "GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration")]
    [InlineData("S3", "ListBucketMetricsConfigurations", "s3:GetMetricsConfiguration")]
    [InlineData("MWAA", "InvokeRestApi", "airflow:InvokeRestApi")]
    [InlineData("STS", "AssumeRole", "sts:AssumeRole")]
    public void The_action_to_allow_is_IAMs_name_of_the_operation(string service, string operation, string action)
    {
        var known = new[] { AwsService.Glue, AwsService.CloudWatch, AwsService.DynamoDb, AwsService.S3, AwsService.Mwaa, AwsService.SecurityToken };
        Assert.Equal(action, known.Single(candidate => candidate.Id == service).ActionOf(operation));
    }

    [Fact]
    public async Task A_region_that_does_not_have_the_service_is_told_by_the_name_that_nobody_knows()
    {
        using var source = new AwsSource(
            new() { Name = "a", Region = "eu-west-1", EndpointUrl = new("http://glue.nowhere-1.invalid") }, TimeProvider.System, keys: FakeAws.Keys,
            resilience: new() { Retries = 1, Delay = TimeSpan.FromMilliseconds(1) }, environment: _ => null);

        var error = await Assert.ThrowsAsync<AwsException>(() => source.Glue.GetJobsAsync(new(), Now));
        var account = await Assert.ThrowsAsync<AwsException>(() => source.GetIdentityAsync(Now));

        Assert.Equal(
            "Glue GetJobs: the name glue.nowhere-1.invalid is unknown: check region (which may lack the service), endpoint_url and DNS", error.Message);
        Assert.StartsWith("STS GetCallerIdentity: ", account.Message, StringComparison.Ordinal);
        Assert.Contains("glue.nowhere-1.invalid", account.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(400, """{"__type":"com.amazonaws.glue#EntityNotFoundException","Message":"Job is not found"}""", "EntityNotFoundException", "Job is not found")]
    [InlineData(400, """{"__type":"ExpiredTokenException","message":"The security token is expired"}""", "ExpiredTokenException", "renew it")]
    [InlineData(400, """{"__type":"UnrecognizedClientException","message":"The security token included in the request is invalid."}""", "UnrecognizedClientException", "check the key")]
    [InlineData(403, """{"__type":"InvalidSignatureException","message":"The request signature we calculated does not match the signature you provided."}""", "InvalidSignatureException", "secret key does not belong")]
    [InlineData(404, "<html>nginx</html>", "Not Found", "it gave no reason")]
    [InlineData(400, "", "Bad Request", "it gave no reason")]
    [InlineData(400, "[1]", "Bad Request", "it gave no reason")]
    public async Task An_error_answer_tells_code_and_reason(int status, string body, string code, string told)
    {
        await using var aws = await FakeAws.StartAsync((context, _) => Fail(context, status, body));
        using var source = aws.Source();

        var error = await Assert.ThrowsAsync<AwsException>(() => source.Glue.GetJobsAsync(new(), Now));

        Assert.Equal(code, error.Code);
        Assert.Equal((HttpStatusCode)status, error.Status);
        Assert.Contains(told, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("<html>", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_secret_reaches_an_error_even_when_AWS_repeats_the_request()
    {
        await using var aws = await FakeAws.StartAsync((context, _) => Fail(
            context, 403, """{"__type":"InvalidSignatureException","message":"No match for the-session-token.\n\nThe Canonical String should have been\n'x-amz-security-token:the-session-token'"}"""));
        using var source = aws.Source();

        var error = await Assert.ThrowsAsync<AwsException>(() => source.Glue.GetJobsAsync(new(), Now));

        Assert.DoesNotContain("the-session-token", error.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("Canonical", error.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("wJalr", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wrong_clock_learns_the_time_from_the_refusal_and_signs_again()
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 11, 23, 6, 0, 0, TimeSpan.Zero));
        await using var aws = await FakeAws.StartAsync();
        aws.Answer = (context, request) =>
        {
            context.Response.Headers.Date = "Mon, 23 Nov 2026 07:30:00 GMT";
            return request.Headers["X-Amz-Date"] == "20261123T060000Z"
                ? Fail(context, 400, """{"__type":"InvalidSignatureException","message":"Signature expired: 20261123T060000Z is now earlier than 20261123T072500Z"}""")
                : context.Response.WriteAsync("""{"Jobs":[]}""");
        };
        using var source = aws.Source(time);

        var call = source.Glue.GetJobsAsync(new(), Now);
        await AdvanceUntilAsync(time, TimeSpan.FromSeconds(1), call);

        Assert.Equal(2, aws.Requests.Count);
        Assert.StartsWith("20261123T0730", aws.Requests.Last().Headers["X-Amz-Date"], StringComparison.Ordinal);
        Assert.InRange(source.Clock.Offset, TimeSpan.FromMinutes(89), TimeSpan.FromMinutes(91));
    }

    [Fact]
    public async Task A_clock_that_stays_wrong_is_named()
    {
        await using var aws = await FakeAws.StartAsync((context, _) =>
        {
            context.Response.Headers.Date = DateTimeOffset.UnixEpoch.AddYears(40).ToString("r");
            return Fail(context, 400, """{"__type":"RequestTimeTooSkewed"}""");
        });
        using var source = aws.Source(new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(40).AddHours(1)), resilience: new() { Retries = 1, Delay = TimeSpan.Zero });

        var error = await Assert.ThrowsAsync<AwsException>(() => source.Glue.GetJobsAsync(new(), Now));

        Assert.Contains("differs from AWS's by 3600 s", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unreachable_AWS_is_named_with_host_and_port()
    {
        var port = FreePort();
        using var source = new AwsSource(
            new() { Name = "a", Region = "eu-west-1", EndpointUrl = new($"http://127.0.0.1:{port}") }, TimeProvider.System, keys: FakeAws.Keys,
            resilience: new() { Delay = TimeSpan.FromMilliseconds(1) }, environment: _ => null);

        var error = await Assert.ThrowsAsync<AwsException>(() => source.Glue.GetJobsAsync(new(), Now));

        Assert.Equal($"Glue GetJobs: no connection to 127.0.0.1:{port}: Connection refused", error.Message);
        Assert.Equal("Transport", error.Code);
    }

    [Fact]
    public async Task A_slow_AWS_is_given_up_and_counted_as_a_timeout()
    {
        var outcomes = new ConcurrentQueue<string>();
        await using var aws = await FakeAws.StartAsync((context, _) => Task.Delay(Timeout.Infinite, context.RequestAborted));
        using var source = aws.Source(observe: outcomes.Enqueue, resilience: new()
        {
            Retries = 1, Delay = TimeSpan.FromMilliseconds(1), AttemptTimeout = TimeSpan.FromMilliseconds(50),
        });

        var error = await Assert.ThrowsAsync<AwsException>(() => source.Glue.GetJobsAsync(new(), Now));

        Assert.Equal($"Glue GetJobs: {aws.Address.Authority} did not answer within 0.05 s", error.Message);
        Assert.Equal([RequestOutcome.Timeout, RequestOutcome.Timeout], outcomes);
    }

    [Fact]
    public async Task The_callers_cancellation_ends_the_wait_at_once()
    {
        await using var aws = await FakeAws.StartAsync((context, _) => Task.Delay(Timeout.Infinite, context.RequestAborted));
        using var source = aws.Source();
        using var cancel = new CancellationTokenSource();

        var call = source.Glue.GetJobsAsync(new(), cancel.Token);
        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
    }

    [Theory]
    [InlineData("application/x-amz-json-1.1", """{"JobRuns":[{"Id":"jr_1","StartedOn":"yesterday hunter2"}]}""")]
    [InlineData("application/x-amz-json-1.1", """{"JobRuns":[{"Id":"jr_1","StartedOn":1e300}]}""")]
    [InlineData("application/x-amz-json-1.1", """{"JobRuns":{}}""")]
    [InlineData("application/x-amz-json-1.1", """{"JobRuns":[{"Id":"jr_1" """)]
    [InlineData("application/x-amz-json-1.1", "null")]
    [InlineData("text/html", "<html>Please log in, hunter2</html>")]
    public async Task A_lying_AWS_is_told_from_the_answer_without_its_content(string type, string body)
    {
        await using var aws = await FakeAws.StartAsync((context, _) =>
        {
            context.Response.ContentType = type;
            return context.Response.WriteAsync(body);
        });
        using var source = aws.Source();

        var error = await Assert.ThrowsAsync<AwsException>(() => source.Glue.GetJobRunsAsync(new("a"), Now));

        Assert.StartsWith($"Glue GetJobRuns answered 200 Malformed: the answer ({type}) is not what AWS sends: ", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_cut_answer_is_asked_for_again()
    {
        await using var aws = await FakeAws.StartAsync();
        aws.Answer = async (context, _) =>
        {
            if (aws.Requests.Count == 1)
            {
                context.Response.ContentLength = 100;
                await context.Response.WriteAsync("""{"Jobs":[""");
                await context.Response.Body.FlushAsync();
                context.Abort();
                return;
            }

            await context.Response.WriteAsync("""{"Jobs":[{"Name":"a"}]}""");
        };
        using var source = aws.Source();

        Assert.Equal("a", Assert.Single((await source.Glue.GetJobsAsync(new(), Now)).Jobs).Name);
        Assert.Equal(2, aws.Requests.Count);
    }

    [Fact]
    public async Task An_operation_that_keeps_failing_is_left_alone_for_a_while()
    {
        var healthy = false;
        await using var aws = await FakeAws.StartAsync((context, _) => healthy ? context.Response.WriteAsync("""{"Jobs":[]}""") : Fail(context, 503, ""));
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(56));
        using var source = aws.Source(time, resilience: new() { Retries = 1, Delay = TimeSpan.Zero, FailuresBeforeBreak = 4, Break = TimeSpan.FromSeconds(20) });

        for (var i = 0; i < 2; i++)
            await Assert.ThrowsAsync<AwsException>(() => source.Glue.GetJobsAsync(new(), Now));
        var held = await Assert.ThrowsAsync<AwsException>(() => source.Glue.GetJobsAsync(new(), Now));

        Assert.Equal("Circuit", held.Code);
        Assert.Contains("Glue GetJobs answered 503", held.Message, StringComparison.Ordinal);
        Assert.Equal(4, aws.Requests.Count);
        healthy = true;
        time.Advance(TimeSpan.FromSeconds(21));
        Assert.Empty((await source.Glue.GetJobsAsync(new(), Now)).Jobs);
    }

    [Fact]
    public async Task An_operation_that_keeps_failing_holds_back_no_other_of_its_service()
    {
        await using var aws = await FakeAws.StartAsync((context, request) => request.Target == "GraniteServiceVersion20100801.ListMetrics"
            ? Fail(context, 500, "")
            : context.Response.WriteAsync("""{"MetricDataResults":[],"Messages":[]}"""));
        using var source = aws.Source(resilience: new() { Retries = 1, Delay = TimeSpan.Zero, FailuresBeforeBreak = 4 });
        var query = new MetricDataQuery("q0", new(new("Glue", "glue.driver.aggregate.elapsedTime", []), 60, "Sum"));
        var at = DateTimeOffset.UnixEpoch.AddYears(56);

        AwsException failure;
        do
            failure = await Assert.ThrowsAsync<AwsException>(() => source.CloudWatch.ListMetricsAsync(new("Glue", "x", []), Now));
        while (failure.Code != "Circuit");

        Assert.Empty((await source.CloudWatch.GetMetricDataAsync(new([query], at, at.AddMinutes(1), "TimestampDescending"), Now)).MetricDataResults);
    }

    [Fact]
    public async Task Waiting_for_its_turn_is_neither_a_timeout_nor_a_failure()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(56));
        using var aws = new FakeCloudWatch(time);
        using var source = aws.Source(dataRequestsPerSecond: 1);
        var request = new GetMetricDataRequest([], time.GetUtcNow(), time.GetUtcNow(), "TimestampDescending");

        var calls = Task.WhenAll(Enumerable.Range(0, 43).Select(_ => source.CloudWatch.GetMetricDataAsync(request, Now)));
        var waited = await AdvanceUntilAsync(time, TimeSpan.FromSeconds(1), calls);

        Assert.InRange(waited, 42 * AwsPace.Window, (42 * AwsPace.Window) + TimeSpan.FromSeconds(1));
        Assert.Equal(43, aws.Requests.Count);
    }

    [Fact]
    public async Task A_body_is_signed_as_it_was_serialized_and_not_read_once_more()
    {
        HttpContent? sent = null;
        using var aws = new Transport(request => sent = request.Content);
        using var source = new AwsSource(
            new() { Name = "a", Region = "eu-west-1", EndpointUrl = new("http://aws.test") }, TimeProvider.System,
            keys: new BasicAWSCredentials("AKIDEXAMPLE", "secret"), environment: _ => null, transport: aws);

        await source.CloudWatch.ListMetricsAsync(new("Glue", "x", []), Now);

        Assert.IsType<JsonContent>(sent); // what Refit streams is of another type, and would be copied to be signed
    }

    [Fact]
    public async Task Credentials_that_do_not_come_are_no_fault_of_the_service()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(56));
        using var aws = new FakeCloudWatch(time);
        using var source = new AwsSource(
            new() { Name = "a", Region = "eu-west-1", EndpointUrl = new("http://aws.test") }, time, keys: new SilentKeys(),
            resilience: new() { Retries = 1, Delay = TimeSpan.Zero, AttemptTimeout = TimeSpan.FromSeconds(5) }, environment: _ => null, transport: aws);

        var call = source.CloudWatch.ListMetricsAsync(new("Glue", "x", []), Now);
        var error = await Assert.ThrowsAsync<AwsException>(() => AdvanceUntilAsync(time, TimeSpan.FromSeconds(1), call));

        Assert.Equal("CloudWatch ListMetrics: no AWS credentials were given within 5 s", error.Message);
        Assert.Empty(aws.Requests);
    }

    internal static Task Fail(HttpContext context, int status, string body)
    {
        context.Response.StatusCode = status;
        return context.Response.WriteAsync(body);
    }

    // Lets a call that waits on fake time go on; real time passes only while the fake server answers.
    internal static async Task<TimeSpan> AdvanceUntilAsync(FakeTimeProvider time, TimeSpan step, Task call)
    {
        var started = time.GetUtcNow();
        while (!call.IsCompleted)
        {
            if (await Task.WhenAny(call, Task.Delay(20)) != call)
                time.Advance(step);
        }

        await call;
        return time.GetUtcNow() - started;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private sealed class Transport(Action<HttpRequestMessage> sent) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            sent(request);
            return Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent(FakeAws.Nothing) });
        }
    }

    private sealed class SilentKeys : AWSCredentials
    {
        public override ImmutableCredentials GetCredentials() => throw new NotSupportedException();

        public override Task<ImmutableCredentials> GetCredentialsAsync() => new TaskCompletionSource<ImmutableCredentials>().Task;
    }
}
