using System.Net;

namespace PipelineExporter.Sources.Airflow;

/// <summary>A request that an Airflow did not answer as asked. The message names the request, what came back and what to do; it never
/// holds a credential, nor more of a body than Airflow's own short reason.</summary>
internal sealed class AirflowException(string environment, string what, HttpStatusCode? status, string reason, string? hint)
    : Exception($"{what}: {reason}{(hint is null ? "" : ". " + hint)}"), ISourceException
{
    public string Environment { get; } = environment;

    /// <summary>The request, such as <c>GET /api/v1/pools</c>.</summary>
    public string What { get; } = what;

    /// <summary>Null when no answer came.</summary>
    public HttpStatusCode? Status { get; } = status;

    /// <summary>Airflow's own reason in full, to be read by the program and shown to nobody; null when it gave none.</summary>
    public string? Detail { get; init; }
}
