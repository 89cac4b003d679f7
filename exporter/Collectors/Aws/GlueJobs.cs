using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Collections.Immutable;
using PipelineExporter.Metrics;
using PipelineExporter.Sources;
using PipelineExporter.Sources.Aws;
using PipelineExporter.State;

namespace PipelineExporter.Collectors.Aws;

/// <param name="Failure">Why some jobs are told of as they were before, or not at all; null when none is.</param>
internal sealed record GlueJobsSnapshot(ImmutableArray<GlueJobStatus> Jobs, SourceIncompleteException? Failure = null);

/// <summary>
/// Runs of Glue jobs. GetJobRuns gives them newest first and knows no filter, so each poll reads back to the job's watermark:
/// the start of its oldest run that is not settled, or of its newest run. A run is settled when it has ended and Glue will not
/// run it again; then, once, it is counted. A job whose runs cannot be read is left for the next poll, and hurts no other.
/// </summary>
internal sealed class GlueJobs(AwsSource source, GlueJobCatalog catalog, Ledger ledger, TimeProvider time, GlueSelection selection)
    : Collector<GlueJobsSnapshot>, IPlannedCollector
{
    private const int Parallelism = 4;

    /// <summary>So many jobs are read before what was counted of them is stored: a collection that is cut short goes on from there.</summary>
    private const int StoredAtATime = 20;

    // How long a poll may read in histories after it has counted: what can wait does not keep the first page waiting.
    private static readonly TimeSpan FirstReading = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LongestReading = TimeSpan.FromSeconds(30);

    /// <summary>CloudWatch has the last datapoints of a run some minutes after its end, and lists a metric that is new half an hour after its first.</summary>
    private static readonly TimeSpan Reported = TimeSpan.FromHours(1);

    private readonly GlueRuns runs = new(source);
    private readonly Dictionary<string, GlueJobMemory> memory = [];

    // The jobs of the last poll; null before the first.
    private FrozenSet<string>? shown;

    /// <summary>Told after each collection which jobs report to CloudWatch just now, or did a moment ago.</summary>
    public Action<IReadOnlyCollection<string>> Reporting { get; init; } = static _ => { };

    public override string Name => "glue_jobs";

    public override string Asks =>
        "Every 5 minutes 1 request for each 1,000 jobs: `GetJobs`. At each collection 1 for each job, or 1 for each 200 of its newest runs, back to the oldest that is "
        + "not known to have ended: `GetJobRuns`. After a start also, little by little, 1 for each 200 runs of the last 30 days of each job; the first time of up to 90.";

    public override string Source => source.Name;

    public override SourceIdentity? Identity => source.Identity;

    public override IReadOnlyList<MetricDesc> Metrics { get; } = [.. GlueRunMetrics.Metrics, .. GlueJobStatus.Metrics];

    public override TimeSpan Interval => selection.PollInterval;

    /// <summary>What was counted of a deleted job is not shown.</summary>
    public override SeriesFilter Shown()
    {
        var jobs = shown;
        return (metric, labels) => jobs is null || metric.Labels is not ["job_name", ..] || jobs.Contains(labels[0]);
    }

    public async Task<IReadOnlyList<PlannedRequests>> PlanAsync(CancellationToken cancellationToken)
    {
        var jobs = (await catalog.GetAsync(cancellationToken)).Jobs.Count;
        return
        [
            PlannedRequests.Every(AwsService.Glue, "GetJobs", PlannedRequests.Pages(jobs, 1000), TimeSpan.FromMinutes(5)),
            PlannedRequests.Every(AwsService.Glue, "GetJobRuns", jobs, Interval),
        ];
    }

    protected internal override async Task<GlueJobsSnapshot> CollectAsync(CancellationToken cancellationToken)
    {
        var identity = await source.GetIdentityAsync(cancellationToken);
        var list = await catalog.GetAsync(cancellationToken);
        var state = ledger.For(identity.Scope);
        var isFirst = shown is null;
        Remember(list.Jobs);
        var progress = Meet(list, state);

        var failures = new ConcurrentDictionary<string, AwsException>();
        var read = new HashSet<string>();
        // Those that are furthest behind come first: however early collections are cut short, each gets further.
        foreach (var jobs in list.Jobs.Values.OrderBy(job => progress[job.Name].Watermark).Chunk(StoredAtATime))
            read.UnionWith(await CountAsync(jobs, progress, failures, state, cancellationToken));
        if (read.Count == 0 && !failures.IsEmpty)
            throw failures.MinBy(failure => failure.Key).Value;

        var now = source.Clock.UtcNow;
        var budget = isFirst ? FirstReading : Interval / 2 < LongestReading ? Interval / 2 : LongestReading;
        await ReadHistoriesAsync(list.Jobs, failures, state, now, budget, cancellationToken);
        Reporting([.. list.Jobs.Values.Where(job => job.ReportsSpark && memory[job.Name].HasRunSince(now - Reported)).Select(job => job.Name)]);
        return Tell(list, read, failures, state, now);
    }

    protected internal override void Write(GlueJobsSnapshot snapshot, MetricSink sink)
    {
        foreach (var job in snapshot.Jobs)
            job.Write(sink);
    }

    protected internal override Exception? FailureIn(GlueJobsSnapshot snapshot) => snapshot.Failure;

    /// <summary>Forgets jobs that are gone, or were made again, and knows the others.</summary>
    private void Remember(ImmutableSortedDictionary<string, GlueJob> jobs)
    {
        foreach (var gone in memory.Keys.Where(name => !jobs.ContainsKey(name)).ToList())
            memory.Remove(gone);
        foreach (var (name, job) in jobs)
        {
            if (!memory.TryGetValue(name, out var known) || known.CreatedOn != job.CreatedOn)
                memory[name] = new(job.CreatedOn);
        }
    }

    /// <summary>How far each job is counted. What is seen for the first time is stored as seen before its runs are read, however that goes.</summary>
    private Dictionary<string, GlueJobProgress> Meet(GlueJobList list, SourceLedger state)
    {
        var now = source.Clock.UtcNow;
        var progress = list.Jobs.Values.ToDictionary(job => job.Name, job => GlueJobProgress.Of(job, state, now));
        var batch = state.Begin();
        foreach (var (name, known) in progress)
        {
            GlueRunMetrics.Declare(batch, list.Jobs[name]);
            known.Store(name, batch);
        }

        GlueJobProgress.Forget(list.Jobs, state, batch);
        GlueJobProgress.StoreListed(list.ReadAt, batch);
        batch.Commit();
        return progress;
    }

    /// <summary>Reads the runs of some jobs, and counts those that are settled.</summary>
    /// <returns>The jobs whose runs could be read.</returns>
    private async Task<ICollection<string>> CountAsync(
        IReadOnlyList<GlueJob> jobs, IReadOnlyDictionary<string, GlueJobProgress> progress, ConcurrentDictionary<string, AwsException> failures, SourceLedger state,
        CancellationToken cancellationToken)
    {
        var now = source.Clock.UtcNow;
        var lists = new ConcurrentDictionary<string, GlueRunList>();
        await ForEachAsync(
            jobs.Select(job => job.Name), failures,
            async (name, token) => lists[name] = await runs.ReadAsync(name, progress[name].Watermark, memory[name].PageSize, token), cancellationToken);

        var batch = state.Begin();
        foreach (var job in jobs)
        {
            if (lists.TryGetValue(job.Name, out var read))
                memory[job.Name].Count(job, read, progress[job.Name], ThresholdOf(job, state), run => KeyOf(job, run), batch, now).Store(job.Name, batch);
        }

        batch.Commit();
        return lists.Keys;
    }

    /// <summary>Does the same for many jobs; one that fails, or turns out to be deleted, does not keep the others from it.</summary>
    private Task ForEachAsync(
        IEnumerable<string> names, ConcurrentDictionary<string, AwsException> failures, Func<string, CancellationToken, Task> what, CancellationToken cancellationToken) =>
        Parallel.ForEachAsync(
            names, new ParallelOptions { MaxDegreeOfParallelism = Parallelism, CancellationToken = cancellationToken },
            async (name, token) =>
            {
                try
                {
                    await what(name, token);
                }
                catch (AwsException e) when (e.Code == "EntityNotFoundException")
                {
                    await catalog.ForgetAsync(name, token);
                }
                catch (AwsException e)
                {
                    failures[name] = e; // Told when the others are done.
                }
            });

    /// <summary>Reads on in the jobs' histories for a while, and keeps what they tell.</summary>
    private async Task ReadHistoriesAsync(
        ImmutableSortedDictionary<string, GlueJob> jobs, ConcurrentDictionary<string, AwsException> failures, SourceLedger state, DateTimeOffset now, TimeSpan budget,
        CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var unread = jobs.Keys.Where(name => memory[name].History is { IsNew: false, IsRead: false }).ToList();
        await ForEachAsync(
            unread, failures, async (name, token) =>
            {
                var history = memory[name].History;
                try
                {
                    while (!history.IsRead && time.GetElapsedTime(started) < budget)
                        await history.ReadOnAsync(runs, jobs[name], state, now, token);
                }
                catch (AwsException)
                {
                    history.Reset();
                    throw;
                }
            },
            cancellationToken);

        var batch = state.Begin();
        foreach (var (name, job) in jobs)
            memory[name].History.Store(batch, state, job, now);
        batch.Commit();
    }

    private GlueJobsSnapshot Tell(
        GlueJobList list, IReadOnlySet<string> read, IReadOnlyDictionary<string, AwsException> failures, SourceLedger state, DateTimeOffset now)
    {
        var jobs = list.Jobs;
        var told = ImmutableArray.CreateBuilder<GlueJobStatus>();
        foreach (var (name, job) in jobs.Where(job => read.Contains(job.Key) || failures.ContainsKey(job.Key)))
        {
            var known = memory[name];
            if (read.Contains(name))
                known.Told = (known.Tell(job, state, ThresholdOf(job, state)), now);
            // The status of a job that failed is told on until it is stale, as a collector's is.
            if (known.Told is var (status, at) && now - at < 3 * Interval)
                told.Add(status);
        }

        shown = [.. jobs.Keys.Where(name => read.Contains(name) || failures.ContainsKey(name))];
        return new(told.ToImmutable(), FailureOf(list, failures));
    }

    private static SourceIncompleteException? FailureOf(GlueJobList list, IReadOnlyDictionary<string, AwsException> failures)
    {
        if (list.Failure is { } unlisted)
            return new($"the jobs could not be listed, and are those of before: {unlisted.Message}", unlisted);
        if (failures.Count == 0)
            return null;
        var (first, failure) = failures.MinBy(one => one.Key);
        return new($"the runs of {failures.Count} of {list.Jobs.Count} jobs could not be read; of {first}: {failure.Message}", failure);
    }

    private TimeSpan? ThresholdOf(GlueJob job, SourceLedger state) =>
        job.IsStreaming ? null : selection.Threshold(job.Name, GlueJobHistory.BaselineOf(state, job) is { } baseline ? GlueJobHistory.ThresholdOf(baseline) : null);

    private EventKey KeyOf(GlueJob job, GlueJobRun run) => EventKey.Of("glue_run", source.AccountId!, source.Region, job.Name, run.Id);
}
