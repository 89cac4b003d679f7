using System.Globalization;
using PipelineExporter.Metrics;
using PipelineExporter.Sources.Airflow;
using PipelineExporter.State;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>What is counted of DAG runs: each fact is an event with a key, so that a run may come back any number of times.</summary>
internal sealed class RunMetrics(AirflowCollection settings)
{
    public static readonly MetricDesc Finished = MetricDesc.Counter(
        "airflow_dag_runs_total", "Finished DAG runs by type and state; a run that is cleared and finishes again is another one.", "dag_id", "run_type", "state");

    public static readonly MetricDesc OverThreshold = MetricDesc.Counter(
        "airflow_dag_runs_over_threshold_total",
        "DAG runs that took longer than airflow_dag_run_duration_threshold_seconds: counted once, when a live one crosses it or when one ends that did.", "dag_id");

    public static readonly MetricDesc ScheduleDelays = MetricDesc.Histogram(
        "airflow_dag_run_schedule_delay_seconds", "How long after the moment of their schedule DAG runs started; one that is cleared and starts again does not count.", [], "dag_id");

    public static readonly MetricDesc LastScheduleDelay = MetricDesc.Gauge(
        "airflow_dag_last_schedule_delay_seconds", "How long after the moment of its schedule the last scheduled run started.", "dag_id");

    /// <summary>The last moment of the schedule whose delay was counted: runs are made in the order of their moments.</summary>
    private static readonly MetricDesc LastMoment = MetricDesc.Gauge("airflow_dag_last_counted_moment", "Moment of the schedule.", "dag_id");

    public MetricDesc Durations { get; } = MetricDesc.Histogram(
        "airflow_dag_run_duration_seconds", "How long finished DAG runs took from start to end.", [.. settings.DagRunDurationBuckets], "dag_id");

    public IReadOnlyList<MetricDesc> Counters => [Finished, Durations, OverThreshold, ScheduleDelays];

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

    /// <summary>Lets what is kept of a DAG be kept on while it is listed.</summary>
    public static void Touch(LedgerBatch batch, string dagId)
    {
        batch.Touch(LastMoment, dagId);
        batch.Touch(LastScheduleDelay, dagId);
    }

    /// <summary>Counts what a listed run tells.</summary>
    /// <remarks>A start belongs to one finish: a cleared run gets a new one, an edit of the state keeps it. A run that was ended by
    /// hand before it started has none.</remarks>
    public void Count(LedgerBatch batch, Poll poll, DagRun run)
    {
        var type = run.RunType ?? "unknown";
        Declare(batch, run.DagId, type);
        if (run is { State: "running", StartDate: { } since } && poll.Now - since is var running)
            CountOverThreshold(batch, poll, run, running);
        if (!AirflowStates.IsFinished(run) || !batch.TryRecord(Key("run", run), At(run, poll)) || !poll.Counts(run.EndDate))
            return;
        batch.Add(Finished, 1, run.DagId, type, run.State!);
        if (run is not { StartDate: { } from, EndDate: { } to } || to < from)
            return;
        batch.Observe(Durations, (to - from).TotalSeconds, run.DagId);
        CountOverThreshold(batch, poll, run, to - from);
    }

    /// <summary>Counts how late runs started, which were listed in any order.</summary>
    public static void CountDelays(LedgerBatch batch, SourceLedger ledger, Poll poll, IEnumerable<DagRun> runs)
    {
        foreach (var dag in runs.Where(run => run.ScheduledFor <= run.StartDate).GroupBy(run => run.DagId))
        {
            var counted = ledger.Kept(LastMoment, dag.Key) ?? double.MinValue;
            foreach (var run in dag.Where(run => run.ScheduledFor!.Value.ToUnixSeconds() > counted).OrderBy(run => run.ScheduledFor))
            {
                var delay = (run.StartDate!.Value - run.ScheduledFor!.Value).TotalSeconds;
                batch.Keep(LastMoment, run.ScheduledFor.Value.ToUnixSeconds(), dag.Key);
                batch.Keep(LastScheduleDelay, delay, dag.Key);
                if (poll.Counts(run.ScheduledFor))
                    batch.Observe(ScheduleDelays, delay, dag.Key);
            }
        }
    }

    private void CountOverThreshold(LedgerBatch batch, Poll poll, DagRun run, TimeSpan duration)
    {
        // By the start, live and ended alike: a run that outlives its key must not be new when it ends.
        if (duration > settings.Thresholds.DagRunDuration(run.DagId) && batch.TryRecord(Key("run.over", run), run.StartDate!.Value) && poll.Counts(run.EndDate))
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
}
