using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace PipelineExporter.Simulator.Pipeline;

internal enum RunKind { Scheduled, Manual, Asset, Operator }

internal enum RunState
{
    Queued, Running, Success, Failed,

    /// <summary>No Airflow has it: for those who have to bear with one that does.</summary>
    Quarantined,
}

/// <summary>What set a run off, at the head of its chain of DAGs.</summary>
internal enum RunCause
{
    /// <summary>The schedule's (or the human's) n-th moment since the epoch.</summary>
    Schedule,

    /// <summary>The start of the n-th incident dag_failure.</summary>
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

    public DateTimeOffset EndDate { get; set; }

    public bool Failed { get; set; }

    /// <summary>Letters and digits that make the run id of an asset run unique.</summary>
    public required string Suffix { get; init; }

    public ImmutableArray<TaskInstance> TaskInstances { get; set; } = [];

    /// <summary>What edits made of it, by time: each is so from its moment on.</summary>
    public ImmutableArray<RunSpan> Edits { get; set; } = [];

    public bool IsEdited { get; set; }

    public DateTimeOffset? DeletedAt { get; set; }

    /// <summary>Nothing of it changes later.</summary>
    public DateTimeOffset ChangesUntil => IsEdited
        ? Edits.Select(span => span.From > span.EndDate ? span.From : span.EndDate).Concat(TaskInstances.Select(instance => instance.ChangesUntil)).Max()
        : EndDate;

    /// <summary>What holds of it at an instant.</summary>
    public RunSpan At(DateTimeOffset at) => Edits.LastOrDefault(span => span.From <= at) ?? new RunSpan(QueuedAt, QueuedAt, StartDate, EndDate, Failed);

    public RunState StateAt(DateTimeOffset at) => At(at).StateAt(at);

    public DateTimeOffset? StartAt(DateTimeOffset at) => At(at).StartDate is var start && at < start ? null : start;

    public DateTimeOffset? EndAt(DateTimeOffset at) => At(at).EndDate is var end && at < end ? null : end;

    public DateTimeOffset UpdatedAt(DateTimeOffset at) => At(at).UpdatedAt(at);

    public DateTimeOffset? LastSchedulingDecisionAt(DateTimeOffset at) =>
        StateAt(at) switch
        {
            RunState.Queued => null,
            RunState.Running => UpdatedAt(at),
            _ => EndAt(at)!.Value.AddMicroseconds(-6184),
        };

    /// <summary>Each time it ended, and how; that an edit later turned its state over is none.</summary>
    public IEnumerable<(DateTimeOffset At, RunState State)> Ends()
    {
        ImmutableArray<RunSpan> spans = [At(DateTimeOffset.MinValue), .. Edits];
        for (var i = 0; i < spans.Length; i++)
        {
            var span = spans[i];
            var isOver = i + 1 < spans.Length && span.EndDate >= spans[i + 1].From;
            if (!isOver && span.EndDate >= span.From && !(span.EndDate >= DeletedAt))
                yield return (span.EndDate, span.StateAt(span.EndDate));
        }
    }

    /// <summary>To be edited.</summary>
    public DagRun Copy() => (DagRun)MemberwiseClone();
}
