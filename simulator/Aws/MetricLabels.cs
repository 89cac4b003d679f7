using System.Runtime.InteropServices;

namespace PipelineExporter.Simulator.Aws;

/// <summary>What CloudWatch calls the results of one request: the metric's name, behind what tells it from the others.</summary>
internal sealed class MetricLabels
{
    readonly Dictionary<string, int> names = [];

    public MetricLabels(IReadOnlyList<MetricDataQuery> queries)
    {
        foreach (var query in queries)
        {
            if (query.ReturnData != false)
                CollectionsMarshal.GetValueRefOrAddDefault(names, query.MetricStat!.Metric!.MetricName!, out _)++;
        }
    }

    public string Of(MetricShape metric) => names[metric.MetricName!] == 1
        ? metric.MetricName!
        : string.Join(' ', [.. (metric.Dimensions ?? []).Select(dimension => dimension.Value), metric.MetricName!]);
}
