using System.Collections.Immutable;
using PipelineExporter.Metrics;

namespace PipelineExporter.Scraping;

/// <summary>Keeps every collector running, drops what became stale, and publishes the exporter's own metrics.</summary>
internal sealed class ScrapingService(
    IReadOnlyList<CollectorRunner> runners, SnapshotStore store, SelfMetrics self, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan StaleCheckInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SelfInterval = TimeSpan.FromSeconds(10);

    /// <summary>Completes when the exporter can be scraped. No source is asked before: one that cannot listen does not run.</summary>
    public Task Listening { get; init; } = Task.CompletedTask;

    /// <summary>Every collector has run or failed once.</summary>
    public bool IsReady => runners.All(runner => runner.HasRun);

    public IReadOnlyList<CollectorRunner> Runners => runners;

    /// <summary>Returns once the first scrape would find the counters as they were before the restart.</summary>
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var runner in runners)
            runner.PublishCounters();
        return base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Listening.WaitAsync(stoppingToken);
        await Task.WhenAll(
        [
            // On the pool, so that a collector that blocks before its first await delays nobody.
            .. runners.Select(runner => Task.Run(() => runner.RunAsync(stoppingToken), stoppingToken)),
            Every(StaleCheckInterval, () =>
            {
                foreach (var runner in runners)
                    runner.ExpireIfStale();
                return Task.CompletedTask;
            }, stoppingToken),
            PublishSelfAsync(stoppingToken),
        ]);
    }

    private async Task PublishSelfAsync(CancellationToken cancellationToken)
    {
        ImmutableArray<FamilyPart> published = [];
        await Every(SelfInterval, async () =>
        {
            published = await self.RenderAsync(published, cancellationToken);
            store.Publish("exporter", published);
        }, cancellationToken);
    }

    private async Task Every(TimeSpan interval, Func<Task> action, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(interval, time);
        do
            await action();
        while (await timer.WaitForNextTickAsync(cancellationToken));
    }
}
