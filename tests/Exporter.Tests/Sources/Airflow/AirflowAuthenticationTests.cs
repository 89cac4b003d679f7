using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using PipelineExporter.Sources.Airflow;

namespace PipelineExporter.Tests.Sources.Airflow;

public sealed class AirflowAuthenticationTests
{
    private const string Runs = """{"dag_runs":[],"total_entries":0}""";

    [Fact]
    public async Task Basic_auth_is_sent_with_every_request_and_the_password_is_read_each_time()
    {
        var passwords = new Queue<string>(["old", "old", "new: with ü"]);
        var seen = new List<string>();
        await using var server = await FakeAirflow.StartAsync(context =>
        {
            seen.Add(context.Request.Headers.Authorization.ToString());
            return context.Request.Path.Value == "/api/v2/version" ? (404, "") : (200, """{"version":"2.11.2","dag_runs":[],"total_entries":0}""");
        });
        using var connection = server.Connect(new AirflowCredential.Basic("exporter", passwords.Dequeue));

        await (await connection.ApiAsync(default)).LiveRunsAsync(default);

        Assert.Equal(["exporter:old", "exporter:old", "exporter:new: with ü"], seen.Select(header =>
            Encoding.UTF8.GetString(Convert.FromBase64String(header["Basic ".Length..]))));
    }

    [Fact]
    public async Task A_bearer_token_is_sent_as_it_is()
    {
        var seen = new List<string>();
        await using var server = await FakeAirflow.StartAsync(context =>
        {
            seen.Add(context.Request.Headers.Authorization.ToString());
            return (200, """{"version":"3.3.2"}""");
        });
        using var connection = server.Connect(new AirflowCredential.Bearer(() => "issued-elsewhere"));

        await connection.ApiAsync(default);

        Assert.Equal(["Bearer issued-elsewhere"], seen);
    }

    [Fact]
    public async Task Without_a_credential_nothing_is_sent()
    {
        await using var server = await FakeAirflow.StartAsync(context => (context.Request.Headers.Authorization.Count == 0 ? 200 : 500, """{"version":"3.3.2"}"""));
        using var connection = new AirflowConnection(new AirflowEndpoint("production", server.Url, null), TimeProvider.System, _ => { });

        Assert.Equal("3.3.2", (await connection.ApiAsync(default)).Version);
    }

    [Fact]
    public async Task A_log_in_gives_a_token_that_is_kept()
    {
        await using var login = await LoginServer.StartAsync();
        var api = await login.Connection.ApiAsync(default);

        await api.LiveRunsAsync(default);
        await api.LiveRunsAsync(default);

        Assert.Equal(1, login.Logins);
        using var sent = JsonDocument.Parse(login.LastBody!);
        Assert.Equal(
            ["username exporter", "password a \"password\" with ü"],
            sent.RootElement.EnumerateObject().Select(property => $"{property.Name} {property.Value.GetString()}"));
        Assert.Equal("application/json", login.LastContentType);
    }

    [Fact]
    public async Task Health_and_version_are_asked_for_without_a_log_in()
    {
        await using var login = await LoginServer.StartAsync();
        login.Refuses = _ => 401;

        await (await login.Connection.ApiAsync(default)).HealthAsync(default);

        Assert.Equal(0, login.Logins);
    }

    /// <remarks>The token's clock is an hour behind: what counts is how long it lives, not when it says it ends.</remarks>
    [Fact]
    public async Task A_token_is_renewed_shortly_before_it_expires()
    {
        await using var login = await LoginServer.StartAsync(life: TimeSpan.FromHours(1), clock: TimeSpan.FromHours(-1));
        var api = await login.Connection.ApiAsync(default);
        await api.LiveRunsAsync(default);

        login.Http.Time.Advance(TimeSpan.FromMinutes(58));
        await api.LiveRunsAsync(default);
        Assert.Equal(1, login.Logins);

        login.Http.Time.Advance(TimeSpan.FromMinutes(1.5));
        await api.LiveRunsAsync(default);
        Assert.Equal(2, login.Logins);
    }

    /// <summary>401 "Token Expired", and 403 "Invalid JWT token" when the server's secret was changed.</summary>
    [Theory]
    [InlineData(401, "Token Expired")]
    [InlineData(403, "Invalid JWT token")]
    public async Task A_refused_token_is_renewed_once_and_the_request_sent_again(int status, string detail)
    {
        await using var login = await LoginServer.StartAsync();
        var api = await login.Connection.ApiAsync(default);
        await api.LiveRunsAsync(default);
        login.Http.Time.Advance(TimeSpan.FromMinutes(5));

        (login.Refuses, login.Detail) = (token => token == "1" ? status : 200, detail);
        await api.LiveRunsAsync(default);

        Assert.Equal(2, login.Logins);
    }

    [Fact]
    public async Task A_new_token_that_is_refused_is_not_renewed_again()
    {
        await using var login = await LoginServer.StartAsync();
        var api = await login.Connection.ApiAsync(default);
        await api.LiveRunsAsync(default);
        login.Http.Time.Advance(TimeSpan.FromMinutes(5));
        login.Refuses = _ => 401;

        await Assert.ThrowsAsync<AirflowException>(() => api.LiveRunsAsync(default));
        await Assert.ThrowsAsync<AirflowException>(() => api.LiveRunsAsync(default));

        Assert.Equal(2, login.Logins);
    }

    [Fact]
    public async Task A_missing_permission_does_not_log_in_again()
    {
        await using var login = await LoginServer.StartAsync();
        var api = await login.Connection.ApiAsync(default);
        await api.LiveRunsAsync(default);
        login.Http.Time.Advance(TimeSpan.FromMinutes(5));
        (login.Refuses, login.Detail) = (_ => 403, "Forbidden");

        var error = await Assert.ThrowsAsync<AirflowException>(() => api.LiveRunsAsync(default));

        Assert.Contains("answered 403 (Forbidden)", error.Message);
        Assert.Equal(1, login.Logins);
    }

    [Fact]
    public async Task Requests_side_by_side_share_one_log_in()
    {
        await using var login = await LoginServer.StartAsync();
        var api = await login.Connection.ApiAsync(default);

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => api.LiveRunsAsync(default)));

        Assert.Equal(1, login.Logins);
    }

    [Fact]
    public async Task A_token_that_says_nothing_of_its_life_is_kept_a_day()
    {
        await using var login = await LoginServer.StartAsync(opaque: true);
        var api = await login.Connection.ApiAsync(default);
        await api.LiveRunsAsync(default);
        login.Http.Time.Advance(TimeSpan.FromHours(23.9));
        await api.LiveRunsAsync(default);
        Assert.Equal(1, login.Logins);

        login.Http.Time.Advance(TimeSpan.FromHours(0.2));
        await api.LiveRunsAsync(default);
        Assert.Equal(2, login.Logins);
    }

    /// <summary>An Airflow 3 whose nth log-in gives the token with the id n.</summary>
    private sealed class LoginServer : IAsyncDisposable
    {
        public FakeAirflow Http { get; private set; } = null!;

        public AirflowConnection Connection { get; private set; } = null!;

        public int Logins { get; private set; }

        public string? LastBody { get; private set; }

        public string? LastContentType { get; private set; }

        /// <summary>The status for a token id; 200 lets it in.</summary>
        public Func<string, int> Refuses { get; set; } = _ => 200;

        public string Detail { get; set; } = "Not authenticated";

        public static async Task<LoginServer> StartAsync(TimeSpan? life = null, TimeSpan clock = default, bool opaque = false)
        {
            var login = new LoginServer();
            login.Http = await FakeAirflow.StartAsync(async context =>
            {
                var path = context.Request.Path.Value!;
                if (path == "/auth/token")
                {
                    login.Logins++;
                    login.LastContentType = context.Request.ContentType;
                    using var reader = new StreamReader(context.Request.Body);
                    login.LastBody = await reader.ReadToEndAsync();
                    var iat = (login.Http.Time.GetUtcNow() + clock).ToUnixTimeSeconds();
                    var claims = $$"""{"jti":"{{login.Logins}}","iat":{{iat}},"exp":{{iat + (life ?? TimeSpan.FromDays(1)).TotalSeconds}}}""";
                    var token = opaque ? $"{login.Logins}" : $"e30.{Base64Url(claims)}.c2ln";
                    await FakeAirflow.WriteAsync(context, 201, "application/json", $$"""{"access_token":"{{token}}"}""");
                    return;
                }
                if (path.EndsWith("/version", StringComparison.Ordinal) || path.EndsWith("/health", StringComparison.Ordinal))
                {
                    Assert.Equal(0, context.Request.Headers.Authorization.Count);
                    await FakeAirflow.WriteAsync(context, 200, "application/json", """{"version":"3.3.2","scheduler":{"status":"healthy"}}""");
                    return;
                }
                var status = login.Refuses(TokenId(context));
                await FakeAirflow.WriteAsync(context, status, "application/json", status == 200 ? Runs : $$"""{"detail":"{{login.Detail}}"}""");
            });
            login.Connection = login.Http.Connect(
                new AirflowCredential.Login("exporter", () => "a \"password\" with ü"), time: login.Http.Time);
            return login;
        }

        public async ValueTask DisposeAsync()
        {
            Connection.Dispose();
            await Http.DisposeAsync();
        }

        private static string TokenId(HttpContext context)
        {
            var token = context.Request.Headers.Authorization.ToString()["Bearer ".Length..].Split('.');
            return token.Length == 1
                ? token[0]
                : JsonDocument.Parse(System.Buffers.Text.Base64Url.DecodeFromChars(token[1])).RootElement.GetProperty("jti").GetString()!;
        }

        private static string Base64Url(string text) => System.Buffers.Text.Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));
    }
}
