using System.Collections.Immutable;
using PipelineExporter.Simulator.Control;

namespace PipelineExporter.Simulator.Pipeline;

/// <summary>How an incident disturbs runs of its DAG.</summary>
internal enum DisruptionKind
{
    /// <summary>The task fails for good, in scheduled runs too; a run that starts at the end succeeds.</summary>
    Fails,

    /// <summary>The task's instances fail until the last try they have, or the incident's end.</summary>
    Retries,

    /// <summary>The task runs on and on.</summary>
    Runs,

    /// <summary>No worker takes the task from its queue.</summary>
    Queues,

    /// <summary>The task, a sensor, waits for what does not come.</summary>
    Waits,

    /// <summary>The task's instances take every slot of its pool, and as many wait for one.</summary>
    FillsPool,

    /// <summary>The scheduler sets no run off; the one that was due is set off at the end.</summary>
    NotScheduled,
}

/// <summary>What an incident does to the runs of one DAG. Its first run starts with the incident, unless the schedule is all it touches.</summary>
internal sealed record Disruption(string Incident, DisruptionKind Kind, string DagId, string? TaskId = null)
{
    /// <summary>
    /// So long before the incident its first run (not scheduled: the one due) has its date: nobody has to wait for hours
    /// until something has taken too long. All of it ends after the incident's start.
    /// </summary>
    public TimeSpan Head { get; init; }

    /// <summary>While the incident lasts, another run starts so often.</summary>
    public TimeSpan? Again { get; init; }

    /// <summary>The longest that a run is held, so that it does not itself become too slow; null: as long as the incident lasts.</summary>
    public TimeSpan? HeldFor { get; init; }

    /// <summary>Runs that are set off by themselves are left out during the incident.</summary>
    public bool StopsOthers => Kind is DisruptionKind.FillsPool or DisruptionKind.NotScheduled;

    public bool StartsRuns => Kind != DisruptionKind.NotScheduled;

    /// <summary>A run starts at the incident's end.</summary>
    public bool EndsWithRun => Kind is DisruptionKind.Fails or DisruptionKind.NotScheduled;

    /// <summary>Ten seconds after the incident's start, work has taken longer than it may: what may a task, a run, a queued instance?</summary>
    static readonly TimeSpan Notice = TimeSpan.FromSeconds(10);

    /// <summary>At most one to a DAG.</summary>
    static readonly ImmutableArray<Disruption> All =
    [
        new(IncidentKind.DagFailure, DisruptionKind.Fails, Catalog.Validation, Catalog.ValidationGlueTask) { HeldFor = TimeSpan.Zero },
        new(IncidentKind.TaskFailure, DisruptionKind.Fails, Catalog.LabelNotifications, "send_notices") { HeldFor = TimeSpan.Zero },
        new(IncidentKind.DagSlow, DisruptionKind.Waits, Catalog.RoyaltyAudit, "wait_for_ledger") { Head = TimeSpan.FromHours(2) - Notice },

        // Held runs stay younger than two hours; the next one is late before the one before is let go.
        new(IncidentKind.TaskSlow, DisruptionKind.Runs, Catalog.SearchIndex, "rebuild_index")
        {
            Head = TimeSpan.FromMinutes(30) - Notice,
            Again = TimeSpan.FromMinutes(45),
            HeldFor = TimeSpan.FromMinutes(80),
        },
        new(IncidentKind.QueueBacklog, DisruptionKind.Queues, Catalog.AudioFingerprints, "fingerprint_tracks")
        {
            Head = TimeSpan.FromMinutes(10) - Notice,
            Again = TimeSpan.FromMinutes(60),
            HeldFor = TimeSpan.FromMinutes(100),
        },

        // Each instance waits for one turn and runs for the next, shorter than half an hour.
        new(IncidentKind.PoolFull, DisruptionKind.FillsPool, Catalog.CoverArt, "render_cover")
        {
            Again = TimeSpan.FromMinutes(20),
            HeldFor = TimeSpan.FromMinutes(41),
        },
        new(IncidentKind.RetriesStorm, DisruptionKind.Retries, Catalog.Webhooks, "deliver_webhook")
        {
            Again = TimeSpan.FromMinutes(1),
            HeldFor = TimeSpan.FromMinutes(1),
        },
        new(IncidentKind.DagOverdue, DisruptionKind.NotScheduled, Catalog.ReleaseCalendar) { Head = TimeSpan.FromHours(1), HeldFor = TimeSpan.Zero },
    ];

    /// <summary>Of the runs of a DAG that others do not trigger; null: no incident touches it.</summary>
    public static Disruption? Of(DagDefinition dag)
    {
        foreach (var disruption in All)
        {
            if (disruption.DagId == dag.Id)
                return disruption;
        }
        return null;
    }
}

/// <summary>
/// What an incident makes of one run. It is settled when the run is asked for, so it is part of the run's name in the cache. Until
/// the incident lets go, nothing in the run depends on when it will.
/// </summary>
internal sealed record Disturbance(DisruptionKind Kind, string TaskId)
{
    public static readonly DateTimeOffset Never = DateTimeOffset.MaxValue;

    /// <summary>From when on the run can be seen.</summary>
    public DateTimeOffset From { get; init; }

    /// <summary>When the incident lets go of the run.</summary>
    public DateTimeOffset Until { get; init; }

    /// <summary>When the pool's next turn is; the turn before begins with the incident.</summary>
    public DateTimeOffset NextTurn { get; init; }

    public TimeSpan Turn { get; init; }

    /// <summary>The incident's first run.</summary>
    public bool IsFirst { get; init; }

    /// <summary>Instances of the task, when it is mapped.</summary>
    public int? Mapped { get; init; }
}
