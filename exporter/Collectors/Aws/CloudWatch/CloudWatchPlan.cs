using System.Collections.Immutable;
using PipelineExporter.Metrics;

namespace PipelineExporter.Collectors.Aws.CloudWatch;

/// <summary>What one account and region are asked for: written by discovery, read by the collection of data.</summary>
internal sealed class CloudWatchPlan(ImmutableArray<CloudWatchGroup> groups)
{
    private readonly Lock gate = new();
    private readonly TaskCompletionSource discovered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Dictionary<CloudWatchGroup, ImmutableArray<TrackedMetric>> tracked = [];
    private readonly Dictionary<MetricDesc, Dictionary<string[], TrackedMetric>> series = [];
    private readonly Dictionary<CloudWatchGroup, double> costs = [];
    private readonly HashSet<CloudWatchGroup> known = [];

    public ImmutableArray<CloudWatchGroup> Groups => groups;

    /// <summary>Completes when discovery has run once, however it went.</summary>
    public Task Discovered => discovered.Task;

    /// <summary>What a group asks for; nothing before it was discovered.</summary>
    public ImmutableArray<TrackedMetric> this[CloudWatchGroup group]
    {
        get
        {
            lock (gate)
                return tracked.GetValueOrDefault(group, []);
        }
    }

    /// <summary>What each group costs at full speed.</summary>
    public IReadOnlyList<GroupCost> Costs
    {
        get
        {
            lock (gate)
                return [.. groups.Select(group => new GroupCost(group, costs.GetValueOrDefault(group)))];
        }
    }

    /// <summary>The queries of which the plan knows no series yet.</summary>
    public IReadOnlyList<CloudWatchQuery> NewOf(IEnumerable<CloudWatchQuery> queries)
    {
        lock (gate)
            return [.. queries.Where(query => Find(query.Target, query.Labels) is null)];
    }

    /// <summary>Replaces what is asked for of a group; what is known already keeps its place in time.</summary>
    /// <param name="isWhole">Whether it is all that there is; false where something could not be listed.</param>
    /// <exception cref="MetricException">Two queries make the same series.</exception>
    public void Replace(CloudWatchGroup group, IReadOnlyList<CloudWatchQuery> queries, bool isWhole)
    {
        lock (gate)
        {
            var metrics = ImmutableArray.CreateBuilder<TrackedMetric>(queries.Count);
            var next = new Dictionary<MetricDesc, Dictionary<string[], TrackedMetric>>();
            foreach (var query in queries)
            {
                if (!next.TryGetValue(query.Target, out var family))
                    next.Add(query.Target, family = new(LabelValues.Comparer));
                var metric = Find(query.Target, query.Labels) ?? new(query, group);
                if (!family.TryAdd(query.Labels, metric))
                    throw new MetricException(query.Target.Name, $"is asked for twice with the labels {string.Join(", ", query.Labels)}");
                metrics.Add(metric);
            }

            foreach (var metric in group.Metrics)
                series.Remove(metric);
            foreach (var (metric, family) in next)
                series[metric] = family;
            tracked[group] = metrics.MoveToImmutable();
            if (isWhole)
                known.Add(group);
            costs[group] = CloudWatchCost.UsdPerDay(tracked[group].Select(metric => metric.Query), group.Interval);
        }
    }

    /// <summary>Adds to what is asked for of a group, until its next discovery, the queries of which the plan knows no series yet.</summary>
    public void Add(CloudWatchGroup group, IEnumerable<CloudWatchQuery> queries)
    {
        lock (gate)
        {
            var added = NewOf(queries);
            if (added.Count > 0)
                Replace(group, [.. this[group].Select(metric => metric.Query), .. added], isWhole: false);
        }
    }

    public void SetDiscovered() => discovered.TrySetResult();

    /// <summary>Whether a series is in the plan. Until all of its group was discovered once, it is: what was counted before a restart is not hidden by a refusal.</summary>
    public bool Shows(MetricDesc family, ReadOnlySpan<string> labelValues)
    {
        if (family.Type == MetricType.Gauge)
            return true; // written for what is in the plan, and nothing else
        lock (gate)
        {
            foreach (var group in known)
            {
                if (group.Metrics.Contains(family))
                    return Find(family, labelValues) is not null;
            }

            return true;
        }
    }

    private TrackedMetric? Find(MetricDesc family, ReadOnlySpan<string> labelValues) =>
        series.TryGetValue(family, out var all) && all.GetAlternateLookup<ReadOnlySpan<string>>().TryGetValue(labelValues, out var metric) ? metric : null;
}
