namespace PipelineExporter.Sources.Aws;

/// <summary>
/// Reads each answer to its end before it gives it, so that time-outs and retries cover all of it, and none that is longer than
/// any honest one.
/// </summary>
internal sealed class WholeAnswers(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    private const int LongestMiB = 32;

    /// <exception cref="HttpRequestException">The answer is too long (ConfigurationLimitExceeded), or did not come.</exception>
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var response = await base.SendAsync(request, cancellationToken);
        try
        {
            await response.Content.LoadIntoBufferAsync(LongestMiB * 1024 * 1024, cancellationToken);
            return response;
        }
        catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.ConfigurationLimitExceeded)
        {
            response.Dispose();
            throw new HttpRequestException(e.HttpRequestError, $"{request.RequestUri!.Authority} answered more than {LongestMiB} MiB", e);
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }
}
