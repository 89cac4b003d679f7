using PipelineExporter.Collectors;
using PipelineExporter.Collectors.Airflow;
using PipelineExporter.Metrics;
using PipelineExporter.Scraping;
using PipelineExporter.Sources.Airflow;
using PipelineExporter.Stack.Tests.Tools;
using PipelineExporter.State;
using Microsoft.Extensions.Logging.Abstractions;
using static PipelineExporter.Tests.Collectors.Airflow.Rows;

namespace PipelineExporter.Tests.Collectors.Airflow;

/// <summary>The collectors of an Airflow share a ledger and a list of DAGs, and publish while others count.</summary>
public sealed class ConcurrencyTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <remarks>Two locks that are taken in two orders stop both for ever: a few hundred collections side by side find them.</remarks>
    [Fact]
    public async Task Collections_of_two_environments_side_by_side_never_wait_for_each_other_for_good()
    {
        using var folder = new TemporaryDirectory();
        await using var server = await ListServer.StartAsync("3.3.2");
        (server.Date, server.Dags) = (TimeProvider.System.GetUtcNow(), [.. Enumerable.Range(0, 50).Select(i => Dag($"dag-{i}"))]);
        server.Instances = [.. Enumerable.Range(0, 50).Select(i => Instance("running", 1, start: 0, task: $"task-{i}"))];
        server.Runs = [.. Enumerable.Range(0, 50).Select(i => Run("running", $"run-{i}", start: 0, dag: $"dag-{i}"))];
        var (scrapes, store) = (new ScrapeLog(), new SnapshotStore());
        using var ledger = new Ledger(StateFile.Open(folder.Path, TimeProvider.System, NullLogger.Instance), scrapes, TimeProvider.System, LedgerOptions.Default);
        var context = new CollectorContext(ledger, TimeProvider.System, NullLoggerFactory.Instance, (_, _) => { });
        CollectorRunner[] runners =
        [
            .. from name in (string[])["production", "staging"]
               from collector in AirflowCollectors.For(
                   new(new AirflowEndpoint(name, server.Url, null), [], TimeSpan.FromSeconds(30), TimeSpan.FromHours(1)) { Skip = ["airflow_health", "airflow_pools"] }, context)
               select new CollectorRunner(collector, ledger, store, RunnerOptions.For(collector.Interval), TimeProvider.System, NullLogger.Instance),
        ];

        var work = Task.WhenAll(runners.Select(runner => Task.Run(async () =>
        {
            for (var i = 0; i < 40; i++)
            {
                await runner.RunOnceAsync(CancellationToken.None);
                runner.PublishCounters();
                runner.ExpireIfStale();
            }
        })));
        await work.WaitAsync(Patience, TestContext.Current.CancellationToken);

        Assert.All(runners, runner => Assert.True(runner.Status!.Succeeded, runner.Status.Error));
    }

    /// <summary>The filter is called under the ledger's locks, from many threads, while lists come in.</summary>
    [Fact]
    public async Task What_is_shown_is_decided_without_the_ledger_while_lists_come_in()
    {
        using var folder = new TemporaryDirectory();
        using var ledger = new Ledger(StateFile.Open(folder.Path, TimeProvider.System, NullLogger.Instance), new ScrapeLog(), TimeProvider.System, LedgerOptions.Default);
        var source = ledger.For("airflow/production");
        var directory = new DagDirectory(_ => true, TimeProvider.System);
        directory.Load(source);
        var declared = source.Begin();
        for (var i = 0; i < 500; i++)
            declared.Declare(RunMetrics.OverThreshold, $"dag-{i}");
        declared.Commit();

        var publishing = Task.Run(() =>
        {
            for (var i = 0; i < 500; i++)
                source.Write([RunMetrics.OverThreshold], new MetricSink([], [RunMetrics.OverThreshold], 10_000, (_, labels) => directory.Shows(labels[0])));
        });
        var listing = Task.Run(() =>
        {
            for (var i = 0; i < 500; i++)
            {
                var batch = source.Begin();
                directory.Update([.. Enumerable.Range(i % 7, 100).Select(n => new Dag { DagId = $"dag-{n}" })], source, batch, DateTimeOffset.MinValue);
                batch.Commit();
            }
        });

        await Task.WhenAll(publishing, listing).WaitAsync(Patience, TestContext.Current.CancellationToken);
    }
}
