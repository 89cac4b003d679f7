using PipelineExporter.Metrics;
using PipelineExporter.Sources.Airflow;
using PipelineExporter.State;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>What is counted of task instances, and under which labels.</summary>
internal sealed class TaskMetrics(AirflowCollection settings)
{
    public static readonly MetricDesc Tries = MetricDesc.Counter(
        "airflow_task_tries_total", "Finished tries of task instances by state; a try that failed and will be retried is one.", "dag_id", "task_id", "state");

    public static readonly MetricDesc Finished = MetricDesc.Counter(
        "airflow_task_instances_finished_total", "Task instances that reached a final state; a retried try is not one.", "dag_id", "task_id", "state");

    public static readonly MetricDesc Retries = MetricDesc.Counter(
        "airflow_task_retries_total", "Tries that ran because the try before had failed; a try after a clear is not one.", "dag_id", "task_id");

    public static readonly MetricDesc OverThreshold = MetricDesc.Counter(
        "airflow_task_instances_over_threshold_total",
        "Tries that took longer than airflow_task_duration_threshold_seconds: counted once, when a live one crosses it or when one ends that did.", "dag_id", "task_id");

    public static readonly MetricDesc ThresholdSeconds = MetricDesc.Gauge(
        "airflow_task_duration_threshold_seconds",
        "How long a try may take, as configured (thresholds.task_duration) when the task was seen last; absent for never too long, and where tasks are not told apart.", "dag_id", "task_id");

    /// <summary>Of <see cref="ThresholdSeconds"/>: never too long.</summary>
    public const double Never = 0;

    public MetricDesc Durations { get; } = MetricDesc.Histogram(
        "airflow_task_duration_seconds", "How long finished tries took from start to end.", [.. settings.TaskDurationBuckets], "dag_id", "task_id");

    public IReadOnlyList<MetricDesc> Counters => [Tries, Finished, Retries, OverThreshold, Durations];

    /// <summary>The label task_id: a mapped task is one task whatever it expands to, and all tasks of a DAG are where the detail is switched off.</summary>
    public string Label(TaskInstance row) => settings.TaskDetail ? row.TaskId : "";

    /// <summary>How long a try of this row's task may take; null: for ever.</summary>
    public TimeSpan? Threshold(TaskInstance row) => settings.Thresholds.TaskDuration(row.DagId, row.TaskId, row.IsSensor);

    /// <summary>Lets the counters of a task stand at zero, before any try of it has finished.</summary>
    public void Declare(LedgerBatch batch, TaskInstance row)
    {
        var task = Label(row);
        foreach (var metric in (ReadOnlySpan<MetricDesc>)[Tries, Finished])
        {
            batch.Declare(metric, row.DagId, task, "success");
            batch.Declare(metric, row.DagId, task, "failed");
        }
        batch.Declare(Retries, row.DagId, task);
        batch.Declare(Durations, row.DagId, task);
        var threshold = Threshold(row);
        if (threshold is not null)
            batch.Declare(OverThreshold, row.DagId, task);
        // Kept, because only an instance of the task tells whether it is a sensor.
        if (settings.TaskDetail)
            batch.Keep(ThresholdSeconds, threshold?.TotalSeconds ?? Never, row.DagId, task);
    }
}
