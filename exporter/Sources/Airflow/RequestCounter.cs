using System.Net;

namespace PipelineExporter.Sources.Airflow;

/// <summary>Tells the outcome of each request that goes out, retries and log-ins included.</summary>
internal sealed class RequestCounter(Action<string> requested, HttpMessageHandler inner) : DelegatingHandler(inner)
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken ct)
    {
        try
        {
            var response = await base.SendAsync(request, ct);
            requested(response.StatusCode switch
            {
                HttpStatusCode.TooManyRequests => RequestOutcome.Throttled,
                _ when response.IsSuccessStatusCode => RequestOutcome.Ok,
                _ => RequestOutcome.Error,
            });
            return response;
        }
        catch (Exception e)
        {
            requested(e is OperationCanceledException ? RequestOutcome.Timeout : RequestOutcome.Error);
            throw;
        }
    }
}
