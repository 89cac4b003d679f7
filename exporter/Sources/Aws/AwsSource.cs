using System.Collections.Immutable;
using Amazon.Runtime;
using Amazon.SecurityToken;
using Refit;

namespace PipelineExporter.Sources.Aws;

/// <summary>One account and region as configured.</summary>
internal sealed record AwsSourceOptions
{
    /// <summary>The region unless the configuration gives a name.</summary>
    public required string Name { get; init; }

    /// <summary>As the metrics' <c>source</c> label has it.</summary>
    public string FullName => $"aws/{Name}";

    public required string Region { get; init; }

    /// <summary>Asked of STS when null.</summary>
    public string? AccountId { get; init; }

    public AwsRole? Role { get; init; }

    /// <summary>One address for every service.</summary>
    public Uri? EndpointUrl { get; init; }

    public ImmutableArray<KeyValuePair<string, string>> Labels { get; init; } = [];
}

/// <summary>The clients of one account and region, with what they share: keys, clock, connections, identity.</summary>
internal sealed class AwsSource : IDisposable
{
    public static readonly System.Net.Http.Headers.ProductInfoHeaderValue UserAgent =
        new("pipeline-exporter", typeof(AwsSource).Assembly.GetName().Version?.ToString(3));

    private readonly AwsSourceOptions options;
    private readonly TimeProvider time;
    private readonly Action<string> observe;
    private readonly AwsResilience resilience;
    private readonly Func<string, string?> environment;
    private readonly AwsCredentials credentials;
    private readonly AwsAccount account;
    private readonly HttpMessageHandler connections;
    private readonly List<HttpClient> clients = [];
    private SourceIdentity? identity;

    /// <param name="observe">Told of every request that was sent, by one of <see cref="RequestOutcome"/>.</param>
    /// <param name="keys">Instead of the default chain's.</param>
    /// <param name="environment">Reads an environment variable; the process's unless given.</param>
    /// <param name="transport">Instead of the network, for all but STS.</param>
    /// <exception cref="AwsException">An endpoint variable holds no address.</exception>
    public AwsSource(
        AwsSourceOptions options, TimeProvider time, Action<string>? observe = null, AWSCredentials? keys = null,
        AwsResilience? resilience = null, Func<string, string?>? environment = null, HttpMessageHandler? transport = null)
    {
        (this.options, this.time) = (options, time);
        this.environment = environment ??= Environment.GetEnvironmentVariable;
        this.observe = observe ??= static _ => { };
        this.resilience = resilience ??= new();
        Clock = new(time);
        connections = transport ?? new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            AutomaticDecompression = System.Net.DecompressionMethods.GZip,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            PooledConnectionLifetime = TimeSpan.FromMinutes(5), // DNS changes behind an endpoint are followed.
        };

        var stsEndpoint = AwsEndpoints.Resolve(AwsService.SecurityToken, options.Region, options.EndpointUrl, environment);
        AmazonSecurityTokenServiceClient SecurityToken(AWSCredentials own) => new(own, new AmazonSecurityTokenServiceConfig
        {
            ServiceURL = stsEndpoint.ToString(),
            AuthenticationRegion = options.Region,
            Timeout = resilience.AttemptTimeout,
            MaxErrorRetry = resilience.Retries,
        });
        credentials = new(options.Role, keys, SecurityToken, time);
        account = new(options.AccountId, credentials, SecurityToken, observe);

        T Client<T>(AwsService service)
        {
            var client = new HttpClient(Handler(service), disposeHandler: false)
            {
                BaseAddress = Address(service),
                Timeout = Timeout.InfiniteTimeSpan, // The attempt's time-out and the collection's are enough.
            };
            client.DefaultRequestHeaders.UserAgent.Add(UserAgent);
            clients.Add(client);
            return RestService.ForGenerated<T>(client, new RefitSettings(new AwsJsonSerializer(service.JsonVersion))
            {
                TransportExceptionFactory = (_, error, _) => error,
                DeserializationExceptionFactory = (response, error) => new(Malformed(service, response, error)),
            });
        }

        Glue = Client<IGlueApi>(AwsService.Glue);
        CloudWatch = Client<ICloudWatchApi>(AwsService.CloudWatch);
    }

    /// <summary>As the metrics' <c>source</c> label has it.</summary>
    public string Name => options.FullName;

    public string Region => options.Region;

    /// <summary>Null until known.</summary>
    public string? AccountId => account.Id;

    public AwsClock Clock { get; }

    public IGlueApi Glue { get; }

    public ICloudWatchApi CloudWatch { get; }

    /// <summary>Null until the account is known.</summary>
    public SourceIdentity? Identity => Volatile.Read(ref identity) ?? (account.Id is { } known ? Identify(known) : null);

    /// <summary>Where the service answers.</summary>
    /// <exception cref="AwsException">An endpoint variable holds no address.</exception>
    public Uri Address(AwsService service) => AwsEndpoints.Resolve(service, options.Region, options.EndpointUrl, environment);

    /// <summary>Signs and sends the requests of a service; whoever takes it disposes of the source and not of the handler.</summary>
    public HttpMessageHandler Handler(AwsService service) =>
        new AwsHandler(service, options.Region, credentials, Clock, resilience, time, observe, connections);

    /// <exception cref="AwsException">STS did not tell the account.</exception>
    public async Task<SourceIdentity> GetIdentityAsync(CancellationToken cancellationToken) =>
        Identity ?? Identify(await account.GetIdAsync(cancellationToken));

    public void Dispose()
    {
        clients.ForEach(client => client.Dispose());
        connections.Dispose();
        credentials.Dispose();
    }

    private SourceIdentity Identify(string accountId)
    {
        var known = new SourceIdentity(
            $"aws/{accountId}/{options.Region}", [new("account_id", accountId), new("region", options.Region), .. options.Labels]);
        return Interlocked.CompareExchange(ref identity, known, null) ?? known;
    }

    private static AwsException Malformed(AwsService service, HttpResponseMessage response, Exception error)
    {
        var operation = response.RequestMessage?.Headers.TryGetValues("X-Amz-Target", out var target) == true ? target.First().Split('.', 2)[^1] : null;
        var type = response.Content.Headers.ContentType?.MediaType ?? "no content type";
        return new AwsException(
            service.Id, operation, "Malformed", $"the answer ({type}) is not what AWS sends: {error.Message}", response.StatusCode,
            type.Contains("json", StringComparison.Ordinal) ? null : "Check endpoint_url.", error);
    }
}
