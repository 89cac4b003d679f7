using System.Collections.Immutable;
using System.Diagnostics;
using PipelineExporter.Metrics;
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

    private static readonly MetricDesc SeriesCount = MetricDesc.Gauge(
        "pipeline_exporter_collector_series", "Series that the collector publishes.", "collector", "source");

    private readonly Lock gate = new();
    private readonly string owner = $"{collector.Source}/{collector.Name}";
    private ImmutableArray<FamilyPart> gauges = [];
    private ImmutableArray<FamilyPart> counters = [];
    private ImmutableArray<FamilyPart> health = [];
    private DateTimeOffset? lastSuccess;
    private TimeSpan duration;
    private bool? succeeded;
    private int failures;

    /// <summary>Families that every collector has.</summary>
    public static IReadOnlyList<MetricDesc> Metrics { get; } = [Success, LastSuccess, Duration, SeriesCount];

    /// <summary>It has run, or failed, at least once.</summary>
    public bool HasRun => succeeded is not null;

    public ICollector Collector => collector;

    /// <summary>Null before the first collection; then what the last one came to.</summary>
    public (bool Succeeded, DateTimeOffset? LastSuccess, TimeSpan Duration, string? Error)? Status { get; private set; }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        // Counters stand at once at what was published before the restart, however long the first collection takes.
        Publish();
        while (true)
        {
            var started = time.GetTimestamp();
            await RunOnceAsync(cancellationToken);
            var wait = NextDelay() - time.GetElapsedTime(started);
            if (wait > TimeSpan.Zero)
                await Task.Delay(wait, time, cancellationToken);
        }
    }

    /// <summary>Collects once and publishes. Throws only when cancelled.</summary>
    public async Task RunOnceAsync(CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        string? error = null;
        try
        {
            using var timeout = new CancellationTokenSource(options.Timeout, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
            Action<MetricSink> write;
            try
            {
                write = await collector.FetchAsync(either.Token);
            }
            catch (OperationCanceledException e) when (timeout.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                throw new TimeoutException($"took longer than {options.Timeout.TotalSeconds:0.###} s", e);
            }

            Publish(write);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception e) // One broken collector hurts nobody else; whatever it was is logged below.
        {
            error = e.Message;
            Failed(e);
        }

        duration = time.GetElapsedTime(started);
        Finished(error);
    }

    /// <summary>Drops gauges that are older than the configured time; called between collections.</summary>
    public void ExpireIfStale()
    {
        lock (gate)
        {
            if (gauges.IsEmpty || lastSuccess is null || time.GetUtcNow() - lastSuccess < options.StaleAfter)
                return;
            gauges = [];
            LogStale(log, collector.Name, collector.Source, options.StaleAfter);
            PublishParts();
        }
    }

    // Counters are published after a failed collection too: a held value must not wait for a source that is down.
    private void Publish(Action<MetricSink>? write = null)
    {
        lock (gate)
        {
            if (collector.Identity is not { } identity)
                return;
            var sink = new MetricSink(identity.Labels, [.. collector.Metrics], options.SeriesLimit);
            write?.Invoke(sink);
            var source = ledger.For(identity.Scope);
            source.Advance(collector.Metrics);
            var countersSink = new MetricSink(identity.Labels, [.. collector.Metrics], options.SeriesLimit - sink.Count);
            source.Write(collector.Metrics, countersSink);

            // Everything is rendered before anything is replaced: what fails leaves the last good parts as they are.
            var newCounters = FamilyRenderer.Render(countersSink, counters);
            if (write is not null)
                (gauges, lastSuccess) = (FamilyRenderer.Render(sink, gauges), time.GetUtcNow());
            counters = newCounters;
            source.Published(collector.Metrics, PublishParts());
        }
    }

    private long PublishParts() => store.Publish(owner, [.. gauges, .. counters, .. health]);

    private void Failed(Exception error)
    {
        if (succeeded != false)
            LogFailed(log, IsExpected(error) ? null : error, collector.Name, collector.Source, error.Message);
        try
        {
            Publish();
        }
        catch (Exception e) when (e is StateException or MetricException)
        {
            if (succeeded != false && e.Message != error.Message)
                LogNotPublished(log, collector.Name, collector.Source, e.Message);
        }
    }

    private void Finished(string? error)
    {
        lock (gate)
        {
            if (error is null && succeeded == false)
                LogRecovered(log, collector.Name, collector.Source);
            succeeded = error is null;
            failures = error is null ? 0 : failures + 1;
            Status = (error is null, lastSuccess, duration, error);
            var sink = new MetricSink([], [.. Metrics], Metrics.Count);
            string[] labels = [collector.Name, collector.Source];
            sink.Set(Success, error is null ? 1 : 0, labels);
            sink.Set(LastSuccess, lastSuccess is { } at ? at.ToUnixTimeMilliseconds() / 1000.0 : 0, labels);
            sink.Set(Duration, duration.TotalSeconds, labels);
            sink.Set(SeriesCount, gauges.Sum(part => part.Series) + counters.Sum(part => part.Series), labels);
            health = FamilyRenderer.Render(sink, health);
            PublishParts();
        }
    }

    // Jitter keeps collectors that failed together from coming back together.
    private TimeSpan NextDelay()
    {
        var delay = collector.Interval;
        if (failures > 1)
            delay *= Math.Min(Math.Pow(2, failures - 1), Math.Max(1, options.MaxBackOff / collector.Interval));
        return delay * (1 + (0.1 * (Random.Shared.NextDouble() - 0.5)));
    }

    // These say in their message all there is to know; anything else is a defect, and its stack is wanted.
    private static bool IsExpected(Exception e) =>
        e is MetricException or StateException or TimeoutException or HttpRequestException or IOException or ISourceException;

    [LoggerMessage(LogLevel.Error, "collector {collector} of {source} failed: {problem}")]
    private static partial void LogFailed(ILogger log, Exception? exception, string collector, string source, string problem);

    [LoggerMessage(LogLevel.Error, "collector {collector} of {source} could not publish its counters: {problem}")]
    private static partial void LogNotPublished(ILogger log, string collector, string source, string problem);

    [LoggerMessage(LogLevel.Information, "collector {collector} of {source} works again")]
    private static partial void LogRecovered(ILogger log, string collector, string source);

    [LoggerMessage(LogLevel.Warning, "gauges of collector {collector} of {source} are older than {staleAfter} and are no longer published")]
    private static partial void LogStale(ILogger log, string collector, string source, TimeSpan staleAfter);
}

/// <summary>An error of a source whose message is complete and holds no secret: its stack adds nothing.</summary>
internal interface ISourceException;

/// <param name="Timeout">How long one collection may take.</param>
/// <param name="StaleAfter">How old gauges may become before they vanish.</param>
/// <param name="SeriesLimit">Series a collector may publish; past it the collection fails.</param>
internal sealed record RunnerOptions(TimeSpan Timeout, TimeSpan StaleAfter, int SeriesLimit)
{
    /// <summary>The longest wait between two attempts of a failing collector.</summary>
    public TimeSpan MaxBackOff { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Stale after three intervals; a collection may catch up for two minutes after an outage.</summary>
    public static RunnerOptions For(TimeSpan interval) =>
        new(TimeSpan.FromMinutes(2) > interval ? TimeSpan.FromMinutes(2) : interval, 3 * interval, SeriesLimit: 100_000);
}
