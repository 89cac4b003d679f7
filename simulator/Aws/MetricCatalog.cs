using System.Collections.Immutable;
using System.Runtime.InteropServices;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Aws;

internal sealed record MetricDimension(string Name, string Value);

/// <summary>One value that a program sent to CloudWatch.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct MetricSample(DateTimeOffset At, double Value);

/// <summary>One metric of CloudWatch: a name, its exact dimensions, and what was sent.</summary>
/// <param name="Samples">The samples of [from, to), oldest first.</param>
internal sealed record MetricSeries(
    string Namespace,
    string Name,
    ImmutableArray<MetricDimension> Dimensions,
    string Unit,
    Func<DateTimeOffset, DateTimeOffset, IEnumerable<MetricSample>> Samples)
{
    /// <summary>The dimensions have to be the same, neither more nor fewer; their order does not matter.</summary>
    public bool Is(string @namespace, string name, IReadOnlyCollection<MetricDimension> dimensions) =>
        Namespace == @namespace && Name == name && Dimensions.Length == dimensions.Count && Dimensions.All(dimensions.Contains);
}

/// <summary>Every metric that CloudWatch holds in the pipeline's region.</summary>
internal sealed class MetricCatalog(PipelineModel model)
{
    /// <summary>What is sent at t can be read from t + this.</summary>
    public static readonly TimeSpan PublishDelay = TimeSpan.FromMinutes(2);

    readonly ImmutableArray<MetricSeries> series = [.. model.GlueJobs.Select(job => ElapsedTime(model, job.Name)), .. WorkerMetrics.Of(model)];

    public ImmutableArray<MetricSeries> In(string region) => region == AwsCredentials.Region ? series : [];

    /// <summary>Sent every 30 s while a run is running, and at no other time: absence is not zero.</summary>
    static MetricSeries ElapsedTime(PipelineModel model, string jobName) => new(
        "Glue",
        "glue.driver.aggregate.elapsedTime",
        [new("JobName", jobName), new("JobRunId", "ALL"), new("Type", "count")],
        "Milliseconds",
        (from, to) => model.ElapsedTime(jobName, from, to).Select(delta => new MetricSample(delta.At, delta.Milliseconds)));
}
