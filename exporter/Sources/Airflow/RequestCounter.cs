using System.Net;

namespace PipelineExporter.Sources.Airflow;

/// <summary>Tells the outcome of each request that goes out, retries and log-ins included:
/// success, unauthorized, throttled, client_error, server_error, timeout or unreachable.</summary>
internal sealed class RequestCounter(Action<string> requested, HttpMessageHandler inner) : DelegatingHandler(inner)
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken ct)
    {
        try
        {
            var response = await base.SendAsync(request, ct);
            requested(Outcome(response.StatusCode));
            return response;
        }
        catch (Exception e)
        {
            requested(e is OperationCanceledException ? "timeout" : "unreachable");
            throw;
        }
    }

    private static string Outcome(HttpStatusCode status) => status switch
    {
        HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => "unauthorized",
        HttpStatusCode.TooManyRequests => "throttled",
        >= HttpStatusCode.InternalServerError => "server_error",
        >= HttpStatusCode.MultipleChoices => "client_error",
        _ => "success",
    };
}
