using PipelineExporter.Collectors;
using PipelineExporter.Metrics;
using PipelineExporter.Sources;
using PipelineExporter.State;

namespace PipelineExporter.Tests.Scraping;

/// <summary>A collector of one gauge and one counter that does what the test says.</summary>
internal sealed class FakeCollector(Ledger ledger) : Collector<int>
{
        public static readonly MetricDesc Slots = MetricDesc.Gauge("pool_slots", "Slots.", "pool");

    public static readonly MetricDesc Runs = MetricDesc.Counter("dag_runs_total", "Finished runs.", "dag_id");

    private int started;

    public Func<CancellationToken, Task<int>> Collect { get; set; } = _ => Task.FromResult(0);

    public IReadOnlyList<(string Pool, double Value)>? Samples { get; set; }

    /// <summary>Of what is collected from now on, though the rest is good.</summary>
    public Exception? Failure { get; set; }

    public bool Anonymous { get; set; }

    /// <summary>Names the source: two collectors of one source would publish the same series.</summary>
    public string Environment { get; init; } = "production";

    public TimeSpan Every { get; init; } = TimeSpan.FromSeconds(30);

    public int Started => started;

    public bool Running { get; private set; }

    public override string Name => "fake";

    public override string Asks => "Nothing.";

    public override string Source => $"airflow/{Environment}";

    public override SourceIdentity? Identity => Anonymous ? null : new($"airflow/{Environment}", [new("environment", Environment)]);

    public override IReadOnlyList<MetricDesc> Metrics { get; } = [Slots, Runs];

    public override TimeSpan Interval => Every;

    public void Fails(string message) => Collect = _ => throw new IOException(message);

    public void Count(string dag, double amount)
    {
        var batch = ledger.For($"airflow/{Environment}").Begin();
        batch.Add(Runs, amount, dag);
        batch.Commit();
    }

    protected internal override async Task<int> CollectAsync(CancellationToken cancellationToken)
    {
        Running = true;
        try
        {
            Interlocked.Increment(ref started);
            return await Collect(cancellationToken);
        }
        finally
        {
            Running = false;
        }
    }

    protected internal override Exception? FailureIn(int snapshot) => Failure;

    protected internal override void Write(int snapshot, MetricSink sink)
    {
        foreach (var (pool, value) in Samples ?? [("default", snapshot)])
            sink.Set(Slots, value, pool);
    }
}
