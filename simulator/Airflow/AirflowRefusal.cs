using System.Text.Json;

namespace PipelineExporter.Simulator.Airflow;

/// <summary>An answer other than 200: the status and what stands in the body.</summary>
internal sealed class AirflowRefusal(int status, string contentType, Action<Utf8JsonWriter>? writeJson, string? text = null)
    : Exception($"HTTP {status}")
{
    public int Status => status;

    public string ContentType => contentType;

    /// <summary>Null: the body is <see cref="Text"/>.</summary>
    public Action<Utf8JsonWriter>? WriteJson => writeJson;

    public string? Text => text;
}
