using Microsoft.Extensions.Logging.Abstractions;
using PipelineExporter.Collectors;
using PipelineExporter.Scraping;
using PipelineExporter.Stack.Tests.Tools;
using PipelineExporter.State;
using PipelineExporter.Tests.Scraping;

namespace PipelineExporter.Tests.Web;

/// <summary>What a real Prometheus' increase() makes of what is published.</summary>
public sealed class IncreaseTests
{
    private const string Increase = """round(sum by (dag_id) (increase(dag_runs_total{dag_id="etl"}[10m])))""";

    [Fact]
    public async Task The_first_event_ever_and_those_while_the_exporter_is_away_or_replaced_are_seen_once()
    {
        using var folder = new TemporaryDirectory();
        var (pod, otherPod) = (Port.Free(), Port.Free());
        await using var prometheus = await PrometheusServer.StartAsync(pod, otherPod);
        var events = new List<string> { "run 1" };

        // A DAG that was never seen before fails at once.
        await using (await Exporter.StartAsync(folder.Path, pod, events))
        {
            await prometheus.WaitForAsync("dag_runs_total", values => values is [1]);
            await prometheus.WaitForAsync(Increase, values => values is [1]);
        }

        // It fails again while the exporter is away.
        events.Add("run 2");
        await prometheus.WaitForAsync($$"""up{instance="127.0.0.1:{{pod}}"}""", values => values is [0]);
        await using (await Exporter.StartAsync(folder.Path, pod, events))
        {
            await prometheus.WaitForAsync("dag_runs_total", values => values is [2]);
            await prometheus.WaitForAsync(Increase, values => values is [2]);
        }

        // It fails while the exporter is replaced by one that is another instance to Prometheus: other series altogether.
        events.Add("run 3");
        await using (await Exporter.StartAsync(folder.Path, otherPod, events))
        {
            await prometheus.WaitForAsync($$"""dag_runs_total{instance="127.0.0.1:{{otherPod}}"}""", values => values is [3]);
            await prometheus.WaitForAsync(Increase, values => values is [3]);

            // And stays so, however often the same events are polled.
            await prometheus.WaitForAsync(
                $$"""count_over_time((dag_runs_total{instance="127.0.0.1:{{otherPod}}"} == 3)[10m:1s])""", values => values is [>= 5]);
            Assert.Equal([3.0], (await prometheus.QueryAsync(Increase)).Select(sample => sample.Value));
            Assert.Equal([3.0], (await prometheus.QueryAsync($$"""max_over_time(dag_runs_total{instance="127.0.0.1:{{otherPod}}"}[10m])""")).Select(sample => sample.Value));
        }
    }

    /// <summary>A whole exporter but for its sources: a collector that polls all events again every 200 ms.</summary>
    private sealed class Exporter : IAsyncDisposable
    {
        // Two scrapes of a Prometheus that scrapes every second, as 60 s are of one that scrapes every 30 s.
        private static readonly LedgerOptions Options = LedgerOptions.Default with { ZeroHold = TimeSpan.FromSeconds(2) };

        private readonly CancellationTokenSource stopping = new();
        private readonly Ledger ledger;
        private readonly Task running;
        private MetricsServer? server;

        private Exporter(string folder, IReadOnlyList<string> events, SnapshotStore store, ScrapeLog scrapes)
        {
            ledger = new(StateFile.Open(folder, TimeProvider.System, NullLogger.Instance), scrapes, TimeProvider.System, Options);
            var collector = new FakeCollector(ledger) { Every = TimeSpan.FromMilliseconds(200) };
            collector.Collect = _ =>
            {
                var batch = ledger.For("airflow/production").Begin();
                foreach (var id in events)
                {
                    if (batch.TryRecord(EventKey.Of("run", "etl", id), TimeProvider.System.GetUtcNow()))
                        batch.Add(FakeCollector.Runs, 1, "etl");
                }

                batch.Commit();
                return Task.FromResult(0);
            };
            running = new CollectorRunner(
                collector, ledger, store, RunnerOptions.For(TimeSpan.FromSeconds(30)), TimeProvider.System, NullLogger.Instance).RunAsync(stopping.Token);
        }

        public static async Task<Exporter> StartAsync(string folder, int port, IReadOnlyList<string> events)
        {
            var (store, scrapes) = (new SnapshotStore(), new ScrapeLog());
            var exporter = new Exporter(folder, events, store, scrapes);
            exporter.server = await MetricsServer.StartAsync(store, scrapes, port);
            return exporter;
        }

        public async ValueTask DisposeAsync()
        {
            await stopping.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
            await server!.DisposeAsync();
            ledger.Dispose();
            stopping.Dispose();
        }
    }
}
