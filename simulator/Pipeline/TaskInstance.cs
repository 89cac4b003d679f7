using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace PipelineExporter.Simulator.Pipeline;

internal enum TaskState
{
    None, Scheduled, Queued, Running, Success, Failed, UpForRetry, UpForReschedule, UpstreamFailed, Skipped, Deferred, Removed, Restarting, AwaitingInput,

    /// <summary>No Airflow has it: for those who have to bear with one that does.</summary>
    Quarantined,
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

    /// <summary>Null until it was cleared: as the task says.</summary>
    public int? MaxTries { get; init; }

    public int Generation { get; init; }

    public DateTimeOffset GenerationAt { get; init; }
}

/// <summary>One task of one run, or one map index of it, from its creation to its end.</summary>
internal sealed record TaskInstance(DagRun Run, TaskDefinition Task, int MapIndex)
{
    /// <summary>By time; the last one is what remains.</summary>
    public required ImmutableArray<TaskPhase> Phases { get; init; }

    public ImmutableArray<GlueJobRun> GlueRuns { get; init; } = [];

    /// <summary>Tries that went into history because they were cleared: when, and as they stand there.</summary>
    public ImmutableArray<TaskPhase> Archived { get; init; } = [];

    public int MaxTries => Task.Retries;

    /// <summary>Nothing of it changes later: never, while it waits for somebody to start its run.</summary>
    public DateTimeOffset ChangesUntil => IsFinal(Phases[^1].State) ? Phases[^1].At : DateTimeOffset.MaxValue;

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
    /// What /tries answers at an instant: the tries in history, then the current row, which is left out while it waits for a
    /// retry (it is in history already).
    /// </summary>
    public IEnumerable<TaskPhase> TriesAt(DateTimeOffset at)
    {
        var retried = Phases.Where(phase => phase.State == TaskState.UpForRetry).Select(phase => phase with { State = TaskState.Failed });
        foreach (var phase in Archived.IsEmpty ? retried : retried.Concat(Archived).OrderBy(phase => phase.At))
        {
            if (phase.At <= at)
                yield return phase;
        }
        if (At(at) is { State: not TaskState.UpForRetry } current)
            yield return current;
    }

    /// <summary>
    /// The try ends of its whole life: tries that failed and were retried, or were cleared while they ran, and final ones. Each try
    /// ends once, whatever its state was edited to; and a decision without a try that was taken again is the same one.
    /// </summary>
    public IEnumerable<TaskPhase> Ends()
    {
        var (ended, decided) = (0, DateTimeOffset.MinValue);
        foreach (var phase in Phases)
        {
            var isRetried = phase.State is TaskState.UpForRetry or TaskState.Restarting;
            if (!isRetried && !IsFinal(phase.State))
                continue;
            if (phase.Try > ended)
                yield return isRetried ? phase with { State = TaskState.Failed } : phase;
            else if (phase.Try == 0 && (phase.End ?? phase.At) > decided)
                yield return phase;
            (ended, decided) = (Math.Max(ended, phase.Try), phase.Try == 0 ? phase.End ?? phase.At : decided);
        }
    }

    /// <summary>When each retry began to run: a try right after one that failed and was to be retried, and was not cleared.</summary>
    public IEnumerable<DateTimeOffset> RetriesBegun() => Phases.Index()
        .Where(phase => phase.Index > 0 && phase.Item.State == TaskState.Scheduled && Phases[phase.Index - 1].State == TaskState.UpForRetry)
        .SelectMany(phase => Phases.Skip(phase.Index).Where(next => next.State == TaskState.Running && next.Try == phase.Item.Try).Take(1))
        .Select(running => running.At);

    public static bool IsFinal(TaskState state) =>
        state is TaskState.Success or TaskState.Failed or TaskState.UpstreamFailed or TaskState.Skipped or TaskState.Removed;
}
