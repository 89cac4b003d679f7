using System.Collections.Immutable;
using Amazon.DynamoDBv2;
using Amazon.Runtime;
using Amazon.S3;
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

    public bool UseFips { get; init; }

    public ImmutableArray<KeyValuePair<string, string>> Labels { get; init; } = [];

    /// <summary>Calls of GetMetricData a second at most.</summary>
    public int DataRequestsPerSecond { get; init; } = 45;

    /// <summary>Calls of ListMetrics a second at most.</summary>
    public int ListRequestsPerSecond { get; init; } = 24;
}

/// <summary>The clients of one account and region, with what they share: keys, clock, connections, identity.</summary>
internal sealed class AwsSource : IDisposable
{
    public static readonly System.Net.Http.Headers.ProductInfoHeaderValue UserAgent =
        new("pipeline-exporter", typeof(AwsSource).Assembly.GetName().Version?.ToString(3));

    private readonly AwsSourceOptions options;
    private readonly Action<string> observe;
    private readonly AwsResilience resilience;
    private readonly Func<string, string?>? environment;
    private readonly Func<string, string>? claim;
    private readonly AwsCredentials credentials;
    private readonly AwsAccount account;
    private readonly HttpMessageHandler connections;
    private readonly List<HttpClient> clients = [];
    private readonly Lazy<S3Api> s3;
    private readonly Lazy<DynamoDbApi> dynamoDb;
    private SourceIdentity? identity;

    /// <param name="observe">Told of every request that was sent, by one of <see cref="RequestOutcome"/>.</param>
    /// <param name="keys">Instead of the default chain's.</param>
    /// <param name="environment">Reads an environment variable that sets an endpoint. Null: the process's, and the shared profile's goes with it.</param>
    /// <param name="transport">Instead of the network, for all but the assuming of roles.</param>
    /// <param name="claim">Takes the scope of the identity for this source; gives the name of the source whose it is. Null: nobody else may want it.</param>
    /// <exception cref="AwsException">An endpoint variable holds no address.</exception>
    public AwsSource(
        AwsSourceOptions options, TimeProvider time, Action<string>? observe = null, AWSCredentials? keys = null,
        AwsResilience? resilience = null, Func<string, string?>? environment = null, HttpMessageHandler? transport = null,
        Func<string, string>? claim = null)
    {
        (this.options, Time) = (options, time);
        (this.environment, this.claim) = (environment, claim);
        this.observe = observe ??= static _ => { };
        this.resilience = resilience ??= new();
        Clock = new(time);
        Usage = new(new Dictionary<string, AwsPace>
        {
            [CloudWatchOperation.GetMetricData] = new(options.DataRequestsPerSecond, time),
            [CloudWatchOperation.ListMetrics] = new(options.ListRequestsPerSecond, time),
        });
        connections = transport ?? Network();

        var toAssumeRoles = new HttpClient(new WholeAnswers(Network())) { Timeout = resilience.AttemptTimeout };
        clients.Add(toAssumeRoles);
        var stsEndpoint = Address(AwsService.SecurityToken);
        AmazonSecurityTokenServiceClient SecurityToken(AWSCredentials own) => new(own, new AmazonSecurityTokenServiceConfig
        {
            ServiceURL = stsEndpoint.ToString(),
            AuthenticationRegion = options.Region,
            UseFIPSEndpoint = false, // What the environment says of it is in the address already.
            UseDualstackEndpoint = false,
            HttpClientFactory = AwsSdk.Through(toAssumeRoles),
            MaxErrorRetry = resilience.Retries,
        });
        credentials = new(options.Role, keys, SecurityToken, Clock);
        account = new(options.AccountId, () => new(AwsSdk.Keys, Config(new AmazonSecurityTokenServiceConfig(), AwsService.SecurityToken)));

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
                Buffered = true, // To be signed, before they are sent; what Refit streams would be copied twice for that.
                TransportExceptionFactory = (_, error, _) => error,
                DeserializationExceptionFactory = (response, error) => new(Malformed(service, response, error)),
            });
        }

        Glue = Client<IGlueApi>(AwsService.Glue);
        CloudWatch = Client<ICloudWatchApi>(AwsService.CloudWatch);
        s3 = new(() => new(new(AwsSdk.Keys, S3Api.Config(Config(new AmazonS3Config(), AwsService.S3), options.Region))));
        dynamoDb = new(() => new(new(AwsSdk.Keys, Config(new AmazonDynamoDBConfig(), AwsService.DynamoDb))));
    }

    /// <summary>As the metrics' <c>source</c> label has it.</summary>
    public string Name => options.FullName;

    public string Region => options.Region;

    /// <summary>Null until known.</summary>
    public string? AccountId => account.Id;

    public AwsClock Clock { get; }

    /// <summary>Of this machine, for what is to last so long; <see cref="Clock"/> tells what time it is.</summary>
    public TimeProvider Time { get; }

    public AwsUsage Usage { get; }

    public IGlueApi Glue { get; }

    public ICloudWatchApi CloudWatch { get; }

    /// <exception cref="AwsException">An endpoint variable holds no address.</exception>
    public S3Api S3 => s3.Value;

    /// <exception cref="AwsException">An endpoint variable holds no address.</exception>
    public DynamoDbApi DynamoDb => dynamoDb.Value;

    /// <summary>Null until the account is known, and while another source has it.</summary>
    public SourceIdentity? Identity => Volatile.Read(ref identity) ?? (account.Id is { } known && OwnerOf(known) == Name ? Identify(known) : null);

    /// <summary>Where the service answers.</summary>
    /// <exception cref="AwsException">An endpoint variable holds no address.</exception>
    public Uri Address(AwsService service) => AwsEndpoints.Resolve(service, options, environment);

    /// <summary>Signs and sends the requests of a service; whoever takes it disposes of the source and not of the handler.</summary>
    public HttpMessageHandler Handler(AwsService service) =>
        new AwsHandler(service, options.Region, credentials, Clock, resilience, Time, observe, Usage, connections);

    /// <exception cref="AwsException">STS did not tell the account, or another source has it.</exception>
    public async Task<SourceIdentity> GetIdentityAsync(CancellationToken cancellationToken)
    {
        if (Identity is { } known)
            return known;
        var id = await account.GetIdAsync(cancellationToken);
        return OwnerOf(id) is var owner && owner == Name
            ? Identify(id)
            : throw new AwsException(
                AwsService.SecurityToken.Id, null, "Duplicate", $"{Name} is of the same account ({id}) and region as {owner}", hint: "Make one entry of both in the configuration.");
    }

    public void Dispose()
    {
        clients.ForEach(client => client.Dispose());
        if (s3.IsValueCreated)
            s3.Value.Dispose();
        if (dynamoDb.IsValueCreated)
            dynamoDb.Value.Dispose();
        connections.Dispose();
        credentials.Dispose();
    }

    private static SocketsHttpHandler Network() => new()
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        AutomaticDecompression = System.Net.DecompressionMethods.GZip,
        ConnectTimeout = TimeSpan.FromSeconds(5),
        PooledConnectionLifetime = TimeSpan.FromMinutes(5), // DNS changes behind an endpoint are followed.
    };

    private T Config<T>(T config, AwsService service)
        where T : ClientConfig => AwsSdk.Config(config, service, Address(service), options.Region, Handler(service));

    private string ScopeOf(string accountId) => $"aws/{accountId}/{options.Region}";

    private string OwnerOf(string accountId) => claim?.Invoke(ScopeOf(accountId)) ?? Name;

    private SourceIdentity Identify(string accountId)
    {
        var known = new SourceIdentity(
            ScopeOf(accountId), [new("account_id", accountId), new("region", options.Region), .. options.Labels]);
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
