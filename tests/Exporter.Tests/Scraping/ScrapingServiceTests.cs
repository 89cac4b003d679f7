using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Collectors;
using PipelineExporter.Metrics;
using PipelineExporter.Scraping;
using PipelineExporter.Stack.Tests.Tools;
using PipelineExporter.State;

namespace PipelineExporter.Tests.Scraping;

public sealed class ScrapingServiceTests : IDisposable
{
    private readonly TemporaryDirectory folder = new();
    private readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
    private readonly SnapshotStore store = new();
    private readonly Ledger ledger;

    public ScrapingServiceTests() =>
        ledger = new(StateFile.Open(folder.Path, time, new LogLines()), new ScrapeLog(), time, LedgerOptions.Default);

    public void Dispose()
    {
        ledger.Dispose();
        folder.Dispose();
    }

    [Fact]
    public async Task It_is_ready_once_every_collector_has_run_or_failed()
    {
        var slow = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        var failing = new FakeCollector(ledger);
        failing.Fails("down");
        using var service = Service(failing, new FakeCollector(ledger) { Environment = "development", Collect = _ => slow.Task });
        await service.StartAsync(TestContext.Current.CancellationToken);
        await WaitUntil(() => service.Runners[0].HasRun);
        Assert.False(service.IsReady);
        slow.SetResult(1);
        await WaitUntil(() => service.IsReady);
        await service.StopAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Gauges_of_a_collector_that_hangs_become_stale()
    {
        var collector = new FakeCollector(ledger);
        using var service = Service(collector);
        await service.StartAsync(TestContext.Current.CancellationToken);
        await WaitUntil(() => Page().Contains("pool_slots", StringComparison.Ordinal));
        collector.Collect = async cancellationToken =>
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken);
            return 0;
        };
        await WaitUntil(() =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return !Page().Contains("pool_slots", StringComparison.Ordinal);
        });
        await service.StopAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task The_exporters_own_metrics_are_on_the_page()
    {
        using var service = Service();
        await service.StartAsync(TestContext.Current.CancellationToken);
        await WaitUntil(() => Page().Contains($"pipeline_exporter_build_info{{version=\"{SelfMetrics.Version}\"}} 1\n", StringComparison.Ordinal));
        Assert.Contains("process_working_set_bytes ", Page());
        await File.WriteAllTextAsync(folder.File("metrics"), Page(), TestContext.Current.CancellationToken);
        await Command.SucceedAsync("/bin/sh", "-c", "promtool check metrics < \"$1\"", "sh", folder.File("metrics"));
        await service.StopAsync(TestContext.Current.CancellationToken);
    }

    private static async Task WaitUntil(Func<bool> condition)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromMinutes(1), "did not happen within a minute");
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }
    }

    private ScrapingService Service(params ReadOnlySpan<FakeCollector> collectors)
    {
        var runners = new List<CollectorRunner>();
        foreach (var collector in collectors)
            runners.Add(new(collector, ledger, store, RunnerOptions.For(collector.Interval), time, new LogLines()));
        return new(runners, store, new SelfMetrics(stateSetAside: false), time);
    }

    private string Page() => store.Page.Text();
}
