using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Airflow;

/// <summary>A run as an instant shows it.</summary>
/// <param name="IsQuarantined">Once it has succeeded.</param>
internal sealed record RunRow(DagRun Run, DateTimeOffset Now, bool IsQuarantined = false)
{
    public RunState State => Run.StateAt(Now) is var state && state == RunState.Success && IsQuarantined ? RunState.Quarantined : state;

    public DateTimeOffset? Start => Run.StartAt(Now);

    public DateTimeOffset? End => Run.EndAt(Now);

    public DateTimeOffset UpdatedAt => Run.UpdatedAt(Now);

    /// <summary>Seconds; of a finished run only.</summary>
    public double? Duration => (Start, End) is ({ } start, { } end) ? Math.Round((end - start).TotalSeconds, 6) : null;

    public DateTimeOffset? NullAs(Edition edition) => edition.NullIsNow ? Now : null;
}

/// <summary>A task instance as an instant shows it.</summary>
internal sealed record TaskRow(TaskInstance Instance, TaskPhase Phase, DateTimeOffset Now)
{
    public DagRun Run => Instance.Run;

    public TaskDefinition Task => Instance.Task;

    public DateTimeOffset UpdatedAt => Phase.At;

    public Uuid7 Id => Uuid7.Of(Instance, Phase);

    public DateTimeOffset? NullAs(Edition edition) => edition.NullIsNow ? Now : null;
}

/// <summary>What of a pool is in use.</summary>
internal sealed record PoolRow(PoolDefinition Pool, int Running, int Queued, int Scheduled, int Deferred)
{
    public int Occupied => Running + Queued + (Pool.IncludeDeferred ? Deferred : 0);

    /// <summary>−1 when there is no limit.</summary>
    public int Open => Pool.Slots < 0 ? -1 : Pool.Slots - Occupied;
}

/// <summary>A DAG file that cannot be imported.</summary>
internal sealed record ImportErrorRow(int Id, DateTimeOffset ParsedAt, string File, string StackTrace);
