using System.Collections.Immutable;

namespace PipelineExporter.Configuration;

/// <summary>Where CPU and memory of an Airflow's workers are measured.</summary>
internal sealed class WorkerSettings(Section s)
{
    public CloudWatchWorkers? CloudWatch { get; } = s.Child("cloudwatch", CloudWatchWorkers.Read, "Metrics of CloudWatch.");

    public static WorkerSettings Read(Section s)
    {
        var workers = new WorkerSettings(s);
        if (!s.Describing && !s.Has("cloudwatch"))
        {
            s.Error("has nothing to collect: add cloudwatch");
        }

        return workers;
    }
}

/// <summary>Two metrics of CloudWatch, and which of their series.</summary>
internal sealed class CloudWatchWorkers(Section s)
{
    private const string DimensionExpected = "the name of a CloudWatch dimension: 1 to 255 characters on one line, not beginning with ':'";

    private static readonly ValueType<string> Dimension = new("dimension", DimensionExpected, text =>
        text.Length is > 0 and <= 255 && text[0] != ':' && !text.Any(char.IsControl)
            ? text
            : throw new FormatException($"expected {DimensionExpected}"));

    private static readonly ValueType<bool> Percent = new("percent or ratio", "percent or ratio", text => text switch
    {
        "percent" => true,
        "ratio" => false,
        _ => throw new FormatException($"expected percent or ratio, found {Printable.Quoted(text)}"),
    });

    public string Region { get; } = s.Required("region", Values.Region, "Region of the metrics.");

    public string Namespace { get; } = s.Required("namespace", Values.Text, "Namespace of the metrics, such as `AWS/MWAA` or `CWAgent`.");

    public string CpuMetric { get; } = s.Optional("cpu_metric", Values.Text, "CPUUtilization", "Name of the metric of the CPU.");

    public string MemoryMetric { get; } = s.Optional("memory_metric", Values.Text, "MemoryUtilization", "Name of the metric of the memory.");

    public ImmutableArray<KeyValuePair<string, string>> Dimensions { get; } = s.Pairs("dimensions", Dimension, Values.LabelValue,
        "All dimensions of the metrics but `cluster_dimension`, with their values.");

    /// <summary>Null: there is one series only.</summary>
    public string? ClusterDimension { get; } = s.Maybe("cluster_dimension", Dimension, "none",
        "Dimension whose values become the label `cluster`; its values are looked up every 15 minutes. Without it there is one series, its `cluster` empty.");

    public bool IsPercent { get; } = s.Optional("unit", Percent, "percent", "Unit of both metrics: `percent` (0 to 100) or `ratio` (0 to 1).");

    /// <summary>Null: the credentials are used as they are.</summary>
    public string? RoleArn { get; } = s.Maybe("role_arn", Values.RoleArn, "none", "Role to assume.");

    public string? ExternalId { get; } = s.Maybe("external_id", Values.ExternalId, "none", "External ID that the role asks for.");

    /// <summary>Null: AWS's own, or the one that <c>AWS_ENDPOINT_URL</c> names.</summary>
    public Uri? EndpointUrl { get; } = s.Maybe("endpoint_url", Values.Url, "AWS", "Endpoint of CloudWatch and STS, for a stand-in of AWS.");

    public static CloudWatchWorkers Read(Section s)
    {
        var workers = new CloudWatchWorkers(s);
        if (s.Describing)
        {
            return workers;
        }

        if (workers is { ExternalId: not null, RoleArn: null })
        {
            s.Error("external_id", "has no effect without role_arn");
        }

        if (workers.ClusterDimension is { } cluster && workers.Dimensions.Any(dimension => dimension.Key == cluster))
        {
            s.Error("cluster_dimension", $"{Printable.Quoted(cluster)} has a fixed value in dimensions: it cannot be both");
        }

        if (!s.Has("cluster_dimension") && !s.Has("dimensions"))
        {
            s.Error("needs dimensions, cluster_dimension, or both: which of the namespace's metrics are this Airflow's?");
        }

        return workers;
    }
}
