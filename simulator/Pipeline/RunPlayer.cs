using System.Collections.Immutable;
using System.Globalization;

namespace PipelineExporter.Simulator.Pipeline;

/// <summary>Plays one run from its creation to its end. All chance comes from the run's own dice.</summary>
internal sealed class RunPlayer
{
    /// <summary>A run of an incident hurries, in seconds a task, and retries nothing: it has to be over within 20 s.</summary>
    const double BriskTask = 1.2, BriskGlueFailure = 4, BriskGlueSuccess = 7;

    readonly DagRun run;
    readonly Dice dice;
    readonly bool brisk;
    readonly Disturbance? disturbance;
    readonly Dictionary<string, Outcome> outcomes = [];
    readonly ImmutableArray<TaskInstance>.Builder instances = ImmutableArray.CreateBuilder<TaskInstance>();

    RunPlayer(DagRun run, Dice dice, bool brisk, Disturbance? disturbance)
    {
        this.run = run;
        this.dice = dice;
        this.brisk = brisk;
        this.disturbance = disturbance;
    }

    /// <param name="createdAt">When the scheduler got to it, if later.</param>
    /// <param name="disturbance">Null: the run ends well.</param>
    public static DagRun Play(
        int seed, RunKey key, DagDefinition dag, RunKind kind, DateTimeOffset runAfter, DateTimeOffset? createdAt, Disturbance? disturbance)
    {
        var hurries = key.Cause != RunCause.Schedule;
        var chance = new Dice(seed, dag.Id, ((long)key.Cause << 56) ^ key.Index);
        var queued = Plus(createdAt ?? runAfter, hurries ? chance.Between(0.02, 0.1) : chance.Between(0.05, 0.6));
        var played = new DagRun
        {
            Key = key,
            Dag = dag,
            Kind = kind,
            RunAfter = runAfter,
            QueuedAt = queued,
            VisibleFrom = disturbance is { From: var from } && from > queued ? from : queued,
            StartDate = Plus(queued, hurries ? chance.Between(0.02, 0.1) : chance.Between(0.02, 0.9)),
            Suffix = Letters(chance),
        };
        new RunPlayer(played, chance, hurries, disturbance).Play();
        return played;
    }

    /// <summary>How a task ended, over all its mapped instances.</summary>
    sealed record Outcome(TaskState State, DateTimeOffset At, string? Branch = null)
    {
        /// <summary>It has not, and nobody knows when it will.</summary>
        public static readonly Outcome None = new(TaskState.None, Disturbance.Never);
    }

    void Play()
    {
        foreach (var task in run.Dag.Tasks)
            outcomes[task.Id] = PlayTask(task);
        run.TaskInstances = instances.DrainToImmutable();
        if (outcomes.Values.Any(outcome => outcome == Outcome.None))
        {
            run.EndDate = Disturbance.Never;
            return;
        }
        run.Failed = run.Dag.Leaves.Any(task => outcomes[task.Id].State is TaskState.Failed or TaskState.UpstreamFailed);
        run.EndDate = Plus(outcomes.Values.Max(outcome => outcome.At), Latency(0.1, 0.8));
    }

    Outcome PlayTask(TaskDefinition task)
    {
        var upstream = task.Upstream.Select(id => outcomes[id]).ToList();
        if (upstream.Contains(Outcome.None))
        {
            Add(task, -1, [Created(run.QueuedAt)]);
            return Outcome.None;
        }
        var ready = Plus(upstream.Count == 0 ? run.StartDate : upstream.Max(outcome => outcome.At), Latency(0.1, 0.9));
        if (!task.AllDone && upstream.Any(outcome => outcome.State is TaskState.Failed or TaskState.UpstreamFailed))
            return Decide(task, TaskState.UpstreamFailed, ready, duration: 0);
        if (upstream.Any(outcome => outcome.Branch is { } branch && branch != task.Id))
            return Decide(task, TaskState.Skipped, upstream.Max(outcome => outcome.At), duration: null);
        var skipped = upstream.Count(outcome => outcome.State == TaskState.Skipped);
        if (task.NoneFailed ? skipped > 0 && skipped == upstream.Count : skipped > 0 && !task.AllDone)
            return Decide(task, TaskState.Skipped, ready, duration: 0);
        if (task.Kind == TaskKind.Empty)
            return PlayEmpty(task, ready);

        var count = task.Mapped is { } mapped ? dice.Between(mapped.Low, mapped.High) : 1;
        if (Disturbed(task) is { } disturbed)
        {
            count = disturbed.Mapped ?? count;
            if (disturbed.Kind is not (DisruptionKind.Fails or DisruptionKind.Retries))
                return Hold(task, disturbed, ready, count);
        }
        return count == 0 ? SkipUnexpanded(task, ready) : PlayTries(task, ready, count);
    }

    Disturbance? Disturbed(TaskDefinition task) => disturbance?.TaskId == task.Id ? disturbance : null;

    /// <summary>The scheduler's own decision: try 0, start and end at the same moment.</summary>
    Outcome Decide(TaskDefinition task, TaskState state, DateTimeOffset at, double? duration)
    {
        var created = Created(run.QueuedAt);
        Add(task, -1, [created, created with { At = at, State = state, Start = at, End = at, Duration = duration }]);
        return new Outcome(state, at);
    }

    /// <summary>Expanded over nothing: one row without index and dates.</summary>
    Outcome SkipUnexpanded(TaskDefinition task, DateTimeOffset at)
    {
        var created = Created(run.QueuedAt);
        Add(task, -1, [created, created with { At = at, State = TaskState.Skipped }]);
        return new Outcome(TaskState.Skipped, at);
    }

    /// <summary>Never queued: the scheduler sets it to success.</summary>
    Outcome PlayEmpty(TaskDefinition task, DateTimeOffset at)
    {
        var created = Created(run.QueuedAt);
        Add(task, -1, [created, created with { At = at, State = TaskState.Success, Try = 1, Start = at, End = at, Duration = 0 }]);
        return new Outcome(TaskState.Success, at);
    }

    /// <summary>All instances of a task compete for its pool; a try that finds no slot stays scheduled.</summary>
    Outcome PlayTries(TaskDefinition task, DateTimeOffset ready, int count)
    {
        var slots = Enumerable.Repeat(DateTimeOffset.MinValue, Math.Min(Catalog.FindPool(task.Pool).Slots, count)).ToArray();
        var tries = new PriorityQueue<InstancePlay, (DateTimeOffset, int)>();
        List<InstancePlay> plays = [.. Enumerable.Range(0, count).Select(index => Begin(task, index, ready))];
        foreach (var play in plays)
            tries.Enqueue(play, (ready, play.MapIndex));

        var last = new Outcome(TaskState.Success, DateTimeOffset.MinValue);
        while (tries.TryDequeue(out var play, out var due))
        {
            var slot = Array.IndexOf(slots, slots.Min());
            var end = PlayTry(task, play, due.Item1, slots[slot]);
            slots[slot] = end.At;
            if (end.State == TaskState.UpForRetry)
                tries.Enqueue(play, (Plus(end.At, task.RetryDelay + Latency(0.1, 1)), play.MapIndex));
            else if (end.At > last.At || end.State == TaskState.Failed)
                last = new Outcome(end.State, end.At);
        }
        foreach (var play in plays)
            Add(task, play.MapIndex, play.Phases, play.GlueRuns);
        return task.Kind == TaskKind.Branch ? last with { Branch = Choose(task) } : last;
    }

    InstancePlay Begin(TaskDefinition task, int index, DateTimeOffset ready) =>
        new(task.IsMapped ? index : -1, Created(task.IsMapped ? ready : run.QueuedAt));

    /// <summary>
    /// One try that an incident holds in some state, and lets go. The dice are thrown in the same order whenever that is: what was
    /// before it stays as it was.
    /// </summary>
    Outcome Hold(TaskDefinition task, Disturbance held, DateTimeOffset ready, int count)
    {
        var last = new Outcome(TaskState.Success, ready);
        for (var index = 0; index < count; index++)
        {
            var play = Begin(task, index, ready);
            play.Try = 1;
            switch (held.Kind)
            {
                case DisruptionKind.Runs:
                    Launch(play, ready, Plus(ready, Latency(0.05, 0.4)));
                    play.Finish(TaskState.Success, Plus(Later(play.Now, held.Until), Work(task)));
                    break;
                case DisruptionKind.Queues:
                    Launch(play, ready, Plus(ready, Latency(0.05, 0.4)), taken: held.Until);
                    play.Finish(TaskState.Success, Plus(play.Now, Work(task)));
                    break;
                case DisruptionKind.Waits:
                    // The last poke is fresh: the run is old, not the task.
                    Poke(play, ready, task);
                    Poke(play, held.From, task);
                    if (held.Until == Disturbance.Never)
                    {
                        Add(task, play.MapIndex, play.Phases);
                        return Outcome.None;
                    }
                    var released = Later(play.Now, held.Until);
                    Launch(play, released, Plus(released, Latency(0.05, 0.4)));
                    play.Finish(TaskState.Success, Plus(play.Now, Work(task)));
                    break;
                default:
                    TakeTurn(play, task, held, ready, isFirst: held.IsFirst && index < count / 2);
                    break;
            }
            Add(task, play.MapIndex, play.Phases);
            if (play.Now > last.At)
                last = new Outcome(TaskState.Success, play.Now);
        }
        return last;
    }

    void Poke(InstancePlay play, DateTimeOffset scheduled, TaskDefinition task)
    {
        Launch(play, scheduled, Plus(scheduled, Latency(0.05, 0.4)));
        play.Finish(TaskState.UpForReschedule, Plus(play.Now, Work(task)));
    }

    /// <summary>An instance takes its slot at the very moment at which the one before leaves it: the pool is never open.</summary>
    void TakeTurn(InstancePlay play, TaskDefinition task, Disturbance held, DateTimeOffset ready, bool isFirst)
    {
        var (turn, end) = isFirst ? (ready, held.NextTurn) : (held.NextTurn, held.NextTurn + held.Turn);
        var (wait, work) = (Latency(0.05, 0.4), Work(task));
        if (turn > held.Until)
            turn = Plus(Later(ready, held.Until), wait);
        Launch(play, ready, turn);
        play.Finish(TaskState.Success, end <= held.Until ? end : Plus(Later(play.Now, held.Until), work));
    }

    string Choose(TaskDefinition branch)
    {
        var choices = run.Dag.Tasks.Where(task => task.Upstream.Contains(branch.Id)).ToList();
        return choices[dice.Chance(0.75) ? 0 : dice.Between(1, choices.Count - 1)].Id;
    }

    TaskPhase PlayTry(TaskDefinition task, InstancePlay play, DateTimeOffset ready, DateTimeOffset slotFree)
    {
        play.Try++;
        var queued = Plus(ready > slotFree ? ready : slotFree, Latency(0.05, 0.4));
        Launch(play, ready, queued);
        switch (task.Kind)
        {
            case TaskKind.RescheduleSensor:
                for (var pokes = brisk ? 0 : dice.Between(task.Pokes.Low, task.Pokes.High); pokes > 0; pokes--)
                {
                    play.Finish(TaskState.UpForReschedule, Plus(play.Now, Work(task)));
                    var again = Plus(play.Now, task.PokeInterval);
                    Launch(play, again, Plus(again, Latency(0.05, 0.4)));
                }
                break;
            case TaskKind.Deferrable:
                var start = play.Last.Start;
                play.Add(play.Last with { At = Plus(play.Now, Work(task)), State = TaskState.Deferred });
                var fired = Plus(play.Now, brisk ? 1 : dice.Between(task.Deferred.Low, task.Deferred.High));
                Launch(play, fired, Plus(fired, Latency(0.05, 0.4)), start);
                break;
        }

        var disturbed = Disturbed(task);
        var fails = disturbed is { Kind: DisruptionKind.Fails };
        var end = Plus(play.Now, Work(task, fails));
        var retried = disturbed is { Kind: DisruptionKind.Retries }
            ? play.Try <= task.Retries && end <= disturbed.Until
            : !fails && !brisk && play.Try <= task.Retries && dice.Chance(task.RetryChance);
        if (task.GlueJob is { } job)
            play.GlueRuns.Add(PlayGlue(job, play.Now, end, fails));
        play.Finish(retried ? TaskState.UpForRetry : fails ? TaskState.Failed : TaskState.Success, end);
        return play.Last;
    }

    /// <param name="taken">When a worker takes it from the queue, if not soon.</param>
    void Launch(InstancePlay play, DateTimeOffset scheduled, DateTimeOffset queued, DateTimeOffset? startedBefore = null, DateTimeOffset? taken = null)
    {
        var started = Plus(taken > queued ? taken.Value : queued, Latency(0.1, 1.4));
        play.Add(play.Last with { At = scheduled, State = TaskState.Scheduled, Try = play.Try, ScheduledAt = scheduled });
        play.Add(play.Last with { At = queued, State = TaskState.Queued, QueuedAt = queued });
        play.Add(play.Last with { At = started, State = TaskState.Running, Start = startedBefore ?? started, End = null, Pid = dice.Between(300, 32000) });
    }

    double Work(TaskDefinition task, bool fails = false)
    {
        var (low, high) = task.Seconds;
        if (!brisk)
            return fails ? Math.Min(low, 12) * dice.Between(0.8, 1) : dice.Between(low, high);
        var longest = task.GlueJob is null ? BriskTask : fails ? BriskGlueFailure : BriskGlueSuccess;
        return Math.Min(low, longest) * dice.Between(0.7, 1);
    }

    GlueJobRun PlayGlue(GlueJob job, DateTimeOffset from, DateTimeOffset to, bool fails)
    {
        var length = (to - from).TotalSeconds;
        var started = Plus(from, Math.Min(1, length * 0.05));
        return new GlueJobRun
        {
            Id = string.Create(CultureInfo.InvariantCulture, $"jr_{dice.Bits():x16}{dice.Bits():x16}{dice.Bits():x16}{dice.Bits():x16}"),
            Job = job,
            StartedOn = started,
            RunningFrom = Plus(started, Math.Min(dice.Between(5, 14), length * 0.2)),
            CompletedOn = Plus(to, -Math.Min(dice.Between(0.5, 2), length * 0.1)),
            FinalState = fails ? GlueRunState.FAILED : GlueRunState.SUCCEEDED,
            ErrorMessage = fails ? "AnalysisException: cannot resolve 'stream_id' given input columns: [user_id, track_id, listen_time]" : null,
        };
    }

    /// <summary>With the run; mapped instances when their task expands.</summary>
    static TaskPhase Created(DateTimeOffset at) => new(at, TaskState.None, 0) { GenerationAt = at };

    void Add(TaskDefinition task, int mapIndex, List<TaskPhase> phases, List<GlueJobRun>? glueRuns = null) =>
        instances.Add(new TaskInstance(run, task, mapIndex) { Phases = [.. phases], GlueRuns = glueRuns is { Count: > 0 } ? [.. glueRuns] : [] });

    double Latency(double low, double high) => brisk ? dice.Between(0.02, 0.1) : dice.Between(low, high);

    static DateTimeOffset Later(DateTimeOffset x, DateTimeOffset y) => x > y ? x : y;

    /// <summary>Airflow's dates have microseconds.</summary>
    static DateTimeOffset Plus(DateTimeOffset at, double seconds)
    {
        var ticks = at.UtcTicks + (long)(seconds * TimeSpan.TicksPerSecond);
        return new DateTimeOffset(ticks - (ticks % TimeSpan.TicksPerMicrosecond), TimeSpan.Zero);
    }

    static string Letters(Dice dice)
    {
        const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        var bits = dice.Bits();
        return string.Create(8, bits, static (letters, rest) =>
        {
            for (var i = 0; i < letters.Length; i++, rest >>= 7)
                letters[i] = Alphabet[(int)(rest & 127) % Alphabet.Length];
        });
    }

    /// <summary>One instance while it is being played.</summary>
    sealed class InstancePlay(int mapIndex, TaskPhase created)
    {
        public int MapIndex => mapIndex;

        public List<TaskPhase> Phases { get; } = [created];

        public List<GlueJobRun> GlueRuns { get; } = [];

        public int Try { get; set; }

        public TaskPhase Last => Phases[^1];

        public DateTimeOffset Now => Last.At;

        public void Add(TaskPhase phase) => Phases.Add(phase);

        /// <summary>Ends what runs: the last poke's, or the try's.</summary>
        public void Finish(TaskState state, DateTimeOffset end)
        {
            var seconds = Math.Round((end - Last.Start!.Value).TotalSeconds, 6);
            var archived = state == TaskState.UpForRetry;
            Add(Last with
            {
                At = end,
                State = state,
                End = end,
                Duration = seconds,
                Generation = Last.Generation + (archived ? 1 : 0),
                GenerationAt = archived ? end : Last.GenerationAt,
            });
        }
    }
}
