using PipelineExporter.Metrics;
using PipelineExporter.Sources;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>What all collectors of an Airflow have in common.</summary>
internal abstract class AirflowCollector<TSnapshot>(AirflowEnvironment airflow) : Collector<TSnapshot>
{
    public override string Source => airflow.Identity.Scope;

    public override SourceIdentity? Identity => airflow.Identity;

    public override TimeSpan Interval => airflow.Settings.PollInterval;

    /// <summary>What is told of a DAG is shown while the DAG is there.</summary>
    public override bool Shows(MetricDesc metric, ReadOnlySpan<string> labelValues) =>
        metric.Labels is not ["dag_id", ..] || airflow.Dags.Shows(labelValues[0], airflow.Ledger);

    protected AirflowEnvironment Environment => airflow;

    protected static double Seconds(DateTimeOffset instant) => (instant - DateTimeOffset.UnixEpoch).TotalSeconds;
}
