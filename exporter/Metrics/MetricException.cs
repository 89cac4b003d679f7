namespace PipelineExporter.Metrics;

/// <summary>A sample or a family that Prometheus would refuse or misread. The message names the metric.</summary>
internal sealed class MetricException(string metric, string problem) : Exception($"metric {metric}: {problem}")
{
    public string Metric { get; } = metric;
}
