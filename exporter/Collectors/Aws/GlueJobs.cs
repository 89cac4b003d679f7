using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Globalization;
using PipelineExporter.Metrics;
using PipelineExporter.Sources;
using PipelineExporter.Sources.Aws;
using PipelineExporter.State;

namespace PipelineExporter.Collectors.Aws;

/// <param name="LastRunDuration">Of the run that ended last; null when none is known.</param>
/// <param name="Active">Number of runs by state, for runs that have not ended.</param>
/// <param name="OldestRunningStart">Of the runs that are not waiting; null when there is none.</param>
internal sealed record GlueJobStatus(
    string Name, TimeSpan? LastRunDuration, ImmutableSortedDictionary<string, int> Active, DateTimeOffset? OldestRunningStart);

internal sealed record GlueJobsSnapshot(ImmutableArray<GlueJobStatus> Jobs);

/// <summary>
/// Runs of Glue jobs. GetJobRuns gives them newest first and knows no filter, so each poll reads back to the job's watermark:
/// the start of its oldest run that is not settled, or of its newest run. A run is settled when it has ended and Glue will not
/// run it again; then, once, it is counted.
/// </summary>
/// <remarks>
/// Glue starts a run that FAILED or hit its TIMEOUT again up to the job's MaxRetries times: a new run whose PreviousRunId names
/// the old one and whose Attempt is higher. The old one is then no outcome of the job; only the DPU seconds it used count. While
/// attempts are left and no such run is to be seen, the verdict waits, for <see cref="RetryGrace"/> at most.
/// </remarks>
internal sealed class GlueJobs(AwsSource source, GlueJobCatalog catalog, Ledger ledger, TimeSpan interval) : Collector<GlueJobsSnapshot>
{
    /// <summary>How soon after a failure Glue has started the retry.</summary>
    internal static readonly TimeSpan RetryGrace = TimeSpan.FromMinutes(5);

    // Runs may become visible a little out of order.
    private static readonly TimeSpan Overlap = TimeSpan.FromMinutes(5);

    // A job seen for the first time may have runs in progress: batch runs may last seven days at most.
    private static readonly TimeSpan LongestRun = TimeSpan.FromDays(7);

    private const int Parallelism = 4;
    private const int LargePage = 200;
    private const int SmallPage = 25;

    private static readonly MetricDesc Runs = MetricDesc.Counter(
        "aws_glue_job_runs_total", "Runs of the job that ended for good, by the state they ended in; retries by Glue count as one run.", "job_name", "state");

    private static readonly MetricDesc DpuSeconds = MetricDesc.Counter(
        "aws_glue_job_dpu_seconds_total", "DPU seconds that ended runs of the job used, attempts that Glue retried included.", "job_name", "execution_class");

    private static readonly MetricDesc Duration = MetricDesc.Histogram(
        "aws_glue_job_run_duration_seconds", "Time from start to end of runs of the job, waiting included.",
        [30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 21600], "job_name");

    private static readonly MetricDesc LastDuration = MetricDesc.Gauge(
        "aws_glue_job_last_run_duration_seconds", "Time from start to end of the run of the job that ended last.", "job_name");

    private static readonly MetricDesc Active = MetricDesc.Gauge(
        "aws_glue_job_runs_active", "Runs of the job that have not ended, by state.", "job_name", "state");

    private static readonly MetricDesc OldestRunning = MetricDesc.Gauge(
        "aws_glue_job_oldest_running_start_timestamp_seconds", "Start of the oldest run of the job that is in progress (not waiting).", "job_name");

    private readonly Dictionary<string, JobMemory> memory = [];

    public override string Name => "glue_jobs";

    public override string Asks => "1 request for each 1,000 jobs: `GetJobs`; and for each job one for each 200 of its newest runs, back to the oldest that is not known to have ended: `GetJobRuns`.";

    public override string Source => source.Name;

    public override SourceIdentity? Identity => source.Identity;

    public override IReadOnlyList<MetricDesc> Metrics { get; } = [Runs, DpuSeconds, Duration, LastDuration, Active, OldestRunning];

    public override TimeSpan Interval => interval;

    protected internal override async Task<GlueJobsSnapshot> CollectAsync(CancellationToken cancellationToken)
    {
        var identity = await source.GetIdentityAsync(cancellationToken);
        var list = await catalog.GetAsync(cancellationToken);
        var state = ledger.For(identity.Scope);
        var now = source.Clock.UtcNow;
        var progress = list.Jobs.Values.ToDictionary(job => job.Name, job => JobProgress.Of(job, state, now));

        var runs = new ConcurrentDictionary<string, IReadOnlyList<GlueJobRun>>();
        await Parallel.ForEachAsync(
            list.Jobs.Keys, new ParallelOptions { MaxDegreeOfParallelism = Parallelism, CancellationToken = cancellationToken },
            async (name, token) =>
            {
                if (await FetchAsync(name, progress[name].Watermark, token) is { } fetched)
                    runs[name] = fetched;
            });

        var batch = state.Begin();
        var jobs = ImmutableArray.CreateBuilder<GlueJobStatus>();
        foreach (var (name, job) in list.Jobs)
        {
            if (runs.TryGetValue(name, out var fetched))
                jobs.Add(Count(job, fetched, progress[name], batch, now));
        }

        batch.SetValue(JobProgress.ListedKey, JobProgress.Format(list.ReadAt));
        batch.Commit();
        foreach (var gone in memory.Keys.Except(runs.Keys).ToList())
            memory.Remove(gone);
        return new(jobs.DrainToImmutable());
    }

    protected internal override void Write(GlueJobsSnapshot snapshot, MetricSink sink)
    {
        foreach (var job in snapshot.Jobs)
        {
            if (job.LastRunDuration is { } last)
                sink.Set(LastDuration, last.TotalSeconds, job.Name);
            foreach (var state in GlueRunState.Active.Union(job.Active.Keys))
                sink.Set(Active, job.Active.GetValueOrDefault(state), job.Name, state);
            if (job.OldestRunningStart is { } start)
                sink.Set(OldestRunning, start.ToUnixTimeMilliseconds() / 1000.0, job.Name);
        }
    }

    /// <summary>The job's runs, newest first, back to <paramref name="watermark"/>; null when the job is deleted.</summary>
    private async Task<IReadOnlyList<GlueJobRun>?> FetchAsync(string job, DateTimeOffset watermark, CancellationToken cancellationToken)
    {
        // Normally a few runs are news; a large page serves the first poll, and those that read far back.
        int size;
        lock (memory)
            size = memory.TryGetValue(job, out var known) && known.Examined < SmallPage ? SmallPage : LargePage;
        var oldest = watermark - Overlap;
        var runs = new Dictionary<string, GlueJobRun>();
        var pages = new AwsPages(AwsService.Glue, "GetJobRuns");
        DateTimeOffset? last;
        try
        {
            do
            {
                var page = await source.Glue.GetJobRunsAsync(new(job, pages.NextToken, size), cancellationToken);
                foreach (var run in page.JobRuns)
                {
                    if (run is not { Id.Length: > 0 } || !GlueRunState.IsWord(run.JobRunState))
                        throw AwsException.Malformed(AwsService.Glue, "GetJobRuns", "a run has no id or no state");
                    runs[run.Id] = run; // A run that starts between two pages pushes another onto both.
                }

                last = page.JobRuns.Count == 0 ? null : GlueRunState.StartOf(page.JobRuns[^1]);
                pages.Read(page.NextToken);
            }
            while (pages.More && !(last < oldest));
        }
        catch (AwsException e) when (e.Code == "EntityNotFoundException")
        {
            await catalog.ForgetAsync(job, cancellationToken);
            return null;
        }

        lock (memory)
        {
            if (!memory.TryGetValue(job, out var remembered))
                memory.Add(job, remembered = new());
            remembered.Examined = runs.Values.Count(run => GlueRunState.StartOf(run) is not { } start || start >= oldest);
        }

        return [.. runs.Values];
    }

    private GlueJobStatus Count(GlueJob job, IReadOnlyList<GlueJobRun> runs, JobProgress progress, LedgerBatch batch, DateTimeOffset now)
    {
        batch.Declare(Runs, job.Name, GlueRunState.Succeeded);
        batch.Declare(Runs, job.Name, GlueRunState.Failed);
        batch.Declare(Duration, job.Name);
        batch.Declare(DpuSeconds, job.Name, ExecutionClassOf(job.ExecutionClass));

        var retries = runs.ToLookup(run => run.PreviousRunId ?? "");
        var active = new SortedDictionary<string, int>(StringComparer.Ordinal);
        DateTimeOffset? oldestRunning = null, watermark = null;
        var undated = false;
        var latest = memory[job.Name].LastRun;
        foreach (var run in runs)
        {
            var start = GlueRunState.StartOf(run);
            var verdict = Judge(run, job, retries[run.Id], now);
            if (verdict is Verdict.Active)
            {
                active[run.JobRunState] = active.GetValueOrDefault(run.JobRunState) + 1;
                if (run.JobRunState != GlueRunState.Waiting && start is { } since && !(oldestRunning < since))
                    oldestRunning = since;
            }

            if (verdict is Verdict.Active or Verdict.Waiting)
            {
                undated |= start is null;
                if (!(watermark < start))
                    watermark = start;
                continue;
            }

            var ended = GlueRunState.EndOf(run);
            if (verdict is Verdict.Final && !(latest?.Ended >= ended))
                latest = (ended, DurationOf(run));
            // What ended before the job was first seen is remembered by this comparison, not counted.
            if (ended <= progress.Baseline || !batch.TryRecord(KeyOf(job, run), ended))
                continue;
            batch.Add(DpuSeconds, GlueCapacity.DpuSeconds(run), job.Name, ExecutionClassOf(run.ExecutionClass ?? job.ExecutionClass));
            if (verdict is Verdict.Final)
            {
                batch.Add(Runs, 1, job.Name, run.JobRunState);
                batch.Observe(Duration, DurationOf(run).TotalSeconds, job.Name);
            }
        }

        if (!undated)
            progress = progress with { Watermark = watermark ?? runs.Max(GlueRunState.StartOf) ?? progress.Watermark };
        progress.Store(job.Name, batch);
        memory[job.Name].LastRun = latest;
        return new(job.Name, latest?.Duration, active.ToImmutableSortedDictionary(), oldestRunning);
    }

    private EventKey KeyOf(GlueJob job, GlueJobRun run) => EventKey.Of("glue_run", source.AccountId!, source.Region, job.Name, run.Id);

    private static Verdict Judge(GlueJobRun run, GlueJob job, IEnumerable<GlueJobRun> next, DateTimeOffset now)
    {
        if (!GlueRunState.HasEnded(run))
            return Verdict.Active;
        if (run.JobRunState is not (GlueRunState.Failed or GlueRunState.Timeout))
            return Verdict.Final;
        var decided = GlueRunState.EndOf(run) + RetryGrace;
        if (next.Any(retry => retry.Attempt > run.Attempt && !(GlueRunState.StartOf(retry) > decided)))
            return Verdict.Retried;
        return run.Attempt < job.MaxRetries && now < decided ? Verdict.Waiting : Verdict.Final;
    }

    private static TimeSpan DurationOf(GlueJobRun run)
    {
        var duration = run is { StartedOn: { } start, CompletedOn: { } end }
            ? end - start
            : TimeSpan.FromSeconds(Math.Clamp(run.ExecutionTime ?? 0, 0, TimeSpan.FromDays(3650).TotalSeconds));
        return duration > TimeSpan.Zero ? duration : TimeSpan.Zero;
    }

    private static string ExecutionClassOf(string? name) => name is not null && GlueRunState.IsWord(name) ? name : "STANDARD";

    private enum Verdict
    {
        /// <summary>It has not ended.</summary>
        Active,

        /// <summary>It has failed, and Glue may be about to run it again.</summary>
        Waiting,

        /// <summary>It has failed, and another run took its place.</summary>
        Retried,

        /// <summary>An outcome of the job.</summary>
        Final,
    }

    /// <summary>What one process remembers of a job, and another could do without.</summary>
    private sealed class JobMemory
    {
        /// <summary>How many runs the last poll had to look at.</summary>
        public int Examined { get; set; } = LargePage;

        public (DateTimeOffset Ended, TimeSpan Duration)? LastRun { get; set; }
    }

    /// <summary>How far a job's runs are counted, kept in the ledger.</summary>
    /// <param name="Baseline">Runs that ended by then are not counted.</param>
    /// <param name="Watermark">Every run that started earlier is settled.</param>
    private sealed record JobProgress(DateTimeOffset Baseline, DateTimeOffset Watermark)
    {
        public const string ListedKey = "glue_jobs.listed";

        // A job may be created a moment before it is listed.
        private static readonly TimeSpan ListingDelay = TimeSpan.FromMinutes(1);

        public static JobProgress Of(GlueJob job, SourceLedger state, DateTimeOffset now)
        {
            if (state.GetValue(KeyOf(job.Name))?.Split(' ') is [var baseline, var watermark])
                return new(Parse(baseline), Parse(watermark));
            // A job created since the last poll has no past to leave out; any other was there before anybody asked for it.
            var isNew = state.GetValue(ListedKey) is { } listed && job.CreatedOn >= Parse(listed) - ListingDelay;
            var from = isNew ? job.CreatedOn!.Value : now;
            return new(from, from - LongestRun);
        }

        public static string Format(DateTimeOffset at) => at.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture);

        public void Store(string job, LedgerBatch batch) => batch.SetValue(KeyOf(job), $"{Format(Baseline)} {Format(Watermark)}");

        private static string KeyOf(string job) => $"glue_jobs.job.{job}";

        private static DateTimeOffset Parse(string text) => DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(text, CultureInfo.InvariantCulture));
    }
}
