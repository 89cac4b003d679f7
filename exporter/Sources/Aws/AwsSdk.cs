using Amazon.Runtime;

namespace PipelineExporter.Sources.Aws;

/// <summary>
/// Clients of the AWS SDK, which only shape requests and read answers here: signing, retries, time-outs and errors are
/// <see cref="AwsHandler"/>'s, as for the services that the SDK does not serve.
/// </summary>
internal static class AwsSdk
{
    private static readonly AsyncLocal<string?> Asked = new();

    /// <summary>The handler signs, with keys that may change at any time.</summary>
    public static AWSCredentials Keys { get; } = new AnonymousAWSCredentials();

    /// <param name="address">Where the service answers, which leaves the SDK nothing to find out.</param>
    /// <param name="handler">An <see cref="AwsHandler"/>.</param>
    public static TConfig Config<TConfig>(TConfig config, AwsService service, Uri address, string region, HttpMessageHandler handler)
        where TConfig : ClientConfig
    {
        config.ServiceURL = address.ToString();
        config.AuthenticationRegion = region;
        config.UseFIPSEndpoint = false;
        config.UseDualstackEndpoint = false;
        config.MaxErrorRetry = 0;
        config.ClientAppId = "pipeline-exporter";
        config.HttpClientFactory = Through(new HttpClient(new Transport(service, handler), disposeHandler: false) { Timeout = Timeout.InfiniteTimeSpan });
        return config;
    }

    /// <param name="client">Its owner disposes of it.</param>
    public static HttpClientFactory Through(HttpClient client) => new OneClient(client);

    /// <param name="operation">As AWS calls it; the SDK's names differ here and there.</param>
    /// <exception cref="AwsException">The request failed, or the answer cannot be read.</exception>
    public static async Task<T> CallAsync<T>(AwsService service, string operation, Func<Task<T>> call)
    {
        Asked.Value = operation;
        try
        {
            return await call();
        }
        catch (Exception e) when (e is not (AwsException or OperationCanceledException or OutOfMemoryException))
        {
            // The SDK has no common type for what it trips over, and its messages may repeat the answer.
            throw AwsException.Malformed(service, operation, $"the answer is not what AWS sends ({(e.InnerException ?? e).GetType().Name})");
        }
    }

    private sealed class OneClient(HttpClient client) : HttpClientFactory
    {
        public override HttpClient CreateHttpClient(IClientConfig clientConfig) => client;

        public override bool UseSDKHttpClientCaching(IClientConfig clientConfig) => false;

        public override bool DisposeHttpClientsAfterUse(IClientConfig clientConfig) => false;
    }

    private sealed class Transport(AwsService service, HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (Asked.Value is { } operation)
                request.Options.Set(AwsHandler.Operation, operation);
            var response = await base.SendAsync(request, cancellationToken);
            response.Headers.Remove("x-amz-crc32"); // Of the answer before it was unpacked.
            // Out of a page of HTML the SDK reads that there is nothing.
            if (service.AnswersXml && (!IsXml(response.Content) || response.Content.Headers.ContentLength == 0))
            {
                throw new AwsException(
                    service.Id, Asked.Value, "Malformed", "the answer is not the XML that AWS sends", response.StatusCode, "Check endpoint_url.");
            }

            return response;
        }

        private static bool IsXml(HttpContent content) => content.Headers.ContentType?.MediaType is "application/xml" or "text/xml";
    }
}
