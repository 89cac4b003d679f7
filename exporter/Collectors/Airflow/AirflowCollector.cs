using PipelineExporter.Metrics;
using PipelineExporter.Sources;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>What all collectors of an Airflow have in common.</summary>
internal abstract class AirflowCollector<TSnapshot>(AirflowEnvironment airflow) : Collector<TSnapshot>
{
    public override string Source => airflow.Identity.Scope;

    public override SourceIdentity? Identity => airflow.Identity;

    public override TimeSpan Interval => airflow.Settings.PollInterval;

    /// <summary>What is told of a DAG is shown while the DAG is there, and what is told of tasks as they are told apart now.</summary>
    public override SeriesFilter Shown()
    {
        airflow.Dags.Load(airflow.Ledger);
        return (metric, labels) => metric.Labels switch
        {
            ["dag_id", "task_id", ..] => labels[1].Length > 0 == airflow.Settings.TaskDetail && airflow.Dags.Shows(labels[0]),
            ["dag_id", ..] => airflow.Dags.Shows(labels[0]),
            _ => true,
        };
    }

    /// <summary>The rows of DAGs that are watched.</summary>
    protected IReadOnlyList<T> Watched<T>(IReadOnlyList<T> rows, Func<T, string> dagId) => [.. rows.Where(row => airflow.Settings.Includes(dagId(row)))];

    protected AirflowEnvironment Environment => airflow;
}
