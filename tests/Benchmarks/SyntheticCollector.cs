using PipelineExporter.Collectors;
using PipelineExporter.Metrics;
using PipelineExporter.Sources;
using PipelineExporter.State;

namespace PipelineExporter.Benchmarks;

/// <summary>
/// 10,000 series, each of which changes with every collection: gauges and counters of 500 DAGs with six tasks each, and a
/// histogram of eight series for each DAG.
/// </summary>
internal sealed class SyntheticCollector(int number, Ledger ledger) : Collector<int>
{
    public const int Series = 10_000;

    private const int Dags = 500;
    private const int TasksOfDag = 6;

    private static readonly double[] Bounds = [60, 300, 900, 3600, 7200];

    private readonly MetricDesc live = MetricDesc.Gauge($"benchmark_{number}_task_last_duration_seconds", "How long it took last.", "dag_id", "task_id");
    private readonly MetricDesc finished = MetricDesc.Counter($"benchmark_{number}_task_tries_total", "Finished tries.", "dag_id", "task_id", "state");
    private readonly MetricDesc durations = MetricDesc.Histogram($"benchmark_{number}_dag_run_duration_seconds", "How long runs took.", Bounds, "dag_id");
    private readonly string[] dagNames = [.. Enumerable.Range(0, Dags).Select(i => $"music_streaming_pipeline_{i:000}")];
    private readonly string[] taskNames = [.. Enumerable.Range(0, TasksOfDag).Select(i => $"transform_and_load_{i}")];

    private static TimeSpan counting;

    private int round;

    public override string Name => $"benchmark_{number}";

    public override string Asks => "Nothing.";

    public override string Source => "airflow/production";

    public override SourceIdentity? Identity { get; } = new($"airflow/production/{number}", [new("environment", "production")]);

    public override IReadOnlyList<MetricDesc> Metrics => [live, finished, durations];

    public override TimeSpan Interval => TimeSpan.FromSeconds(30);

    /// <summary>The same series as a program keeps them that is instrumented with prometheus-net directly.</summary>
    public void Register(Prometheus.IMetricFactory factory)
    {
        var gauge = factory.CreateGauge(live.Name, live.Help, ["environment", .. live.Labels]);
        var counter = factory.CreateCounter(finished.Name, finished.Help, ["environment", .. finished.Labels]);
        var histogram = factory.CreateHistogram(
            durations.Name, durations.Help, ["environment", .. durations.Labels], new Prometheus.HistogramConfiguration { Buckets = Bounds });
        foreach (var dag in dagNames)
        {
            foreach (var task in taskNames)
            {
                gauge.WithLabels("production", dag, task).Set(round + 0.25);
                counter.WithLabels("production", dag, task, "success").IncTo(round);
            }

            histogram.WithLabels("production", dag).Observe(17);
        }
    }

    /// <summary>Process time spent in the ledger since it was asked last: counting is not publishing.</summary>
    public static TimeSpan TakeCounting()
    {
        var taken = counting;
        counting = default;
        return taken;
    }

    protected internal override Task<int> CollectAsync(CancellationToken cancellationToken)
    {
        round++;
        var before = Environment.CpuUsage.TotalTime;
        var batch = ledger.For(Identity!.Scope).Begin();
        foreach (var dag in dagNames)
        {
            foreach (var task in taskNames)
                batch.Add(finished, 1, dag, task, "success");
            batch.Observe(durations, 17 * round % 9000, dag);
        }

        batch.Commit();
        counting += Environment.CpuUsage.TotalTime - before;
        return Task.FromResult(round);
    }

    protected internal override void Write(int snapshot, MetricSink sink)
    {
        foreach (var dag in dagNames)
        {
            foreach (var task in taskNames)
                sink.Set(live, snapshot + 0.25, dag, task);
        }
    }
}
