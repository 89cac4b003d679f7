using PipelineExporter.Metrics;

namespace PipelineExporter.Collectors.Aws.CloudWatch;

/// <summary>Metrics of one namespace that are asked for together: what they are, which there are, and how often.</summary>
/// <param name="interval">From one question to the next: money against freshness. Nothing is lost by a longer one.</param>
internal abstract class CloudWatchGroup(TimeSpan interval)
{
    public abstract string Name { get; }

    /// <summary>The key of an aws entry that sets its interval.</summary>
    public abstract string Setting { get; }

    public TimeSpan Interval => interval;

    /// <summary>Groups of less importance are slowed down first when money runs out.</summary>
    public abstract CloudWatchImportance Importance { get; }

    public abstract IReadOnlyList<MetricDesc> Metrics { get; }

    /// <summary>Sums over the last minutes of some of the counters.</summary>
    public virtual IReadOnlyList<CloudWatchWindow> Windows => [];

    /// <summary>The end of the oldest of the periods that the gauges of a resource show; its labels are the first ones of the gauges. Null without gauges.</summary>
    public virtual MetricDesc? Timestamp => null;

    /// <summary>Those of the fresh gauges that still tell of now.</summary>
    public virtual IReadOnlyList<TrackedMetric> Shown(IReadOnlyList<TrackedMetric> fresh) => fresh;

    /// <summary>Whether it is known what exists, so that what was deleted is left out.</summary>
    public virtual bool KnowsWhatExists => true;

    /// <summary>What to ask for from now on, by what CloudWatch lists or by what is known of the resources.</summary>
    /// <returns>The statistics of one metric side by side.</returns>
    /// <exception cref="Sources.Aws.AwsException">It could not be found out.</exception>
    public abstract Task<IReadOnlyList<CloudWatchQuery>> DiscoverAsync(CloudWatchListing listing, CancellationToken cancellationToken);

    /// <summary>What to ask for as well, until the next discovery at least, after what was counted of the last minutes.</summary>
    /// <param name="metrics">What is asked for.</param>
    /// <param name="rose">When in these minutes a counter first rose; null when it did not.</param>
    /// <returns>Each with the time since when it is counted.</returns>
    public virtual IEnumerable<(CloudWatchQuery Query, DateTimeOffset Since)> ImpliedBy(
        IReadOnlyList<TrackedMetric> metrics, Func<TrackedMetric, DateTimeOffset?> rose, DateTimeOffset now) => [];
}

/// <summary>From what nobody is called for to what alerts are made of.</summary>
internal enum CloudWatchImportance
{
    Charts,
    Alerts,
    GuideAlerts,
}

/// <summary>What a counter rose by in the last minutes, by the time of the events and not of their counting.</summary>
/// <param name="Gauge">Its labels are the first ones of the counter; the counter's series that share them are added up.</param>
internal sealed record CloudWatchWindow(MetricDesc Gauge, MetricDesc Counter, TimeSpan Length);
