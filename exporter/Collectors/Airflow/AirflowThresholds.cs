namespace PipelineExporter.Collectors.Airflow;

/// <summary>How long is too long, for each DAG and task; null: never.</summary>
/// <param name="DagRunDuration">Of a run, by DAG.</param>
/// <param name="TaskDuration">Of a try, by DAG, task, and whether it is a sensor.</param>
/// <param name="DagOverdueGrace">How much later than usual a scheduled run may end, by DAG.</param>
internal sealed record AirflowThresholds(
    Func<string, TimeSpan?> DagRunDuration, Func<string, string, bool, TimeSpan?> TaskDuration, Func<string, TimeSpan?> DagOverdueGrace)
{
    public static readonly AirflowThresholds None = new(_ => null, (_, _, _) => null, _ => null);
}
