using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Airflow;

/// <summary>
/// What one request sees: the pipeline at one instant, through one edition. Questions about live work and about what
/// changed lately play only the runs of that time, however long the history is.
/// </summary>
internal sealed class AirflowData(PipelineModel model, FaultInjector faults, Edition edition, DateTimeOffset now)
{
    public DateTimeOffset Now => now;

    public Edition Edition => edition;

    public IEnumerable<DagDefinition> Dags => model.Dags;

    public DagDefinition? FindDag(string dagId) => model.FindDag(dagId);

    /// <summary>Every run that a filter lets through.</summary>
    public IEnumerable<RunRow> Runs(RunFilter filter) => Spans(filter)
        .SelectMany(span => model.Runs(span.Dag, span.Since, now))
        .Select(run => new RunRow(run, now))
        .Where(row => filter.Holds(row, edition));

    /// <summary>One page of them.</summary>
    public RunPage Runs(RunFilter filter, Ordering<RunRow> order, int offset, int limit) => new RunListing(model, this).Page(filter, order, offset, limit);

    /// <summary>The DAGs whose runs may be in an answer, and since when.</summary>
    public IEnumerable<DagSpan> Spans(RunFilter filter)
    {
        foreach (var dag in Chosen(filter.DagId, Latest(Bounds(filter))))
        {
            if (Since(dag, filter) is { } since)
                yield return new DagSpan(dag, since);
        }
    }

    public IEnumerable<TaskRow> TaskInstances(TaskFilter filter)
    {
        foreach (var run in filter.Run is { } one ? [one] : TouchedRuns(filter))
        {
            foreach (var instance in run.TaskInstances)
            {
                if (instance.At(now) is not { } phase)
                    continue;
                var row = new TaskRow(instance, phase, now);
                if (filter.Holds(row, edition))
                    yield return row;
            }
        }
    }

    /// <summary>A run by its id in this edition; null when there is none (yet).</summary>
    public DagRun? FindRun(string dagId, string runId) =>
        model.FindDag(dagId) is { } dag && Edition.MomentOf(runId) is { } moment
            ? model.SetOff(dag, moment - dag.EndsWithin, moment + ((dag.Schedule as CronSchedule)?.Period ?? TimeSpan.Zero), now)
                .FirstOrDefault(run => edition.RunId(run) == runId)
            : null;

    /// <summary>The instance of a task, or of one map index (−1: not mapped).</summary>
    public TaskRow? FindTask(DagRun run, string taskId, int mapIndex) =>
        TaskInstances(new TaskFilter { Run = run }).FirstOrDefault(row => row.Task.Id == taskId && row.Instance.MapIndex == mapIndex);

    /// <summary>The run that was started last.</summary>
    public DagRun? LastRun(DagDefinition dag) => model.Runs(dag, now.AddDays(-2), now).Where(run => run.StartDate <= now).MaxBy(run => run.StartDate);

    public DateTimeOffset? NextRun(DagDefinition dag) => model.NextRun(dag, now);

    /// <summary>In the order of their creation.</summary>
    public IReadOnlyList<PoolRow> Pools()
    {
        var use = TaskInstances(new TaskFilter { States = UsingSlots }).ToLookup(row => (row.Task.Pool, row.Phase.State));
        var pools = model.Pools.Select(pool => new PoolRow(
            pool,
            use[(pool.Name, TaskState.Running)].Count(),
            use[(pool.Name, TaskState.Queued)].Count(),
            use[(pool.Name, TaskState.Scheduled)].Count(),
            use[(pool.Name, TaskState.Deferred)].Count()));
        return faults.IsOn(Source, FaultKind.UnlimitedPool) ? [.. pools, new PoolRow(Unlimited, 0, 0, 0, 0)] : [.. pools];
    }

    /// <summary>None, unless the fault or the incident import_error is on. Each parse of the file renews the timestamp.</summary>
    public IReadOnlyList<ImportErrorRow> ImportErrors() =>
        faults.IsOn(Source, FaultKind.ImportError) || model.Incidents.At(IncidentKind.ImportError, now) is not null
        ? [new ImportErrorRow(1, LastParse, "broken.py", BrokenFile)]
        : [];

    /// <summary>DAG files are parsed about every 30 s.</summary>
    public DateTimeOffset LastParse => Beat(TimeSpan.FromSeconds(30), offset: 0.421_360);

    /// <summary>In the incident scheduler_down: the last one before it.</summary>
    public DateTimeOffset SchedulerHeartbeat =>
        Beat(TimeSpan.FromSeconds(5), offset: 0.058_897, model.Incidents.At(IncidentKind.SchedulerDown, now)?.Start);

    /// <summary>Airflow's scheduler_health_check_threshold.</summary>
    public bool IsSchedulerHealthy => now - SchedulerHeartbeat < TimeSpan.FromSeconds(30);

    public DateTimeOffset TriggererHeartbeat => Beat(TimeSpan.FromSeconds(5), offset: 1.434_241);

    public DateTimeOffset DagProcessorHeartbeat => Beat(TimeSpan.FromSeconds(10), offset: 0.766_210);

    /// <summary>The source of faults.</summary>
    public const string Source = "airflow";

    const string BrokenFile =
        "Traceback (most recent call last):\n  File \"/opt/airflow/dags/broken.py\", line 3, in <module>\n    import missing_library\n" +
        "ModuleNotFoundError: No module named 'missing_library'\n";

    static readonly PoolDefinition Unlimited = new("unlimited_pool", -1, "no limit");

    static readonly HashSet<TaskState> UsingSlots = [TaskState.Running, TaskState.Queued, TaskState.Scheduled, TaskState.Deferred];

    DateTimeOffset Beat(TimeSpan every, double offset, DateTimeOffset? until = null)
    {
        var shifted = (until ?? now).AddSeconds(-offset);
        return new DateTimeOffset(shifted.UtcTicks - (shifted.UtcTicks % every.Ticks), TimeSpan.Zero).AddSeconds(offset);
    }

    /// <summary>One DAG, or all of which a run may have changed since; those of the load have no rows without dates.</summary>
    IEnumerable<DagDefinition> Chosen(string? dagId, DateTimeOffset? since) =>
        dagId is null ? model.Touched(since ?? DateTimeOffset.UnixEpoch, now) : model.FindDag(dagId) is { } dag ? [dag] : [];

    IEnumerable<DagRun> TouchedRuns(TaskFilter filter)
    {
        foreach (var dag in Chosen(filter.DagId, Latest([.. Bounds(filter), .. Dates(filter)])))
        {
            if (Since(dag, filter) is not { } since)
                continue;
            foreach (var run in model.Runs(dag, since, now))
                yield return run;
        }
    }

    /// <summary>Runs that ended before cannot be in the answer; null: none can. All dates of a run are before its end.</summary>
    DateTimeOffset? Since(DagDefinition dag, RunFilter filter) => Latest(Bounds(filter), filter.OnlyFailed, dag);

    DateTimeOffset?[] Bounds(RunFilter filter) =>
        [filter.OnlyLive ? now : null, filter.UpdatedAt.From, filter.StartDate.From, filter.EndDate.From, filter.RunAfter.From, filter.LogicalDate.From];

    DateTimeOffset?[] Bounds(TaskFilter filter) => [filter.OnlyLive ? now : null, filter.UpdatedAt.From, filter.RunAfter.From, filter.LogicalDate.From];

    static DateTimeOffset?[] Dates(TaskFilter filter) => [filter.StartDate.From, filter.EndDate.From];

    DateTimeOffset? Since(DagDefinition dag, TaskFilter filter)
    {
        // Rows without dates stay in a window of Airflow 3 for ever.
        var dated = edition.NullIsNow && dag.Tasks.Any(task => task.Mapped is { Low: 0 }) ? null : Latest(Dates(filter));
        return Latest([.. Bounds(filter), dated], filter.OnlyFailed, dag);
    }

    DateTimeOffset? Latest(IEnumerable<DateTimeOffset?> bounds, bool onlyFailed, DagDefinition dag)
    {
        var since = Latest(bounds) ?? DateTimeOffset.UnixEpoch;
        if (onlyFailed)
        {
            if (model.FirstFailure(dag) is not { } first)
                return null;
            since = first > since ? first : since;
        }
        return since > now ? now : since;
    }

    static DateTimeOffset? Latest(IEnumerable<DateTimeOffset?> bounds) => bounds.Max();
}
