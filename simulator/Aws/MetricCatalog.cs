using System.Collections.Frozen;
using System.Collections.Immutable;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Aws;

/// <summary>Every metric that CloudWatch holds of one account in the pipeline's region; those of single runs are made when they are asked for.</summary>
internal sealed class MetricCatalog
{
    readonly Dictionary<MetricShape, MetricSeries> exact;
    readonly FrozenDictionary<(string Namespace, string Name), ImmutableArray<MetricSeries>> byName;
    readonly FrozenDictionary<string, ImmutableArray<MetricSeries>> byNamespace;

    public MetricCatalog(PipelineModel model)
        : this(
            model,
            [
                .. SparkMetrics.Of(model), .. WorkerMetrics.Of(model),
                .. model.Buckets.SelectMany(bucket => S3Metrics.Of(model, bucket)),
                .. model.Tables.SelectMany(table => DynamoDbMetrics.Of(model, table)), DynamoDbMetrics.UserErrors(model),
            ])
    {
    }

    public MetricCatalog(PipelineModel model, ImmutableArray<MetricSeries> all)
    {
        (Model, All) = (model, all);
        exact = all.ToDictionary(series => new MetricShape(series.Namespace, series.Name, series.Dimensions), MetricIdentity.Instance);
        byName = all.GroupBy(series => (series.Namespace, series.Name)).ToFrozenDictionary(series => series.Key, series => series.ToImmutableArray());
        byNamespace = all.GroupBy(series => series.Namespace).ToFrozenDictionary(series => series.Key, series => series.ToImmutableArray());
    }

    /// <summary>Its seed decides which samples are late.</summary>
    public PipelineModel Model { get; }

    /// <summary>But for those of single runs.</summary>
    public ImmutableArray<MetricSeries> All { get; }

    /// <summary>The metric of exactly these dimensions, in whatever order.</summary>
    public MetricSeries? Find(MetricShape metric) => exact.GetValueOrDefault(metric) ?? OfRun(metric);

    /// <summary>Always in the same order, so that a number is a place in it.</summary>
    /// <param name="namespace">Null for any.</param>
    /// <param name="name">Null for any.</param>
    public ImmutableArray<MetricSeries> Named(string? @namespace, string? name) => (@namespace, name) switch
    {
        (null, null) => All,
        (null, _) => [.. All.Where(series => series.Name == name)],
        (_, null) => byNamespace.GetValueOrDefault(@namespace, []),
        _ => byName.GetValueOrDefault((@namespace, name), []),
    };

    /// <summary>Also of a run that there is not: it sent nothing.</summary>
    MetricSeries? OfRun(MetricShape metric)
    {
        if (metric.Dimensions?.FirstOrDefault(dimension => dimension.Name == SparkMetrics.JobRunId) is not { } run)
            return null;
        var ofAllRuns = metric with { Dimensions = [.. metric.Dimensions.Select(dimension => dimension == run ? run with { Value = SparkMetrics.AllRuns } : dimension)] };
        return exact.GetValueOrDefault(ofAllRuns)?.OfRun?.Invoke(run.Value);
    }

    sealed class MetricIdentity : IEqualityComparer<MetricShape>
    {
        public static readonly MetricIdentity Instance = new();

        public int GetHashCode(MetricShape metric)
        {
            var dimensions = 0;
            foreach (var dimension in metric.Dimensions ?? [])
                dimensions += HashCode.Combine(dimension.Name, dimension.Value);
            return HashCode.Combine(metric.Namespace, metric.MetricName, dimensions);
        }

        public bool Equals(MetricShape? x, MetricShape? y) =>
            x?.Namespace == y?.Namespace && x?.MetricName == y?.MetricName && HaveSame(x?.Dimensions ?? [], y?.Dimensions ?? []);

        static bool HaveSame(IReadOnlyList<MetricDimension> x, IReadOnlyList<MetricDimension> y)
        {
            if (x.Count != y.Count)
                return false;
            foreach (var dimension in x)
            {
                if (!y.Contains(dimension))
                    return false;
            }
            return true;
        }
    }
}
