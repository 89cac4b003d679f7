using Microsoft.AspNetCore.Http;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Tests.Sources.Aws;

/// <summary>AWS refuses what was signed by a clock that is more than five minutes wrong.</summary>
public sealed class AwsClockTests
{
    private static readonly CancellationToken Now = CancellationToken.None;

    [Theory]
    [InlineData(-20)]
    [InlineData(-10)]
    [InlineData(10)]
    [InlineData(20)]
    public async Task Of_all_that_a_wrong_clock_signs_only_the_first_request_is_refused(int minutes)
    {
        var ahead = TimeSpan.FromMinutes(minutes);
        var refusals = 0;
        await using var aws = await FakeAws.StartAsync((context, request) =>
        {
            if (Refuse(context, request, ahead) is { } refusal)
            {
                refusals++;
                return AwsSourceTests.Fail(context, 400, $$"""{"__type":"InvalidSignatureException","message":"{{refusal}}"}""");
            }

            return context.Response.WriteAsync(FakeAws.Nothing);
        });
        using var source = aws.Source();

        await source.Glue.GetJobsAsync(new(), Now);
        await source.Glue.GetJobsAsync(new(), Now);
        await source.CloudWatch.ListMetricsAsync(new("Glue", "a", []), Now);

        Assert.Equal(1, refusals);
        Assert.Equal(4, aws.Requests.Count);
        Assert.InRange(source.Clock.Offset, ahead - TimeSpan.FromSeconds(5), ahead + TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task Many_requests_at_once_by_a_wrong_clock_are_no_outage()
    {
        await using var aws = await FakeAws.StartAsync((context, request) => Refuse(context, request, TimeSpan.FromMinutes(20)) is { } refusal
            ? AwsSourceTests.Fail(context, 400, $$"""{"__type":"InvalidSignatureException","message":"{{refusal}}"}""")
            : context.Response.WriteAsync(FakeAws.Nothing));
        using var source = aws.Source();

        await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => source.Glue.GetJobsAsync(new(), Now)));
    }

    [Theory]
    [InlineData(-20)]
    [InlineData(20)]
    public async Task A_role_is_assumed_and_renewed_by_AWSs_time(int minutes)
    {
        var ahead = TimeSpan.FromMinutes(minutes);
        var roles = 0;
        await using var aws = await FakeAws.StartAsync((context, request) =>
        {
            var refusal = Refuse(context, request, ahead);
            if (request.Target is not null)
                return refusal is null ? context.Response.WriteAsync(FakeAws.Nothing) : AwsSourceTests.Fail(context, 400, $$"""{"__type":"InvalidSignatureException","message":"{{refusal}}"}""");
            context.Response.ContentType = "text/xml";
            return refusal is null
                ? context.Response.WriteAsync($"""
                    <AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
                    <AccessKeyId>ASIA{Interlocked.Increment(ref roles)}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>session</SessionToken>
                    <Expiration>{TimeProvider.System.GetUtcNow() + ahead + TimeSpan.FromHours(1):yyyy-MM-ddTHH:mm:ssZ}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>
                    """)
                : AwsSourceTests.Fail(context, 403, $"<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>{refusal}</Message></Error></ErrorResponse>");
        });
        using var source = aws.Source(role: new AwsRole("arn:aws:iam::210987654321:role/monitoring"));

        await source.Glue.GetJobsAsync(new(), Now);
        await source.Glue.GetJobsAsync(new(), Now);

        Assert.Equal("ASIA1", aws.Requests.Last().Key);
        Assert.Equal(1, roles);
    }

    // AWS's words, and its time in the answer's Date.
    private static string? Refuse(HttpContext context, FakeRequest request, TimeSpan ahead)
    {
        var now = TimeProvider.System.GetUtcNow() + ahead;
        context.Response.Headers.Date = now.ToString("r");
        return (now - request.SignedAt).TotalMinutes switch
        {
            > 5 => $"Signature expired: {request.SignedAt:yyyyMMddTHHmmssZ} is now earlier than {now.AddMinutes(-5):yyyyMMddTHHmmssZ} ({now:yyyyMMddTHHmmssZ} - 5 min.)",
            < -5 => $"Signature not yet current: {request.SignedAt:yyyyMMddTHHmmssZ} is still later than {now.AddMinutes(5):yyyyMMddTHHmmssZ} ({now:yyyyMMddTHHmmssZ} + 5 min.)",
            _ => null,
        };
    }
}
