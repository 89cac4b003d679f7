using System.Collections.Immutable;
using PipelineExporter.Sources.Aws;
using PipelineExporter.State;

namespace PipelineExporter.Collectors.Aws;

/// <summary>What one process remembers of a job, and another could do without.</summary>
internal sealed class GlueJobMemory(DateTimeOffset? createdOn)
{
    // How many runs the last poll had to look at.
    private int examined = GlueRuns.LargePage;
    private (DateTimeOffset Ended, TimeSpan Duration)? lastRun;
    private IReadOnlyList<GlueJobRun> active = [];
    private ImmutableDictionary<string, DateTimeOffset> waitedUntil = ImmutableDictionary<string, DateTimeOffset>.Empty;
    private DateTimeOffset asOf;

    public DateTimeOffset? CreatedOn => createdOn;

    public GlueJobHistory History { get; } = new();

    /// <summary>Normally a few runs are news; a large page serves the first poll, and those that read far back.</summary>
    public int PageSize => examined < GlueRuns.SmallPage && !History.IsNew ? GlueRuns.SmallPage : GlueRuns.LargePage;

    /// <summary>As it was last told, and when.</summary>
    public (GlueJobStatus Status, DateTimeOffset At)? Told { get; set; }

    /// <summary>Whether a run is in progress, or ended since then.</summary>
    public bool HasRunSince(DateTimeOffset at) => active.Count > 0 || lastRun?.Ended >= at;

    /// <summary>Counts the runs that are settled now, and gives how far they are.</summary>
    /// <param name="threshold">As it was published: the runs that ended meanwhile have no part in it.</param>
    public GlueJobProgress Count(
        GlueJob job, GlueRunList read, GlueJobProgress progress, TimeSpan? threshold, Func<GlueJobRun, EventKey> keyOf, LedgerBatch batch, DateTimeOffset now)
    {
        if (History.IsNew)
            History.Begin(read);
        examined = read.Runs.Count(run => GlueRunState.StartOf(run) is not { } start || start >= GlueRuns.OldestOf(progress.Watermark));

        var retries = read.Runs.ToLookup(run => run.PreviousRunId);
        var unsettled = new List<GlueJobRun>();
        foreach (var run in read.Runs)
        {
            var verdict = GlueVerdicts.Of(run, job, retries[run.Id], now);
            History.Note(job, run, verdict, now);
            if (verdict is GlueVerdict.Active or GlueVerdict.Undecided)
            {
                unsettled.Add(run);
                continue;
            }

            var ended = GlueRunState.EndOf(run);
            if (verdict is GlueVerdict.Final && !(lastRun?.Ended >= ended))
                lastRun = (ended, GlueRunState.DurationOf(run));
            // What ended before the job was first seen is remembered by this comparison, not counted.
            if (ended > progress.Baseline && batch.TryRecord(keyOf(run), ended))
                GlueRunMetrics.Count(batch, job, run, verdict, threshold);
        }

        asOf = now;
        active = [.. unsettled.Where(run => !GlueRunState.HasEnded(run))];
        waitedUntil = active.Select(run => (run.Id, Until: WaitedUntil(run, progress, now))).Where(one => one.Until is not null)
            .ToImmutableDictionary(one => one.Id, one => one.Until!.Value);
        return progress with { Watermark = WatermarkOf(read.Runs, unsettled, now) ?? progress.Watermark, WaitedUntil = waitedUntil };
    }

    public GlueJobStatus Tell(GlueJob job, SourceLedger state, TimeSpan? threshold)
    {
        var oldestRunning = active.Where(run => !IsWaiting(run)).Min(run => waitedUntil.TryGetValue(run.Id, out var until) ? until : GlueRunState.StartOf(run));
        return new(job)
        {
            LastRunDuration = lastRun?.Duration,
            Active = active.GroupBy(run => run.JobRunState).ToImmutableSortedDictionary(runs => runs.Key, runs => runs.Count(), StringComparer.Ordinal),
            OldestRunningStart = oldestRunning,
            OldestRunningFor = asOf - oldestRunning,
            OldestWaitingStart = active.Where(IsWaiting).Min(GlueRunState.StartOf),
            LastSuccess = GlueJobHistory.Kept(state, GlueJobHistory.LastSuccess, job.Name),
            LastFailure = GlueJobHistory.Kept(state, GlueJobHistory.LastFailure, job.Name),
            Baseline = GlueJobHistory.BaselineOf(state, job),
            Threshold = threshold,
        };
    }

    /// <summary>Null when it cannot move: a run that is not settled does not tell when it started.</summary>
    private static DateTimeOffset? WatermarkOf(IReadOnlyCollection<GlueJobRun> runs, List<GlueJobRun> unsettled, DateTimeOffset now)
    {
        if (unsettled.Exists(run => GlueRunState.StartOf(run) is null))
            return null;
        // What starts in the future must not hide what starts until then.
        return unsettled.Select(GlueRunState.StartOf).Where(start => start <= now).Min() ?? runs.Select(GlueRunState.StartOf).Where(start => start <= now).Max();
    }

    /// <summary>
    /// When it ceased to wait, or to start, Glue does not tell. A run that may have waited before anybody looked did so until now, but for
    /// the time in which it is said to have used resources: a run that is too slow is seen later, and none is said to be slow that only waited.
    /// </summary>
    /// <returns>Null for a run that is not known to have waited.</returns>
    private static DateTimeOffset? WaitedUntil(GlueJobRun run, GlueJobProgress progress, DateTimeOffset now) =>
        IsWaiting(run) ? now
        : progress.WaitedUntil.TryGetValue(run.Id, out var until) ? until
        : GlueRunState.MayHaveWaited(run) || run.ExecutionTime > 0 ? Latest(now - GlueRunState.ExecutionTimeOf(run), GlueRunState.StartOf(run))
        : null;

    private static DateTimeOffset Latest(DateTimeOffset x, DateTimeOffset? y) => y > x ? y.Value : x;

    /// <summary>It uses no resources yet, and that is no part of what is usual: a run's execution time is.</summary>
    private static bool IsWaiting(GlueJobRun run) => run.JobRunState is GlueRunState.Waiting or GlueRunState.Starting;
}
