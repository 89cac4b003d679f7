using PipelineExporter.Sources.Airflow;
using PipelineExporter.State;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>
/// When the next result of each DAG becomes overdue, by the DAG's own schedule: the earliest of its scheduled runs that are
/// live or yet to be made, with the usual duration and the grace added.
/// </summary>
/// <remarks>
/// Airflow itself says when the next run is due, whatever the schedule: cron, interval or time table. A DAG that assets trigger
/// has no such moment; it is expected one usual interval after its last success, and is given another one. A DAG without a
/// schedule is never overdue.
/// </remarks>
internal sealed class DueRuns(AirflowEnvironment environment)
{
    /// <summary>The last moment of the schedule that a run was seen for, of each DAG: the list of DAGs is older than the runs.</summary>
    private readonly Dictionary<string, DateTimeOffset> made = [];

    /// <param name="dags">Every DAG that is known.</param>
    /// <param name="seen">The runs of this poll.</param>
    /// <param name="ledger">What is kept of the DAGs.</param>
    public IReadOnlyDictionary<string, DateTimeOffset> Overdue(IEnumerable<string> dags, IReadOnlyList<DagRun> seen, SourceLedger ledger)
    {
        foreach (var run in seen)
        {
            if (run.ScheduledFor is { } moment && (!made.TryGetValue(run.DagId, out var known) || known < moment))
                made[run.DagId] = moment;
        }
        var live = seen.Where(run => !AirflowStates.IsFinished(run)).ToLookup(run => run.DagId);
        var overdue = new Dictionary<string, DateTimeOffset>();
        foreach (var dagId in dags)
        {
            if (environment.Dags.Find(dagId) is not { IsPaused: not true, ScheduledRunType: { } type } dag
                || environment.Settings.Thresholds.DagOverdueGrace(dagId) is not { } grace
                || Usual(dagId, ledger) is not { } usual)
            {
                continue;
            }
            var due = live[dagId].Where(run => run.RunType == type).Select(run => Begin(run, ledger)).Append(Next(dag, ledger)).Min();
            if (due is { } at)
                overdue[dagId] = at + usual + grace;
        }
        return overdue;
    }

    /// <summary>A DAG that never succeeded is given as long as a run may take at most.</summary>
    private TimeSpan? Usual(string dagId, SourceLedger ledger) => ledger.Kept(RunMetrics.UsualDuration, dagId) is { } seconds
        ? TimeSpan.FromSeconds(seconds)
        : environment.Settings.Thresholds.DagRunDuration(dagId);

    /// <summary>When a live run began, or should have: one that catches up is for a moment long ago, and waits for those before it.</summary>
    private static DateTimeOffset? Begin(DagRun run, SourceLedger ledger)
    {
        if ((run.StartDate ?? run.QueuedAt) is { } began)
            return began;
        var due = run.ScheduledFor ?? run.LogicalDate;
        return ledger.Kept(RunMetrics.LastStart, run.DagId) is { } last && DateTimeOffset.UnixEpoch.AddSeconds(last) is var before && before > due ? before : due;
    }

    private DateTimeOffset? Next(Dag dag, SourceLedger ledger)
    {
        if (dag.NextRun is { } next)
            return made.TryGetValue(dag.DagId, out var last) && last >= next ? null : next;
        return dag.ScheduledRunType is not "scheduled"
            && ledger.Kept(RunMetrics.UsualInterval, dag.DagId) is { } interval && ledger.Kept(RunMetrics.LastSuccess, dag.DagId) is > RunMetrics.Never and var success
            ? DateTimeOffset.UnixEpoch.AddSeconds(success + (2 * interval))
            : null;
    }
}
