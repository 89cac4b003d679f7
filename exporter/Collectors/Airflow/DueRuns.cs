using PipelineExporter.Sources.Airflow;
using PipelineExporter.State;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>
/// When the next result of each DAG becomes overdue, by the DAG's own schedule: the earliest of its scheduled runs that are live,
/// or else the next one, with the usual duration and the grace added.
/// </summary>
/// <remarks>
/// Airflow itself says when the next run is due, whatever the schedule: cron, interval or time table. A DAG that assets trigger
/// has no such moment: it is expected when the longest of the last times between two of its runs has passed. A DAG without a
/// schedule is never overdue.
/// </remarks>
internal sealed class DueRuns(AirflowEnvironment environment)
{
    /// <summary>The last moment of each DAG's schedule that a run was seen for: the list of DAGs is older than the runs.</summary>
    private readonly Dictionary<string, DateTimeOffset> lastMoment = [];

    /// <param name="dags">Every DAG that is known, with what is usual of it.</param>
    /// <param name="seen">The runs of this poll.</param>
    /// <param name="ledger">What is kept of the DAGs.</param>
    public IReadOnlyDictionary<string, DateTimeOffset> Overdue(IEnumerable<DagHistory> dags, IReadOnlyList<DagRun> seen, SourceLedger ledger)
    {
        foreach (var run in seen)
        {
            if (run.ScheduledFor is { } moment && (!lastMoment.TryGetValue(run.DagId, out var known) || known < moment))
                lastMoment[run.DagId] = moment;
        }
        var live = seen.Where(run => !AirflowStates.IsFinished(run)).ToLookup(run => run.DagId);
        var overdue = new Dictionary<string, DateTimeOffset>();
        foreach (var history in dags)
        {
            var dagId = history.DagId;
            if (environment.Dags.Find(dagId) is not { IsPaused: not true, ScheduledRunType: not null } dag
                || environment.Settings.Thresholds.DagOverdueGrace(dagId) is not { } grace
                // A DAG that never succeeded is given as long as a run may take at most.
                || (history.Usual ?? environment.Settings.Thresholds.DagRunDuration(dagId)) is not { } usual)
            {
                continue;
            }
            // While no more runs may be active Airflow names no next one: then it waits for whatever is.
            var waitsForAny = dag.NextRun is null && dag.ScheduledRunType == "scheduled";
            var due = live[dagId].Where(run => run.IsScheduled || waitsForAny).Select(run => Begin(run, ledger)).Append(Next(dag, ledger)).Min();
            if (due is { } at)
                overdue[dagId] = at + usual + grace;
        }
        return overdue;
    }

    /// <summary>When a live run began, or should have. One that catches up, or was cleared, waits for those before it.</summary>
    private static DateTimeOffset? Begin(DagRun run, SourceLedger ledger)
    {
        if (run.StartDate is { } began)
            return began;
        var due = run.QueuedAt ?? run.ScheduledFor ?? run.LogicalDate;
        return RunHistory.LastStarted(ledger, run.DagId) is { } before && before > due ? before : due;
    }

    private DateTimeOffset? Next(Dag dag, SourceLedger ledger)
    {
        if (dag.NextRun is { } next)
            return lastMoment.TryGetValue(dag.DagId, out var last) && last >= next ? null : next;
        return dag.ScheduledRunType != "scheduled" && RunHistory.LastSuccessfulStart(ledger, dag.DagId) + RunHistory.LongestGap(ledger, dag.DagId) is { } expected
            ? expected
            : null;
    }
}
