using System.Globalization;
using PipelineExporter.Metrics;
using PipelineExporter.Sources.Airflow;
using PipelineExporter.State;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>What is counted of DAG runs, and what is kept of them: each fact is an event with a key, so that a run may come back any number of times.</summary>
internal sealed class RunMetrics(AirflowCollection settings)
{
    public static readonly MetricDesc Finished = MetricDesc.Counter(
        "airflow_dag_runs_total", "Finished DAG runs by type and state; a run that is cleared and finishes again is another one.", "dag_id", "run_type", "state");

    public static readonly MetricDesc OverThreshold = MetricDesc.Counter(
        "airflow_dag_runs_over_threshold_total",
        "DAG runs that took longer than airflow_dag_run_duration_threshold_seconds: counted once, when a live one crosses it or when one ends that did.", "dag_id");

    public static readonly MetricDesc ScheduleDelays = MetricDesc.Histogram(
        "airflow_dag_run_schedule_delay_seconds", "How long after the moment of their schedule finished DAG runs had started.", [], "dag_id");

    public static readonly MetricDesc LastScheduleDelay = MetricDesc.Gauge(
        "airflow_dag_last_schedule_delay_seconds", "How long after the moment of its schedule the last scheduled run started.", "dag_id");

    public static readonly MetricDesc LastStart = MetricDesc.Gauge(
        "airflow_dag_last_run_start_timestamp_seconds", "When the run started that started last.", "dag_id");

    public static readonly MetricDesc LastSuccess = MetricDesc.Gauge(
        "airflow_dag_last_success_timestamp_seconds", "When a run of the DAG last ended in success, however long ago; absent when none ever did.", "dag_id");

    public static readonly MetricDesc UsualDuration = MetricDesc.Gauge(
        "airflow_dag_run_usual_duration_seconds", "How long successful runs take, as a mean in which each new run weighs a fifth.", "dag_id");

    public static readonly MetricDesc UsualInterval = MetricDesc.Gauge(
        "airflow_dag_run_usual_interval_seconds", "Time from the end of one successful run to that of the next, as a mean in which each new one weighs a fifth.", "dag_id");

    /// <summary>Of <see cref="LastSuccess"/>: it was asked for, and there is none.</summary>
    public const double Never = 0;

    private const double NewWeight = 0.2;

    public MetricDesc Durations { get; } = MetricDesc.Histogram(
        "airflow_dag_run_duration_seconds", "How long finished DAG runs took from start to end.", [.. settings.DagRunDurationBuckets], "dag_id");

    public IReadOnlyList<MetricDesc> Counters => [Finished, Durations, OverThreshold, ScheduleDelays];

    /// <summary>Kept over restarts and for as long as the DAG is listed.</summary>
    public static IReadOnlyList<MetricDesc> Kept { get; } = [LastScheduleDelay, LastStart, LastSuccess, UsualDuration, UsualInterval];

    /// <summary>Lets the counters of a DAG's runs of a type stand at zero, before any has finished.</summary>
    public void Declare(LedgerBatch batch, string dagId, string runType)
    {
        batch.Declare(Finished, dagId, runType, "success");
        batch.Declare(Finished, dagId, runType, "failed");
        batch.Declare(Durations, dagId);
        batch.Declare(OverThreshold, dagId);
        if (runType == "scheduled")
            batch.Declare(ScheduleDelays, dagId);
    }

    /// <summary>Counts what a listed run tells.</summary>
    /// <remarks>A start belongs to one finish: a cleared run gets a new one, an edit of the state keeps it. A run that was ended by
    /// hand before it started has none.</remarks>
    public void Count(LedgerBatch batch, Poll poll, DagRun run)
    {
        var type = run.RunType ?? "unknown";
        Declare(batch, run.DagId, type);
        CountOverThreshold(batch, poll, run);
        if (!AirflowStates.IsFinished(run) || !batch.TryRecord(Key("run", run), At(run, poll)) || !poll.Counts(run.EndDate))
            return;
        batch.Add(Finished, 1, run.DagId, type, run.State!);
        if (run is { StartDate: { } from, EndDate: { } to } && to >= from)
            batch.Observe(Durations, (to - from).TotalSeconds, run.DagId);
        if (Delay(run) is { } delay)
            batch.Observe(ScheduleDelays, delay.TotalSeconds, run.DagId);
    }

    /// <summary>Keeps what runs, listed in any order, tell of their DAGs: of what is known already, nothing changes.</summary>
    public static void Keep(LedgerBatch batch, SourceLedger ledger, IEnumerable<DagRun> runs)
    {
        foreach (var dag in runs.Where(run => run.StartDate is not null).GroupBy(run => run.DagId))
        {
            var newest = dag.MaxBy(run => run.StartDate)!;
            if (Seconds(newest.StartDate!.Value) > (ledger.Kept(LastStart, dag.Key) ?? double.MinValue))
            {
                batch.Keep(LastStart, Seconds(newest.StartDate!.Value), dag.Key);
                if (Delay(newest) is { } delay)
                    batch.Keep(LastScheduleDelay, delay.TotalSeconds, dag.Key);
            }

            var known = ledger.Kept(LastSuccess, dag.Key) ?? Never;
            var (success, duration, interval) = (known, ledger.Kept(UsualDuration, dag.Key), ledger.Kept(UsualInterval, dag.Key));
            foreach (var run in dag.Where(run => run.State == "success" && run.EndDate >= run.StartDate).OrderBy(run => run.EndDate))
            {
                var end = Seconds(run.EndDate!.Value);
                if (end <= success)
                    continue;
                duration = Mean(duration, (run.EndDate.Value - run.StartDate!.Value).TotalSeconds);
                if (success > Never)
                    interval = Mean(interval, end - success);
                success = end;
            }

            if (success == known)
                continue;
            batch.Keep(LastSuccess, success, dag.Key);
            batch.Keep(UsualDuration, duration!.Value, dag.Key);
            if (interval is { } usual)
                batch.Keep(UsualInterval, usual, dag.Key);
        }
    }

    /// <summary>The run's duration was or is longer than it may be.</summary>
    private void CountOverThreshold(LedgerBatch batch, Poll poll, DagRun run)
    {
        if (run.StartDate is not { } start || settings.Thresholds.DagRunDuration(run.DagId) is not { } threshold)
            return;
        var until = AirflowStates.IsFinished(run) ? run.EndDate : run.State == "running" ? poll.Now : null;
        if (until - start > threshold && batch.TryRecord(Key("run.over", run), At(run, poll)) && poll.Counts(run.EndDate))
            batch.Add(OverThreshold, 1, run.DagId);
    }

    private EventKey Key(string kind, DagRun run)
    {
        string[] finish = run.StartDate is null ? ["-", Microseconds(run.EndDate)] : [Microseconds(run.StartDate)];
        return EventKey.Of([kind, settings.Endpoint.Environment, run.DagId, run.RunId, .. finish]);
    }

    private static string Microseconds(DateTimeOffset? at) =>
        at is { } instant ? (instant.UtcTicks / TimeSpan.TicksPerMicrosecond).ToString(CultureInfo.InvariantCulture) : "-";

    private static DateTimeOffset At(DagRun run, Poll poll) => run.EndDate ?? run.StartDate ?? run.RunAfter ?? run.LogicalDate ?? poll.Now;

    private static TimeSpan? Delay(DagRun run) => run is { ScheduledFor: { } due, StartDate: { } start } && start >= due ? start - due : null;

    private static double Mean(double? known, double value) => known is { } mean ? mean + (NewWeight * (value - mean)) : value;

    private static double Seconds(DateTimeOffset instant) => (instant - DateTimeOffset.UnixEpoch).TotalSeconds;
}
