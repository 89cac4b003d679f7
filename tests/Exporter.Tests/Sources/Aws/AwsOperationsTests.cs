using System.IO.Compression;
using System.Reflection;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Simulator.Tests.Aws;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Tests.Sources.Aws;

/// <summary>What every operation that the exporter uses makes of answers that AWS would not give.</summary>
public sealed class AwsOperationsTests
{
    private const string NoRole = "Glue GetJobs: the role arn:aws:iam::210987654321:role/monitoring could not be assumed: ";
    private const string Html = "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"></head><body><p>Please log in, hunter2<br></body></html>";

    private static readonly CancellationToken Now = CancellationToken.None;

    /// <summary>By the operation: what it is called, and the least that answers it.</summary>
    private static readonly Dictionary<string, (Func<AwsSource, Task> Call, string Good)> Operations = new(StringComparer.Ordinal)
    {
        ["Glue GetJobs"] = (source => source.Glue.GetJobsAsync(new(), Now), """{"Jobs":[]}"""),
        ["Glue GetJobRuns"] = (source => source.Glue.GetJobRunsAsync(new("a"), Now), """{"JobRuns":[]}"""),
        ["CloudWatch GetMetricData"] = (source => source.CloudWatch.GetMetricDataAsync(new([], DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch, "TimestampDescending"), Now), """{"MetricDataResults":[]}"""),
        ["CloudWatch ListMetrics"] = (source => source.CloudWatch.ListMetricsAsync(new("AWS/S3", null, []), Now), """{"Metrics":[]}"""),
        ["DynamoDB ListTables"] = (source => source.DynamoDb.ListTablesAsync(null, Now), """{"TableNames":[]}"""),
        ["DynamoDB DescribeTable"] = (source => source.DynamoDb.DescribeTableAsync("a", Now), """{"Table":{"TableName":"a"}}"""),
        ["S3 ListBuckets"] = (source => source.S3.ListBucketsAsync("eu-west-1", null, 1000, Now), "<ListAllMyBucketsResult><Owner><ID>1</ID></Owner><Buckets/></ListAllMyBucketsResult>"),
        ["S3 GetBucketLocation"] = (source => source.S3.GetBucketLocationAsync("a", Now), "<LocationConstraint>eu-west-1</LocationConstraint>"),
        ["S3 GetBucketLifecycleConfiguration"] = (source => source.S3.GetBucketLifecycleConfigurationAsync("a", Now), "<LifecycleConfiguration/>"),
        ["S3 ListBucketMetricsConfigurations"] = (source => source.S3.ListBucketMetricsConfigurationsAsync("a", null, Now), "<ListMetricsConfigurationsResult/>"),
        ["STS GetCallerIdentity"] = (source => source.GetIdentityAsync(Now), "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"),
        ["STS AssumeRole"] = (source => source.Glue.GetJobsAsync(new(), Now), "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>hunter2</SecretAccessKey><SessionToken>hunter2</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"),
    };

    private static readonly string[] Json = [.. Operations.Where(operation => operation.Value.Good[0] == '{').Select(operation => operation.Key)];
    private static readonly string[] Xml = [.. Operations.Keys.Except(Json)];

    public static TheoryData<string, string, string> BadAnswers()
    {
        var rows = new TheoryData<string, string, string>();
        foreach (var operation in Operations.Keys)
        {
            var good = Operations[operation].Good;
            rows.Add(operation, "its own type", good[..^3]);
            rows.Add(operation, "its own type", "");
            rows.Add(operation, "its own type", "   ");
            rows.Add(operation, "its own type", Html);
            rows.Add(operation, "text/html", Html);
            rows.Add(operation, "application/cbor", "\u00BFdhunter2\u009F\u00FF\u00FF");
            rows.Add(operation, "application/octet-stream", "\0\u0001\u0002hunter2");
        }

        foreach (var operation in Json)
        {
            rows.Add(operation, "its own type", "[]");
            rows.Add(operation, "its own type", "\"hunter2\"");
            rows.Add(operation, "its own type", "1");
            rows.Add(operation, "its own type", "null");
            rows.Add(operation, "its own type", Operations[operation].Good.Replace("[]", "\"hunter2\"", StringComparison.Ordinal).Replace("{\"TableName\":\"a\"}", "[\"hunter2\"]", StringComparison.Ordinal));
            rows.Add(operation, "its own type", Operations[operation].Good.Replace("[]", "{\"hunter2\":1}", StringComparison.Ordinal).Replace("{\"TableName\":\"a\"}", "7", StringComparison.Ordinal));
            rows.Add(operation, "its own type", "<Response>hunter2</Response>");
        }

        foreach (var operation in Xml)
            rows.Add(operation, "its own type", """{"hunter2":1}""");
        return rows;
    }

    /// <summary>What it uses is what its interfaces to AWS have, by the names of their methods; STS is asked through the SDK's client.</summary>
    [Fact]
    public void Every_operation_that_the_exporter_uses_is_tried_here_and_by_AWSs_own_command_line()
    {
        var used = typeof(AwsSource).Assembly.GetTypes()
            .Where(type => type.Namespace == typeof(AwsSource).Namespace && type.Name.EndsWith("Api", StringComparison.Ordinal))
            .SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly))
            .Where(method => method.Name.EndsWith("Async", StringComparison.Ordinal)).Select(method => method.Name[..^"Async".Length])
            .Concat(["GetCallerIdentity", "AssumeRole"]).Order(StringComparer.Ordinal).ToList();

        Assert.Equal(used, Operations.Keys.Select(operation => operation.Split(' ')[1]).Order(StringComparer.Ordinal));
        Assert.Equal(used, AwsCliOperations.All.Keys.Order(StringComparer.Ordinal));
        var services = new[] { AwsService.Glue, AwsService.CloudWatch, AwsService.DynamoDb, AwsService.S3, AwsService.SecurityToken }.ToDictionary(service => service.Id);
        Assert.All(Operations.Keys.Select(operation => operation.Split(' ')), name =>
            Assert.Equal(services[name[0]].ActionOf(name[1]), AwsCliOperations.All[name[1]].Action));
    }

    [Theory]
    [MemberData(nameof(BadAnswers))]
    public async Task An_answer_that_AWS_would_not_give_is_told_of_and_not_repeated_and_the_next_good_one_is_taken(string operation, string type, string body)
    {
        await using var aws = await FakeAws.StartAsync();
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        using var source = Source(aws, operation, time);
        aws.Answer = (context, request) => Answers(operation, request) ? AnswerAsync(context, operation, type, body) : context.Response.WriteAsync(Operations["Glue GetJobs"].Good);

        var error = await Assert.ThrowsAsync<AwsException>(() => Operations[operation].Call(source));

        Assert.StartsWith(operation == "STS AssumeRole" ? NoRole : operation, error.Message, StringComparison.Ordinal);
        Assert.Equal(operation == "STS AssumeRole" ? "Credentials" : "Malformed", error.Code);
        Assert.DoesNotContain("hunter2", error.ToString(), StringComparison.Ordinal);
        Assert.InRange(error.Message.Length, operation.Length + 20, 400);
        Assert.Single(aws.Requests);
        aws.Answer = (context, request) => AnswerAsync(context, operation, "its own type", Answers(operation, request) ? Operations[operation].Good : Operations["Glue GetJobs"].Good);
        time.Advance(TimeSpan.FromSeconds(20));
        await Operations[operation].Call(source);
    }

    [Theory]
    [InlineData("Glue GetJobs")]
    [InlineData("CloudWatch GetMetricData")]
    [InlineData("DynamoDB ListTables")]
    [InlineData("S3 ListBuckets")]
    [InlineData("STS GetCallerIdentity")]
    [InlineData("STS AssumeRole")]
    public async Task An_answer_without_end_is_read_no_further_than_32_MiB(string operation)
    {
        foreach (var isCompressed in (bool[])[false, true])
        {
            await using var aws = await FakeAws.StartAsync((context, _) => AnswerWithoutEndAsync(context, operation, isCompressed));
            using var source = Source(aws, operation);

            var error = await Assert.ThrowsAsync<AwsException>(() => Operations[operation].Call(source));

            Assert.Equal($"{(operation == "STS AssumeRole" ? NoRole : $"{operation}: ")}{aws.Address.Authority} answered more than 32 MiB", error.Message);
            // The SDK's own client, which assumes roles, repeats whatever did not come whole.
            Assert.Equal(operation == "STS AssumeRole" ? 3 : 1, aws.Requests.Count);
        }
    }

    [Theory]
    [InlineData("Glue", "GetJobs")]
    [InlineData("CloudWatch", "ListMetrics")]
    [InlineData("DynamoDB", "ListTables")]
    [InlineData("S3", "ListBuckets")]
    public async Task A_region_without_the_service_is_told_by_the_name_that_nobody_knows_and_hurts_no_other(string service, string operation)
    {
        await using var aws = await FakeAws.StartAsync((context, request) => AnswerAsync(
            context, "", "its own type", Operations.Single(known => known.Key.EndsWith($" {request.Operation}", StringComparison.Ordinal)).Value.Good));
        using var source = new AwsSource(
            new() { Name = "a", Region = "eu-west-1" }, TimeProvider.System, keys: FakeAws.Keys, resilience: new() { Retries = 1, Delay = TimeSpan.Zero },
            environment: name => name == $"AWS_ENDPOINT_URL_{service.ToUpperInvariant()}" ? "http://service.nowhere-1.invalid" : name == "AWS_ENDPOINT_URL" ? aws.Address.ToString() : null);

        var error = await Assert.ThrowsAsync<AwsException>(() => Operations[$"{service} {operation}"].Call(source));

        Assert.Equal(
            $"{service} {operation}: the name service.nowhere-1.invalid is unknown: check region (which may lack the service), endpoint_url and DNS", error.Message);
        foreach (var (other, (call, _)) in Operations.Where(one => !one.Key.StartsWith(service, StringComparison.Ordinal) && one.Key != "STS AssumeRole"))
            await call(source);
    }

    [Theory]
    [InlineData("Glue GetJobs")]
    [InlineData("CloudWatch GetMetricData")]
    [InlineData("DynamoDB ListTables")]
    public async Task A_server_that_does_not_know_the_operation_is_told_with_what_to_check(string operation)
    {
        await using var aws = await FakeAws.StartAsync((context, _) => AwsSourceTests.Fail(context, 404, """{"__type":"com.amazon.coral.service#UnknownOperationException"}"""));
        using var source = Source(aws, operation);

        var error = await Assert.ThrowsAsync<AwsException>(() => Operations[operation].Call(source));

        Assert.Equal(
            $"{operation} answered 404 UnknownOperationException: it gave no reason. The region may lack the service, or endpoint_url may be that of another: check both.", error.Message);
        Assert.Single(aws.Requests);
    }

    private static AwsSource Source(FakeAws aws, string operation, TimeProvider? time = null) => aws.Source(
        time,
        accountId: operation == "STS GetCallerIdentity" ? null : "123456789012",
        role: operation == "STS AssumeRole" ? new("arn:aws:iam::210987654321:role/monitoring") : null,
        resilience: new() { Retries = 2, Delay = TimeSpan.Zero });

    private static bool Answers(string operation, FakeRequest request) => operation.EndsWith($" {request.Operation}", StringComparison.Ordinal);

    private static Task AnswerAsync(HttpContext context, string operation, string type, string body)
    {
        context.Response.ContentType = type != "its own type" ? type
            : operation.Length > 0 ? Json.Contains(operation) ? context.Response.ContentType : "text/xml"
            : body[0] == '<' ? "text/xml" : context.Response.ContentType;
        return context.Response.Body.WriteAsync(Encoding.Latin1.GetBytes(body)).AsTask();
    }

    /// <summary>Blanks, as they may stand before any answer; compressed, a thousand of them are one byte.</summary>
    private static async Task AnswerWithoutEndAsync(HttpContext context, string operation, bool isCompressed)
    {
        context.Response.ContentType = Json.Contains(operation) ? context.Response.ContentType : "text/xml";
        var blanks = Encoding.UTF8.GetBytes(new string(' ', 1024 * 1024));
        if (isCompressed)
        {
            context.Response.Headers.ContentEncoding = "gzip";
            using var compressed = new MemoryStream();
            await using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest, leaveOpen: true))
                await gzip.WriteAsync(blanks);
            blanks = compressed.ToArray();
        }

        while (!context.RequestAborted.IsCancellationRequested)
            await context.Response.Body.WriteAsync(blanks, context.RequestAborted);
    }
}
