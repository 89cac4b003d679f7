using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Airflow.V1;

/// <summary>What an Airflow 2 of some version can and says.</summary>
internal sealed record V1Server(Version Version)
{
    static readonly Version V29 = new(2, 9), V210 = new(2, 10);

    static readonly (Version Since, string Member)[] News =
    [
        (new(2, 6, 3), "dag_processor"),
        (new(2, 7), "include_deferred"), (new(2, 7), "deferred_slots"),
        (V29, "dag_display_name"), (V29, "max_consecutive_failed_dag_runs"), (V29, "task_display_name"), (V29, "rendered_map_index"),
        (V210, "executor"),
    ];

    /// <summary>Members of rows that came later.</summary>
    public IReadOnlySet<string> Absent { get; } = News.Where(news => Version < news.Since).Select(news => news.Member).ToHashSet();

    public bool HasTries => Version >= V210;

    /// <summary>
    /// Since 2.10 a try is counted when it is scheduled; before, when it starts, and it is taken back while a sensor or a
    /// deferred task waits. The scheduler's own success of an empty task was none.
    /// </summary>
    public int TryNumber(TaskDefinition task, TaskPhase phase) => phase switch
    {
        _ when Version >= V210 => phase.Try,
        { State: TaskState.Scheduled or TaskState.Queued or TaskState.UpForReschedule or TaskState.Deferred } => phase.Try - 1,
        { State: TaskState.Success } when task.Kind == TaskKind.Empty => 0,
        _ => phase.Try,
    };
}
