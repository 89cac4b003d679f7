using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace PipelineExporter.Simulator.Pipeline;

/// <summary>A task, or one map index of it (−1: not mapped).</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct TaskKey(string TaskId, int MapIndex);

/// <summary>What somebody changed of a run through the API, from that moment on.</summary>
internal abstract record Edit(DateTimeOffset At, RunKey Run);

/// <param name="ResetRun">A finished run is queued again, so that the cleared instances are played.</param>
/// <param name="KillsRunning">As Airflow 2 does: an instance that runs is killed and stays failed, rather than being restarted.</param>
internal sealed record TasksCleared(DateTimeOffset At, RunKey Run, ImmutableHashSet<TaskKey> Tasks, bool ResetRun, bool KillsRunning) : Edit(At, Run);

internal sealed record TaskStateSet(DateTimeOffset At, RunKey Run, ImmutableHashSet<TaskKey> Tasks, TaskState State) : Edit(At, Run);

internal sealed record RunStateSet(DateTimeOffset At, RunKey Run, RunState State) : Edit(At, Run);

internal sealed record RunDeleted(DateTimeOffset At, RunKey Run) : Edit(At, Run);
