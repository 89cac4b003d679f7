using System.Collections.Immutable;
using System.Globalization;
using PipelineExporter.Metrics;
using PipelineExporter.Sources.Airflow;
using PipelineExporter.State;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>DAG runs: finished ones as counters, live and failed ones as gauges.</summary>
internal sealed class AirflowRuns(AirflowEnvironment environment) : AirflowCollector<RunsSnapshot>(environment)
{
    public static readonly MetricDesc Runs = MetricDesc.Counter(
        "airflow_dag_runs_total", "Finished DAG runs by type and state; a run that is cleared and finishes again is another one.", "dag_id", "run_type", "state");

    public static readonly MetricDesc Durations = MetricDesc.Histogram(
        "airflow_dag_run_duration_seconds", "How long finished DAG runs took from start to end.",
        [60, 300, 900, 1800, 3600, 7200, 14400, 28800], "dag_id");

    public static readonly MetricDesc Live = MetricDesc.Gauge("airflow_dag_runs", "DAG runs that are queued or running.", "dag_id", "state");

    public static readonly MetricDesc OldestRunning = MetricDesc.Gauge(
        "airflow_dag_run_oldest_running_start_timestamp_seconds", "When the run started that has been running longest.", "dag_id");

    public static readonly MetricDesc FailedOpen = MetricDesc.Gauge(
        "airflow_dag_failed_runs_open",
        "Runs that failed in the last 7 days and were neither repaired nor followed by the success of a run that started later.", "dag_id");

    public static readonly MetricDesc LastFailed = MetricDesc.Gauge(
        "airflow_dag_last_failed_run_info", "The run that failed last, within 7 days.", "dag_id", "run_id");

    private const string RerunsName = "airflow_runs.reruns";

    /// <summary>A failed run that is deleted or edited leaves no trace in the lists of a poll: so often the failed ones are listed whole.</summary>
    private static readonly TimeSpan VerifyEvery = TimeSpan.FromMinutes(5);

    private readonly FailedRuns failures = new();
    private Watermark? watermark;
    private DateTimeOffset? verified;

    public override string Name => "airflow_runs";

    public override IReadOnlyList<MetricDesc> Metrics { get; } = [Runs, Durations, Live, OldestRunning, FailedOpen, LastFailed];

    /// <summary>Lets the counters of a DAG's runs of a type stand at zero, before any has finished.</summary>
    public static void Declare(LedgerBatch batch, string dagId, string runType)
    {
        batch.Declare(Runs, dagId, runType, "success");
        batch.Declare(Runs, dagId, runType, "failed");
        batch.Declare(Durations, dagId);
    }

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
        var isVerification = verified is not { } at || Environment.Context.Time.GetUtcNow() - at >= VerifyEvery;
        var failed = isVerification ? await api.FailedRunsAsync(Environment.Context.Time.GetUtcNow() - FailedRuns.Keep, cancellationToken) : null;
        var live = await api.LiveRunsAsync(cancellationToken);
        var poll = watermark.Begin(live.Date);
        var ended = await api.EndedRunsAsync(poll.Since, cancellationToken);

        var batch = ledger.Begin();
        foreach (var run in live.Rows.Concat(ended.Rows))
            Count(batch, poll, run);

        if (failed is not null)
            failures.Verify(failed.Rows, live.Rows.Concat(ended.Rows));
        foreach (var run in ended.Rows)
            failures.Note(run);
        foreach (var dag in failures.WithoutLastSuccess)
            failures.NoteLastSuccess(dag, await api.LastSuccessAsync(dag, cancellationToken));

        var reruns = failures.Reruns(live.Rows);
        if (reruns != (ledger.GetValue(RerunsName) ?? "[]"))
            batch.SetValue(RerunsName, reruns);
        watermark.Store(batch, poll);
        batch.Commit();
        watermark.Stored();
        if (isVerification)
            verified = Environment.Context.Time.GetUtcNow();
        return RunsSnapshot.Of(live.Rows, failures.ByDag(), [.. ledger.Counted(Runs).Select(series => series.Labels[0]).Distinct()]);
    }

    protected internal override void Write(RunsSnapshot snapshot, MetricSink sink)
    {
        foreach (var ((dag, state), count) in snapshot.Live)
            sink.Set(Live, count, dag, state);
        foreach (var (dag, start) in snapshot.OldestRunning)
            sink.Set(OldestRunning, Seconds(start), dag);
        // Zero, and not nothing, for a DAG whose failures are repaired: rules take the last known value where none is told.
        foreach (var dag in snapshot.Dags.Except(snapshot.Failures.Select(failed => failed.DagId)))
            sink.Set(FailedOpen, 0, dag);
        foreach (var dag in snapshot.Failures)
        {
            sink.Set(FailedOpen, dag.Open, dag.DagId);
            sink.Set(LastFailed, 1, dag.DagId, dag.LastRunId);
        }
    }

    /// <remarks>A start belongs to one finish: a cleared run gets a new one, an edit of the state keeps it. A run that was ended by hand
    /// before it started has none.</remarks>
    private void Count(LedgerBatch batch, Poll poll, DagRun run)
    {
        var type = run.RunType ?? "unknown";
        Declare(batch, run.DagId, type);
        if (!AirflowStates.IsFinished(run))
            return;
        string[] finish = run.StartDate is null ? ["-", Microseconds(run.EndDate)] : [Microseconds(run.StartDate)];
        var at = run.EndDate ?? run.StartDate ?? run.RunAfter ?? run.LogicalDate ?? poll.Now;
        if (!batch.TryRecord(EventKey.Of(["run", Environment.Name, run.DagId, run.RunId, .. finish]), at) || !poll.Counts(run.EndDate))
            return;
        batch.Add(Runs, 1, run.DagId, type, run.State!);
        if (run is { StartDate: { } from, EndDate: { } to } && to >= from)
            batch.Observe(Durations, (to - from).TotalSeconds, run.DagId);
    }

    private static string Microseconds(DateTimeOffset? at) =>
        at is { } instant ? (instant.UtcTicks / TimeSpan.TicksPerMicrosecond).ToString(CultureInfo.InvariantCulture) : "-";
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
