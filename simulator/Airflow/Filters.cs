using System.Collections.Frozen;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Airflow;

/// <summary>Bounds of a date, each of them optional.</summary>
internal sealed record TimeRange(DateTimeOffset? Gte = null, DateTimeOffset? Gt = null, DateTimeOffset? Lte = null, DateTimeOffset? Lt = null)
{
    public static readonly TimeRange Any = new();

    public bool IsAny => this == Any;

    /// <summary>The lower bound, taken as inclusive.</summary>
    public DateTimeOffset? From => Gte ?? Gt;

    public bool IsOpenAbove => Lte is null && Lt is null;

    public bool Holds(DateTimeOffset? value) =>
        IsAny || (value is { } at && !(at < Gte) && !(at <= Gt) && !(at > Lte) && !(at >= Lt));
}

/// <summary>Bounds of a duration in seconds.</summary>
internal sealed record NumberRange(double? Gte = null, double? Lte = null)
{
    public static readonly NumberRange Any = new();

    public bool Holds(double? value) => this == Any || (value is { } number && !(number < Gte) && !(number > Lte));
}

internal sealed record RunFilter
{
    /// <summary>Null: of every DAG.</summary>
    public string? DagId { get; init; }

    /// <summary>Null: in any state. Empty: in none that exists.</summary>
    public IReadOnlySet<RunState>? States { get; init; }

    public IReadOnlySet<string>? RunTypes { get; init; }

    public TimeRange LogicalDate { get; init; } = TimeRange.Any;

    public TimeRange RunAfter { get; init; } = TimeRange.Any;

    public TimeRange StartDate { get; init; } = TimeRange.Any;

    public TimeRange EndDate { get; init; } = TimeRange.Any;

    public TimeRange UpdatedAt { get; init; } = TimeRange.Any;

    public NumberRange Duration { get; init; } = NumberRange.Any;

    /// <summary>Texts that must occur in the ids, letters of either case.</summary>
    public string? DagIdPattern { get; init; }

    public string? RunIdPattern { get; init; }

    static readonly FrozenSet<RunState> Live = FrozenSet.ToFrozenSet([RunState.Queued, RunState.Running]);

    /// <summary>Only queued or running ones are asked for.</summary>
    public bool OnlyLive => States is not null && Live.IsSupersetOf(States);

    public bool OnlyFailed => States is { Count: 1 } && States.Contains(RunState.Failed);

    /// <summary>A run whose dates all pass the lower bounds is in the answer by its DAG, type and state alone.</summary>
    public bool HasOnlyLowerBounds =>
        RunAfter.IsOpenAbove && StartDate.IsOpenAbove && EndDate.IsOpenAbove && UpdatedAt.IsOpenAbove && LogicalDate.IsAny &&
        Duration == NumberRange.Any && RunIdPattern is null;

    public bool Holds(RunRow row, Edition edition) =>
        (States is null || States.Contains(row.State)) &&
        (RunTypes is null || RunTypes.Contains(edition.RunType(row.Run.Kind))) &&
        UpdatedAt.Holds(row.UpdatedAt) &&
        StartDate.Holds(row.Start ?? row.NullAs(edition)) &&
        EndDate.Holds(row.End ?? row.NullAs(edition)) &&
        RunAfter.Holds(row.Run.RunAfter) &&
        LogicalDate.Holds(edition.LogicalDate(row.Run)) &&
        Duration.Holds(row.Duration) &&
        Patterns.Holds(DagIdPattern, row.Run.Dag.Id) &&
        (RunIdPattern is null || Patterns.Holds(RunIdPattern, edition.RunId(row.Run)));
}

internal sealed record TaskFilter
{
    public string? DagId { get; init; }

    /// <summary>Null: of every run.</summary>
    public DagRun? Run { get; init; }

    public IReadOnlySet<TaskState>? States { get; init; }

    public IReadOnlySet<string>? TaskIds { get; init; }

    public IReadOnlySet<string>? Pools { get; init; }

    public IReadOnlySet<string>? Queues { get; init; }

    public IReadOnlySet<string>? Operators { get; init; }

    /// <summary>An executor is never named here, so naming any finds nothing.</summary>
    public bool NamesExecutor { get; init; }

    public IReadOnlySet<int>? TryNumbers { get; init; }

    public IReadOnlySet<int>? MapIndexes { get; init; }

    public TimeRange LogicalDate { get; init; } = TimeRange.Any;

    public TimeRange RunAfter { get; init; } = TimeRange.Any;

    public TimeRange StartDate { get; init; } = TimeRange.Any;

    public TimeRange EndDate { get; init; } = TimeRange.Any;

    public TimeRange UpdatedAt { get; init; } = TimeRange.Any;

    public NumberRange Duration { get; init; } = NumberRange.Any;

    public string? DagIdPattern { get; init; }

    public string? RunIdPattern { get; init; }

    public string? TaskNamePattern { get; init; }

    static readonly FrozenSet<TaskState> Live = FrozenSet.ToFrozenSet(
    [
        TaskState.None, TaskState.Scheduled, TaskState.Queued, TaskState.Running, TaskState.UpForRetry, TaskState.UpForReschedule, TaskState.Deferred,
        TaskState.Restarting, TaskState.AwaitingInput,
    ]);

    static readonly FrozenSet<TaskState> Bad = FrozenSet.ToFrozenSet([TaskState.Failed, TaskState.UpstreamFailed, TaskState.Removed]);

    /// <summary>Only states that a row of a finished run never has are asked for.</summary>
    public bool OnlyLive => States is not null && Live.IsSupersetOf(States);

    /// <summary>Only states that a row of a successful run never ends in are asked for.</summary>
    public bool OnlyFailed => States is not null && Bad.IsSupersetOf(States);

    public bool Holds(TaskRow row, Edition edition) =>
        (States is null || States.Contains(row.Phase.State)) &&
        UpdatedAt.Holds(row.UpdatedAt) &&
        StartDate.Holds(row.Phase.Start ?? row.NullAs(edition)) &&
        EndDate.Holds(row.Phase.End ?? row.NullAs(edition)) &&
        RunAfter.Holds(row.Run.RunAfter) &&
        LogicalDate.Holds(edition.LogicalDate(row.Run)) &&
        Duration.Holds(row.Phase.Duration) &&
        !NamesExecutor &&
        (TaskIds is null || TaskIds.Contains(row.Task.Id)) &&
        (Pools is null || Pools.Contains(row.Task.Pool)) &&
        (Queues is null || Queues.Contains(row.Task.Queue)) &&
        (Operators is null || Operators.Contains(row.Task.Operator)) &&
        (TryNumbers is null || TryNumbers.Contains(row.Phase.Try)) &&
        (MapIndexes is null || MapIndexes.Contains(row.Instance.MapIndex)) &&
        Patterns.Holds(DagIdPattern, row.Run.Dag.Id) &&
        Patterns.Holds(TaskNamePattern, row.Task.Id) &&
        (RunIdPattern is null || Patterns.Holds(RunIdPattern, edition.RunId(row.Run)));
}

internal static class Patterns
{
    /// <summary>Airflow's patterns are SQL ILIKE between two %; a % inside is taken literally here.</summary>
    public static bool Holds(string? pattern, string text) => pattern is null || text.Contains(pattern.Trim('%'), StringComparison.OrdinalIgnoreCase);
}
