using System.Collections.Immutable;
using System.Diagnostics;
using PipelineExporter.Collectors;
using PipelineExporter.Configuration;
using PipelineExporter.Metrics;
using PipelineExporter.Sources;
using PipelineExporter.State;

namespace PipelineExporter.Scraping;

/// <summary>
/// Runs one collector of one source for ever: interval, time-out, back-off, and publishing. A failure keeps the last good
/// gauges until they are stale; counters come from the ledger and stay.
/// </summary>
internal sealed partial class CollectorRunner(
    ICollector collector, Ledger ledger, SnapshotStore store, RunnerOptions options, TimeProvider time, ILogger log)
{
    private static readonly MetricDesc Success = MetricDesc.Gauge(
        "pipeline_exporter_collector_success", "Whether the collector's last collection succeeded (1) or failed (0).", "collector", "source");

    private static readonly MetricDesc LastSuccess = MetricDesc.Gauge(
        "pipeline_exporter_collector_last_success_timestamp_seconds", "When a collection last succeeded; 0 when none ever did.", "collector", "source");

    private static readonly MetricDesc Duration = MetricDesc.Gauge(
        "pipeline_exporter_collector_duration_seconds", "How long the last collection took.", "collector", "source");

    private static readonly MetricDesc IntervalSeconds = MetricDesc.Gauge(
        "pipeline_exporter_collector_interval_seconds", "Time from one collection to the next, as configured.", "collector", "source");

    private static readonly MetricDesc SeriesCount = MetricDesc.Gauge(
        "pipeline_exporter_collector_series", "Series that the collector publishes.", "collector", "source");

    private readonly Lock gate = new();
    private readonly string owner = $"{collector.Source}/{collector.Name}";
    private ImmutableArray<FamilyPart> gauges = [];
    private ImmutableArray<FamilyPart> counters = [];
    private ImmutableArray<FamilyPart> health = [];
    private Task<Collected>? fetching;
    private DateTimeOffset? lastSuccess;
    private DateTimeOffset? gaugesAsOf;
    private int failures;
    private bool published; // the last collection was, whole or not

    /// <summary>Families that every collector has.</summary>
    public static IReadOnlyList<MetricDesc> Metrics { get; } = [Success, LastSuccess, Duration, IntervalSeconds, SeriesCount];

    /// <summary>It has run, or failed, at least once.</summary>
    public bool HasRun => Status is not null;

    public ICollector Collector => collector;

    /// <summary>Null before the first collection; then what the last one came to.</summary>
    public CollectorStatus? Status { get; private set; }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        // Counters stand at once at what was published before the restart, however long the first collection takes.
        PublishCounters();
        while (true)
        {
            var started = time.GetTimestamp();
            await RunOnceAsync(cancellationToken);
            var wait = NextDelay();
            // A source that fails slowly gets a rest: its interval begins at the end.
            if (published)
                wait -= time.GetElapsedTime(started);
            if (wait > TimeSpan.Zero)
                await Task.Delay(wait, time, cancellationToken);
        }
    }

    /// <summary>Collects once and publishes. Throws only when cancelled.</summary>
    public async Task RunOnceAsync(CancellationToken cancellationToken)
    {
        var (started, startedAt) = (time.GetTimestamp(), time.GetUtcNow());
        string? error = null;
        published = false;
        try
        {
            var collected = await FetchAsync(cancellationToken);
            // What is there of an incomplete collection may have been read at its beginning, before the source began to keep it waiting.
            var asOf = collected.Failure is null ? time.GetUtcNow() : startedAt;
            Publish(IsStale(asOf) ? null : collected.Write, asOf);
            published = true;
            if (collected.Failure is { } failure)
                error = Failed(failure);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception e) // One broken collector hurts nobody else; whatever it was is logged.
        {
            error = Failed(e);
            PublishCounters(e.Message);
        }

        Finished(error, time.GetElapsedTime(started));
        Garbage.CollectIfMuch();
    }

    /// <summary>Logs the first failure in a row; gives what the status page tells of it.</summary>
    private string Failed(Exception e)
    {
        if (failures == 0)
            LogFailed(log, IsExpected(e) ? null : e, collector.Name, collector.Source, e.Message);
        // An unexpected message may hold anything: it goes to the log with its stack, and not onto the status page.
        return IsExpected(e) ? e.Message : $"{e.GetType().Name}; the log tells more";
    }

    private async Task<Collected> FetchAsync(CancellationToken cancellationToken)
    {
        // One that ignores its cancellation must not count beside its successor.
        if (fetching is { IsCompleted: false })
            throw new TimeoutException("the collection before was cancelled and has not ended yet");
        using var timeout = new CancellationTokenSource(options.Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        var token = either.Token;
        // On the pool, so that the time-out ends one that blocks, too.
        fetching = Task.Run(() => collector.FetchAsync(token), token);
        try
        {
            return await fetching.WaitAsync(token);
        }
        catch (OperationCanceledException e) when (timeout.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"took longer than {options.Timeout.TotalSeconds:0.###} s", e);
        }
    }

    /// <summary>Drops gauges that are older than the configured time; called between collections.</summary>
    public void ExpireIfStale()
    {
        lock (gate)
        {
            if (gauges.IsEmpty || gaugesAsOf is not { } asOf || !IsStale(asOf))
                return;
            gauges = [];
            LogStale(log, collector.Name, collector.Source, options.StaleAfter);
            PublishHealth();
        }
    }

    /// <summary>Publishes what the ledger holds, so far as the source is known.</summary>
    /// <param name="failure">What the collection before failed with: it is not logged again.</param>
    /// <remarks>After a failed collection too: a held value must not wait for a source that is down.</remarks>
    public void PublishCounters(string? failure = null)
    {
        try
        {
            Publish();
        }
        catch (Exception e) // What was published stays; the collection that follows, or failed before, tells.
        {
            if (failures == 0 && e.Message != failure)
                LogNotPublished(log, collector.Name, collector.Source, e.Message);
        }
    }

    private bool IsStale(DateTimeOffset asOf) => time.GetUtcNow() - asOf >= options.StaleAfter;

    private void Publish(Action<MetricSink>? write = null, DateTimeOffset? asOf = null)
    {
        lock (gate)
        {
            if (collector.Identity is not { } identity)
            {
                if (write is not null)
                    throw new InvalidOperationException("collected without knowing from whom");
                return;
            }

            var sink = new MetricSink(identity.Labels, collector.Metrics, options.SeriesLimit, collector.Shown());
            write?.Invoke(sink);
            var source = ledger.For(identity.Scope);
            source.Advance(collector.Metrics);
            var unseen = source.Write(collector.Metrics, sink);

            // Everything is rendered before anything is replaced: what fails leaves the last good parts as they are.
            var newGauges = write is null ? gauges : FamilyRenderer.Render(sink, gauges: true, gauges);
            var newCounters = FamilyRenderer.Render(sink, gauges: false, counters);
            var generation = store.Publish(owner, [.. newGauges, .. newCounters, .. health]);
            (gauges, counters) = (newGauges, newCounters);
            if (write is not null)
                gaugesAsOf = asOf;
            source.Published(unseen, generation);
        }
    }

    private void Finished(string? error, TimeSpan duration)
    {
        lock (gate)
        {
            if (error is null && failures > 0)
                LogRecovered(log, collector.Name, collector.Source);
            failures = error is null ? 0 : failures + 1;
            if (error is null)
                lastSuccess = gaugesAsOf;
            Status = new(error is null, lastSuccess, duration, error);
            PublishHealth();
        }
    }

    private void PublishHealth()
    {
        if (Status is not { } status)
            return;
        var sink = new MetricSink([], Metrics, Metrics.Count);
        string[] labels = [collector.Name, collector.Source];
        sink.Set(Success, status.Succeeded ? 1 : 0, labels);
        sink.Set(LastSuccess, lastSuccess is { } at ? at.ToUnixTimeMilliseconds() / 1000.0 : 0, labels);
        sink.Set(Duration, status.Duration.TotalSeconds, labels);
        sink.Set(IntervalSeconds, collector.Interval.TotalSeconds, labels);
        sink.Set(SeriesCount, gauges.Sum(part => part.Series) + counters.Sum(part => part.Series), labels);
        health = FamilyRenderer.Render(sink, gauges: true, health);
        store.Publish(owner, [.. gauges, .. counters, .. health]);
    }

    /// <summary>The wait after so many failures in a row: sooner than a long interval, and ever later up to the longer of both.</summary>
    internal static TimeSpan DelayAfter(int failures, TimeSpan interval, TimeSpan maxBackOff)
    {
        if (failures == 0)
            return interval;
        var (shorter, longer) = interval < maxBackOff ? (interval, maxBackOff) : (maxBackOff, interval);
        var delay = shorter * Math.Pow(2, Math.Min(failures - 1, 20));
        return delay < longer ? delay : longer;
    }

    // Jitter keeps collectors that failed together from coming back together. What is only incomplete comes when it is due.
    private TimeSpan NextDelay() =>
        DelayAfter(published ? 0 : failures, collector.Interval, options.MaxBackOff) * (1 + (0.1 * (Random.Shared.NextDouble() - 0.5)));

    // These say in their message all there is to know; anything else is a defect, and its stack is wanted.
    private static bool IsExpected(Exception e) =>
        e is MetricException or StateException or TimeoutException or HttpRequestException or IOException or SecretException or ISourceException;

    [LoggerMessage(LogLevel.Error, "collector {collector} of {source} failed")]
    private static partial void LogFailed(ILogger log, Exception? exception, string collector, string source, string problem);

    [LoggerMessage(LogLevel.Error, "collector {collector} of {source} could not publish its counters")]
    private static partial void LogNotPublished(ILogger log, string collector, string source, string problem);

    [LoggerMessage(LogLevel.Information, "collector {collector} of {source} works again")]
    private static partial void LogRecovered(ILogger log, string collector, string source);

    [LoggerMessage(LogLevel.Warning, "gauges of collector {collector} of {source} are older than {staleAfter} and are no longer published")]
    private static partial void LogStale(ILogger log, string collector, string source, TimeSpan staleAfter);
}

/// <summary>What a collector's last collection came to.</summary>
internal sealed record CollectorStatus(bool Succeeded, DateTimeOffset? LastSuccess, TimeSpan Duration, string? Error);
