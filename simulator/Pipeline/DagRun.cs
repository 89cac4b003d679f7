using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace PipelineExporter.Simulator.Pipeline;

internal enum RunKind { Scheduled, Manual, Asset, Operator }

internal enum RunState { Queued, Running, Success, Failed }

/// <summary>What set a run off, at the head of its chain of DAGs.</summary>
internal enum RunCause
{
    /// <summary>The schedule's (or the human's) n-th moment since the epoch.</summary>
    Schedule,

    /// <summary>An incident: its start, or that it still lasts.</summary>
    Incident,

    /// <summary>Its end.</summary>
    Repair,
}

/// <summary>The name of a run: DAG, cause, and the cause's number.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct RunKey(int Dag, RunCause Cause, long Index);

/// <summary>One run of a DAG with all its task instances, from its creation to its end.</summary>
internal sealed class DagRun
{
    public required RunKey Key { get; init; }

    public required DagDefinition Dag { get; init; }

    public required RunKind Kind { get; init; }

    /// <summary>The moment that asked for it.</summary>
    public required DateTimeOffset RunAfter { get; init; }

    public required DateTimeOffset QueuedAt { get; init; }

    public required DateTimeOffset StartDate { get; init; }

    /// <summary><see cref="Disturbance.Never"/> while an incident holds it.</summary>
    public DateTimeOffset EndDate { get; set; }

    /// <summary>From its creation on; a run that an incident gave a past, from the incident's start on.</summary>
    public required DateTimeOffset VisibleFrom { get; init; }

    public bool Failed { get; set; }

    /// <summary>Letters and digits that make the run id of an asset run unique.</summary>
    public required string Suffix { get; init; }

    public ImmutableArray<TaskInstance> TaskInstances { get; set; } = [];

    public RunState StateAt(DateTimeOffset at) => at < StartDate ? RunState.Queued : at < EndDate ? RunState.Running : Failed ? RunState.Failed : RunState.Success;

    public DateTimeOffset? StartAt(DateTimeOffset at) => at < StartDate ? null : StartDate;

    public DateTimeOffset? EndAt(DateTimeOffset at) => at < EndDate ? null : EndDate;

    /// <summary>A running run is touched by every loop of the scheduler, about each second.</summary>
    public DateTimeOffset UpdatedAt(DateTimeOffset at)
    {
        if (at >= EndDate)
            return EndDate;
        if (at < StartDate)
            return QueuedAt;
        var loop = new DateTimeOffset(at.UtcTicks - (at.UtcTicks % TimeSpan.TicksPerSecond), TimeSpan.Zero);
        return loop > StartDate ? loop : StartDate;
    }

    public DateTimeOffset? LastSchedulingDecisionAt(DateTimeOffset at) =>
        at < StartDate ? null : at < EndDate ? UpdatedAt(at) : EndDate.AddMicroseconds(-6184);
}
