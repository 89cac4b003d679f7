using System.Globalization;
using System.Net;
using System.Text.Json;
using PipelineExporter.Sources.Aws;
using Refit;

namespace PipelineExporter.Sources.Airflow;

/// <summary>Sends requests, and turns whatever does not come back as asked into an <see cref="AirflowException"/>.</summary>
internal sealed class AirflowRequests(AirflowEndpoint endpoint, TimeProvider time)
{
    private const int LongestReason = 200;

    /// <summary>So long after a good answer it is not believed that the password was changed.</summary>
    private static readonly TimeSpan LogInHolds = TimeSpan.FromMinutes(5);

    /// <summary>When a request that needs a log-in was last answered, in ticks.</summary>
    private long answeredAt;

    /// <summary>Airflow reads UTC with a Z; a bare + would arrive as a blank.</summary>
    public static string Utc(DateTimeOffset instant) =>
        instant.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);

    public AirflowException Fail(string what, string reason) => new(endpoint.Environment, what, null, reason, null);

    /// <exception cref="AirflowException">The request was not answered as asked.</exception>
    public async Task<Answer<T>> AskAsync<T>(string what, Func<CancellationToken, Task<IApiResponse<T>>> call, CancellationToken ct)
        where T : class
    {
        // HttpClient's own time-out ends with the headers; a body can stall as well.
        using var timeout = new CancellationTokenSource(endpoint.Timeout, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, timeout.Token);
        try
        {
            using var response = await call(both.Token);
            if (response is { IsSuccessStatusCode: true, Content: { } content })
            {
                if (!IsOpen(what))
                    Interlocked.Exchange(ref answeredAt, time.GetUtcNow().UtcTicks);
                return new Answer<T>(content, response.Headers?.Date ?? time.GetUtcNow());
            }
            if (response is { IsReceived: true, IsSuccessStatusCode: false })
                throw Refused(what, response);
            throw Explain(what, response.Error, timeout, ct);
        }
        catch (Exception e) when (e is not AirflowException)
        {
            var explained = Explain(what, e, timeout, ct);
            if (explained == e)
                throw;
            throw explained;
        }
    }

    /// <summary>Health and version are told to anybody.</summary>
    private static bool IsOpen(string what) =>
        what.EndsWith("/version", StringComparison.Ordinal) || what.EndsWith("/health", StringComparison.Ordinal);

    /// <summary>What to throw for an error that Refit or the connection reports: one that is none of these is thrown as it is.</summary>
    private Exception Explain(string what, Exception? e, CancellationTokenSource timeout, CancellationToken ct)
    {
        if (ct.IsCancellationRequested)
            return new OperationCanceledException(ct);
        if (timeout.IsCancellationRequested)
            return Fail(what, $"no answer within {endpoint.Timeout.TotalSeconds:0} s");
        return e switch
        {
            JsonException json => Unreadable(what, HttpStatusCode.OK, $"is not what Airflow sends (at {json.Path ?? "$"}, line {json.LineNumber + 1})"),
            ApiExceptionBase { InnerException: { } inner } => Explain(what, inner, timeout, ct),
            AwsException aws => MwaaErrors.Explain(endpoint, what, aws),
            HttpRequestException http => Fail(what, Unreachable(http)),
            IOException => Fail(what, "the connection broke while the answer came"),
            null or ApiExceptionBase => Unreadable(what, HttpStatusCode.OK, "has no body that can be read"),
            _ => e,
        };
    }

    /// <remarks>The system's own words name host and port at most; the request's url holds no credential.</remarks>
    private string Unreachable(HttpRequestException e) => e.HttpRequestError switch
    {
        HttpRequestError.NameResolutionError => $"the host name {endpoint.Url.Host} cannot be resolved",
        HttpRequestError.ConnectionError => $"cannot connect to {endpoint.Url.Authority} ({Innermost(e)})",
        HttpRequestError.SecureConnectionError => $"no TLS connection to {endpoint.Url.Authority} ({Innermost(e)})",
        HttpRequestError.ResponseEnded => "the connection was closed before the answer was whole",
        _ => $"the connection failed ({Innermost(e)})",
    };

    private static string Innermost(Exception e) => Short(e.GetBaseException().Message);

    private AirflowException Unreadable(string what, HttpStatusCode? status, string problem) =>
        new(endpoint.Environment, what, status, $"the answer {problem}", "Is the url right, and does no proxy or log-in page answer in Airflow's place?");

    private AirflowException Refused<T>(string what, IApiResponse<T> response)
    {
        var status = response.StatusCode!.Value;
        var detail = Words((response.Error as ApiException)?.Content);
        var words = detail is null ? null : Short(detail);
        var reason = $"answered {(int)status}{(words is null ? "" : $" ({words})")}";
        return new AirflowException(endpoint.Environment, what, status, reason, Hint(what, status, words)) { Detail = detail };
    }

    /// <summary>The detail or title of Airflow's own error body; never another text.</summary>
    private static string? Words(string? body)
    {
        if (string.IsNullOrEmpty(body) || body[0] is not ('{' or ' ' or '\n'))
            return null;
        try
        {
            var problem = JsonSerializer.Deserialize(body, AirflowJson.Default.AirflowProblem);
            return (problem?.Detail, problem?.Title) switch
            {
                ({ ValueKind: JsonValueKind.String } detail, _) => detail.GetString(),
                (_, { ValueKind: JsonValueKind.String } title) => title.GetString(),
                _ => null,
            };
        }
        catch (JsonException)
        {
            // An error page of somebody else: the status says enough.
            return null;
        }
    }

    private static string Short(string text)
    {
        var line = text.AsSpan().Trim();
        if (line.IndexOfAny('\r', '\n') is var end and >= 0)
            line = line[..end];
        var clean = string.Create(Math.Min(line.Length, LongestReason), line, static (to, from) =>
        {
            for (var i = 0; i < to.Length; i++)
                to[i] = char.IsControl(from[i]) ? ' ' : from[i];
        });
        return line.Length > LongestReason ? clean + "…" : clean;
    }

    private string? Hint(string what, HttpStatusCode status, string? words) => (status, endpoint.Credential) switch
    {
        (HttpStatusCode.Unauthorized, AirflowCredential.Basic) =>
            "The user name or the password is wrong, or the server does not accept basic auth (Airflow 3 wants `token`)",
        (HttpStatusCode.Unauthorized, AirflowCredential.Bearer) => "The token is wrong or has expired",
        (HttpStatusCode.Unauthorized, null) => "The server wants a log-in, and `auth` is not configured",
        (HttpStatusCode.Unauthorized, _) => "The user may not log in",
        (HttpStatusCode.Forbidden, AirflowCredential.Basic credential) when time.GetUtcNow().UtcTicks - Interlocked.Read(ref answeredAt) <= LogInHolds.Ticks =>
            $"Other requests of {credential.Username} were answered in the last {LogInHolds.TotalMinutes:0} minutes, so the password is right: the role"
            + $" lacks {Permission(what)}",
        (HttpStatusCode.Forbidden, AirflowCredential.Basic credential) =>
            "Airflow 2 answers 403 to a wrong user name or password and to a missing permission alike. /health and /version need no"
            + $" log-in and tell nothing. To tell: log in to Airflow's pages as {credential.Username}; if that fails, it is the password;"
            + $" if other collectors succeed, the role lacks {Permission(what)}",
        // Airflow 3 says so; a permission that is missing is another 403.
        (HttpStatusCode.Forbidden, AirflowCredential.Bearer) when words?.Contains("JWT", StringComparison.Ordinal) == true => "The token is wrong or has expired",
        (HttpStatusCode.Forbidden, AirflowCredential.Mwaa mwaa) =>
            $"The Airflow role that IAM gives the exporter lacks {Permission(what)}: allow airflow:{MwaaHandler.Operation} on {MwaaErrors.Resource(mwaa)}",
        (HttpStatusCode.Forbidden, _) => $"The user or the token lacks {Permission(what)}",
        (>= HttpStatusCode.MultipleChoices and < HttpStatusCode.BadRequest, _) =>
            "The url redirects; put in the configuration where Airflow itself is",
        (HttpStatusCode.TooManyRequests, _) => "The server or a proxy limits requests: poll less often",
        _ => null,
    };

    /// <summary>Measured by leaving each out (2.11); the same names are in 3.x with the FAB auth manager.</summary>
    private static string Permission(string what) => what switch
    {
        _ when what.EndsWith("/pools", StringComparison.Ordinal) => "\"can read on Pools\"",
        _ when what.EndsWith("/importErrors", StringComparison.Ordinal) => "\"can read on\" ImportError and DAGs",
        _ when what.EndsWith("/taskInstances", StringComparison.Ordinal) || what.EndsWith("/tries", StringComparison.Ordinal) =>
            "\"can read on\" DAGs, DAG Runs and Task Instances",
        _ when what.EndsWith("/dagRuns", StringComparison.Ordinal) => "\"can read on\" DAGs and DAG Runs",
        _ => "\"can read on DAGs\"",
    };
}
