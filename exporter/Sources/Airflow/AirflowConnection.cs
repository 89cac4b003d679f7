using System.Net;
using Microsoft.Extensions.Http.Resilience;
using Microsoft.Extensions.Logging.Abstractions;
using PipelineExporter.Sources.Aws;
using Polly;
using Polly.Retry;
using Refit;

namespace PipelineExporter.Sources.Airflow;

/// <summary>The connection to one Airflow. It finds out by asking which REST API the server speaks, also after an upgrade.</summary>
internal sealed class AirflowConnection : IDisposable
{
    /// <summary>2.x alone gives so many task instances at once; MWAA lets no more than 6 MB through, and rendered
    /// fields of an instance can have some 20 kB.</summary>
    private const int InstancePage = 5000;
    private const int MwaaInstancePage = 200;

    /// <summary>Somewhat longer than MWAA itself waits, and with time for another attempt within a request's own.</summary>
    private static readonly AwsResilience MwaaResilience = new() { AttemptTimeout = TimeSpan.FromSeconds(12), Retries = 1 };

    private readonly HttpClient client;
    private readonly AirflowRequests requests;
    private readonly SemaphoreSlim gate = new(1);
    private readonly IAirflowRestV1 v1;
    private readonly IAirflowRestV2 v2;
    private volatile IAirflowApi? found;

    /// <param name="endpoint">Where it is and how to log in.</param>
    /// <param name="time">The clock.</param>
    /// <param name="requested">Called after each request that went out, with its <see cref="RequestOutcome"/>.</param>
    /// <param name="log">Told what cannot be asked for.</param>
    /// <param name="network">What carries requests to Airflow itself; sockets by default.</param>
    public AirflowConnection(
        AirflowEndpoint endpoint, TimeProvider time, Action<string> requested, ILogger? log = null, HttpMessageHandler? network = null)
    {
        Endpoint = endpoint;
        var url = endpoint.Url.AbsoluteUri.EndsWith('/') ? endpoint.Url : new Uri(endpoint.Url.AbsoluteUri + "/");
        HttpMessageHandler transport = endpoint.Credential is AirflowCredential.Mwaa amazon
            ? new MwaaHandler(
                endpoint.Environment, amazon, new AwsSource(amazon.Source, time, requested, amazon.Keys, MwaaResilience), time, log ?? NullLogger.Instance)
            : new RequestCounter(requested, network ?? new SocketsHttpHandler
            {
                AllowAutoRedirect = false, // a redirect would carry the exporter to who knows where
                AutomaticDecompression = DecompressionMethods.All,
                PooledConnectionLifetime = TimeSpan.FromMinutes(5), // so that a moved host name is noticed
                UseCookies = false,
            });
        HttpMessageHandler handler = new ResilienceHandler(Retries(time)) { InnerHandler = transport };
        handler = endpoint.Credential switch
        {
            null or AirflowCredential.Mwaa => handler,
            AirflowCredential.Login login => new TokenAuthenticationHandler(endpoint.Environment, url, login, time, handler),
            var credential => new StaticAuthenticationHandler(credential, handler),
        };
        client = new HttpClient(handler) { BaseAddress = url, Timeout = Timeout.InfiniteTimeSpan };
        client.DefaultRequestHeaders.Accept.ParseAdd("application/json");
        requests = new AirflowRequests(endpoint, time);
        v1 = RestService.ForGenerated<IAirflowRestV1>(client, AirflowJson.Default);
        v2 = RestService.ForGenerated<IAirflowRestV2>(client, AirflowJson.Default);
    }

    public AirflowEndpoint Endpoint { get; }

    /// <summary>The API of the server, found out at the first use.</summary>
    public async Task<IAirflowApi> ApiAsync(CancellationToken ct) => found ?? await DiscoverAsync(ct);

    /// <summary>Asks the server for its version; afterwards <see cref="ApiAsync"/> gives the API that goes with it.</summary>
    /// <exception cref="AirflowException">It does not answer, or neither as an Airflow 3 nor as an Airflow 2.</exception>
    public async Task<IAirflowApi> DiscoverAsync(CancellationToken ct)
    {
        await gate.WaitAsync(ct);
        try
        {
            var known = found;
            var api = known is AirflowV1 ? await AskV1Async(ct) ?? await AskV2Async(ct) : await AskV2Async(ct) ?? await AskV1Async(ct);
            if (api is null)
            {
                throw new AirflowException(
                    Endpoint.Environment, "GET /api/v2/version and /api/v1/version", HttpStatusCode.NotFound, "both answered 404",
                    "Is the url that of Airflow's web server, with its path prefix and without /api?");
            }
            if (known is null || known.GetType() != api.GetType() || known.Version != api.Version)
                found = api;
            return found!;
        }
        finally
        {
            gate.Release();
        }
    }

    public void Dispose()
    {
        client.Dispose();
        gate.Dispose();
    }

    /// <summary>Whether a version such as 3.3.2 or 2.10.0.dev0 is at least major.minor.</summary>
    internal static bool IsAtLeast(string version, int major, int minor)
    {
        var parts = version.Split('.');
        return parts.Length >= 2 && int.TryParse(parts[0], out var x) && int.TryParse(parts[1], out var y) && (x, y).CompareTo((major, minor)) >= 0;
    }

    private async Task<IAirflowApi?> AskV2Async(CancellationToken ct) =>
        await VersionAsync("GET /api/v2/version", v2.GetVersion, ct) is { } version ? Speaking(version, isV2: true) : null;

    private async Task<IAirflowApi?> AskV1Async(CancellationToken ct) =>
        await VersionAsync("GET /api/v1/version", v1.GetVersion, ct) is { } version ? Speaking(version, isV2: false) : null;

    /// <remarks>Through MWAA the question of both APIs is the same, and either version answers it: the number decides.</remarks>
    /// <param name="version">As the server names it.</param>
    /// <param name="isV2">Whether the question of REST v2 was answered, for a version that is no number.</param>
    private IAirflowApi Speaking(string version, bool isV2) =>
        (int.TryParse(version.Split('.')[0], out var major) ? major >= 3 : isV2)
            ? new AirflowV2(v2, requests, version)
            : new AirflowV1(v1, requests, version, Endpoint.Credential is AirflowCredential.Mwaa ? MwaaInstancePage : InstancePage);

    private async Task<string?> VersionAsync(
        string what, Func<CancellationToken, Task<IApiResponse<AirflowVersion>>> call, CancellationToken ct)
    {
        try
        {
            return (await requests.AskAsync(what, call, ct)).Value.Version;
        }
        catch (AirflowException e) when (e.Status == HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    /// <summary>One more attempt where it is likely to help. A plain 500 of Airflow is not such a case: the next poll is.</summary>
    private static ResiliencePipeline<HttpResponseMessage> Retries(TimeProvider time) =>
        new ResiliencePipelineBuilder<HttpResponseMessage> { TimeProvider = time }
            .AddRetry(new RetryStrategyOptions<HttpResponseMessage>
            {
                MaxRetryAttempts = 1,
                Delay = TimeSpan.FromSeconds(1),
                UseJitter = true,
                ShouldHandle = attempt => ValueTask.FromResult(attempt.Outcome switch
                {
                    { Exception: HttpRequestException } => true,
                    { Result.StatusCode: HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway } => true,
                    { Result.StatusCode: HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout } => true,
                    _ => false,
                }),
            })
            .Build();
}
