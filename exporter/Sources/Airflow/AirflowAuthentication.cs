using System.Buffers.Text;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace PipelineExporter.Sources.Airflow;

/// <summary>Adds basic auth or a static token to each request.</summary>
internal sealed class StaticAuthenticationHandler(AirflowCredential credential, HttpMessageHandler inner) : DelegatingHandler(inner)
{
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken ct)
    {
        request.Headers.Authorization = credential switch
        {
            AirflowCredential.Basic basic => new AuthenticationHeaderValue(
                "Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{basic.Username}:{basic.Password()}"))),
            AirflowCredential.Bearer bearer => new AuthenticationHeaderValue("Bearer", bearer.Token()),
            _ => throw new NotSupportedException($"{credential.GetType().Name} is not a static credential"),
        };
        return base.SendAsync(request, ct);
    }
}

/// <summary>Logs in to Airflow 3 (<c>POST /auth/token</c>), keeps the token, renews it before it expires and when it is refused.</summary>
/// <remarks>
/// Neither body of a log-in is logged or put in an exception: one answer (422 of the FAB auth manager) echoes the password.
/// An expired token is answered 401, a damaged one 403 "Invalid JWT token", a missing permission 403 "Forbidden" (3.3).
/// </remarks>
internal sealed class TokenAuthenticationHandler(
    string environment, Uri url, AirflowCredential.Login login, TimeProvider time, HttpMessageHandler inner) : DelegatingHandler(inner)
{
    /// <summary>A token this young is not blamed for a refusal: a user without permissions must not log in at every poll.</summary>
    private static readonly TimeSpan Young = TimeSpan.FromSeconds(60);

    private readonly SemaphoreSlim gate = new(1);
    private volatile Token? current;

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken ct)
    {
        if (IsOpen(request))
            return await base.SendAsync(request, ct);
        var token = await TokenAsync(refused: null, ct);
        var response = await SendAsync(request, token, ct);
        if (!await IsRefusedAsync(response, ct) || time.GetUtcNow() - token.Issued < Young)
            return response;
        response.Dispose();
        return await SendAsync(request, await TokenAsync(refused: token, ct), ct);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            gate.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>Health and version are answered without a token, also while nobody can log in.</summary>
    private static bool IsOpen(HttpRequestMessage request) =>
        request.RequestUri!.AbsolutePath is var path
        && (path.EndsWith("/version", StringComparison.Ordinal) || path.EndsWith("/health", StringComparison.Ordinal));

    private static async Task<bool> IsRefusedAsync(HttpResponseMessage response, CancellationToken ct)
    {
        if (response.StatusCode == HttpStatusCode.Unauthorized)
            return true;
        if (response.StatusCode != HttpStatusCode.Forbidden)
            return false;
        await response.Content.LoadIntoBufferAsync(ct);
        return (await response.Content.ReadAsStringAsync(ct)).Contains("JWT", StringComparison.Ordinal);
    }

    private Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, Token token, CancellationToken ct)
    {
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token.Value);
        return base.SendAsync(request, ct);
    }

    private async Task<Token> TokenAsync(Token? refused, CancellationToken ct)
    {
        if (current is { } kept && kept != refused && time.GetUtcNow() < kept.RenewAt)
            return kept;
        await gate.WaitAsync(ct);
        try
        {
            if (current is { } renewed && renewed != refused && time.GetUtcNow() < renewed.RenewAt)
                return renewed;
            return current = await LogInAsync(ct);
        }
        finally
        {
            gate.Release();
        }
    }

    private async Task<Token> LogInAsync(CancellationToken ct)
    {
        const string what = "POST /auth/token";
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(url, "auth/token"))
        {
            Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(
                new LoginRequest(login.Username, login.Password()), AirflowJson.Default.LoginRequest)),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        using var response = await base.SendAsync(request, ct);
        if (!response.IsSuccessStatusCode)
            throw new AirflowException(environment, what, response.StatusCode, $"the log-in was answered {(int)response.StatusCode}", Hint(response.StatusCode));
        try
        {
            await using var body = await response.Content.ReadAsStreamAsync(ct);
            var answer = await JsonSerializer.DeserializeAsync(body, AirflowJson.Default.LoginAnswer, ct)
                ?? throw new JsonException("null");
            return Token.Of(answer.AccessToken, time.GetUtcNow());
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            // No inner exception: its text could hold what was sent or answered.
            throw new AirflowException(
                environment, what, response.StatusCode, "the log-in's answer holds no token that can be read",
                "Does the url name an Airflow 3, and is no log-in page in front of it?");
        }
    }

    private static string? Hint(HttpStatusCode status) => status switch
    {
        HttpStatusCode.Unauthorized => "The user name or the password is wrong",
        HttpStatusCode.NotFound or HttpStatusCode.MethodNotAllowed =>
            "Airflow 2 knows no tokens: use `basic`; a service in front of Airflow 3 may want `bearer`",
        HttpStatusCode.UnprocessableEntity => "A user name or a password is missing",
        _ => null,
    };

    private sealed record Token(string Value, DateTimeOffset Issued, DateTimeOffset RenewAt)
    {
        /// <summary>A day, as Airflow's default, for a token that does not say how long it lives.</summary>
        private static readonly TimeSpan DefaultLife = TimeSpan.FromDays(1);

        /// <remarks>The life is exp - iat from the moment of receipt, so that clocks that differ do not matter.</remarks>
        public static Token Of(string value, DateTimeOffset now)
        {
            var life = DefaultLife;
            if (value.Split('.') is [_, var payload, _])
            {
                var claims = JsonSerializer.Deserialize(Base64Url.DecodeFromChars(payload), AirflowJson.Default.TokenClaims);
                if (claims is { Exp: { } exp })
                    life = TimeSpan.FromSeconds(Math.Clamp(exp - (claims.Iat ?? now.ToUnixTimeSeconds()), 0, 366 * 86400d));
            }
            var early = TimeSpan.FromTicks(Math.Min(TimeSpan.FromMinutes(1).Ticks, life.Ticks / 10));
            return new Token(value, now, now + life - early);
        }
    }
}
