using System.Collections.Immutable;

namespace PipelineExporter.Simulator.Pipeline;

/// <summary>
/// Makes of a run what it is with one more edit. What was before the edit stays; what it starts again is played anew, and ends
/// well. Whatever the run had set off in other DAGs, and in Glue, is not set off again.
/// </summary>
internal sealed class RunEditor
{
    static readonly DateTimeOffset Never = DateTimeOffset.MaxValue;

    readonly DagRun played;
    readonly DagRun run;
    readonly DateTimeOffset at;
    readonly RunSpan before;
    readonly Dice dice;
    readonly Dictionary<string, Outcome> outcomes = [];
    readonly List<TaskInstance> instances;

    RunEditor(int seed, DagRun played, DagRun original, DateTimeOffset at, int number)
    {
        this.played = played;
        run = original.Copy();
        this.at = at;
        before = original.At(at);
        dice = new Dice(seed, original.Dag.Id, ((long)original.Key.Cause << 56) ^ original.Key.Index ^ ((number + 1L) << 44));
        instances = [.. original.TaskInstances.Select(instance => instance with { Run = run })];
    }

    /// <param name="played">The run as it would be without any edit.</param>
    /// <param name="run">As it is with those before.</param>
    /// <param name="number">How many those are.</param>
    public static DagRun Apply(int seed, DagRun played, DagRun run, Edit edit, int number)
    {
        var editor = new RunEditor(seed, played, run, edit.At, number);
        editor.Apply(edit);
        editor.run.IsEdited = true;
        editor.run.TaskInstances = [.. editor.instances];
        return editor.run;
    }

    /// <param name="Moved">It ends otherwise, or at another time, than it would have without the edit.</param>
    sealed record Outcome(TaskState State, DateTimeOffset At, bool Moved);

    bool IsFinished => before.EndDate <= at;

    void Apply(Edit edit)
    {
        switch (edit)
        {
            case TasksCleared cleared:
                Clear(cleared.Tasks, cleared.KillsRunning);
                if (!IsFinished || cleared.ResetRun)
                    Resume(cleared.Tasks, queuedAt: at, IsFinished);
                break;
            case TaskStateSet set:
                Set(set);
                break;
            case RunStateSet { State: RunState.Queued }:
                Resume([], queuedAt: at, startsAnew: true);
                break;
            case RunStateSet set:
                End(set.State);
                break;
            case RunDeleted:
                run.DeletedAt ??= at;
                break;
            default:
                throw new ArgumentException($"unknown edit {edit.GetType().Name}", nameof(edit));
        }
    }

    void Clear(ImmutableHashSet<TaskKey> tasks, bool killsRunning)
    {
        for (var i = 0; i < instances.Count; i++)
        {
            if (!tasks.Contains(KeyOf(instances[i])) || instances[i].At(at) is not { } phase)
                continue;
            instances[i] = phase.State == TaskState.Running && killsRunning ? Kill(instances[i], phase) : Clear(instances[i], phase);
        }
    }

    /// <summary>The row becomes that of the next try; the one that was goes into history, a made-up one if it never ran.</summary>
    TaskInstance Clear(TaskInstance instance, TaskPhase phase)
    {
        var ran = phase.IsFinal ? phase : Failed(phase);
        var cleared = phase with
        {
            At = at,
            State = TaskState.None,
            MaxTries = phase.Try + instance.Task.Retries,
            Generation = phase.Generation + 1,
            GenerationAt = at,
        };
        if (phase.State == TaskState.Running)
            cleared = cleared with { State = TaskState.Restarting, End = ran.End, Duration = ran.Duration };
        return Cut(instance, cleared) with
        {
            Archived = phase.State == TaskState.UpForRetry ? instance.Archived : instance.Archived.Add(ran with { At = at }),
        };
    }

    /// <summary>History has it as failed at once, the row when its process is dead.</summary>
    TaskInstance Kill(TaskInstance instance, TaskPhase phase)
    {
        var dead = Plus(at, dice.Between(2, 6));
        return Cut(instance, phase with { At = dead, State = TaskState.Failed, End = dead, Duration = Seconds(phase.Start!.Value, dead) }) with
        {
            Archived = instance.Archived.Add(Failed(phase) with { Pid = null }),
        };
    }

    /// <summary>What is downstream and failed is cleared, as it may go well now.</summary>
    void Set(TaskStateSet set)
    {
        for (var i = 0; i < instances.Count; i++)
        {
            if (set.Tasks.Contains(KeyOf(instances[i])) && instances[i].At(at) is { } phase && phase.State != set.State)
                instances[i] = Cut(instances[i], Ended(phase, set.State));
        }
        var downstream = Downstream(set.Tasks.Select(key => key.TaskId));
        var failed = instances
            .Where(instance => downstream.Contains(instance.Task.Id) && instance.At(at) is { State: TaskState.Failed or TaskState.UpstreamFailed })
            .Select(KeyOf).ToImmutableHashSet();
        Clear(failed, killsRunning: false);
        if (!IsFinished || failed.Count > 0)
            Resume(failed.Union(set.Tasks), failed.Count > 0 ? at : before.QueuedAt, IsFinished);
    }

    HashSet<string> Downstream(IEnumerable<string> taskIds)
    {
        HashSet<string> found = [], from = [.. taskIds];
        foreach (var task in run.Dag.Tasks.Where(task => task.Upstream.Any(id => from.Contains(id) || found.Contains(id))))
            found.Add(task.Id);
        return found;
    }

    /// <summary>
    /// Of a finished run, success is also its task instances', failure its own alone. Of a run that is not finished, what runs
    /// ends so now, and what waits is skipped if the run is to fail.
    /// </summary>
    void End(RunState state)
    {
        var failed = state == RunState.Failed;
        for (var i = instances.Count - 1; i >= 0; i--)
        {
            if (instances[i].At(at) is not { } phase)
                instances.RemoveAt(i);
            else if (!failed && phase.State != TaskState.Success)
                instances[i] = Cut(instances[i], Ended(phase, TaskState.Success));
            else if (failed && !IsFinished && !phase.IsFinal)
                instances[i] = Cut(instances[i], Ended(phase, IsAtWork(phase.State) ? TaskState.Failed : TaskState.Skipped));
        }
        run.Edits = run.Edits.Add(IsFinished
            ? before with { From = at, Failed = failed }
            : before with { From = at, StartDate = before.StartDate < at ? before.StartDate : at, EndDate = at, Failed = failed });
    }

    static bool IsAtWork(TaskState state) => state is TaskState.Running or TaskState.Deferred or TaskState.UpForReschedule;

    /// <summary>Plays what was cleared, and moves what waits for it. A run that has nothing left to play ends again at once.</summary>
    void Resume(ImmutableHashSet<TaskKey> edited, DateTimeOffset queuedAt, bool startsAnew)
    {
        var startDate = startsAnew ? Plus(at, dice.Between(0.3, 1)) : before.StartDate;
        var start = startDate > at ? startDate : at;
        foreach (var task in run.Dag.Tasks)
            outcomes[task.Id] = Resume(task, start, edited);
        var isHeld = outcomes.Values.Any(outcome => outcome.At == Never);
        var failed = run.Dag.Leaves.Any(leaf => outcomes[leaf.Id].State is TaskState.Failed or TaskState.UpstreamFailed);
        var end = isHeld ? Never : Plus(outcomes.Values.Select(outcome => outcome.At).Append(start).Max(), dice.Between(0.01, 0.5));
        run.Edits = run.Edits.Add(new RunSpan(at, queuedAt, startDate, end, failed));
    }

    Outcome Resume(TaskDefinition task, DateTimeOffset start, ImmutableHashSet<TaskKey> edited)
    {
        var upstream = task.Upstream.Select(id => outcomes[id]).ToList();
        var due = upstream.Select(outcome => outcome.At).Append(start).Max();
        var failed = !task.AllDone && upstream.Exists(outcome => outcome.State is TaskState.Failed or TaskState.UpstreamFailed);
        var isMoved = upstream.Exists(outcome => outcome.Moved);
        var moves = isMoved;
        List<TaskPhase> ends = [];
        for (var i = 0; i < instances.Count; i++)
        {
            if (instances[i].Task.Id != task.Id)
                continue;
            var isEdited = edited.Contains(KeyOf(instances[i]));
            var row = instances[i].At(at);
            if (row is null or { State: TaskState.None or TaskState.Restarting } && (isEdited || isMoved || IsFinished))
                instances[i] = Play(instances[i], row, due, failed);
            moves |= isEdited;
            ends.Add(instances[i].Phases[^1]);
        }
        var isHeld = ends.Exists(end => !end.IsFinal);
        return new Outcome(Worst(ends), isHeld ? Never : ends.Select(end => end.At).DefaultIfEmpty(due).Max(), moves);
    }

    static TaskState Worst(List<TaskPhase> ends) =>
        ends.Exists(end => end.State == TaskState.Failed) ? TaskState.Failed
        : ends.Exists(end => end.State == TaskState.UpstreamFailed) ? TaskState.UpstreamFailed
        : ends.Count > 0 && ends.TrueForAll(end => end.State == TaskState.Skipped) ? TaskState.Skipped
        : TaskState.Success;

    /// <summary>From the row as it waits to its end. What was to be skipped is skipped again.</summary>
    TaskInstance Play(TaskInstance instance, TaskPhase? row, DateTimeOffset due, bool upstreamFailed)
    {
        var task = instance.Task;
        var planned = Planned(instance);
        var phases = new List<TaskPhase>();
        if (due == Never)
            return row is null ? instance with { Phases = [instance.Phases[0] with { At = Never }] } : Extend(instance, phases);
        var ready = Plus(due, dice.Between(0.1, 0.9));
        var last = row ?? instance.Phases[0] with { At = ready, GenerationAt = ready };
        if (row is null)
            phases.Add(last);
        if (last.State == TaskState.Restarting)
            ready = Plus(due, dice.Between(3, 7));
        if (upstreamFailed || planned.State == TaskState.Skipped)
        {
            var dateless = !upstreamFailed && planned is { Start: null, End: null };
            phases.Add(dateless
                ? last with { At = ready, State = TaskState.Skipped }
                : last with { At = ready, State = upstreamFailed ? TaskState.UpstreamFailed : TaskState.Skipped, Start = last.Start ?? ready, End = last.End ?? ready, Duration = last.Duration ?? 0 });
            return Extend(instance, phases);
        }
        if (task.Kind == TaskKind.Empty)
        {
            phases.Add(last with { At = ready, State = TaskState.Success, Try = last.Try + 1, Start = ready, End = ready, Duration = 0 });
            return Extend(instance, phases);
        }
        do
        {
            var queued = Plus(ready, dice.Between(0.05, 0.4));
            var started = Plus(queued, dice.Between(0.1, 1.4));
            var ended = Plus(started, dice.Between(task.Seconds.Low, task.Seconds.High));
            phases.Add(last = last with { At = ready, State = TaskState.Scheduled, Try = last.Try + 1, ScheduledAt = ready });
            phases.Add(last = last with { At = queued, State = TaskState.Queued, QueuedAt = queued });
            phases.Add(last = last with { At = started, State = TaskState.Running, Start = started, End = null, Pid = dice.Between(300, 32000) });
            var isRetried = dice.Chance(task.RetryChance) && last.Try <= (last.MaxTries ?? task.Retries);
            last = last with { At = ended, State = isRetried ? TaskState.UpForRetry : TaskState.Success, End = ended, Duration = Seconds(started, ended) };
            if (isRetried)
                last = last with { Generation = last.Generation + 1, GenerationAt = ended };
            phases.Add(last);
            ready = Plus(ended, task.RetryDelay + dice.Between(0.1, 1));
        }
        while (last.State == TaskState.UpForRetry);
        return Extend(instance, phases);
    }

    /// <summary>How it would have ended without any edit: the branch of a run is decided once.</summary>
    TaskPhase Planned(TaskInstance instance) => played.TaskInstances.First(other => KeyOf(other) == KeyOf(instance)).Phases[^1];

    /// <summary>As history has what had not ended: failed, now, also if it never ran.</summary>
    TaskPhase Failed(TaskPhase phase) =>
        phase with { At = at, State = TaskState.Failed, End = at, Duration = phase.Start is { } start ? Seconds(start, at) : null };

    /// <summary>As a row is whose state was set: with the dates that it had, if it had any.</summary>
    TaskPhase Ended(TaskPhase phase, TaskState state)
    {
        var (start, end) = (phase.Start ?? at, phase.End ?? at);
        return phase with { At = at, State = state, Start = start, End = end, Duration = Seconds(start, end) };
    }

    TaskInstance Cut(TaskInstance instance, TaskPhase next) => instance with { Phases = [.. instance.Phases.TakeWhile(phase => phase.At <= at), next] };

    TaskInstance Extend(TaskInstance instance, List<TaskPhase> phases) => instance with { Phases = [.. instance.Phases.TakeWhile(phase => phase.At <= at), .. phases] };

    static TaskKey KeyOf(TaskInstance instance) => new(instance.Task.Id, instance.MapIndex);

    static double Seconds(DateTimeOffset from, DateTimeOffset to) => Math.Round((to - from).TotalSeconds, 6);

    /// <summary>Airflow's dates have microseconds.</summary>
    static DateTimeOffset Plus(DateTimeOffset moment, double seconds)
    {
        var ticks = moment.UtcTicks + (long)(seconds * TimeSpan.TicksPerSecond);
        return new DateTimeOffset(ticks - (ticks % TimeSpan.TicksPerMicrosecond), TimeSpan.Zero);
    }
}
