using System.Collections.Immutable;
using PipelineExporter.Metrics;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Aws;

/// <summary>
/// Operations that IAM does not allow the exporter, of one collector: what they feed is missing, and the rest goes on. A
/// refusal is logged when it is new, and shown as long as it lasts.
/// </summary>
/// <remarks>An operation is one collector's to tell of: two would publish one series twice.</remarks>
internal sealed partial class AccessDenials(string source, ILogger log)
{
    public static readonly MetricDesc Denied = MetricDesc.Gauge(
        "pipeline_exporter_aws_access_denied", "1 for an operation that IAM denies the exporter, for some resource at least: what it feeds is missing.", "operation");

    private ImmutableSortedSet<string> standing = [];

    /// <summary>Ends a collection; gives the operations that were denied in it.</summary>
    /// <param name="refusals">Null where there was none.</param>
    public ImmutableSortedSet<string> Settle(params ReadOnlySpan<AwsException?> refusals)
    {
        var denied = ImmutableSortedSet.CreateBuilder<string>(StringComparer.Ordinal);
        foreach (var refusal in refusals)
        {
            if (refusal?.Operation is { } operation && denied.Add(operation) && !standing.Contains(operation))
                LogDenied(log, operation, source, refusal.Message);
        }

        return standing = denied.ToImmutable();
    }

    public static void Write(IEnumerable<string> denied, MetricSink sink)
    {
        foreach (var operation in denied)
            sink.Set(Denied, 1, operation);
    }

    [LoggerMessage(LogLevel.Warning, "{operation} is denied to the exporter in {source}; what it feeds is left out")]
    private static partial void LogDenied(ILogger log, string operation, string source, string problem);
}
