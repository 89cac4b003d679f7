using System.Globalization;
using PipelineExporter.Metrics;
using PipelineExporter.Sources.Airflow;
using PipelineExporter.State;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>
/// What is kept of each DAG's runs, however old: when the last one started, the last success, and the starts and durations of
/// the last successes that the schedule made. From these follow what is usual. For one collector: it compares with what is kept.
/// </summary>
internal static class RunHistory
{
    public static readonly MetricDesc LastStart = MetricDesc.Gauge(
        "airflow_dag_last_run_start_timestamp_seconds", "When the run started that started last.", "dag_id");

    public static readonly MetricDesc LastSuccess = MetricDesc.Gauge(
        "airflow_dag_last_success_timestamp_seconds", "When a run of the DAG last ended in success, however long ago; absent when none ever did.", "dag_id");

    public static readonly MetricDesc UsualDuration = MetricDesc.Gauge(
        "airflow_dag_run_usual_duration_seconds",
        "How long the DAG's successful runs take: the longest but one of the last six that its schedule or its assets made. One that hung, and repairs of a few tasks, do not change it.",
        "dag_id");

    /// <summary>Of <see cref="LastSuccess"/>: it was asked for, and there is none.</summary>
    private const double Never = 0;

    private const int Remembered = 6;

    private static readonly MetricDesc LastSuccessStart = MetricDesc.Gauge("airflow_dag_last_success_start", "Start of the success that started last.", "dag_id");
    private static readonly MetricDesc Starts = MetricDesc.Gauge("airflow_dag_recent_starts", "Starts of recent successes, the newest in place 0.", "dag_id", "place");
    private static readonly MetricDesc Durations = MetricDesc.Gauge("airflow_dag_recent_durations", "Their durations.", "dag_id", "place");

    private static readonly string[] Places = [.. Enumerable.Range(0, Remembered).Select(place => place.ToString(CultureInfo.InvariantCulture))];

    public static IReadOnlyList<MetricDesc> Metrics { get; } = [LastStart, LastSuccess, UsualDuration];

    /// <summary>Whether the last success is known, or known not to exist.</summary>
    public static bool IsKnown(SourceLedger ledger, string dagId) => ledger.Kept(LastSuccess, dagId) is not null;

    /// <summary>When the success started that started last; null when there is none, or none is known.</summary>
    public static DateTimeOffset? LastSuccessfulStart(SourceLedger ledger, string dagId) => Instant(ledger.Kept(LastSuccessStart, dagId));

    public static DateTimeOffset? LastStarted(SourceLedger ledger, string dagId) => Instant(ledger.Kept(LastStart, dagId));

    /// <summary>The longest time from one start to the next among the last ones; null while there are too few to tell.</summary>
    public static TimeSpan? LongestGap(SourceLedger ledger, string dagId)
    {
        var starts = Values(ledger, Starts, dagId).ToList();
        return starts.Count < 4 ? null : TimeSpan.FromSeconds(starts.Zip(starts.Skip(1), (newer, older) => newer - older).Max());
    }

    /// <summary>Lets all of it be kept on while the DAG is listed.</summary>
    public static void Touch(LedgerBatch batch, string dagId)
    {
        foreach (var metric in (ReadOnlySpan<MetricDesc>)[LastStart, LastSuccess, LastSuccessStart])
            batch.Touch(metric, dagId);
        foreach (var place in Places)
        {
            batch.Touch(Starts, dagId, place);
            batch.Touch(Durations, dagId, place);
        }
    }

    /// <summary>Notes the answer to the question for a DAG's last successes: there may be none.</summary>
    public static void NoteAnswer(LedgerBatch batch, SourceLedger ledger, string dagId, IReadOnlyList<DagRun> successes)
    {
        if (successes.Count == 0 && !IsKnown(ledger, dagId))
            batch.Keep(LastSuccess, Never, dagId);
        Note(batch, ledger, successes);
    }

    /// <summary>Notes what runs, listed in any order, tell of their DAGs; of what is known already, nothing changes.</summary>
    public static void Note(LedgerBatch batch, SourceLedger ledger, IEnumerable<DagRun> runs)
    {
        foreach (var dag in runs.Where(run => run.StartDate is not null).GroupBy(run => run.DagId))
        {
            KeepLater(batch, ledger, LastStart, dag.Key, dag.Max(run => run.StartDate));
            var successes = dag.Where(run => run.State == "success" && run.EndDate >= run.StartDate).ToList();
            KeepLater(batch, ledger, LastSuccess, dag.Key, successes.Max(run => run.EndDate));
            KeepLater(batch, ledger, LastSuccessStart, dag.Key, successes.Max(run => run.StartDate));
            Remember(batch, ledger, dag.Key, successes.Where(run => run.IsScheduled));
        }
    }

    /// <summary>Writes what is published of it.</summary>
    public static void Write(IEnumerable<DagHistory> dags, MetricSink sink)
    {
        foreach (var (dag, lastStart, lastSuccess, usual) in dags)
        {
            if (lastStart is { } started)
                sink.Set(LastStart, started, dag);
            if (lastSuccess is { } succeeded and not Never)
                sink.Set(LastSuccess, succeeded, dag);
            if (usual is { } duration)
                sink.Set(UsualDuration, duration.TotalSeconds, dag);
        }
    }

    public static DagHistory Of(SourceLedger ledger, string dagId) =>
        new(dagId, ledger.Kept(LastStart, dagId), ledger.Kept(LastSuccess, dagId), Usual(ledger, dagId));

    /// <summary>Null before the first success.</summary>
    private static TimeSpan? Usual(SourceLedger ledger, string dagId)
    {
        var longest = Values(ledger, Durations, dagId).OrderDescending().ToList();
        return longest.Count == 0 ? null : TimeSpan.FromSeconds(longest[Math.Min(1, longest.Count / 3)]);
    }

    private static void Remember(LedgerBatch batch, SourceLedger ledger, string dagId, IEnumerable<DagRun> successes)
    {
        var remembered = Values(ledger, Starts, dagId).Zip(Values(ledger, Durations, dagId), (start, duration) => (Start: start, Duration: duration)).ToList();
        var newest = remembered.Count > 0 ? remembered[0].Start : double.MinValue;
        var added = successes.Select(run => (Start: run.StartDate!.Value.ToUnixSeconds(), Duration: (run.EndDate!.Value - run.StartDate.Value).TotalSeconds))
            .Where(run => run.Start > newest).OrderByDescending(run => run.Start).ToList();
        if (added.Count == 0)
            return;
        foreach (var (place, run) in Places.Zip(added.Concat(remembered)))
        {
            batch.Keep(Starts, run.Start, dagId, place);
            batch.Keep(Durations, run.Duration, dagId, place);
        }
    }

    private static void KeepLater(LedgerBatch batch, SourceLedger ledger, MetricDesc metric, string dagId, DateTimeOffset? instant)
    {
        if (instant is { } at && at.ToUnixSeconds() > (ledger.Kept(metric, dagId) ?? double.MinValue))
            batch.Keep(metric, at.ToUnixSeconds(), dagId);
    }

    private static IEnumerable<double> Values(SourceLedger ledger, MetricDesc metric, string dagId) =>
        Places.Select(place => ledger.Kept(metric, dagId, place)).TakeWhile(value => value is not null).Select(value => value!.Value);

    private static DateTimeOffset? Instant(double? seconds) => seconds is { } known and not Never ? DateTimeOffset.UnixEpoch.AddSeconds(known) : null;
}

/// <param name="LastStart">Unix time, as the others.</param>
internal readonly record struct DagHistory(string DagId, double? LastStart, double? LastSuccess, TimeSpan? Usual);
