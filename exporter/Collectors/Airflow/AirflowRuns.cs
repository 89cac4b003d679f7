using System.Collections.Immutable;
using PipelineExporter.Metrics;
using PipelineExporter.Sources.Airflow;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>DAG runs: finished ones as counters, live and failed ones as gauges.</summary>
internal sealed class AirflowRuns(AirflowEnvironment environment) : AirflowCollector<RunsSnapshot>(environment)
{
    public static readonly MetricDesc Live = MetricDesc.Gauge("airflow_dag_runs", "DAG runs that are queued or running.", "dag_id", "state");

    public static readonly MetricDesc OldestRunning = MetricDesc.Gauge(
        "airflow_dag_run_oldest_running_start_timestamp_seconds", "When the run started that has been running longest.", "dag_id");

    public static readonly MetricDesc FailedOpen = MetricDesc.Gauge(
        "airflow_dag_failed_runs_open",
        "Runs that failed in the last 7 days and were neither repaired nor followed by the success of a run that started later.", "dag_id");

    public static readonly MetricDesc LastFailed = MetricDesc.Gauge(
        "airflow_dag_last_failed_run_info", "The run that failed last, within 7 days.", "dag_id", "run_id");

    public static readonly MetricDesc Threshold = MetricDesc.Gauge(
        "airflow_dag_run_duration_threshold_seconds", "How long a run may take, as configured (thresholds.dag_run_duration); absent for never too long.", "dag_id");

    public static readonly MetricDesc OverdueGrace = MetricDesc.Gauge(
        "airflow_dag_overdue_grace_seconds", "How much later than usual a scheduled run may end, as configured (thresholds.dag_overdue_grace).", "dag_id");

    public static readonly MetricDesc Overdue = MetricDesc.Gauge(
        "airflow_dag_overdue_timestamp_seconds",
        "When the DAG's next result becomes overdue: the earliest of its scheduled runs that are live or yet to be made, with the usual duration and the grace added. "
        + "Absent for paused DAGs, for those without a schedule, and while nothing is due.", "dag_id");

    private const string RerunsName = "airflow_runs.reruns";

    /// <summary>A failed run that is deleted or edited leaves no trace in the lists of a poll: so often the failed ones are listed again.</summary>
    private static readonly TimeSpan VerifyEvery = TimeSpan.FromMinutes(5);

    private readonly FailedRuns failures = new(dag => RunHistory.LastSuccessfulStart(environment.Ledger, dag));
    private readonly HistoryQuestions questions = new(environment);
    private readonly DueRuns due = new(environment);
    private Watermark? watermark;
    private DateTimeOffset? verified;

    public override string Name => "airflow_runs";

    public override string Asks =>
        "2 requests: `/dags/~/dagRuns`, the live runs and those that ended since the last collection (another for each 100 more). At the start, and every "
        + "5 minutes while a failed run is open: the failed runs of 7 days, or since the oldest open one. And once for each DAG that is new to the exporter: "
        + "`/dags/{dag}/dagRuns`, its last 10 successes.";

    public override IReadOnlyList<MetricDesc> Metrics { get; } =
    [
        .. environment.Runs.Counters, RunMetrics.LastScheduleDelay, .. RunHistory.Metrics, Live, OldestRunning, FailedOpen, LastFailed, Threshold, OverdueGrace, Overdue,
    ];

    protected internal override async Task<RunsSnapshot> CollectAsync(CancellationToken cancellationToken)
    {
        var ledger = Environment.Ledger;
        if (watermark is null)
        {
            failures.Restore(ledger.GetValue(RerunsName));
            watermark = new Watermark(ledger, Name, Environment.Settings.Lookback);
        }
        var api = await Environment.Connection.ApiAsync(cancellationToken);

        // In this order, a run that changes its state meanwhile is in one of the lists at least.
        var now = Environment.Context.Time.GetUtcNow();
        var isVerification = verified is not { } at || now - at >= VerifyEvery;
        var since = isVerification ? failures.VerifySince(now) : null;
        var failed = since is { } oldest ? Watched(await api.FailedRunsAsync(oldest, cancellationToken)) : [];
        var live = await api.LiveRunsAsync(cancellationToken);
        var poll = watermark.Begin(live.Date);
        var ended = Watched(await api.EndedRunsAsync(poll.Since, cancellationToken));
        // One that ended between the two lists is in both, and the later one is right.
        DagRun[] seen = [.. Watched(live).Concat(ended).GroupBy(RunId.Of).Select(same => same.Last())];

        var batch = ledger.Begin();
        foreach (var run in seen)
            Environment.Runs.Count(batch, poll, run);
        RunMetrics.CountDelays(batch, ledger, poll, seen);
        RunHistory.Note(batch, ledger, seen);

        var open = failures.OpenDags;
        if (since is { } from)
            failures.Verify(from, failed, seen);
        foreach (var run in ended)
            failures.Note(run);
        var reruns = failures.Reruns(seen);
        if (reruns != (ledger.GetValue(RerunsName) ?? "[]"))
            batch.SetValue(RerunsName, reruns);
        watermark.Store(batch, poll);
        batch.Commit();
        watermark.Stored();
        var isFirst = verified is null; // what can wait does not keep the first page waiting
        if (isVerification)
            verified = now;

        // Of a failure that is gone without a word, only a question shows whether somebody set it to success.
        var repaired = since is null ? [] : open.Except(failures.OpenDags);
        await questions.AskAsync(api, failures.OpenDags, repaired, others: isFirst ? [] : Environment.Dags.Listed, cancellationToken);

        ImmutableArray<string> dags = [.. ledger.Counted(RunMetrics.Finished).Select(series => series.Labels[0]).Distinct()];
        ImmutableArray<DagHistory> histories = [.. dags.Select(dag => RunHistory.Of(ledger, dag))];
        return RunsSnapshot.Of(seen, failures.ByDag(), dags) with
        {
            Histories = histories,
            Delays = [.. ledger.Counted(RunMetrics.LastScheduleDelay).Select(series => (series.Labels[0], series.Value[0]))],
            Overdue = due.Overdue(histories, seen, ledger),
        };
    }

    protected internal override void Write(RunsSnapshot snapshot, MetricSink sink)
    {
        foreach (var ((dag, state), count) in snapshot.Live)
            sink.Set(Live, count, dag, state);
        foreach (var (dag, start) in snapshot.OldestRunning)
            sink.Set(OldestRunning, start.ToUnixSeconds(), dag);
        // Zero, and not nothing, for a DAG whose failures are repaired: rules take the last known value where none is told.
        foreach (var dag in snapshot.Dags.Except(snapshot.Failures.Select(failed => failed.DagId)))
            sink.Set(FailedOpen, 0, dag);
        foreach (var dag in snapshot.Failures)
        {
            sink.Set(FailedOpen, dag.Open, dag.DagId);
            sink.Set(LastFailed, 1, dag.DagId, dag.LastRunId);
        }
        RunHistory.Write(snapshot.Histories, sink);
        foreach (var (dag, delay) in snapshot.Delays)
            sink.Set(RunMetrics.LastScheduleDelay, delay, dag);
        foreach (var (dag, at) in snapshot.Overdue)
            sink.Set(Overdue, at.ToUnixSeconds(), dag);
        foreach (var dag in snapshot.Dags)
        {
            if (Environment.Settings.Thresholds.DagRunDuration(dag) is { } threshold)
                sink.Set(Threshold, threshold.TotalSeconds, dag);
            if (Environment.Settings.Thresholds.DagOverdueGrace(dag) is { } grace)
                sink.Set(OverdueGrace, grace.TotalSeconds, dag);
        }
    }

    private IReadOnlyList<DagRun> Watched(Dated<DagRun> list) => Watched(list.Rows, run => run.DagId);
}

/// <param name="Live">Live runs by DAG and state.</param>
/// <param name="OldestRunning">The earliest start of a running run of each DAG.</param>
/// <param name="Failures">DAGs with failed runs.</param>
/// <param name="Dags">Every DAG whose runs are counted.</param>
internal sealed record RunsSnapshot(
    IReadOnlyDictionary<(string Dag, string State), int> Live,
    IReadOnlyDictionary<string, DateTimeOffset> OldestRunning,
    ImmutableArray<DagFailures> Failures,
    ImmutableArray<string> Dags)
{
    /// <summary>What is kept of each DAG.</summary>
    public ImmutableArray<DagHistory> Histories { get; init; } = [];

    /// <summary>How late the last scheduled run of a DAG started, in seconds.</summary>
    public ImmutableArray<(string Dag, double Seconds)> Delays { get; init; } = [];

    /// <summary>When each DAG's next result becomes overdue.</summary>
    public IReadOnlyDictionary<string, DateTimeOffset> Overdue { get; init; } = ImmutableDictionary<string, DateTimeOffset>.Empty;

    public static RunsSnapshot Of(IEnumerable<DagRun> rows, ImmutableArray<DagFailures> failures, ImmutableArray<string> dags)
    {
        var live = new Dictionary<(string, string), int>();
        var oldest = new Dictionary<string, DateTimeOffset>();
        foreach (var run in rows)
        {
            if (run.State is null || AirflowStates.IsFinished(run))
                continue;
            live[(run.DagId, run.State)] = live.GetValueOrDefault((run.DagId, run.State)) + 1;
            if (run is { State: "running", StartDate: { } start } && (!oldest.TryGetValue(run.DagId, out var known) || start < known))
                oldest[run.DagId] = start;
        }
        return new RunsSnapshot(live, oldest, failures, dags);
    }
}
