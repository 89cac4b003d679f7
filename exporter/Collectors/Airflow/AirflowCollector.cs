using PipelineExporter.Sources;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>What all collectors of an Airflow have in common.</summary>
internal abstract class AirflowCollector<TSnapshot>(AirflowEnvironment airflow) : Collector<TSnapshot>
{
    public override string Source => airflow.Identity.Scope;

    public override SourceIdentity? Identity => airflow.Identity;

    public override TimeSpan Interval => airflow.Settings.PollInterval;

    protected AirflowEnvironment Environment => airflow;

    protected static double Seconds(DateTimeOffset instant) => (instant - DateTimeOffset.UnixEpoch).TotalSeconds;
}
