using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Airflow;

/// <summary>Faults that no request is struck by, but that change what Airflow has: as of one moment, so that an answer is of one piece.</summary>
internal sealed class AirflowOddities(FaultInjector faults, PipelineModel model)
{
    /// <summary>In the state nobody has heard of, unless others are named.</summary>
    const string DefaultTask = "store_events", DefaultDag = "stream_event_ingest";

    readonly List<Fault> stale = [.. faults.On(AirflowData.Source, FaultKind.StaleDag)];
    readonly List<Fault> broken = [.. faults.On(AirflowData.Source, FaultKind.ImportError)];
    readonly List<Fault> states = [.. faults.On(AirflowData.Source, FaultKind.UnknownState)];
    readonly List<Fault> runStates = [.. faults.On(AirflowData.Source, FaultKind.UnknownRunState)];

    public bool HasUnknownState => states.Count > 0;

    public bool HasUnknownRunState => runStates.Count > 0;

    /// <summary>A broken DAG file that has no DAG is one too.</summary>
    public IEnumerable<string> BrokenFiles =>
        broken.Select(fault => fault.Match is { } match ? model.Dags.FirstOrDefault(dag => dag.Id.Contains(match, StringComparison.Ordinal))?.File ?? match : "broken.py").Distinct();

    public bool IsBroken(DagDefinition dag) => broken.Exists(fault => fault.Match is not null && BreaksFileOf(fault, dag));

    /// <summary>The DAG's file is gone, or cannot be imported any more.</summary>
    public bool IsStale(DagDefinition dag) => StaleSince(dag) is not null;

    /// <summary>Not a run that a stale DAG would have got.</summary>
    public bool Exists(DagRun run) => !(StaleSince(run.Dag) <= run.QueuedAt);

    /// <summary>Its runs are not what the schedule says, or not in the state that it says.</summary>
    public bool IsIrregular(DagDefinition dag) => IsStale(dag) || runStates.Exists(fault => Names(fault, dag, DefaultDag));

    public bool IsQuarantined(DagRun run) => runStates.Exists(fault => Names(fault, run.Dag, DefaultDag));

    /// <summary>A row as it is shown.</summary>
    public TaskPhase Shown(TaskInstance instance, TaskPhase phase) =>
        phase.State == TaskState.Success &&
        states.Exists(fault => instance.Task.Id.Contains(fault.Match ?? DefaultTask, StringComparison.Ordinal) || (fault.Match is not null && Names(fault, instance.Run.Dag, DefaultDag)))
            ? phase with { State = TaskState.Quarantined }
            : phase;

    DateTimeOffset? StaleSince(DagDefinition dag) =>
        stale.Where(fault => Names(fault, dag, "")).Concat(broken.Where(fault => fault.Match is not null && BreaksFileOf(fault, dag))).Min(fault => fault.Since);

    bool BreaksFileOf(Fault fault, DagDefinition dag) => Names(fault, dag, "") || model.Dags.Any(other => other.File == dag.File && Names(fault, other, ""));

    static bool Names(Fault fault, DagDefinition dag, string otherwise) => dag.Id.Contains(fault.Match ?? otherwise, StringComparison.Ordinal);
}
