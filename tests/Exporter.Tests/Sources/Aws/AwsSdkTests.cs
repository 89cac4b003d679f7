using System.Collections.Concurrent;
using System.IO.Compression;
using System.Text;
using Amazon.S3;
using Microsoft.AspNetCore.Http;
using PipelineExporter.Sources;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Tests.Sources.Aws;

/// <summary>S3 and DynamoDB go through the SDK's clients and through the handler that every service goes through.</summary>
public sealed class AwsSdkTests
{
    private const string NoBuckets = """<ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Owner><ID>1</ID></Owner><Buckets/></ListAllMyBucketsResult>""";
    private const string NoTables = """{"TableNames":[]}""";

    private static readonly CancellationToken Now = CancellationToken.None;

    [Fact]
    public async Task Requests_are_signed_with_the_sources_keys()
    {
        await using var aws = await FakeAws.StartAsync(Answer);
        using var source = aws.Source();

        await source.S3.ListBucketsAsync("eu-west-1", "a token/+=", 1000, Now);
        await source.DynamoDb.ListTablesAsync("before", Now);

        var (s3, dynamoDb) = (aws.Requests.First(), aws.Requests.Last());
        Assert.All(aws.Requests, request => Assert.Equal("the-session-token", request.Headers["X-Amz-Security-Token"]));
        Assert.Contains("/eu-west-1/s3/aws4_request", s3.Headers["Authorization"], StringComparison.Ordinal);
        Assert.Contains("x-amz-content-sha256", s3.Headers["Authorization"], StringComparison.Ordinal);
        Assert.Contains("/eu-west-1/dynamodb/aws4_request", dynamoDb.Headers["Authorization"], StringComparison.Ordinal);
        Assert.Equal("application/x-amz-json-1.0", dynamoDb.ContentType);
        Assert.Equal("DynamoDB_20120810.ListTables", dynamoDb.Target);
        Assert.All(aws.Requests, request => Assert.Contains("app/pipeline-exporter", request.Headers["User-Agent"], StringComparison.Ordinal));
    }

    [Fact]
    public async Task Keys_that_have_expired_are_replaced_by_the_next_request()
    {
        var roles = 0;
        await using var aws = await FakeAws.StartAsync(async (context, request) =>
        {
            if (request.Body.Contains("Action=AssumeRole", StringComparison.Ordinal))
            {
                await Xml(context, 200, $"""
                    <AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ASIA</AccessKeyId>
                    <SecretAccessKey>secret</SecretAccessKey><SessionToken>session-{++roles}</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration>
                    </Credentials></AssumeRoleResult></AssumeRoleResponse>
                    """);
            }
            else if (request.Headers["X-Amz-Security-Token"] == "session-1")
            {
                await Xml(context, 400, "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>");
            }
            else
            {
                await Xml(context, 200, NoBuckets);
            }
        });
        using var source = aws.Source(role: new("arn:aws:iam::210987654321:role/monitoring"));

        // At once or by the next collection, the renewed session is used.
        await Task.WhenAny(source.S3.ListBucketsAsync("eu-west-1", null, 1, Now));
        await source.S3.ListBucketsAsync("eu-west-1", null, 1, Now);

        Assert.Equal(2, roles);
    }

    [Fact]
    public async Task Every_attempt_is_counted_and_retried_as_of_other_services()
    {
        var outcomes = new ConcurrentQueue<string>();
        await using var aws = await FakeAws.StartAsync();
        aws.Answer = (context, _) => aws.Requests.Count switch
        {
            1 => Xml(context, 503, "<Error><Code>SlowDown</Code></Error>"),
            2 => Xml(context, 500, ""),
            _ => Xml(context, 200, NoBuckets),
        };
        using var source = aws.Source(observe: outcomes.Enqueue);

        Assert.Empty((await source.S3.ListBucketsAsync("eu-west-1", null, 1, Now)).Buckets);

        Assert.Equal([RequestOutcome.Throttled, RequestOutcome.Error, RequestOutcome.Ok], outcomes);
    }

    [Fact]
    public async Task A_skewed_clock_is_set_right_by_the_refusal()
    {
        await using var aws = await FakeAws.StartAsync();
        aws.Answer = (context, _) =>
        {
            context.Response.Headers.Date = "Mon, 23 Nov 2099 07:30:00 GMT";
            return aws.Requests.Count == 1 ? Xml(context, 403, "<Error><Code>RequestTimeTooSkewed</Code><Message>too large</Message></Error>") : Xml(context, 200, NoBuckets);
        };
        using var source = aws.Source();

        await source.S3.ListBucketsAsync("eu-west-1", null, 1, Now);

        Assert.StartsWith("20991123T0730", aws.Requests.Last().Headers["X-Amz-Date"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refusal_is_told_in_AWSs_words_without_secrets()
    {
        await using var aws = await FakeAws.StartAsync((context, _) => Xml(context, 403, """
            <?xml version="1.0" encoding="UTF-8"?>
            <Error><Code>SignatureDoesNotMatch</Code><Message>It does not match the-session-token</Message><CanonicalRequest>GET / hunter2</CanonicalRequest></Error>
            """));
        using var source = aws.Source();

        var error = await Assert.ThrowsAsync<AwsException>(() => source.S3.GetBucketLocationAsync("music", Now));

        Assert.Equal(
            "S3 GetBucketLocation answered 403 SignatureDoesNotMatch: It does not match [redacted]. "
            + "The secret key does not belong to the access key, or something between the exporter and AWS changes requests.", error.Message);
        Assert.DoesNotContain("hunter2", error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(404, "<html>hunter2 <p>not closed</html>")]
    [InlineData(404, "<!DOCTYPE html><Error><Code>hunter2</Code></Error>")]
    [InlineData(405, "")]
    public async Task What_is_no_AWS_is_told_so(int status, string body)
    {
        await using var aws = await FakeAws.StartAsync((context, _) => Xml(context, status, body));
        using var source = aws.Source();

        foreach (var call in (Func<Task>[])[() => source.S3.GetBucketLocationAsync("music", Now), () => source.DynamoDb.ListTablesAsync(null, Now)])
        {
            var error = await Assert.ThrowsAsync<AwsException>(call);
            Assert.EndsWith("it gave no reason. This does not look like AWS: check endpoint_url.", error.Message, StringComparison.Ordinal);
            Assert.DoesNotContain("hunter2", error.ToString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_redirection_is_not_followed()
    {
        await using var aws = await FakeAws.StartAsync((context, _) =>
        {
            context.Response.Headers.Location = "http://169.254.169.254/latest/meta-data/";
            context.Response.Headers["x-amz-bucket-region"] = "eu-north-1";
            return Xml(context, 307, "<Error><Code>TemporaryRedirect</Code><Message>elsewhere</Message></Error>");
        });
        using var source = aws.Source();

        var error = await Assert.ThrowsAsync<AwsException>(() => source.S3.GetBucketLocationAsync("music", Now));

        Assert.Equal("S3 GetBucketLocation answered 307 TemporaryRedirect: elsewhere", error.Message);
        Assert.Single(aws.Requests);
    }

    [Fact]
    public async Task A_huge_answer_is_refused()
    {
        var megabyte = Encoding.UTF8.GetBytes(new string(' ', 1024 * 1024));
        await using var aws = await FakeAws.StartAsync(async (context, _) =>
        {
            for (var i = 0; i < 33; i++)
                await context.Response.Body.WriteAsync(megabyte);
        });
        using var source = aws.Source(resilience: new() { Retries = 1, Delay = TimeSpan.Zero });

        var error = await Assert.ThrowsAsync<AwsException>(() => source.DynamoDb.ListTablesAsync(null, Now));

        Assert.Equal($"DynamoDB ListTables: {aws.Address.Authority} answered more than 32 MiB", error.Message);
    }

    [Fact]
    public async Task A_cut_answer_is_asked_for_again()
    {
        await using var aws = await FakeAws.StartAsync();
        aws.Answer = async (context, _) =>
        {
            if (aws.Requests.Count > 1)
            {
                await Xml(context, 200, NoBuckets);
                return;
            }

            context.Response.ContentLength = 100;
            await context.Response.WriteAsync("<ListAll");
            await context.Response.Body.FlushAsync();
            context.Abort();
        };
        using var source = aws.Source();

        await source.S3.ListBucketsAsync("eu-west-1", null, 1, Now);

        Assert.Equal(2, aws.Requests.Count);
    }

    // DynamoDB sends the checksum of what it sends, and the exporter takes that compressed.
    [Fact]
    public async Task A_compressed_answer_passes_the_SDKs_check()
    {
        await using var aws = await FakeAws.StartAsync(async (context, request) =>
        {
            Assert.Contains("gzip", request.Headers["Accept-Encoding"], StringComparison.Ordinal);
            context.Response.Headers.ContentEncoding = "gzip";
            context.Response.Headers["x-amz-crc32"] = "1";
            await using var gzip = new GZipStream(context.Response.Body, CompressionLevel.Fastest);
            await gzip.WriteAsync(Encoding.UTF8.GetBytes("""{"TableNames":["a"]}"""));
        });
        using var source = aws.Source();

        Assert.Equal("a", Assert.Single((await source.DynamoDb.ListTablesAsync(null, Now)).Names));
    }

    [Fact]
    public async Task A_slow_AWS_is_given_up()
    {
        await using var aws = await FakeAws.StartAsync((context, _) => Task.Delay(Timeout.Infinite, context.RequestAborted));
        using var source = aws.Source(resilience: new() { Retries = 1, Delay = TimeSpan.Zero, AttemptTimeout = TimeSpan.FromMilliseconds(50) });

        var error = await Assert.ThrowsAsync<AwsException>(() => source.S3.GetBucketLocationAsync("music", Now));

        Assert.Equal($"S3 GetBucketLocation: {aws.Address.Authority} did not answer within 0.05 s", error.Message);
    }

    [Fact]
    public async Task The_callers_cancellation_ends_the_wait_at_once()
    {
        await using var aws = await FakeAws.StartAsync((context, _) => Task.Delay(Timeout.Infinite, context.RequestAborted));
        using var source = aws.Source();
        using var cancel = new CancellationTokenSource();

        var call = source.DynamoDb.DescribeTableAsync("a", cancel.Token);
        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
    }

    [Theory]
    [InlineData("https://s3.eu-west-1.amazonaws.com/", "eu-west-1", false)]
    [InlineData("https://s3-fips.us-gov-west-1.amazonaws.com/", "us-gov-west-1", false)]
    [InlineData("https://s3.cn-north-1.amazonaws.com.cn/", "cn-north-1", false)]
    [InlineData("http://127.0.0.1:9000/", "eu-west-1", true)]
    [InlineData("https://amazonaws.com.example.org/", "eu-west-1", true)]
    public void Only_AWS_has_a_host_for_each_bucket(string address, string region, bool pathStyle) =>
        Assert.Equal(pathStyle, S3Api.Config(new AmazonS3Config { ServiceURL = address }, region).ForcePathStyle);

    private static Task Answer(HttpContext context, FakeRequest request) =>
        request.Target is null ? Xml(context, 200, NoBuckets) : context.Response.WriteAsync(NoTables);

    private static Task Xml(HttpContext context, int status, string body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/xml";
        return context.Response.WriteAsync(body);
    }
}
