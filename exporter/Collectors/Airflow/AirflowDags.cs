using PipelineExporter.Metrics;
using PipelineExporter.Sources.Airflow;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>The DAGs there are. Their run counters are born here, at zero, so that even the first failure of a DAG is an increase.</summary>
internal sealed class AirflowDags(AirflowEnvironment environment) : AirflowCollector<IReadOnlyList<Dag>>(environment)
{
    public static readonly MetricDesc Paused = MetricDesc.Gauge("airflow_dag_paused", "Whether the DAG is paused (1) or not (0).", "dag_id");

    public override string Name => "airflow_dags";

    public override TimeSpan Interval { get; } = TimeSpan.FromMinutes(5);

    /// <summary>The run counters are <see cref="AirflowRuns"/>' to publish.</summary>
    public override IReadOnlyList<MetricDesc> Metrics { get; } = [Paused];

    protected internal override async Task<IReadOnlyList<Dag>> CollectAsync(CancellationToken cancellationToken)
    {
        var api = await Environment.Connection.ApiAsync(cancellationToken);
        var dags = await api.DagsAsync(cancellationToken);
        var batch = Environment.Ledger.Begin();
        foreach (var dag in dags)
        {
            AirflowRuns.Declare(batch, dag.DagId, "manual");
            if (dag.ScheduledRunType is { } type)
                AirflowRuns.Declare(batch, dag.DagId, type);
        }
        batch.Commit();
        return dags;
    }

    protected internal override void Write(IReadOnlyList<Dag> snapshot, MetricSink sink)
    {
        foreach (var dag in snapshot)
        {
            if (dag.IsPaused is { } paused)
                sink.Set(Paused, paused ? 1 : 0, dag.DagId);
        }
    }
}
