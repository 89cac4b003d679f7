using System.Collections.Immutable;
using PipelineExporter.Simulator.Control;

namespace PipelineExporter.Simulator.Pipeline;

/// <summary>
/// The music-streaming pipeline as a pure function of (seed, time, incidents): the same question about the same instant
/// has one answer, whenever and by whomever it is asked. Runs are played when they are asked for, and remembered for a
/// while; nothing is ever held for the whole history.
/// </summary>
/// <param name="scale">DAGs of generated load beside the pipeline's.</param>
/// <param name="tables">Tables of generated load.</param>
/// <param name="buckets">Buckets of generated load.</param>
internal sealed class PipelineModel(int seed, IncidentLog incidents, int scale = 0, int tables = 0, int buckets = 0)
{
    static readonly TimeSpan Retention = TimeSpan.FromDays(90);

    static readonly TimeSpan GlueWindow = TimeSpan.FromHours(3);

    static readonly DateTimeOffset PausedSince = new(2026, 6, 1, 9, 0, 0, TimeSpan.Zero);

    /// <summary>In the incident retries_storm, so many instances a minute and one more for every fifty DAGs drown what goes well.</summary>
    const int StormInstances = 10, StormDags = 50;

    readonly RunCache cache = new(scale > 0 ? 4096 : 2048);
    readonly DagList dags = new(scale);
    readonly TriggeredJobs triggered = new(seed, incidents);

    public int Seed => seed;

    public IncidentLog Incidents => incidents;

    /// <summary>What the questions so far have cost.</summary>
    public int PlayedRuns => cache.Played;

    public ImmutableArray<DagDefinition> Dags => dags.All;

    /// <summary>In the order of their creation.</summary>
    public ImmutableArray<PoolDefinition> Pools { get; } = scale > 0 ? [.. Catalog.Pools, LoadCatalog.Pool] : Catalog.Pools;

    public ImmutableArray<GlueJob> GlueJobs { get; } = [.. Catalog.GlueJobs, .. TriggeredJobs.All];

    public ImmutableArray<BucketDefinition> Buckets { get; } = [.. Pipeline.Buckets.All, .. Pipeline.Buckets.Load(buckets)];

    public ImmutableArray<TableDefinition> Tables { get; } = [.. Pipeline.Tables.All, .. Pipeline.Tables.Load(tables)];

    /// <summary>Older runs are gone: a clean-up job removes whole days, 90 days back.</summary>
    public static DateTimeOffset HistoryStart(DateTimeOffset now) => new((now - Retention).UtcDateTime.Date, TimeSpan.Zero);

    /// <summary>
    /// The runs of a DAG that exist at <paramref name="now"/> and may have changed at or after <paramref name="since"/>
    /// (all that did are among them), if they were set off at or before <paramref name="until"/>.
    /// </summary>
    public IEnumerable<DagRun> Runs(DagDefinition dag, DateTimeOffset since, DateTimeOffset now, DateTimeOffset? until = null)
    {
        var start = HistoryStart(now);
        var (from, to) = ((since > start ? since : start) - dag.EndsWithin, until < now ? until.Value : now);
        var held = Disruption.Of(Root(dag)) is not { } disruption ? from : disruption.HeldFor is { } longest ? from - longest : DateTimeOffset.MinValue;
        return Existing(ScheduleKeys(dag, from, to).Concat(IncidentKeys(dag, held, to)), now).Where(run => run.EndDate >= since);
    }

    /// <summary>The runs of a DAG that the schedule or an incident set off in [from, to], as far as they exist at <paramref name="now"/>.</summary>
    public IEnumerable<DagRun> SetOff(DagDefinition dag, DateTimeOffset from, DateTimeOffset to, DateTimeOffset now)
    {
        var until = to < now ? to : now;
        return Existing(ScheduleKeys(dag, from, until).Concat(IncidentKeys(dag, from, until)), now);
    }

    /// <summary>The runs of all DAGs; see the other overload.</summary>
    public IEnumerable<DagRun> Runs(DateTimeOffset since, DateTimeOffset now) => Touched(since, now).SelectMany(dag => Runs(dag, since, now));

    /// <summary>All DAGs but those of the load of which no run can have changed at or after <paramref name="since"/>.</summary>
    public IEnumerable<DagDefinition> Touched(DateTimeOffset since, DateTimeOffset now) => dags.Touched(since, now);

    public DagDefinition? FindDag(string dagId) => dags.Find(dagId);

    /// <summary>Its number in the keys of its runs.</summary>
    public int IndexOf(DagDefinition dag) => dags.IndexOf(dag);

    /// <summary>
    /// The next moment of a DAG's schedule after an instant; null when it has none. Of a paused DAG: the one at which it was paused.
    /// In the incident dag_overdue: the moment at which nothing happened.
    /// </summary>
    public DateTimeOffset? NextRun(DagDefinition dag, DateTimeOffset now)
    {
        if (dag.Schedule is not CronSchedule cron)
            return null;
        if (Disruption.Of(dag) is { Kind: DisruptionKind.NotScheduled } disruption && incidents.At(disruption.Incident, now) is { } incident)
            return Missed(dag, disruption, incident);
        return At(cron, Index(cron, dag.IsPaused ? PausedSince : now) + 1);
    }

    /// <summary>No run of a DAG that ended before has failed, nor any task of one; null when none ever has.</summary>
    public DateTimeOffset? FirstFailure(DagDefinition dag) => Disruption.Of(dag) is { Kind: DisruptionKind.Fails } ? FirstDisturbed(dag) : null;

    /// <summary>
    /// The runs of a job that were started at or before <paramref name="until"/> and not completed before
    /// <paramref name="since"/>, newest first. Plays no more of the past than is read.
    /// </summary>
    /// <param name="now">What can be seen by then; <paramref name="until"/> unless given. An incident's first run has a past.</param>
    public IEnumerable<GlueJobRun> GlueJobRuns(string jobName, DateTimeOffset since, DateTimeOffset until, DateTimeOffset? now = null)
    {
        var seen = now ?? until;
        if (TriggeredJobs.All.FirstOrDefault(job => job.Name == jobName) is { } job)
        {
            foreach (var run in triggered.Runs(job, Latest(since, HistoryStart(seen)), until, seen))
                yield return run;
        }
        if (Catalog.Dags.FirstOrDefault(dag => dag.Tasks.Any(task => task.GlueJob?.Name == jobName)) is not { } dag)
            yield break;
        var history = HistoryStart(seen);
        var oldest = (since > history ? since : history) - dag.EndsWithin;
        List<GlueJobRun> read = [];
        for (var to = until; to >= oldest; to -= GlueWindow)
        {
            var from = to - GlueWindow;
            read.AddRange(SetOff(dag, from.AddTicks(1), to, seen)
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

    /// <summary>The datapoints of glue.driver.aggregate.elapsedTime of a job in [from, to), oldest first.</summary>
    /// <param name="runId">Null for all its runs together.</param>
    public IEnumerable<ElapsedTimeDelta> ElapsedTime(string jobName, DateTimeOffset from, DateTimeOffset to, string? runId = null) =>
        GlueJobRuns(jobName, from, to).Where(run => runId is null || run.Id == runId).SelectMany(run => run.ElapsedTime(from, to)).OrderBy(delta => delta.At);

    /// <summary>
    /// Each moment of the schedule before this one has set off one run, which has succeeded. Null where moments are not
    /// regular.
    /// </summary>
    public DateTimeOffset? SettledUntil(DagDefinition dag, DateTimeOffset now)
    {
        if (PeriodOf(dag) is null)
            return null;
        return (FirstDisturbed(Root(dag)) is { } first && first < now ? first : now) - dag.EndsWithin;
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

    static DateTimeOffset Latest(DateTimeOffset x, DateTimeOffset y) => x > y ? x : y;

    IEnumerable<DagRun> Existing(IEnumerable<RunKey> keys, DateTimeOffset now)
    {
        var start = HistoryStart(now);
        foreach (var key in keys)
        {
            if (Find(key) is { } run && run.VisibleFrom <= now && run.RunAfter >= start)
                yield return run;
        }
    }

    /// <summary>Every run of a DAG that its schedule (or a person) set off in [from, to]; some may turn out never to have come about.</summary>
    IEnumerable<RunKey> ScheduleKeys(DagDefinition dag, DateTimeOffset from, DateTimeOffset to)
    {
        var root = Root(dag);
        if (dag.IsPaused || Period(root) is not { } schedule)
            yield break;
        var index = dags.IndexOf(dag);
        var stopping = Disruption.Of(root) is { StopsOthers: true } disruption ? disruption.Incident : null;
        var last = Index(schedule, to);
        for (var i = Index(schedule, from); i <= last; i++)
        {
            var moment = Moment(i, root);
            if (moment >= from && moment <= to && (stopping is null || incidents.At(stopping, moment) is null))
                yield return new RunKey(index, RunCause.Schedule, i);
        }
    }

    /// <summary>
    /// Every run of a DAG that an incident, or its end, set off in [from, to]. One with a past was set off at any moment from its date
    /// to when it came to be seen.
    /// </summary>
    IEnumerable<RunKey> IncidentKeys(DagDefinition dag, DateTimeOffset from, DateTimeOffset to)
    {
        if (Disruption.Of(Root(dag)) is not { } disruption)
            yield break;
        var index = dags.IndexOf(dag);
        foreach (var (number, incident) in incidents.Named(disruption.Incident).Index())
        {
            for (var wave = disruption.StartsRuns ? FirstWave(disruption, incident, from) : long.MaxValue; wave <= MaxWave; wave++)
            {
                var moment = WaveOf(disruption, incident, wave);
                if (Begin(disruption, moment, wave) > to || (wave > 0 && (disruption.Again is null || moment >= incident.End)))
                    break;
                if (moment >= from)
                    yield return new RunKey(index, RunCause.Incident, (number << WaveBits) + wave);
            }
            if (disruption.EndsWithRun && incident.End is { } end && end >= from && RepairDate(Root(dag), disruption, incident) <= to)
                yield return new RunKey(index, RunCause.Repair, number << WaveBits);
        }
    }

    /// <summary>A key counts the incidents of a name, and the runs that each has set off.</summary>
    const int WaveBits = 20;

    const long MaxWave = (1 << WaveBits) - 1;

    static long FirstWave(Disruption disruption, Incident incident, DateTimeOffset from) =>
        disruption.Again is { } again && from > incident.Start ? Math.Min((from - incident.Start).Ticks / again.Ticks, MaxWave) : 0;

    /// <summary>When an incident sets off its n-th run, for all to see.</summary>
    static DateTimeOffset WaveOf(Disruption disruption, Incident incident, long wave) => incident.Start + (wave * (disruption.Again ?? TimeSpan.Zero));

    /// <summary>The date that such a run bears: only the first has a past.</summary>
    static DateTimeOffset Begin(Disruption disruption, DateTimeOffset moment, long wave) => Microseconds(wave == 0 ? moment - disruption.Head : moment);

    /// <summary>The date of the run that starts at an incident's end.</summary>
    static DateTimeOffset RepairDate(DagDefinition root, Disruption disruption, Incident incident) =>
        disruption.StartsRuns ? Microseconds(incident.End!.Value) : Missed(root, disruption, incident);

    /// <summary>The moment at which nothing happened. A schedule names it after those at which something did.</summary>
    static DateTimeOffset Missed(DagDefinition root, Disruption disruption, Incident incident)
    {
        var cron = (CronSchedule)root.Schedule;
        return Microseconds(Latest(incident.Start - disruption.Head, At(cron, Index(cron, incident.Start)).AddSeconds(1)));
    }

    /// <summary>The first date of a run that an incident touched; null when none has.</summary>
    DateTimeOffset? FirstDisturbed(DagDefinition root) =>
        Disruption.Of(root) is { } disruption && incidents.Named(disruption.Incident).FirstOrDefault() is { } first ? first.Start - disruption.Head : null;

    /// <summary>The run of a name; null when what should have set it off never did.</summary>
    public DagRun? Run(RunKey key) => Find(key);

    DagRun? Find(RunKey key)
    {
        var dag = dags.All[key.Dag];
        return Trigger(dag) is { } trigger ? FindTriggered(key, dag, trigger.DagId, trigger.TaskId) : FindRoot(key, dag);
    }

    DagRun FindRoot(RunKey key, DagDefinition dag)
    {
        if (key.Cause == RunCause.Schedule)
        {
            var moment = Moment(key.Index, dag);
            var fails = Disruption.Of(dag) is { Kind: DisruptionKind.Fails } failure && incidents.At(failure.Incident, moment) is not null ? failure : null;
            return Play(key, dag, KindOf(dag), Microseconds(moment), null, fails is null ? null : new Disturbance(fails.Kind, fails.TaskId!));
        }

        var disruption = Disruption.Of(dag)!;
        var incident = incidents.Named(disruption.Incident).ElementAt((int)(key.Index >> WaveBits));
        if (key.Cause == RunCause.Repair)
            return Play(key, dag, disruption.StartsRuns ? RunKind.Manual : KindOf(dag), RepairDate(dag, disruption, incident), Microseconds(incident.End!.Value), null);
        var wave = key.Index & MaxWave;
        var at = WaveOf(disruption, incident, wave);
        return Play(key, dag, RunKind.Manual, Begin(disruption, at, wave), null, Disturb(disruption, incident, wave, at));
    }

    Disturbance Disturb(Disruption disruption, Incident incident, long wave, DateTimeOffset at)
    {
        if (disruption.Kind == DisruptionKind.Fails)
            return new Disturbance(disruption.Kind, disruption.TaskId!);
        var end = incident.End ?? Disturbance.Never;
        var until = disruption is { Kind: DisruptionKind.Runs or DisruptionKind.Queues, HeldFor: { } longest } && at + longest < end ? at + longest : end;
        var disturbance = new Disturbance(disruption.Kind, disruption.TaskId!) { From = Microseconds(at), Until = until == Disturbance.Never ? until : Microseconds(until), IsFirst = wave == 0 };
        return disruption.Kind switch
        {
            DisruptionKind.Retries => disturbance with { Mapped = StormInstances + (scale / StormDags) },
            DisruptionKind.FillsPool => Fill(disturbance, disruption),
            _ => disturbance,
        };
    }

    /// <summary>Each run brings as many instances as the pool has slots, the first one twice as many.</summary>
    static Disturbance Fill(Disturbance disturbance, Disruption disruption)
    {
        var slots = Catalog.FindPool(Catalog.Dags.First(dag => dag.Id == disruption.DagId).Tasks.First(task => task.Id == disruption.TaskId).Pool).Slots;
        var turn = disruption.Again!.Value;

        // Those that wait next are there a minute before those that wait now get their turn.
        return disturbance with { Turn = turn, NextTurn = disturbance.From + turn + TimeSpan.FromMinutes(1), Mapped = disturbance.IsFirst ? 2 * slots : slots };
    }

    DagRun Play(RunKey key, DagDefinition dag, RunKind kind, DateTimeOffset runAfter, DateTimeOffset? createdAt, Disturbance? disturbance) =>
        cache.Get((key, disturbance), () => RunPlayer.Play(seed, key, dag, kind, runAfter, createdAt, disturbance));

    DagRun? FindTriggered(RunKey key, DagDefinition dag, string byDag, string byTask)
    {
        var upstream = Find(key with { Dag = dags.IndexOf(FindDag(byDag)!) });
        var last = upstream?.TaskInstances.First(instance => instance.Task.Id == byTask).Phases[^1];
        if (last is not { State: TaskState.Success, End: { } end })
            return null;
        return Play(key, dag, KindOf(dag), end.AddMicroseconds(-76_357), null, null);
    }

    /// <summary>The n-th moment at which a DAG's root is set off: on the schedule, or when a person happens to.</summary>
    DateTimeOffset Moment(long index, DagDefinition root) => root.Schedule switch
    {
        CronSchedule cron => At(cron, index),
        NoSchedule { ByHandEvery: { } every } =>
            Microseconds(DateTimeOffset.UnixEpoch + ((index + (new Dice(seed, root.Id, index).Next() * 0.9)) * every)),
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
