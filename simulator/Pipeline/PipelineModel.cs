using System.Collections.Immutable;
using PipelineExporter.Simulator.Control;

namespace PipelineExporter.Simulator.Pipeline;

/// <summary>
/// The music-streaming pipeline as a pure function of (seed, time, incidents): the same question about the same instant
/// has one answer, whenever and by whomever it is asked. Runs are played when they are asked for, and remembered for a
/// while; nothing is ever held for the whole history.
/// </summary>
internal sealed class PipelineModel(int seed, IncidentLog incidents)
{
    static readonly TimeSpan Retention = TimeSpan.FromDays(90);

    static readonly TimeSpan GlueWindow = TimeSpan.FromHours(3);

    static readonly DateTimeOffset PausedSince = new(2026, 6, 1, 9, 0, 0, TimeSpan.Zero);

    /// <summary>Glue emits a datapoint every 30 s.</summary>
    static readonly TimeSpan ElapsedTimeInterval = TimeSpan.FromSeconds(30);

    readonly RunCache cache = new();
    readonly ImmutableArray<DagDefinition> dags = Catalog.Dags;

    public int Seed => seed;

    /// <summary>What the questions so far have cost.</summary>
    public int PlayedRuns => cache.Played;

    public ImmutableArray<DagDefinition> Dags => dags;

    public ImmutableArray<GlueJob> GlueJobs => Catalog.GlueJobs;

    /// <summary>Older runs are gone: a clean-up job removes whole days, 90 days back.</summary>
    public static DateTimeOffset HistoryStart(DateTimeOffset now) => new((now - Retention).UtcDateTime.Date, TimeSpan.Zero);

    /// <summary>
    /// The runs of a DAG that exist at <paramref name="now"/> and may have changed at or after <paramref name="since"/>
    /// (all that did are among them), if they were set off at or before <paramref name="until"/>.
    /// </summary>
    public IEnumerable<DagRun> Runs(DagDefinition dag, DateTimeOffset since, DateTimeOffset now, DateTimeOffset? until = null)
    {
        var start = HistoryStart(now);
        return SetOff(dag, (since > start ? since : start) - dag.EndsWithin, until ?? now, now).Where(run => run.EndDate >= since);
    }

    /// <summary>The runs of a DAG that the schedule or an incident set off in [from, to], as far as they exist at <paramref name="now"/>.</summary>
    public IEnumerable<DagRun> SetOff(DagDefinition dag, DateTimeOffset from, DateTimeOffset to, DateTimeOffset now)
    {
        var start = HistoryStart(now);
        foreach (var key in Keys(dag, from, to < now ? to : now))
        {
            if (Find(key) is { } run && run.QueuedAt <= now && run.RunAfter >= start)
                yield return run;
        }
    }

    /// <summary>The runs of all DAGs; see the other overload.</summary>
    public IEnumerable<DagRun> Runs(DateTimeOffset since, DateTimeOffset now) => dags.SelectMany(dag => Runs(dag, since, now));

    public DagDefinition? FindDag(string dagId) => dags.FirstOrDefault(dag => dag.Id == dagId);

    /// <summary>The next moment of a DAG's schedule after an instant; null when it has none. Of a paused DAG: the one at which it was paused.</summary>
    public static DateTimeOffset? NextRun(DagDefinition dag, DateTimeOffset now) =>
        dag.Schedule is CronSchedule cron ? At(cron, Index(cron, dag.IsPaused ? PausedSince : now) + 1) : null;

    /// <summary>No run of a DAG that ended before has failed; null when none ever has.</summary>
    public DateTimeOffset? FirstFailure(DagDefinition dag) =>
        dag.Id == Catalog.Validation && Failures() is [var first, ..] ? first.Start : null;

    /// <summary>
    /// The runs of a job that were started at or before <paramref name="until"/> and not completed before
    /// <paramref name="since"/>, newest first. Plays no more of the past than is read.
    /// </summary>
    public IEnumerable<GlueJobRun> GlueJobRuns(string jobName, DateTimeOffset since, DateTimeOffset until)
    {
        if (dags.FirstOrDefault(dag => dag.Tasks.Any(task => task.GlueJob?.Name == jobName)) is not { } dag)
            yield break;
        var history = HistoryStart(until);
        var oldest = (since > history ? since : history) - dag.EndsWithin;
        List<GlueJobRun> read = [];
        for (var to = until; to >= oldest; to -= GlueWindow)
        {
            var from = to - GlueWindow;
            read.AddRange(SetOff(dag, from.AddTicks(1), to, until)
                .SelectMany(run => run.TaskInstances)
                .SelectMany(instance => instance.GlueRuns)
                .Where(run => run.StartedOn <= until && run.CompletedOn >= since));
            read.Sort((x, y) => x.StartedOn.CompareTo(y.StartedOn));

            // What was set off before this window has started before this moment.
            var settled = from + dag.EndsWithin;
            for (; read is [.., var newest] && (newest.StartedOn >= settled || from < oldest); read.RemoveAt(read.Count - 1))
                yield return newest;
        }
    }

    /// <summary>The datapoints of glue.driver.aggregate.elapsedTime of a job, over all its runs, in [from, to), oldest first.</summary>
    public IEnumerable<ElapsedTimeDelta> ElapsedTime(string jobName, DateTimeOffset from, DateTimeOffset to) =>
        GlueJobRuns(jobName, from, to).SelectMany(ElapsedTime).Where(delta => delta.At >= from && delta.At < to).OrderBy(delta => delta.At);

    static IEnumerable<ElapsedTimeDelta> ElapsedTime(GlueJobRun run)
    {
        for (var last = run.RunningFrom; last < run.CompletedOn;)
        {
            var next = last + ElapsedTimeInterval;
            if (next > run.CompletedOn)
                next = run.CompletedOn;
            yield return new ElapsedTimeDelta(next, (next - last).TotalMilliseconds);
            last = next;
        }
    }

    /// <summary>
    /// Each moment of the schedule before this one has set off one run, which has succeeded. Null where moments are not
    /// regular.
    /// </summary>
    public DateTimeOffset? SettledUntil(DagDefinition dag, DateTimeOffset now)
    {
        if (PeriodOf(dag) is null)
            return null;
        var root = Root(dag);
        var disturbed = root.Id == Catalog.Validation && Failures() is [var first, ..] && first.Start < now ? first.Start : now;
        return disturbed - dag.EndsWithin;
    }

    /// <summary>How many moments of the schedule are in [from, to).</summary>
    public int CountMoments(DagDefinition dag, DateTimeOffset from, DateTimeOffset to)
    {
        var cron = (CronSchedule)Root(dag).Schedule;
        return (int)(Index(cron, to.AddTicks(-1)) - Index(cron, from.AddTicks(-1)));
    }

    /// <summary>How often the schedule sets off a run of a DAG, or of the head of its chain; null when nothing does so regularly.</summary>
    public TimeSpan? PeriodOf(DagDefinition dag) => dag.IsPaused ? null : (Root(dag).Schedule as CronSchedule)?.Period;

    /// <summary>Of the runs that the schedule sets off.</summary>
    public static RunKind KindOf(DagDefinition dag) => dag.Schedule switch
    {
        CronSchedule => RunKind.Scheduled,
        AssetSchedule => RunKind.Asset,
        NoSchedule { TriggeredBy: not null } => RunKind.Operator,
        _ => RunKind.Manual,
    };

    /// <summary>Every run of a DAG that something set off in [from, to]; some may turn out never to have come about.</summary>
    IEnumerable<RunKey> Keys(DagDefinition dag, DateTimeOffset from, DateTimeOffset to)
    {
        if (dag.IsPaused)
            yield break;
        var index = dags.IndexOf(dag);
        var root = Root(dag);
        if (Period(root) is { } schedule)
        {
            var last = Index(schedule, to);
            for (var i = Index(schedule, from); i <= last; i++)
            {
                if (Moment(i, root) is var moment && moment >= from && moment <= to)
                    yield return new RunKey(index, RunCause.Schedule, i);
            }
        }
        if (root.Id != Catalog.Validation)
            yield break;
        var failures = Failures();
        for (var i = 0; i < failures.Count; i++)
        {
            if (failures[i].Start >= from && failures[i].Start <= to)
                yield return new RunKey(index, RunCause.Incident, i);
            if (failures[i].End >= from && failures[i].End <= to)
                yield return new RunKey(index, RunCause.Repair, i);
        }
    }

    List<Incident> Failures() => [.. incidents.Named(IncidentKind.DagFailure)];

    /// <summary>The run of a name; null when what should have set it off never did.</summary>
    public DagRun? Run(RunKey key) => Find(key);

    DagRun? Find(RunKey key)
    {
        var dag = dags[key.Dag];
        return Trigger(dag) is { } trigger ? FindTriggered(key, dag, trigger.DagId, trigger.TaskId) : FindRoot(key, dag);
    }

    DagRun FindRoot(RunKey key, DagDefinition dag)
    {
        var (kind, at) = key.Cause switch
        {
            RunCause.Schedule => (KindOf(dag), Moment(key.Index, dag)),
            RunCause.Incident => (RunKind.Manual, Failures()[(int)key.Index].Start),
            _ => (RunKind.Manual, Failures()[(int)key.Index].End!.Value),
        };
        // What an incident does to a run is settled when the run is asked for, so it is part of the run's name in the cache.
        var fails = dag.Id == Catalog.Validation && key.Cause != RunCause.Repair && Failures().Exists(incident => incident.Covers(at));
        return cache.Get((key, fails), () => RunPlayer.Play(seed, key, dag, kind, Microseconds(at), key.Cause != RunCause.Schedule,
            fails ? Catalog.ValidationGlueTask : null));
    }

    DagRun? FindTriggered(RunKey key, DagDefinition dag, string byDag, string byTask)
    {
        var upstream = Find(key with { Dag = dags.IndexOf(FindDag(byDag)!) });
        var last = upstream?.TaskInstances.First(instance => instance.Task.Id == byTask).Phases[^1];
        if (last is not { State: TaskState.Success, End: { } end })
            return null;
        return cache.Get((key, false), () =>
            RunPlayer.Play(seed, key, dag, KindOf(dag), end.AddMicroseconds(-76_357), brisk: key.Cause != RunCause.Schedule, failingTask: null));
    }

    /// <summary>The n-th moment at which a DAG's root is set off: on the schedule, or when a person happens to.</summary>
    DateTimeOffset Moment(long index, DagDefinition root) => root.Schedule switch
    {
        CronSchedule cron => At(cron, index),
        NoSchedule { ByHandEvery: { } every } =>
            DateTimeOffset.UnixEpoch + ((index + (new Dice(seed, root.Id, index).Next() * 0.9)) * every),
        _ => throw new InvalidOperationException($"{root.Id} is not set off by itself"),
    };

    DagDefinition Root(DagDefinition dag) => Trigger(dag) is { } trigger ? Root(FindDag(trigger.DagId)!) : dag;

    static (string DagId, string TaskId)? Trigger(DagDefinition dag) => dag.Schedule switch
    {
        AssetSchedule asset => (asset.DagId, asset.TaskId),
        NoSchedule { TriggeredBy: { } by } => by,
        _ => null,
    };

    /// <summary>A schedule whose n-th interval holds the root's n-th moment.</summary>
    static CronSchedule? Period(DagDefinition root) => root.Schedule switch
    {
        CronSchedule cron => cron,
        NoSchedule { ByHandEvery: { } every } => new CronSchedule("", "", every),
        _ => null,
    };

    static long Index(CronSchedule cron, DateTimeOffset at) => (at - DateTimeOffset.UnixEpoch - cron.Offset).Ticks / cron.Period.Ticks;

    static DateTimeOffset At(CronSchedule cron, long index) => DateTimeOffset.UnixEpoch + cron.Offset + (index * cron.Period);

    static DateTimeOffset Microseconds(DateTimeOffset at) => new(at.UtcTicks - (at.UtcTicks % TimeSpan.TicksPerMicrosecond), TimeSpan.Zero);
}
