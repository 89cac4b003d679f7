using System.Collections.Immutable;
using Microsoft.Extensions.Logging.Abstractions;
using PipelineExporter.Collectors;
using PipelineExporter.Collectors.Airflow;
using PipelineExporter.Metrics;
using PipelineExporter.Scraping;
using PipelineExporter.Sources;
using PipelineExporter.Sources.Airflow;
using PipelineExporter.State;

namespace PipelineExporter.Benchmarks;

/// <summary>The exporter's collectors and its runner in this process, one after the other, so that collecting and publishing can be told apart.</summary>
internal static class AirflowParts
{
    /// <summary>CPU seconds of one poll, the mean of <paramref name="polls"/>; the first one, which fills gauges, is left out.</summary>
    /// <param name="endpoint">The Airflow, without anything in between.</param>
    /// <param name="folder">State of an exporter that has ended.</param>
    public static async Task<(double Collecting, double Publishing, int Series)> MeasureAsync(AirflowEndpoint endpoint, string folder, TimeSpan interval, int polls)
    {
        var (store, scrapes) = (new SnapshotStore(), new ScrapeLog());
        using var ledger = new Ledger(StateFile.Open(folder, TimeProvider.System, NullLogger.Instance), scrapes, TimeProvider.System, LedgerOptions.Default);
        var context = new CollectorContext(ledger, TimeProvider.System, NullLoggerFactory.Instance, (_, _) => { });
        var settings = new AirflowCollection(endpoint, [], interval, TimeSpan.FromMinutes(5))
        {
            Thresholds = new(_ => TimeSpan.FromHours(2), (_, _, isSensor) => isSensor ? null : TimeSpan.FromMinutes(30), _ => TimeSpan.FromMinutes(15)),
        };
        ImmutableArray<Timed> collectors = [.. AirflowCollectors.For(settings, context).Select(collector => new Timed(collector))];
        CollectorRunner[] runners =
        [
            .. collectors.Select(collector => new CollectorRunner(
                collector, ledger, store, RunnerOptions.For(collector.Interval) with { SeriesLimit = 10_000_000 }, TimeProvider.System, NullLogger.Instance)),
        ];
        TimeSpan whole = default;
        for (var poll = 0; poll <= polls; poll++)
        {
            if (poll == 1)
            {
                whole = default;
                foreach (var collector in collectors)
                    collector.Spent = default;
            }

            foreach (var runner in runners.Where(runner => poll == 0 || runner.Collector.Interval == interval))
            {
                whole += await Report.CpuAsync(() => runner.RunOnceAsync(CancellationToken.None));
                if (runner.Status is not { Succeeded: true })
                    throw new InvalidOperationException(runner.Status?.Error);
            }

            scrapes.Answered(store.Page.Generation);
            await Task.Delay(interval, TimeProvider.System);
        }

        var collecting = collectors.Aggregate(TimeSpan.Zero, (sum, collector) => sum + collector.Spent);
        var series = Report.Series(store.Page);
        return (collecting.TotalSeconds / polls, (whole - collecting).TotalSeconds / polls, series);
    }

    /// <summary>Adds up the time of the process that a collector takes to fetch.</summary>
    private sealed class Timed(ICollector inner) : ICollector
    {
        public TimeSpan Spent { get; set; }

        public string Name => inner.Name;

        public string Source => inner.Source;

        public SourceIdentity? Identity => inner.Identity;

        public IReadOnlyList<MetricDesc> Metrics => inner.Metrics;

        public TimeSpan Interval => inner.Interval;

        public string Asks => inner.Asks;

        public SeriesFilter? Shown() => inner.Shown();

        public async Task<Collected> FetchAsync(CancellationToken cancellationToken)
        {
            Collected? collected = null;
            Spent += await Report.CpuAsync(async () => collected = await inner.FetchAsync(cancellationToken));
            return collected!;
        }
    }
}
