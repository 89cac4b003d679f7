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
    public DateTimeOffset? QueuedAt { get; init; }

    /// <summary>3.x only.</summary>
    public DateTimeOffset? RunAfter { get; init; }

    public DateTimeOffset? DataIntervalEnd { get; init; }

    public DateTimeOffset? LogicalDate { get; init; }

    /// <summary>The moment of the schedule that the run is for: 2.x starts a run when its data interval ends. Null for a run that the
    /// schedule did not make.</summary>
    [JsonIgnore]
    public DateTimeOffset? ScheduledFor => RunType == "scheduled" ? RunAfter ?? DataIntervalEnd : null;

    /// <summary>Whether the DAG's schedule or its assets made the run.</summary>
    [JsonIgnore]
    public bool IsScheduled => RunType is "scheduled" or "dataset_triggered" or "asset_triggered";
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

    public string? Pool { get; init; }

    public int? PoolSlots { get; init; }

    public string? Queue { get; init; }

    /// <summary>The operator's class, such as <c>GlueJobOperator</c>.</summary>
    public string? Operator { get; init; }

    /// <summary>Waits by design: for something (a sensor), or for a person. Operators are known by their class's name alone.</summary>
    [JsonIgnore]
    public bool IsSensor => Operator is { } name
        && (name.Contains("Sensor", StringComparison.OrdinalIgnoreCase) || name.StartsWith("HITL", StringComparison.Ordinal) || name == "ApprovalOperator");
}

/// <summary>One DAG of the list of DAGs that are parsed and not stale.</summary>
internal sealed record Dag
{
    public required string DagId { get; init; }

    public bool? IsPaused { get; init; }

    /// <summary>2.x writes blanks before some.</summary>
    public IReadOnlyList<string>? Owners { get; init; }

    public IReadOnlyList<DagTag>? Tags { get; init; }

    /// <summary>2.x: when the next run will be made; null without a schedule, and while no more runs may be active.</summary>
    public DateTimeOffset? NextDagrunCreateAfter { get; init; }

    /// <summary>3.x: the same.</summary>
    public DateTimeOffset? NextDagrunRunAfter { get; init; }

    [JsonIgnore]
    public DateTimeOffset? NextRun => NextDagrunRunAfter ?? NextDagrunCreateAfter;

    /// <summary>2.x: null without a schedule.</summary>
    public ScheduleInterval? ScheduleInterval { get; init; }

    /// <summary>3.x: null without a schedule.</summary>
    public string? TimetableSummary { get; init; }

    /// <summary>The schedule in Airflow's words: a cron expression, a preset, a time table's summary; empty when it has none.</summary>
    [JsonIgnore]
    public string Schedule => TimetableSummary ?? ScheduleInterval?.Text ?? "";

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

    /// <summary>Of a fixed interval.</summary>
    public long? Days { get; init; }

    /// <inheritdoc cref="Days"/>
    public long? Seconds { get; init; }

    [JsonIgnore]
    public string Text => Value ?? (Days is null && Seconds is null ? "" : $"every {TimeSpan.FromSeconds((Days ?? 0) * 86400d + (Seconds ?? 0)):c}");
}

internal sealed record DagTag
{
    public required string Name { get; init; }
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

/// <summary>One component of what <c>/health</c> answers, with status 200 even when all is lost.</summary>
/// <param name="Status">healthy, unhealthy, or null for a component that was never started; of 2.x, also for a DAG processor that runs
/// inside the scheduler.</param>
/// <param name="Heartbeat">Each component writes it under a name of its own, such as <c>latest_scheduler_heartbeat</c>.</param>
internal sealed record ComponentHealth(string? Status, DateTimeOffset? Heartbeat)
{
    /// <summary>The components in an answer by their names: metadatabase, scheduler, triggerer, dag_processor, and what Airflow may add.
    /// What else may stand there is none.</summary>
    public static IReadOnlyDictionary<string, ComponentHealth> In(Dictionary<string, JsonElement> answer) => answer
        .Where(member => member.Value.ValueKind == JsonValueKind.Object)
        .ToDictionary(member => member.Key, member => Of(member.Value));

    private static ComponentHealth Of(JsonElement component)
    {
        var status = component.TryGetProperty("status", out var text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;
        var heartbeats = component.EnumerateObject()
            .Where(member => member.Name.StartsWith("latest_", StringComparison.Ordinal) && member.Name.EndsWith("_heartbeat", StringComparison.Ordinal))
            .Select(member => member.Value.ValueKind == JsonValueKind.String && member.Value.TryGetDateTimeOffset(out var at) ? at : (DateTimeOffset?)null);
        return new ComponentHealth(status, heartbeats.Max());
    }
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

/// <summary>How many DAG files cannot be imported; which ones, and their stack traces, are not read.</summary>
internal sealed record ImportErrorPage
{
    public required int TotalEntries { get; init; }
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
[JsonSerializable(typeof(ImportErrorPage))]
[JsonSerializable(typeof(Dictionary<string, JsonElement>))]
[JsonSerializable(typeof(AirflowVersion))]
[JsonSerializable(typeof(LoginRequest))]
[JsonSerializable(typeof(LoginAnswer))]
[JsonSerializable(typeof(AirflowProblem))]
[JsonSerializable(typeof(TokenClaims))]
internal sealed partial class AirflowJson : JsonSerializerContext;
