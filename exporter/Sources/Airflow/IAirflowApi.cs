namespace PipelineExporter.Sources.Airflow;

/// <summary>What the exporter asks of an Airflow, whichever of its REST APIs answers. Every failure is an <see cref="AirflowException"/>.</summary>
/// <remarks>Lists come whole: an implementation pages, honours clamped limits, and is safe against rows that move meanwhile.</remarks>
internal interface IAirflowApi
{
    /// <summary>The version that the server names, such as 2.11.2.</summary>
    string Version { get; }

    Task<IReadOnlyDictionary<string, ComponentHealth>> HealthAsync(CancellationToken ct);

    Task<PoolList> PoolsAsync(CancellationToken ct);

    /// <summary>The DAGs that are parsed and not stale.</summary>
    Task<IReadOnlyList<Dag>> DagsAsync(CancellationToken ct);

    /// <summary>Runs that are queued or running.</summary>
    Task<Dated<DagRun>> LiveRunsAsync(CancellationToken ct);

    /// <summary>Every run that ended since <paramref name="since"/>; others may be among them.</summary>
    Task<Dated<DagRun>> EndedRunsAsync(DateTimeOffset since, CancellationToken ct);

    /// <summary>Runs in state failed that ended since <paramref name="since"/>.</summary>
    Task<Dated<DagRun>> FailedRunsAsync(DateTimeOffset since, CancellationToken ct);

    /// <summary>The successful runs of a DAG that started last, the newest first: at most ten.</summary>
    Task<IReadOnlyList<DagRun>> LastSuccessesAsync(string dagId, CancellationToken ct);

    /// <summary>How many DAG files cannot be imported.</summary>
    Task<int> ImportErrorsAsync(CancellationToken ct);

    /// <summary>Task instances in every state that is neither final nor empty.</summary>
    Task<Dated<TaskInstance>> LiveTaskInstancesAsync(CancellationToken ct);

    /// <summary>Task instances in a final state that changed since <paramref name="since"/>.</summary>
    Task<Dated<TaskInstance>> FinishedTaskInstancesAsync(DateTimeOffset since, CancellationToken ct);

    /// <summary>The tries of an instance, lower ones first, without those that never ran; empty when the instance is gone.</summary>
    Task<IReadOnlyList<TaskInstance>> TriesAsync(TaskInstance instance, CancellationToken ct);
}

/// <summary>Rows, and the server's clock when the first of them was asked for.</summary>
internal sealed record Dated<T>(IReadOnlyList<T> Rows, DateTimeOffset Date);

/// <summary>Pools, and how many more exist that the server cannot list.</summary>
internal sealed record PoolList(IReadOnlyList<Pool> Pools, int Unlisted);
