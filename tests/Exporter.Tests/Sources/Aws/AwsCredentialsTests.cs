using Amazon.Runtime;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Sources.Aws;
using PipelineExporter.Stack.Tests.Tools;

namespace PipelineExporter.Tests.Sources.Aws;

public sealed class AwsCredentialsTests
{
    private static readonly CancellationToken Now = CancellationToken.None;
    private static readonly AwsRole Role = new("arn:aws:iam::210987654321:role/monitoring", "the-external-id");

    [Fact]
    public async Task A_role_is_assumed_once_with_its_external_id_and_its_keys_sign()
    {
        await using var aws = await FakeAws.StartAsync((context, request) => Sts(context, request, TimeProvider.System.GetUtcNow().AddHours(1)));
        using var source = aws.Source(role: Role);

        await source.Glue.GetJobsAsync(new(), Now);
        await source.Glue.GetJobsAsync(new(), Now);

        var assumed = Assert.Single(aws.Requests, request => request.Target is null);
        Assert.Contains("Action=AssumeRole", assumed.Body, StringComparison.Ordinal);
        Assert.Contains("ExternalId=the-external-id", assumed.Body, StringComparison.Ordinal);
        Assert.Contains("RoleArn=arn%3Aaws%3Aiam%3A%3A210987654321%3Arole%2Fmonitoring", assumed.Body, StringComparison.Ordinal);
        Assert.Contains("Credential=AKIDEXAMPLE/", assumed.Headers["Authorization"], StringComparison.Ordinal);
        Assert.Contains("/eu-west-1/sts/", assumed.Headers["Authorization"], StringComparison.Ordinal);
        Assert.All(aws.Requests.Where(request => request.Target is not null), request =>
        {
            Assert.Contains("Credential=ASIA1/", request.Headers["Authorization"], StringComparison.Ordinal);
            Assert.Equal("session-1", request.Headers["X-Amz-Security-Token"]);
        });
    }

    [Fact]
    public async Task A_role_is_assumed_again_before_its_keys_expire()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        var roles = 0;
        await using var aws = await FakeAws.StartAsync((context, request) =>
        {
            context.Response.Headers.Date = time.GetUtcNow().ToString("r");
            return Sts(context, request, time.GetUtcNow().AddHours(1), request.Target is null ? Interlocked.Increment(ref roles) : 0);
        });
        using var source = aws.Source(time, role: Role);

        await source.Glue.GetJobsAsync(new(), Now);
        time.Advance(TimeSpan.FromMinutes(40));
        await source.Glue.GetJobsAsync(new(), Now);
        Assert.Equal(1, roles);

        time.Advance(TimeSpan.FromMinutes(16)); // Four minutes before the end.
        await source.Glue.GetJobsAsync(new(), Now);
        Assert.Equal("session-1", aws.Requests.Last(request => request.Target is not null).Token);
        var deadline = Task.Delay(TimeSpan.FromSeconds(10));
        while (Volatile.Read(ref roles) < 2 && !deadline.IsCompleted)
            await Task.Delay(10); // The SDK renews in the background while the old keys still hold.

        Assert.Equal(2, roles);
    }

    [Fact]
    public async Task A_role_that_may_not_be_assumed_is_named_with_what_to_check()
    {
        await using var aws = await FakeAws.StartAsync((context, request) => AwsSourceTests.Fail(
            context, 403,
            """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>"""));
        using var source = aws.Source(role: Role);

        var error = await Assert.ThrowsAsync<AwsException>(() => source.Glue.GetJobsAsync(new(), Now));

        Assert.Equal(
            "Glue GetJobs: the role arn:aws:iam::210987654321:role/monitoring could not be assumed: AccessDenied: not authorized to perform: sts:AssumeRole. "
            + "Allow sts:AssumeRole in the IAM policy of the exporter's own identity, and name that in the role's trust policy (with external_id, if it demands one).",
            error.Message);
    }

    [Fact]
    public async Task A_role_that_nobody_is_there_to_give_is_named_too()
    {
        var port = Port.Free();
        using var source = new AwsSource(
            new() { Name = "a", Region = "eu-west-1", EndpointUrl = new($"http://127.0.0.1:{port}"), Role = Role }, TimeProvider.System, keys: FakeAws.Keys,
            resilience: new() { Retries = 1 }, environment: _ => null);

        var error = await Assert.ThrowsAsync<AwsException>(() => source.Glue.GetJobsAsync(new(), Now));

        Assert.Equal($"Glue GetJobs: the role arn:aws:iam::210987654321:role/monitoring could not be assumed: Connection refused (127.0.0.1:{port})", error.Message);
    }

    [Fact]
    public async Task A_session_that_AWS_calls_expired_is_renewed_and_the_request_sent_again()
    {
        var roles = 0;
        await using var aws = await FakeAws.StartAsync((context, request) =>
            request.Target is null ? Sts(context, request, TimeProvider.System.GetUtcNow().AddHours(1), Interlocked.Increment(ref roles))
            : request.Token == "session-1" ? AwsSourceTests.Fail(context, 400, """{"__type":"ExpiredTokenException"}""")
            : context.Response.WriteAsync("""{"Jobs":[]}"""));
        using var source = aws.Source(role: Role);

        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => source.Glue.GetJobsAsync(new(), Now)));

        Assert.Equal("session-2", aws.Requests.Last().Token);
        Assert.Equal(2, roles); // One renewal for all that were on their way.
    }

    [Fact]
    public async Task Keys_that_nobody_renews_are_tried_once_and_what_to_do_is_said()
    {
        await using var aws = await FakeAws.StartAsync((context, _) => AwsSourceTests.Fail(context, 400, """{"__type":"ExpiredTokenException"}"""));
        using var source = aws.Source();

        var error = await Assert.ThrowsAsync<AwsException>(() => source.Glue.GetJobsAsync(new(), Now));

        Assert.Contains("The session has expired: renew it", error.Message, StringComparison.Ordinal);
        Assert.Single(aws.Requests);
    }

    [Fact]
    public async Task A_role_whose_own_keys_have_expired_is_assumed_with_new_ones()
    {
        var roles = 0;
        await using var aws = await FakeAws.StartAsync((context, request) => request switch
        {
            { Target: not null } => context.Response.WriteAsync("""{"Jobs":[]}"""),
            { Token: "session-1" } => AwsSourceTests.Fail(
                context, 403, "<ErrorResponse><Error><Code>ExpiredToken</Code><Message>The security token is expired</Message></Error></ErrorResponse>"),
            _ => Sts(context, request, TimeProvider.System.GetUtcNow().AddHours(1), Interlocked.Increment(ref roles)),
        });
        var profile = new AssumeRoleAWSCredentials(new BasicAWSCredentials("AKIDPROFILE", "secret"), "arn:aws:iam::210987654321:role/of-profile", "a");
        using var source = new AwsSource(
            new() { Name = "a", Region = "eu-west-1", EndpointUrl = aws.Address, Role = Role }, TimeProvider.System, keys: profile, environment: _ => null);

        await source.Glue.GetJobsAsync(new(), Now);

        Assert.Equal(["AKIDPROFILE", "ASIA1", "AKIDPROFILE", "ASIA2", "ASIA3"], aws.Requests.Select(request => request.Key));
    }

    // The SDK makes such keys of a profile that names a role.
    [Fact]
    public async Task A_profiles_role_is_assumed_with_the_keys_of_its_source_profile()
    {
        await using var aws = await FakeAws.StartAsync((context, request) => Sts(context, request, TimeProvider.System.GetUtcNow().AddHours(1)));
        var profile = new AssumeRoleAWSCredentials(
            new BasicAWSCredentials("AKIDPROFILE", "secret"), "arn:aws:iam::210987654321:role/of-profile", "session-name", new() { ExternalId = "its-id" });
        using var source = new AwsSource(
            new() { Name = "a", Region = "eu-west-1", EndpointUrl = aws.Address }, TimeProvider.System, keys: profile, environment: _ => null);

        await source.Glue.GetJobsAsync(new(), Now);

        var assumed = Assert.Single(aws.Requests, request => request.Target is null);
        Assert.Contains("Credential=AKIDPROFILE/", assumed.Headers["Authorization"], StringComparison.Ordinal);
        Assert.Contains("ExternalId=its-id", assumed.Body, StringComparison.Ordinal);
        Assert.Contains("RoleSessionName=session-name", assumed.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_account_is_asked_until_STS_has_told_it_and_then_never_again()
    {
        await using var aws = await FakeAws.StartAsync((context, _) => AwsSourceTests.Fail(context, 403, "<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>The security token is invalid</Message></Error></ErrorResponse>"));
        var outcomes = new List<string>();
        using var source = aws.Source(observe: outcomes.Add, accountId: null, labels: [new("team", "data")]);

        var error = await Assert.ThrowsAsync<AwsException>(() => source.GetIdentityAsync(Now));
        Assert.Equal(("STS", "GetCallerIdentity", "InvalidClientTokenId"), (error.Service, error.Operation, error.Code));
        Assert.Null(source.Identity);
        aws.Answer = (context, _) => Xml(context, "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>");

        var identity = await source.GetIdentityAsync(Now);
        var asked = aws.Requests.Count;
        Assert.Same(identity, await source.GetIdentityAsync(Now));

        Assert.Equal("aws/123456789012/eu-west-1", identity.Scope);
        Assert.Equal([new("account_id", "123456789012"), new("region", "eu-west-1"), new("team", "data")], identity.Labels.ToArray());
        Assert.Equal(asked, aws.Requests.Count);
        Assert.Contains("Action=GetCallerIdentity", aws.Requests.Last().Body, StringComparison.Ordinal);
        Assert.Equal(["error", "ok"], outcomes);
    }

    [Fact]
    public async Task A_configured_account_asks_nobody()
    {
        await using var aws = await FakeAws.StartAsync();
        using var source = aws.Source(accountId: "999999999999");

        Assert.Equal("aws/999999999999/eu-west-1", source.Identity!.Scope);
        Assert.Empty(aws.Requests);
    }

    private static Task Sts(HttpContext context, FakeRequest request, DateTimeOffset expires, int number = 1) =>
        request.Target is not null
            ? context.Response.WriteAsync("""{"Jobs":[]}""")
            : Xml(context, $"""
                <AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
                <AccessKeyId>ASIA{number}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>session-{number}</SessionToken>
                <Expiration>{expires:yyyy-MM-ddTHH:mm:ssZ}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>
                """);

    private static Task Xml(HttpContext context, string xml)
    {
        context.Response.ContentType = "text/xml";
        return context.Response.WriteAsync(xml);
    }
}
