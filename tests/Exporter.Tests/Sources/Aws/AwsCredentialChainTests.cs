using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using PipelineExporter.Stack.Tests.Tools;

namespace PipelineExporter.Tests.Sources.Aws;

/// <summary>
/// Where keys come from, through the program itself: the SDK keeps much of it for the whole process. A program compiled ahead of
/// time takes the built one's place when EXPORTER_PROGRAM names it.
/// </summary>
public sealed partial class AwsCredentialChainTests : IDisposable
{
    private const string Collecting = """pipeline_exporter_collector_success{collector="glue_jobs",source="aws/eu-west-1"} 1""";

    private static int issued;

    private readonly TemporaryDirectory directory = new();
    private readonly Dictionary<string, string?> environment = new()
    {
        ["HOME"] = null, // set by the constructor
        ["AWS_EC2_METADATA_DISABLED"] = "true",
        ["NO_PROXY"] = "127.0.0.1",
    };

    private int port;

    public AwsCredentialChainTests()
    {
        foreach (string name in Environment.GetEnvironmentVariables().Keys)
        {
            if (name.StartsWith("AWS_", StringComparison.Ordinal))
                environment.TryAdd(name, null);
        }

        environment["HOME"] = directory.Path;
        Directory.CreateDirectory(directory.File(".aws"));
    }

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task Environment_variables_with_a_session_token()
    {
        SetKeys();
        environment["AWS_SESSION_TOKEN"] = "of-environment";

        var (glue, _) = await CollectAsync();

        Assert.Equal(("AKIDENVIRONMENT", "of-environment"), (glue.Key, glue.Token));
    }

    [Fact]
    public async Task A_shared_profile_with_a_role_on_top_of_its_source_profile()
    {
        environment["AWS_PROFILE"] = "monitoring";
        Write(".aws/credentials", "[base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = secret\n");
        Write(".aws/config", """
            [profile monitoring]
            role_arn = arn:aws:iam::210987654321:role/of-profile
            source_profile = base
            external_id = the-external-id
            """);

        var (glue, all) = await CollectAsync();

        var assumed = Assert.Single(all, request => request.Body.Contains("Action=AssumeRole&", StringComparison.Ordinal));
        Assert.Equal("AKIDBASE", assumed.Key);
        Assert.Contains("ExternalId=the-external-id", assumed.Body, StringComparison.Ordinal);
        Assert.Contains("role%2Fof-profile", assumed.Body, StringComparison.Ordinal);
        Assert.StartsWith("ASIAROLE", glue.Key, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keys_that_are_changed_in_the_credentials_file_are_found_without_a_restart()
    {
        Write(".aws/credentials", "[default]\naws_access_key_id = AKIDOLD\naws_secret_access_key = secret\n");
        await using var aws = await FakeAws.StartAsync((context, request) => AnswerAsync(context, request, Lasting));
        await using var exporter = await StartAsync(aws, Source());

        await UntilAsync(exporter, () => aws.Requests.Any(request => request is { Target: not null, Key: "AKIDOLD" }));
        Write(".aws/credentials", "[default]\naws_access_key_id = AKIDNEW\naws_secret_access_key = secret\n");

        await UntilAsync(exporter, () => aws.Requests.Any(request => request is { Target: not null, Key: "AKIDNEW" }));
    }

    [Fact]
    public async Task A_profiles_credential_process()
    {
        Write("keys.json", """{"Version":1,"AccessKeyId":"ASIAPROCESS","SecretAccessKey":"secret","SessionToken":"of-process","Expiration":"2099-01-01T00:00:00Z"}""");
        Write(".aws/config", $"[default]\ncredential_process = cat {directory.File("keys.json")}\n");

        var (glue, _) = await CollectAsync();

        Assert.Equal(("ASIAPROCESS", "of-process"), (glue.Key, glue.Token));
    }

    [Fact]
    public async Task A_single_sign_on_session()
    {
        WriteSso(TimeProvider.System.GetUtcNow().AddHours(1));

        var (glue, all) = await CollectAsync();

        var asked = Assert.Single(all, request => request.Path.StartsWith("/federation/credentials", StringComparison.Ordinal));
        Assert.Equal("the-sso-token", asked.Headers["x-amz-sso_bearer_token"]);
        Assert.Contains("role_name=Viewer", asked.Path, StringComparison.Ordinal);
        Assert.StartsWith("ASIASSO", glue.Key, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_single_sign_on_session_that_is_over_or_missing_says_how_to_begin_another(bool wasThere)
    {
        WriteSso(wasThere ? TimeProvider.System.GetUtcNow().AddHours(-1) : null);
        await using var aws = await FakeAws.StartAsync((context, request) => AnswerAsync(context, request, Lasting));

        await using var exporter = await StartAsync(aws, Source());

        await UntilAsync(exporter, () => exporter.Output.Contains(
            "no usable AWS credentials. The profile's SSO session is missing or has expired: `aws sso login`", StringComparison.Ordinal));
        Assert.DoesNotContain("the-sso-token", exporter.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(aws.Requests, request => request.Target is not null);
    }

    [Fact]
    public async Task A_web_identity()
    {
        Write("token", "the-web-token");
        environment["AWS_WEB_IDENTITY_TOKEN_FILE"] = directory.File("token");
        environment["AWS_ROLE_ARN"] = "arn:aws:iam::123456789012:role/web";
        environment["AWS_REGION"] = "eu-central-1";

        var (glue, all) = await CollectAsync();

        var assumed = Assert.Single(all, request => request.Body.Contains("Action=AssumeRoleWithWebIdentity", StringComparison.Ordinal));
        Assert.Contains("WebIdentityToken=the-web-token", assumed.Body, StringComparison.Ordinal);
        Assert.Contains("RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fweb", assumed.Body, StringComparison.Ordinal);
        Assert.Equal("", assumed.Key);
        Assert.StartsWith("ASIAWEB", glue.Key, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_container_with_its_token_file()
    {
        Write("token", "the-pod-token");
        environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "{aws}/v1/credentials";
        environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = directory.File("token");

        var (glue, all) = await CollectAsync();

        Assert.Equal("the-pod-token", all.First(request => request.Path == "/v1/credentials").Headers["Authorization"]);
        Assert.StartsWith("ASIACONTAINER", glue.Key, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_instance_by_its_metadata_service_with_a_token()
    {
        UseInstance();

        var (glue, all) = await CollectAsync();

        Assert.All(
            all.Where(request => request.Path.Contains("security-credentials", StringComparison.Ordinal)),
            request => Assert.Equal("the-imds-token", request.Headers["X-aws-ec2-metadata-token"]));
        Assert.StartsWith("ASIAINSTANCE", glue.Key, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_role_on_top_of_an_instances_keys()
    {
        UseInstance();

        var (glue, all) = await CollectAsync(Source(role: "arn:aws:iam::210987654321:role/monitoring", externalId: "their-id"));

        var assumed = Assert.Single(all, request => request.Body.Contains("Action=AssumeRole&", StringComparison.Ordinal));
        Assert.StartsWith("ASIAINSTANCE", assumed.Key, StringComparison.Ordinal);
        Assert.Contains("ExternalId=their-id", assumed.Body, StringComparison.Ordinal);
        Assert.StartsWith("ASIAROLE", glue.Key, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("instance")]
    [InlineData("container")]
    [InlineData("role")]
    public async Task Keys_of_a_few_seconds_are_renewed_and_no_collection_fails(string means)
    {
        Use(means);
        var keys = new Lifetimes(TimeSpan.FromSeconds(3));
        await using var aws = await FakeAws.StartAsync((context, request) => AnswerAsync(context, request, keys.Next, keys.IsExpired));
        await using var exporter = await StartAsync(aws, Source(role: means == "role" ? "arn:aws:iam::210987654321:role/monitoring" : null));

        var signed = new HashSet<string>(StringComparer.Ordinal);
        await UntilAsync(exporter, () =>
        {
            signed.UnionWith(aws.Requests.Where(request => request.Target is not null).Select(request => request.Key));
            return signed.Count >= 4;
        });

        Assert.DoesNotContain("failed", exporter.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("instance")]
    [InlineData("container")]
    [InlineData("role")]
    [InlineData("web")]
    [InlineData("sso")]
    public async Task Keys_that_AWS_calls_expired_before_their_time_are_renewed_within_the_collection(string means)
    {
        Use(means);
        string? revoked = null;
        await using var aws = await FakeAws.StartAsync((context, request) =>
        {
            if (request.Target is not null)
                Interlocked.CompareExchange(ref revoked, request.Key, null);
            return AnswerAsync(context, request, Lasting, key => key == revoked);
        });
        await using var exporter = await StartAsync(aws, Source(role: means == "role" ? "arn:aws:iam::210987654321:role/monitoring" : null));

        await UntilAsync(exporter, () => aws.Requests.Any(request => request.Target is not null && request.Key != revoked));

        Assert.DoesNotContain("failed", exporter.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_broken_account_never_hurts_another()
    {
        SetKeys();
        await using var aws = await FakeAws.StartAsync((context, request) =>
            request.Body.Contains("role%2Frefused", StringComparison.Ordinal)
                ? XmlAsync(context, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>", 403)
            : request.Headers.GetValueOrDefault("Authorization", "").Contains("/us-east-2/glue/", StringComparison.Ordinal)
                ? AwsSourceTests.Fail(context, 400, """{"__type":"ExpiredTokenException","message":"The security token is expired"}""")
            : AnswerAsync(context, request, Lasting));
        await using var exporter = await StartAsync(
            aws,
            Source(role: "arn:aws:iam::111111111111:role/refused", name: "refused")
            + Source(region: "us-east-2", name: "expired")
            + Source(name: "unreachable", endpoint: $"http://127.0.0.1:{Port.Free()}")
            + Source(name: "unknown", endpoint: "http://glue.nowhere-1.invalid")
            + Source(role: "arn:aws:iam::222222222222:role/one", name: "one", region: "sa-east-1")
            + Source(role: "arn:aws:iam::333333333333:role/other", name: "other", region: "ap-south-1")
            + Source());

        var metrics = await ScrapeAsync();
        foreach (var (source, success) in new[] { ("refused", 0), ("expired", 0), ("unreachable", 0), ("unknown", 0), ("one", 1), ("other", 1), ("eu-west-1", 1) })
        {
            Assert.True(
                metrics.Contains($$"""pipeline_exporter_collector_success{collector="glue_jobs",source="aws/{{source}}"} {{success}}""", StringComparison.Ordinal),
                $"{source}; the exporter wrote:\n{exporter.Output}");
        }


        var glue = aws.Requests.Where(request => request.Target is not null).ToLookup(request => request.Key);
        Assert.Contains(glue["AKIDENVIRONMENT"], request => request.Headers["Authorization"].Contains("/eu-west-1/glue/", StringComparison.Ordinal));
        var roles = glue.Where(key => key.Key.StartsWith("ASIAROLE", StringComparison.Ordinal)).ToArray();
        Assert.Equal(2, roles.Length); // each role's keys sign for their own region alone
        Assert.All(roles, key => Assert.Single(key.Select(request => request.Headers["Authorization"].Split('/')[2]).Distinct()));
        Assert.Contains("the role arn:aws:iam::111111111111:role/refused could not be assumed: AccessDenied", exporter.Output, StringComparison.Ordinal);
        Assert.Contains("glue.nowhere-1.invalid", exporter.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", false)]
    [InlineData("\nglue =\n  endpoint_url = {aws}/of-glue", true)]
    public async Task Endpoints_of_the_shared_profile_are_used(string services, bool ofGlue)
    {
        SetKeys();
        environment["AWS_USE_FIPS_ENDPOINT"] = "true"; // does not touch addresses that are given
        await using var aws = await FakeAws.StartAsync((context, request) => AnswerAsync(context, request, Lasting));
        Write(".aws/config", services.Length == 0
            ? $"[default]\nendpoint_url = {aws.Address.AbsoluteUri.TrimEnd('/')}\n"
            : $"[default]\nservices = local\n[services local]\nsts =\n  endpoint_url = {aws.Address}{services.Replace("{aws}/", aws.Address.AbsoluteUri, StringComparison.Ordinal)}\n");

        await using var exporter = await StartAsync(aws, Source(role: "arn:aws:iam::210987654321:role/monitoring"), endpoint: false);

        Assert.Contains(Collecting, await ScrapeAsync(), StringComparison.Ordinal);
        Assert.All(aws.Requests.Where(request => request.Target?.StartsWith("AWSGlue", StringComparison.Ordinal) == true), request =>
            Assert.Equal(ofGlue, request.Path.StartsWith("/of-glue", StringComparison.Ordinal)));
    }

    /// <summary>AWS's own hosts are asked for through a proxy, which sees their names and lets nothing out.</summary>
    [Theory]
    [InlineData("nothing", "", "glue.eu-west-1.amazonaws.com:443")]
    [InlineData("variable", "", "glue-fips.eu-west-1.amazonaws.com:443")]
    [InlineData("profile", "", "glue-fips.eu-west-1.amazonaws.com:443")]
    [InlineData("nothing", "web", "sts.eu-central-1.amazonaws.com:443")]
    [InlineData("variable", "web", "sts-fips.eu-central-1.amazonaws.com:443")]
    [InlineData("profile", "web", "sts-fips.eu-central-1.amazonaws.com:443")]
    public async Task FIPS_hosts_are_asked_when_the_environment_or_the_shared_profile_wants_them(string wanted, string means, string host)
    {
        Use(means);
        environment["HTTPS_PROXY"] = "{aws}";
        if (wanted == "variable")
            environment["AWS_USE_FIPS_ENDPOINT"] = "true";
        if (wanted == "profile")
            Write(".aws/config", "[default]\nuse_fips_endpoint = true\n");
        await using var aws = await FakeAws.StartAsync((context, _) => AwsSourceTests.Fail(context, 502, ""));

        await using var exporter = await StartAsync(aws, Source() + "    account_id: \"123456789012\"\n", endpoint: false);

        await UntilAsync(exporter, () => aws.Requests.Any(request => request.Headers["Host"] == host));
    }

    private static (string Suffix, DateTimeOffset Expires) Lasting() =>
        (Interlocked.Increment(ref issued).ToString(CultureInfo.InvariantCulture), TimeProvider.System.GetUtcNow().AddHours(1));

    private static string Source(
        string region = "eu-west-1", string? name = null, string? role = null, string? externalId = null, string? endpoint = null) =>
        $"""
          - region: {region}
            name: {name ?? region}
            poll_interval: 1s
            glue: {"{}"}
        {(role is null ? "" : $"    role_arn: {role}\n")}{(externalId is null ? "" : $"    external_id: {externalId}\n")}{(endpoint is null ? "" : $"    endpoint_url: {endpoint}\n")}

        """;

    private void SetKeys()
    {
        environment["AWS_ACCESS_KEY_ID"] = "AKIDENVIRONMENT";
        environment["AWS_SECRET_ACCESS_KEY"] = "secret";
    }

    private void UseInstance()
    {
        environment["AWS_EC2_METADATA_DISABLED"] = null;
        environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "{aws}";
    }

    private void Use(string means)
    {
        switch (means)
        {
            case "instance":
                UseInstance();
                break;
            case "container":
                environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "{aws}/v1/credentials";
                break;
            case "web":
                Write("token", "the-web-token");
                environment["AWS_WEB_IDENTITY_TOKEN_FILE"] = directory.File("token");
                environment["AWS_ROLE_ARN"] = "arn:aws:iam::123456789012:role/web";
                environment["AWS_REGION"] = "eu-central-1";
                break;
            case "sso":
                WriteSso(TimeProvider.System.GetUtcNow().AddHours(1));
                break;
            default:
                SetKeys();
                break;
        }
    }

    /// <param name="expires">Of the session; null without one.</param>
    private void WriteSso(DateTimeOffset? expires)
    {
        const string url = "https://example.awsapps.com/start";
        Write(".aws/config", $"""
            [default]
            sso_session = work
            sso_account_id = 123456789012
            sso_role_name = Viewer
            [sso-session work]
            sso_region = eu-west-1
            sso_start_url = {url}
            sso_registration_scopes = sso:account:access
            """);
        if (expires is not { } end)
            return;
        Directory.CreateDirectory(directory.File(".aws", "sso", "cache"));
        // Named by the session, as `aws sso login` does.
#pragma warning disable CA5350
        var name = Convert.ToHexStringLower(System.Security.Cryptography.SHA1.HashData("work"u8));
#pragma warning restore CA5350
        Write($".aws/sso/cache/{name}.json", $$"""
            {"startUrl":"{{url}}","region":"eu-west-1","accessToken":"the-sso-token","expiresAt":"{{end:yyyy-MM-ddTHH:mm:ssZ}}"}
            """);
    }

    private void Write(string file, string text) => File.WriteAllText(directory.File(file.Split('/')), text);

    /// <summary>One collection that succeeds: a request to Glue, and all requests.</summary>
    private async Task<(FakeRequest Glue, FakeRequest[] All)> CollectAsync(string? sources = null)
    {
        await using var aws = await FakeAws.StartAsync((context, request) => AnswerAsync(context, request, Lasting));
        await using var exporter = await StartAsync(aws, sources ?? Source());
        Assert.True((await ScrapeAsync()).Contains(Collecting, StringComparison.Ordinal), exporter.Output);
        return (aws.Requests.First(request => request.Target is not null), [.. aws.Requests]);
    }

    /// <summary>Returns once every collector has run, or failed, once.</summary>
    /// <param name="endpoint">By AWS_ENDPOINT_URL.</param>
    private async Task<RunningProcess> StartAsync(FakeAws aws, string sources, bool endpoint = true)
    {
        var address = aws.Address.AbsoluteUri.TrimEnd('/');
        Write("exporter.yml", $"aws:\n{sources}");
        port = Port.Free();
        string[] arguments = [$"--web.listen-address=127.0.0.1:{port}", "--storage.path=state"];
        var variables = environment.ToDictionary(variable => variable.Key, variable => variable.Value?.Replace("{aws}", address, StringComparison.Ordinal));
        if (endpoint)
            variables["AWS_ENDPOINT_URL"] = address;
        var ready = new Uri($"http://127.0.0.1:{port}/-/ready");
        return Environment.GetEnvironmentVariable("EXPORTER_PROGRAM") is { Length: > 0 } native
            ? await RunningProcess.StartAsync(native, arguments, ready, directory.Path, variables)
            : await RunningProcess.StartAsync("dotnet", [Built(), .. arguments], ready, directory.Path, variables);
    }

    private static string Built() =>
        Repository.File("artifacts", "bin", "Exporter", Path.GetFileName(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar)), "pipeline-exporter.dll");

    private async Task<string> ScrapeAsync()
    {
        using var http = new HttpClient();
        return await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/metrics"), TestContext.Current.CancellationToken);
    }

    private static async Task UntilAsync(RunningProcess exporter, Func<bool> condition)
    {
        var deadline = Task.Delay(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        while (!condition())
        {
            Assert.False(deadline.IsCompleted, $"it did not happen within 30 s; the exporter wrote:\n{exporter.Output}");
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>AWS with all that gives keys: STS, the SSO portal, a container's and an instance's metadata service.</summary>
    /// <param name="next">Distinguishes the keys that are given now, and ends them.</param>
    private static Task AnswerAsync(
        HttpContext context, FakeRequest request, Func<(string Suffix, DateTimeOffset Expires)> next, Func<string, bool>? isExpired = null)
    {
        if (request.Target is { } target)
        {
            return isExpired?.Invoke(request.Key) == true
                ? AwsSourceTests.Fail(context, 400, """{"__type":"ExpiredTokenException","message":"The security token included in the request is expired"}""")
                : context.Response.WriteAsync(target switch
                {
                    "AWSGlue.GetJobs" => """{"Jobs":[{"Name":"a"}]}""", // Whose runs are asked for at every collection.
                    "AWSGlue.GetJobRuns" => """{"JobRuns":[]}""",
                    _ => """{"Metrics":[]}""",
                });
        }

        if (request.Body.Contains("Action=GetCallerIdentity", StringComparison.Ordinal))
        {
            return XmlAsync(context, """
                <GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
                <Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>
                """);
        }

        if (request.Path == "/latest/api/token")
            return context.Response.WriteAsync("the-imds-token");
        if (request.Path.TrimEnd('/') == "/latest/meta-data/iam/security-credentials")
            return context.Response.WriteAsync("the-role");

        var (suffix, end) = next();
        var expires = end.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
        if (StsAction().Match(request.Body) is { Success: true } action)
        {
            var name = action.Groups[1].Value;
            return XmlAsync(context, $"""
                <{name}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{name}Result><Credentials>
                <AccessKeyId>{(name == "AssumeRole" ? "ASIAROLE" : "ASIAWEB")}{suffix}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>
                <SessionToken>session</SessionToken><Expiration>{expires}</Expiration></Credentials></{name}Result></{name}Response>
                """);
        }

        context.Response.ContentType = "application/json";
        return request.Path.Split('?')[0] switch
        {
            "/federation/credentials" => context.Response.WriteAsync(
                $$$"""{"roleCredentials":{"accessKeyId":"ASIASSO{{{suffix}}}","secretAccessKey":"secret","sessionToken":"session","expiration":{{{end.ToUnixTimeMilliseconds()}}}}}"""),
            "/v1/credentials" => context.Response.WriteAsync(
                $$"""{"AccessKeyId":"ASIACONTAINER{{suffix}}","SecretAccessKey":"secret","Token":"session","Expiration":"{{expires}}"}"""),
            "/latest/meta-data/iam/security-credentials/the-role" => context.Response.WriteAsync(
                $$"""{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIAINSTANCE{{suffix}}","SecretAccessKey":"secret","Token":"session","Expiration":"{{expires}}"}"""),
            _ => AwsSourceTests.Fail(context, 404, ""),
        };
    }

    private static Task XmlAsync(HttpContext context, string xml, int status = 200)
    {
        context.Response.ContentType = "text/xml";
        return AwsSourceTests.Fail(context, status, xml);
    }

    [GeneratedRegex("Action=(AssumeRole(?:WithWebIdentity)?)(?:&|$)")]
    private static partial Regex StsAction();

    /// <summary>Keys that last no longer than given, and are refused from then on.</summary>
    private sealed class Lifetimes(TimeSpan lifetime)
    {
        private readonly Dictionary<string, DateTimeOffset> ends = [];

        public (string Suffix, DateTimeOffset Expires) Next()
        {
            lock (ends)
            {
                var end = TimeProvider.System.GetUtcNow() + lifetime;
                var suffix = ends.Count.ToString(CultureInfo.InvariantCulture);
                ends[suffix] = end;
                return (suffix, end);
            }
        }

        public bool IsExpired(string key)
        {
            lock (ends)
                return ends.TryGetValue(Digits().Match(key).Value, out var end) && TimeProvider.System.GetUtcNow() > end;
        }
    }

    [GeneratedRegex("[0-9]+$")]
    private static partial Regex Digits();
}
