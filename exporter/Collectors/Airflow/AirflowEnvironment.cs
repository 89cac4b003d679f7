using System.Collections.Immutable;
using PipelineExporter.Sources;
using PipelineExporter.Sources.Airflow;
using PipelineExporter.State;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>How one Airflow is watched.</summary>
/// <param name="Labels">What the configuration adds to the label <c>environment</c>.</param>
/// <param name="PollInterval">Time from one collection to the next.</param>
/// <param name="Lookback">How far a new process looks back to fill gauges, whatever was counted before.</param>
internal sealed record AirflowCollection(
    AirflowEndpoint Endpoint, ImmutableArray<KeyValuePair<string, string>> Labels, TimeSpan PollInterval, TimeSpan Lookback)
{
    /// <summary>Whether the DAG of this id is watched.</summary>
    public Func<string, bool> Includes { get; init; } = _ => true;

    /// <summary>Whether the metrics of tasks are told by task; else their task_id is empty.</summary>
    public bool TaskDetail { get; init; } = true;

    public AirflowThresholds Thresholds { get; init; } = AirflowThresholds.None;

    /// <summary>Upper bounds in seconds.</summary>
    public ImmutableArray<double> DagRunDurationBuckets { get; init; } = [60, 300, 900, 1800, 3600, 7200, 14400, 28800];

    /// <inheritdoc cref="DagRunDurationBuckets"/>
    public ImmutableArray<double> TaskDurationBuckets { get; init; } = [];

    /// <summary>Collectors that are not run, by their names.</summary>
    public ImmutableArray<string> Skip { get; init; } = [];

    /// <summary>Null when its workers are not watched.</summary>
    public WorkerCollection? Workers { get; init; }
}

/// <summary>One Airflow, as its collectors share it.</summary>
internal sealed class AirflowEnvironment
{
    private IReadOnlyList<TaskInstance> liveInstances = [];

    public AirflowEnvironment(AirflowConnection connection, AirflowCollection settings, CollectorContext context)
    {
        (Connection, Settings, Context) = (connection, settings, context);
        Identity = new($"airflow/{Name}", [new("environment", Name), .. settings.Labels]);
        Runs = new RunMetrics(settings);
        Tasks = new TaskMetrics(settings);
        Dags = new DagDirectory(settings.Includes, context.Time);
    }

    public AirflowConnection Connection { get; }

    public AirflowCollection Settings { get; }

    public CollectorContext Context { get; }

    public string Name => Settings.Endpoint.Environment;

    public SourceIdentity Identity { get; }

    /// <summary>What is counted of runs.</summary>
    public RunMetrics Runs { get; }

    /// <summary>What is counted of tasks.</summary>
    public TaskMetrics Tasks { get; }

    /// <summary>The DAGs there are.</summary>
    public DagDirectory Dags { get; }

    /// <summary>Its part of the ledger; read when it is first needed.</summary>
    public SourceLedger Ledger => Context.Ledger.For(Identity.Scope);

    /// <summary>The live task instances as they were listed last.</summary>
    public IReadOnlyList<TaskInstance> LiveInstances
    {
        get => Volatile.Read(ref liveInstances);
        set => Volatile.Write(ref liveInstances, value);
    }
}
