using System.Text.Json;
using System.Text.Json.Serialization;

namespace PipelineExporter.Sources.Airflow;

// What is read of Airflow's answers, for REST v1 and v2 alike. These are allow lists: conf, note, rendered_fields and
// executor_config may hold secrets and have no place here. States and run types stay strings, so that one that Airflow
// learns tomorrow is counted under its own name.

/// <summary>One run of a DAG.</summary>
internal sealed record DagRun
{
    public required string DagId { get; init; }

    [JsonPropertyName("dag_run_id")]
    public required string RunId { get; init; }

    /// <summary>scheduled, manual, backfill, dataset_triggered (2.x), asset_triggered, operator_triggered (3.x).</summary>
    public string? RunType { get; init; }

    /// <summary>queued, running, success or failed.</summary>
    public string? State { get; init; }

    /// <summary>Null until the run starts, and again once it is cleared.</summary>
    public DateTimeOffset? StartDate { get; init; }

    public DateTimeOffset? EndDate { get; init; }

    /// <summary>3.x only.</summary>
    public DateTimeOffset? RunAfter { get; init; }

    public DateTimeOffset? LogicalDate { get; init; }
}

/// <summary>The current try of a task instance, or one row of its history.</summary>
/// <remarks>
/// <see cref="StartDate"/> and <see cref="EndDate"/> belong to the try <see cref="TryNumber"/> only when the row is running
/// (start) or finished: a scheduled, queued or cleared row carries those of the try before.
/// </remarks>
internal sealed record TaskInstance
{
    public required string DagId { get; init; }

    [JsonPropertyName("dag_run_id")]
    public required string RunId { get; init; }

    public required string TaskId { get; init; }

    /// <summary>-1 when the task is not mapped.</summary>
    public int MapIndex { get; init; } = -1;

    /// <summary>0 before the first try is scheduled, and for an outcome without a try (skipped or upstream_failed by the scheduler).</summary>
    public int TryNumber { get; init; }

    /// <summary>The last try number that may be retried. A clear raises it, a retry does not.</summary>
    public int MaxTries { get; init; }

    /// <summary>Null while it waits for the scheduler, or after a clear.</summary>
    public string? State { get; init; }

    public DateTimeOffset? StartDate { get; init; }

    public DateTimeOffset? EndDate { get; init; }

    public DateTimeOffset? QueuedWhen { get; init; }

    /// <summary>3.x only.</summary>
    public DateTimeOffset? ScheduledWhen { get; init; }

    /// <summary>3.x only.</summary>
    public DateTimeOffset? RunAfter { get; init; }

    public DateTimeOffset? LogicalDate { get; init; }

    /// <summary>2.x: the name that logical_date had.</summary>
    public DateTimeOffset? ExecutionDate { get; init; }
}

/// <summary>One DAG of the list of DAGs that are parsed and not stale.</summary>
internal sealed record Dag
{
    public required string DagId { get; init; }

    public bool? IsPaused { get; init; }

    /// <summary>2.x: null without a schedule.</summary>
    public ScheduleInterval? ScheduleInterval { get; init; }

    /// <summary>3.x: null without a schedule.</summary>
    public string? TimetableSummary { get; init; }

    /// <summary>The type of the runs that the DAG's schedule makes; null when it has none.</summary>
    [JsonIgnore]
    public string? ScheduledRunType => (ScheduleInterval, TimetableSummary) switch
    {
        ({ Value: "Dataset" }, _) => "dataset_triggered",
        (_, "Asset") => "asset_triggered",
        (not null, _) or (_, not (null or "")) => "scheduled",
        _ => null,
    };
}

/// <summary>2.x: a cron expression, a preset or a time table's summary in <see cref="Value"/>; null for a fixed interval.</summary>
internal sealed record ScheduleInterval
{
    /// <remarks>A text for CronExpression, absent for TimeDelta and RelativeDelta, so nothing else is expected of it.</remarks>
    [JsonPropertyName("value")]
    public JsonElement? Raw { get; init; }

    [JsonIgnore]
    public string? Value => Raw is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;
}

/// <summary>A pool and its use, in slots (a task may take several). The numbers of one answer are not one snapshot.</summary>
internal sealed record Pool
{
    public required string Name { get; init; }

    /// <summary>-1: unlimited.</summary>
    public int Slots { get; init; }

    public int OccupiedSlots { get; init; }

    public int RunningSlots { get; init; }

    public int QueuedSlots { get; init; }

    public int ScheduledSlots { get; init; }

    public int DeferredSlots { get; init; }

    /// <summary>-1 for an unlimited pool.</summary>
    public int OpenSlots { get; init; }
}

/// <summary>What the components say of themselves; answered with status 200 even when all is lost.</summary>
internal sealed record AirflowHealth
{
    public ComponentHealth? Metadatabase { get; init; }

    public ComponentHealth? Scheduler { get; init; }

    public ComponentHealth? Triggerer { get; init; }

    /// <summary>2.x: without a status when it runs inside the scheduler.</summary>
    public ComponentHealth? DagProcessor { get; init; }
}

/// <summary>One component; each writes its heartbeat under a name of its own.</summary>
internal sealed record ComponentHealth
{
    /// <summary>healthy, unhealthy, or null for a component that was never started.</summary>
    public string? Status { get; init; }

    public DateTimeOffset? LatestSchedulerHeartbeat { get; init; }

    public DateTimeOffset? LatestTriggererHeartbeat { get; init; }

    public DateTimeOffset? LatestDagProcessorHeartbeat { get; init; }

    [JsonIgnore]
    public DateTimeOffset? Heartbeat => LatestSchedulerHeartbeat ?? LatestTriggererHeartbeat ?? LatestDagProcessorHeartbeat;
}

internal sealed record AirflowVersion
{
    public required string Version { get; init; }
}

/// <summary>A page of a list, under the name that Airflow gives its rows.</summary>
internal sealed record DagRunPage : IPage<DagRun>
{
    public required IReadOnlyList<DagRun> DagRuns { get; init; }

    public int TotalEntries { get; init; }

    public string? NextCursor { get; init; }

    [JsonIgnore]
    public IReadOnlyList<DagRun> Rows => DagRuns;
}

internal sealed record TaskInstancePage : IPage<TaskInstance>
{
    public required IReadOnlyList<TaskInstance> TaskInstances { get; init; }

    public int TotalEntries { get; init; }

    public string? NextCursor { get; init; }

    [JsonIgnore]
    public IReadOnlyList<TaskInstance> Rows => TaskInstances;
}

internal sealed record DagPage : IPage<Dag>
{
    public required IReadOnlyList<Dag> Dags { get; init; }

    public int TotalEntries { get; init; }

    [JsonIgnore]
    public string? NextCursor => null;

    [JsonIgnore]
    public IReadOnlyList<Dag> Rows => Dags;
}

internal sealed record PoolPage : IPage<Pool>
{
    public required IReadOnlyList<Pool> Pools { get; init; }

    public int TotalEntries { get; init; }

    [JsonIgnore]
    public string? NextCursor => null;

    [JsonIgnore]
    public IReadOnlyList<Pool> Rows => Pools;
}

internal sealed record LoginRequest(string Username, string Password);

internal sealed record LoginAnswer
{
    public required string AccessToken { get; init; }
}

/// <summary>The only text of an error's body that is ever shown: short, and Airflow's own words.</summary>
internal sealed record AirflowProblem
{
    public JsonElement? Title { get; init; }

    public JsonElement? Detail { get; init; }
}

/// <summary>The claims of a token that tell how long it lives, in Unix seconds.</summary>
internal sealed record TokenClaims
{
    public double? Iat { get; init; }

    public double? Exp { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(DagRunPage))]
[JsonSerializable(typeof(TaskInstancePage))]
[JsonSerializable(typeof(DagPage))]
[JsonSerializable(typeof(PoolPage))]
[JsonSerializable(typeof(AirflowHealth))]
[JsonSerializable(typeof(AirflowVersion))]
[JsonSerializable(typeof(LoginRequest))]
[JsonSerializable(typeof(LoginAnswer))]
[JsonSerializable(typeof(AirflowProblem))]
[JsonSerializable(typeof(TokenClaims))]
internal sealed partial class AirflowJson : JsonSerializerContext;
