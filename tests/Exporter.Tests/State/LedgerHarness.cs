using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Metrics;
using PipelineExporter.Stack.Tests.Tools;
using PipelineExporter.State;

namespace PipelineExporter.Tests.State;

/// <summary>A ledger in a folder of its own, published and scraped by hand, that can be restarted.</summary>
internal sealed class LedgerHarness : IDisposable
{
    public static readonly MetricDesc Runs = MetricDesc.Counter("dag_runs_total", "Finished runs.", "dag_id");

    private readonly TemporaryDirectory folder = new();
    private readonly MetricDesc[] metrics;
    private readonly LedgerOptions options;
    private StateFile? file;
    private Ledger? ledger;
    private ScrapeLog scrapes = new();
    private long generation;

    public LedgerHarness(params MetricDesc[] metrics)
        : this(LedgerOptions.Default, metrics)
    {
    }

    public LedgerHarness(LedgerOptions options, params MetricDesc[] metrics)
    {
        (this.options, this.metrics) = (options, metrics.Length == 0 ? [Runs] : metrics);
        Restart();
    }

    public FakeTimeProvider Time { get; } = new(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));

    public DateTimeOffset Now => Time.GetUtcNow();

    public string Folder => folder.Path;

    public StateFile File => file!;

    public SourceLedger Source => For("airflow/production");

    /// <summary>What the last page shows, e.g. <c>dag_runs_total etl</c> and then the series' numbers.</summary>
    public IReadOnlyDictionary<string, double[]> Page { get; private set; } = new Dictionary<string, double[]>();

    public long Generation => generation;

    public SourceLedger For(string scope) => ledger!.For(scope);

    /// <summary>Ends the process, so to speak, and starts the next over the same folder.</summary>
    public void Restart()
    {
        ledger?.Dispose();
        file = StateFile.Open(Folder, Time, NullLogger.Instance);
        scrapes = new();
        ledger = new(file, scrapes, Time, options);
        (generation, Page) = (0, new Dictionary<string, double[]>());
    }

    /// <summary>What a runner does between two collections.</summary>
    public void Publish(string scope = "airflow/production")
    {
        var source = For(scope);
        source.Advance(metrics);
        var sink = new MetricSink([], metrics, int.MaxValue);
        var unseen = source.Write(metrics, sink);
        Page = sink.Families
            .SelectMany(family => family.Samples.Select(sample => ($"{family.Family.Name} {string.Join(',', sample.Key)}", sample.Value)))
            .ToDictionary();
        source.Published(unseen, ++generation);
    }

    public void Answered(long page) => scrapes.Answered(page);

    public void Scrape() => Answered(generation);

    /// <summary>Publishes and scrapes until whatever was held is shown.</summary>
    public void Settle()
    {
        Publish();
        Scrape();
        Scrape();
        Time.Advance(options.ZeroHold);
        Publish();
    }

    /// <summary>Counts the event unless it was counted; returns whether it was new.</summary>
    public bool Count(string id, string dag = "etl", DateTimeOffset? at = null)
    {
        var batch = Source.Begin();
        var isNew = batch.TryRecord(EventKey.Of("run", dag, id), at ?? Now);
        if (isNew)
            batch.Add(Runs, 1, dag);
        batch.Commit();
        return isNew;
    }

    public double Counted(string dag = "etl") =>
        Source.Counted(Runs).Single(series => series.Labels[0] == dag).Value[0];

    /// <summary>Makes every commit fail from now on, or work again, through a connection of another program.</summary>
    public void BreakCommits(bool broken) => Execute(
        broken
            ? """
              CREATE TRIGGER e BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'no luck'); END;
              CREATE TRIGGER s BEFORE INSERT ON series BEGIN SELECT RAISE(ABORT, 'no luck'); END;
              CREATE TRIGGER v BEFORE INSERT ON value BEGIN SELECT RAISE(ABORT, 'no luck'); END
              """
            : "DROP TRIGGER e; DROP TRIGGER s; DROP TRIGGER v");

    public object? Execute(string sql)
    {
        using var connection = Connect();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }

    /// <summary>A connection beside the exporter's own.</summary>
    public SqliteConnection Connect()
    {
        var connection = new SqliteConnection($"Data Source={File.Path};Pooling=False");
        connection.Open();
        return connection;
    }

    public void Dispose()
    {
        ledger?.Dispose();
        folder.Dispose();
    }
}
