using PipelineExporter.Metrics;
using PipelineExporter.Sources;

namespace PipelineExporter.Collectors;

/// <summary>Fetches one kind of data from one source. Seen by the runner; collectors derive from <see cref="Collector{TSnapshot}"/>.</summary>
internal interface ICollector
{
    /// <summary>The collector's name, e.g. <c>airflow_runs</c>.</summary>
    string Name { get; }

    /// <summary>The source's name in the configuration, e.g. <c>airflow/production</c>; needs no network to know.</summary>
    string Source { get; }

    /// <summary>Null until the source has told who it is.</summary>
    SourceIdentity? Identity { get; }

    /// <summary>Every family that the collector writes or counts.</summary>
    IReadOnlyList<MetricDesc> Metrics { get; }

    TimeSpan Interval { get; }

    /// <summary>What one collection asks the source for, and in how many requests: for the documentation, in Markdown.</summary>
    string Asks { get; }

    /// <summary>What decides which series are published, from now on: what is gone from its source is not, though its counters are
    /// kept. Null: everything is. It is called while the ledger is locked, and must not ask it.</summary>
    SeriesFilter? Shown();

    Task<Collected> FetchAsync(CancellationToken cancellationToken);
}

/// <summary>What one collection fetched.</summary>
/// <param name="Write">Writes its gauges.</param>
/// <param name="Failure">Why a part is missing, though what there is is good and was counted; null: it is whole.</param>
internal sealed record Collected(Action<MetricSink> Write, Exception? Failure);

/// <summary>
/// A collector in two halves: <see cref="CollectAsync"/> does all I/O and commits what it counted to the ledger;
/// <see cref="Write"/> turns the snapshot into gauges and can be tested with a literal record. Counters and histograms are
/// published from the ledger, not written here.
/// </summary>
/// <typeparam name="TSnapshot">An immutable record.</typeparam>
internal abstract class Collector<TSnapshot> : ICollector
{
    public abstract string Name { get; }

    public abstract string Source { get; }

    public abstract SourceIdentity? Identity { get; }

    public abstract IReadOnlyList<MetricDesc> Metrics { get; }

    public abstract TimeSpan Interval { get; }

    public abstract string Asks { get; }

    public virtual SeriesFilter? Shown() => null;

    async Task<Collected> ICollector.FetchAsync(CancellationToken cancellationToken)
    {
        var snapshot = await CollectAsync(cancellationToken);
        return new(sink => Write(snapshot, sink), FailureIn(snapshot));
    }

    /// <summary>Why a part of the snapshot is missing; null: it is whole. The collection is then told as failed, and published.</summary>
    protected internal virtual Exception? FailureIn(TSnapshot snapshot) => null;

    protected internal abstract Task<TSnapshot> CollectAsync(CancellationToken cancellationToken);

    protected internal abstract void Write(TSnapshot snapshot, MetricSink sink);
}
