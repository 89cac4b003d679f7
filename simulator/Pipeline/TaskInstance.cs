using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace PipelineExporter.Simulator.Pipeline;

internal enum TaskState
{
    None, Scheduled, Queued, Running, Success, Failed, UpForRetry, UpForReschedule, UpstreamFailed, Skipped, Deferred, Removed, Restarting, AwaitingInput,
}

/// <summary>What a task instance's row holds from At on, until the next phase.</summary>
/// <param name="Start">Of a scheduled or queued retry: still of the try before.</param>
/// <param name="Duration">Seconds; until a retry has ended: of the try before.</param>
/// <param name="Generation">Counts the tries that were put into history: each gives the row another id in Airflow 3.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct TaskPhase(DateTimeOffset At, TaskState State, int Try)
{
    public DateTimeOffset? ScheduledAt { get; init; }

    public DateTimeOffset? QueuedAt { get; init; }

    public DateTimeOffset? Start { get; init; }

    public DateTimeOffset? End { get; init; }

    public double? Duration { get; init; }

    /// <summary>Null before it ran first.</summary>
    public int? Pid { get; init; }

    public int Generation { get; init; }

    public DateTimeOffset GenerationAt { get; init; }

    public bool IsFinal => State is TaskState.Success or TaskState.Failed or TaskState.UpstreamFailed or TaskState.Skipped or TaskState.Removed;
}

/// <summary>One task of one run, or one map index of it, from its creation to its end.</summary>
internal sealed record TaskInstance(DagRun Run, TaskDefinition Task, int MapIndex)
{
    /// <summary>By time; the last one is what remains.</summary>
    public required ImmutableArray<TaskPhase> Phases { get; init; }

    public ImmutableArray<GlueJobRun> GlueRuns { get; init; } = [];

    public int MaxTries => Task.Retries;

    /// <summary>The row at an instant; null before it exists.</summary>
    public TaskPhase? At(DateTimeOffset at)
    {
        for (var i = Phases.Length - 1; i >= 0; i--)
        {
            if (Phases[i].At <= at)
                return Phases[i];
        }
        return null;
    }

    /// <summary>
    /// What /tries answers at an instant: the tries in history, which all failed, then the current row, which is left out
    /// while it waits for a retry (it is in history already).
    /// </summary>
    public IEnumerable<TaskPhase> TriesAt(DateTimeOffset at)
    {
        foreach (var phase in Phases)
        {
            if (phase.At <= at && phase.State == TaskState.UpForRetry)
                yield return phase with { State = TaskState.Failed };
        }
        if (At(at) is { State: not TaskState.UpForRetry } current)
            yield return current;
    }

    /// <summary>The try ends of its whole life: tries that failed and were retried, and the final one. An incident may hold that back.</summary>
    public IEnumerable<TaskPhase> Ends()
    {
        for (var i = 0; i < Phases.Length; i++)
        {
            if (Phases[i].State == TaskState.UpForRetry)
                yield return Phases[i] with { State = TaskState.Failed };
            else if (i == Phases.Length - 1 && Phases[i].IsFinal)
                yield return Phases[i];
        }
    }
}
