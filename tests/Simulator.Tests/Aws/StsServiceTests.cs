using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Xml.Linq;
using PipelineExporter.Simulator.Aws;

namespace PipelineExporter.Simulator.Tests.Aws;

public sealed class StsServiceTests
{
    static readonly AwsService Sts = new StsService(new AwsCredentials()).Describe();

    [Theory]
    [InlineData("arn:aws:iam::210987654321:role/reader", "210987654321")]
    [InlineData("arn:aws-cn:iam::123456789012:role/team/reader", "123456789012")]
    public void A_role_is_of_its_own_account(string role, string account)
    {
        var answer = ServiceCall.Query(Sts, "AssumeRole", ("RoleArn", role), ("RoleSessionName", "exporter"));
        var found = Find(answer);

        Assert.Equal(account, found.AccountId);
        Assert.Equal($"arn:aws:sts::{account}:assumed-role/reader/exporter", found.Arn);
        Assert.Equal(found.Arn, (string?)answer.Element("AssumedRoleUser")!.Element("Arn"));
        Assert.Equal(account, (string?)ServiceCall.Query(Sts, "GetCallerIdentity", new AwsCall(found, "eu-west-1", ServiceCall.Now)).Element("Account"));
    }

    [Fact]
    public void One_role_wants_its_external_id()
    {
        (string, string)[] role = [("RoleArn", "arn:aws:iam::123456789012:role/external-id-required"), ("RoleSessionName", "exporter")];

        Assert.Equal("AccessDenied", Refused("AssumeRole", role).Code);
        Assert.Equal("AccessDenied", Refused("AssumeRole", [.. role, ("ExternalId", "other")]).Code);
        Assert.Contains("external-id-required", Find(ServiceCall.Query(Sts, "AssumeRole", [.. role, ("ExternalId", "music-streaming")])).Arn, StringComparison.Ordinal);
    }

    [Fact]
    public void A_role_that_was_assumed_by_a_role_lasts_an_hour_at_most()
    {
        (string, string)[] role = [("RoleArn", "arn:aws:iam::123456789012:role/reader"), ("RoleSessionName", "exporter")];
        var call = new AwsCall(Find(ServiceCall.Query(Sts, "AssumeRole", role)), "eu-west-1", ServiceCall.Now);

        Assert.Equal(ServiceCall.Now.AddHours(1), Find(ServiceCall.Query(Sts, "AssumeRole", call, role)).Expires);
        var refused = Assert.Throws<AwsException>(() => ServiceCall.Query(Sts, "AssumeRole", call, [.. role, ("DurationSeconds", "3601")]));
        Assert.Equal("ValidationError", refused.Code);
        Assert.Equal(ServiceCall.Now.AddHours(2), Find(ServiceCall.Query(Sts, "AssumeRole", [.. role, ("DurationSeconds", "7200")])).Expires);
    }

    [Fact]
    public void A_token_of_another_issuer_is_taken_until_it_expires()
    {
        AwsPrincipal With(string token) => Find(ServiceCall.Query(
            Sts, "AssumeRoleWithWebIdentity", ("RoleArn", "arn:aws:iam::123456789012:role/reader"), ("RoleSessionName", "pod"), ("WebIdentityToken", token)));

        Assert.Equal("arn:aws:sts::123456789012:assumed-role/reader/pod", With("simulator-web-identity-token").Arn);
        Assert.Equal("arn:aws:sts::123456789012:assumed-role/reader/pod", With(Token(ServiceCall.Now.AddSeconds(1))).Arn);
        Assert.Equal("ExpiredTokenException", Assert.Throws<AwsException>(() => With(Token(ServiceCall.Now))).Code);
        Assert.Equal("ValidationError", Assert.Throws<AwsException>(() => With("abc")).Code);
        Assert.All(["opaque", "a.b.c", "eyJ9.W10.x"], token => Assert.Equal("InvalidIdentityToken", Assert.Throws<AwsException>(() => With(token)).Code));
        Assert.Equal("AccessDenied", Refused(
            "AssumeRoleWithWebIdentity", ("RoleArn", "arn:aws:iam::999999999999:role/reader"), ("RoleSessionName", "pod"), ("WebIdentityToken", "simulator-web-identity-token")).Code);
    }

    [Fact]
    public void A_session_token_is_of_the_user_itself()
    {
        var session = Find(ServiceCall.Query(Sts, "GetSessionToken", ("DurationSeconds", "900")));

        Assert.Equal(("arn:aws:iam::123456789012:user/simulator", ServiceCall.Now.AddMinutes(15)), (session.Arn, session.Expires));
        var again = Assert.Throws<AwsException>(() => ServiceCall.Query(Sts, "GetSessionToken", new AwsCall(session, "eu-west-1", ServiceCall.Now)));
        Assert.Equal("AccessDenied", again.Code);
    }

    [Fact]
    public async Task Web_identity_needs_no_signature_and_credentials_can_be_short_lived()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider(ServiceCall.Now);
        await using var simulator = await SimulatorHost.StartAsync(
            new SimulatorOptions { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null, Time = time, CredentialLifetime = TimeSpan.FromSeconds(20) },
            TestContext.Current.CancellationToken);
        using var anonymous = new AwsTestClient(simulator.Address, time) { Unsigned = true };
        using var answer = await anonymous.StsAsync(
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Freader&RoleSessionName=pod&WebIdentityToken=simulator-web-identity-token");
        var xml = XElement.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        string Part(string name) => (string)xml.Descendants(xml.Name.Namespace + name).Single();
        using var pod = new AwsTestClient(simulator.Address, time) { AccessKey = Part("AccessKeyId"), Secret = Part("SecretAccessKey"), Token = Part("SessionToken") };

        Assert.Equal("2026-11-23T10:31:20Z", Part("Expiration"));
        using var before = await pod.GlueAsync("ListJobs");
        Assert.True(before.IsSuccessStatusCode);
        time.Advance(TimeSpan.FromSeconds(20));
        using var after = await pod.GlueAsync("ListJobs");
        Assert.Equal("ExpiredTokenException", Assert.Single(after.Headers.GetValues("x-amzn-ErrorType")));
    }

    static AwsException Refused(string operation, params (string, string)[] parameters) =>
        Assert.Throws<AwsException>(() => ServiceCall.Query(Sts, operation, parameters));

    /// <summary>Whom the verifier takes the holder of issued credentials for.</summary>
    static AwsPrincipal Find(XElement answer)
    {
        string Part(string name) => (string)answer.Element("Credentials")!.Element(name)!;
        var found = new AwsCredentials().Find(Part("AccessKeyId"), Part("SessionToken"))!;
        Assert.Equal(Part("SecretAccessKey"), found.SecretAccessKey);
        Assert.Equal(DateTimeOffset.Parse(Part("Expiration"), CultureInfo.InvariantCulture), found.Expires);
        return found;
    }

    static string Token(DateTimeOffset end) => string.Join('.', new[] { """{"alg":"RS256"}""", $$"""{"sub":"pod","exp":{{end.ToUnixTimeSeconds()}}}""", "signature" }
        .Select(part => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(part))));
}
