using System.Collections.Immutable;

namespace PipelineExporter.Simulator.Pipeline;

/// <summary>What makes runs of a DAG.</summary>
internal abstract record Schedule(string? Summary, string Description);

/// <summary>At every multiple of the period since the Unix epoch, plus the offset.</summary>
/// <param name="Cron">As Airflow shows it: of a custom timetable, the text that it gives itself.</param>
internal sealed record CronSchedule(string Cron, string Description, TimeSpan Period, TimeSpan Offset = default) : Schedule(Cron, Description);

/// <summary>Each time a task of another DAG updates the asset (dataset, in Airflow 2).</summary>
internal sealed record AssetSchedule(string DagId, string TaskId) : Schedule("Asset", "Triggered by assets");

/// <summary>Never by itself: another DAG's TriggerDagRunOperator, or a person, starts it.</summary>
internal sealed record NoSchedule() : Schedule(null, "Never, external triggers only")
{
    /// <summary>The task whose operator triggers it.</summary>
    public (string DagId, string TaskId)? TriggeredBy { get; init; }

    /// <summary>A person starts it at some moment of each such period.</summary>
    public TimeSpan? ByHandEvery { get; init; }
}

internal enum TaskKind { Work, Empty, Branch, RescheduleSensor, Deferrable }

/// <summary>One task of a DAG. Durations are seconds; each try draws its own between the bounds.</summary>
internal sealed record TaskDefinition(string Id)
{
    public TaskKind Kind { get; init; } = TaskKind.Work;

    public string Operator { get; init; } = "_PythonDecoratedOperator";

    /// <summary>The name shown by Airflow 3.</summary>
    public string OperatorName { get; init; } = "@task";

    public ImmutableArray<string> Upstream { get; init; } = [];

    public (double Low, double High) Seconds { get; init; } = (1, 3);

    public int Retries { get; init; }

    /// <summary>That a try fails when another is left; the last one never does.</summary>
    public double RetryChance { get; init; }

    public double RetryDelay { get; init; } = 5;

    /// <summary>Instances of a mapped task; null when it is not mapped. None at all: one skipped row without dates.</summary>
    public (int Low, int High)? Mapped { get; init; }

    /// <summary>Pokes of a sensor before the one that succeeds, and the seconds between them.</summary>
    public (int Low, int High) Pokes { get; init; }

    public double PokeInterval { get; init; } = 12;

    /// <summary>Seconds a deferrable task waits in the triggerer.</summary>
    public (double Low, double High) Deferred { get; init; }

    /// <summary>Runs when one upstream succeeded and the others were skipped, not only when all succeeded.</summary>
    public bool NoneFailed { get; init; }

    /// <summary>Runs when every upstream has ended, however it did.</summary>
    public bool AllDone { get; init; }

    public string Pool { get; init; } = PoolDefinition.Default;

    public string Queue { get; init; } = "default";

    /// <summary>Starts a run of this Glue job and waits for it.</summary>
    public GlueJob? GlueJob { get; init; }

    public bool IsMapped => Mapped is not null;
}

internal sealed record DagDefinition(string Id, Schedule Schedule, ImmutableArray<TaskDefinition> Tasks)
{
    public string? Description { get; init; }

    public ImmutableArray<string> Owners { get; init; } = ["data-platform"];

    public ImmutableArray<string> Tags { get; init; } = ["music-streaming"];

    public string File { get; init; } = "music_streaming_pipeline.py";

    public bool IsPaused { get; init; }

    public int MaxActiveRuns { get; init; } = 4;

    /// <summary>What nothing is downstream of decides whether a run has failed.</summary>
    public ImmutableArray<TaskDefinition> Leaves { get; } = [.. Tasks.Where(task => !Tasks.Any(other => other.Upstream.Contains(task.Id)))];

    /// <summary>
    /// Every run has ended this long after the schedule's (or the incident's) moment that set it off, also through a
    /// chain of DAGs: how far back a query must look.
    /// </summary>
    public required TimeSpan EndsWithin { get; init; }
}

/// <param name="Slots">−1: no limit.</param>
internal sealed record PoolDefinition(string Name, int Slots, string Description, bool IncludeDeferred = false)
{
    public const string Default = "default_pool";
}
