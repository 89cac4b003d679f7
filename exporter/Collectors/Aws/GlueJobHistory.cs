using PipelineExporter.Metrics;
using PipelineExporter.Sources.Aws;
using PipelineExporter.State;

namespace PipelineExporter.Collectors.Aws;

/// <summary>
/// What a job's runs of the past tell: its last success and failure, however old, and how long its runs take. Glue keeps runs
/// about 90 days; they are read once a process, back to 30 days for the baseline, and further while a last success or failure
/// is not known. What follows from them is kept in the ledger, so that it is there from a restart on.
/// </summary>
internal sealed class GlueJobHistory
{
    public static readonly MetricDesc LastSuccess = MetricDesc.Gauge(
        "aws_glue_job_last_success_timestamp_seconds", "When a run of the job last succeeded, however long ago Glue remembers; absent when none did.", "job_name");

    public static readonly MetricDesc LastFailure = MetricDesc.Gauge(
        "aws_glue_job_last_failure_timestamp_seconds",
        "When a run of the job last failed or timed out for good, however long ago Glue remembers; absent when none did.", "job_name");

    public static readonly MetricDesc Baseline = MetricDesc.Gauge(
        "aws_glue_job_baseline_duration_seconds",
        "How long runs of the job usually take, waiting not included: the median of its successful runs of the last 30 days; absent with less than 7, and for streaming jobs.", "job_name");

    /// <summary>Of each of them, as kept: it was looked for, and there is none.</summary>
    private const double None = 0;

    private const int FewestRuns = 7;

    private static readonly TimeSpan Window = TimeSpan.FromDays(30);

    // Glue's clock may be a little ahead; what lies further in the future is nonsense, and would be the last for ever.
    private static readonly TimeSpan Skew = TimeSpan.FromMinutes(5);

    private readonly Dictionary<EventKey, (DateTimeOffset Ended, float Seconds)> successes = [];
    private readonly List<GlueJobRun> retries = [];
    private AwsPages? unread;
    private DateTimeOffset? lastSuccess;
    private DateTimeOffset? lastFailure;
    private (TimeSpan? Duration, DateTimeOffset Until) median = (null, DateTimeOffset.MinValue);

    /// <summary>Nothing was read yet: the next poll begins.</summary>
    public bool IsNew { get; private set; } = true;

    /// <summary>All that is wanted was read.</summary>
    public bool IsRead => !IsNew && unread is null;

    /// <summary>120 % of the usual duration, and a minute above it at least: short jobs vary more.</summary>
    public static TimeSpan ThresholdOf(TimeSpan baseline) =>
        1.2 * baseline > baseline + TimeSpan.FromMinutes(1) ? 1.2 * baseline : baseline + TimeSpan.FromMinutes(1);

    /// <summary>Null when it is not known, or there is none.</summary>
    public static double? Kept(SourceLedger state, MetricDesc metric, string job) => state.Kept(metric, job) is { } value and not None ? value : null;

    public static TimeSpan? BaselineOf(SourceLedger state, GlueJob job) =>
        !job.IsStreaming && Kept(state, Baseline, job.Name) is { } seconds ? TimeSpan.FromSeconds(seconds) : null;

    /// <summary>Takes over where a poll stopped to read; its runs are noted by who asked.</summary>
    public void Begin(GlueRunList read)
    {
        unread = read.Pages.More ? read.Pages : null;
        retries.Clear();
        retries.AddRange(read.Runs.Where(run => run.PreviousRunId is not null));
        IsNew = false;
    }

    /// <summary>Reading failed: it begins anew, as a page's token does not live for ever.</summary>
    public void Reset() => (IsNew, unread) = (true, null);

    /// <summary>Reads one page more.</summary>
    public async Task ReadOnAsync(GlueRuns runs, GlueJob job, SourceLedger state, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var page = await runs.ReadPageAsync(job.Name, unread!, cancellationToken);
        retries.AddRange(page.Where(run => run.PreviousRunId is not null));
        var next = retries.ToLookup(run => run.PreviousRunId);
        foreach (var run in page)
            Note(job, run, GlueVerdicts.Of(run, job, next[run.Id], now), now);

        var isEnough = page.Count > 0 && GlueRunState.StartOf(page[^1]) < now - Window
            && (lastSuccess is not null || state.Kept(LastSuccess, job.Name) is not null)
            && (lastFailure is not null || state.Kept(LastFailure, job.Name) is not null);
        if (unread!.More && !isEnough)
            return;
        unread = null;
        retries.Clear();
    }

    /// <summary>Notes a run that a list told of; any number of times.</summary>
    public void Note(GlueJob job, GlueJobRun run, GlueVerdict verdict, DateTimeOffset now)
    {
        var ended = GlueRunState.EndOf(run);
        if (verdict is not GlueVerdict.Final || ended > now + Skew)
            return;
        if (GlueRunState.IsFailure(run))
            lastFailure = lastFailure > ended ? lastFailure : ended;
        if (run.JobRunState != GlueRunState.Succeeded)
            return;
        lastSuccess = lastSuccess > ended ? lastSuccess : ended;
        // A job that was deleted and made again is another one.
        if (job.IsStreaming || ended < now - Window || ended < job.CreatedOn)
            return;
        if (successes.TryAdd(EventKey.Of(run.Id), (ended, (float)GlueRunState.RunningTimeOf(run).TotalSeconds)))
            median.Until = DateTimeOffset.MinValue;
    }

    /// <summary>Keeps what is known, and that there is nothing to be known.</summary>
    public void Store(LedgerBatch batch, SourceLedger state, GlueJob job, DateTimeOffset now)
    {
        Keep(LastSuccess, lastSuccess?.ToUnixTimeMilliseconds() / 1000.0);
        Keep(LastFailure, lastFailure?.ToUnixTimeMilliseconds() / 1000.0);
        if (IsRead)
            batch.Keep(Baseline, Median(now)?.TotalSeconds ?? None, job.Name);
        else
            batch.Touch(Baseline, job.Name);

        void Keep(MetricDesc metric, double? at)
        {
            var kept = state.Kept(metric, job.Name);
            if (at > (kept ?? None))
                batch.Keep(metric, at.Value, job.Name);
            else if (kept is null && IsRead)
                batch.Keep(metric, None, job.Name);
            else
                batch.Touch(metric, job.Name);
        }
    }

    private TimeSpan? Median(DateTimeOffset now)
    {
        if (now < median.Until)
            return median.Duration;
        foreach (var old in successes.Where(run => run.Value.Ended < now - Window).Select(run => run.Key).ToList())
            successes.Remove(old);
        var sorted = successes.Values.Select(run => run.Seconds).Order().ToList();
        var middle = sorted.Count / 2;
        return (median = sorted.Count < FewestRuns
            ? (null, DateTimeOffset.MaxValue)
            : (TimeSpan.FromSeconds(sorted.Count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + (double)sorted[middle]) / 2),
                successes.Values.Min(run => run.Ended) + Window)).Duration;
    }
}
