using System.Globalization;
using PipelineExporter.Metrics;
using PipelineExporter.Sources.Airflow;
using PipelineExporter.State;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>Decides what the rows of task instances add to the ledger. Each fact is an event with a key, so that a row may come
/// back any number of times.</summary>
/// <remarks>
/// <list type="bullet">
/// <item>A try is finished when its row is in a final state, or up_for_retry (it failed), or when it stands so in the instance's
/// history. Its first seen state counts; an edit afterwards does not.</item>
/// <item>An outcome is final when the instance rests in it. An outcome without a try (skipped or upstream_failed by the scheduler)
/// counts once an instance, since Airflow decides it anew with the same dates after a clear.</item>
/// <item>A retry is a try that runs or ran, when the try before it failed with the same max_tries: a clear raises max_tries.</item>
/// </list>
/// </remarks>
internal sealed class TaskCounter(LedgerBatch batch, TaskMetrics metrics, string environment, Poll poll)
{
    private readonly HashSet<(string Dag, string Task)> declared = [];

    /// <summary>Whether the history of this instance holds a finished try that was not seen.</summary>
    public bool NeedsTries(TaskInstance row) => !IsHistory(row) && UnseenTries(row).Any();

    /// <summary>Counts the tries before that of the row from the instance's history.</summary>
    /// <param name="row">The listed row.</param>
    /// <param name="tries">The instance's tries, lower ones first.</param>
    public void CountEarlier(TaskInstance row, IReadOnlyList<TaskInstance> tries)
    {
        Declare(row);
        foreach (var number in UnseenTries(row).ToList())
        {
            // A number can stand there twice: a try that ran, and the row that was cleared or decided without running.
            if (tries.FirstOrDefault(t => t.TryNumber == number && IsTry(t) && Outcome(t) is not null) is { } found)
                CountTry(found, isFinal: Outcome(found) != "failed" || found.TryNumber > found.MaxTries);

            // One that never ran, or is too old to be counted, need not be asked for again.
            if (!batch.Contains(Key(row, "try", number)))
                batch.TryRecord(Key(row, "unseen", number), poll.Now);
        }
    }

    /// <summary>Counts what the row itself says.</summary>
    public void Count(TaskInstance row)
    {
        if (IsHistory(row))
        {
            foreach (var number in UnseenTries(row).ToList())
                batch.TryRecord(Key(row, "try", number), poll.Now);
        }
        if (row.State is null or "removed")
            return;
        Declare(row);
        if (RunningSince(row) is { } start)
            CountOverThreshold(row, poll.Now - start);
        if (IsTry(row))
            CountTry(row, isFinal: row.State != "up_for_retry");
        else if (Outcome(row) is { } outcome && batch.TryRecord(Key(row, "outcome"), At(row)) && poll.Counts(row.EndDate))
            batch.Add(TaskMetrics.Finished, 1, row.DagId, metrics.Label(row), outcome);
    }

    /// <summary>How long the row's try took, when it is finished and has dates of its own.</summary>
    public static TimeSpan? Duration(TaskInstance row) =>
        IsTry(row) && Outcome(row) is not null && row is { StartDate: { } start, EndDate: { } end } && end >= start
            ? end - start
            : null;

    /// <summary>Whether the row's try has ended; the one before a retry that waits has, too, but the row is live.</summary>
    public static bool IsFinished(TaskInstance row) => row.State != "up_for_retry" && Outcome(row) is not null;

    /// <summary>When the row's try started, while it runs (a deferred one runs in the triggerer); only then is the start its own and not
    /// that of the try before.</summary>
    public static DateTimeOffset? RunningSince(TaskInstance row) => row.State is "running" or "deferred" ? row.StartDate : null;

    /// <summary>Number 0 was never tried. upstream_failed is decided without a try, also of an instance that was cleared and has had one.</summary>
    private static bool IsTry(TaskInstance row) => row.TryNumber >= 1 && row.State != "upstream_failed";

    /// <summary>The state that a finished try counts under; null while it is not finished. "removed" is the fate of a row, not of a try.</summary>
    private static string? Outcome(TaskInstance row) => row.State switch
    {
        "up_for_retry" => "failed",
        "success" or "failed" or "skipped" or "upstream_failed" => row.State,
        null or "removed" => null,
        _ => AirflowStates.IsLive(row.State) || row.EndDate is null ? null : row.State, // a state that is not known today, under its own name
    };

    /// <summary>A queued or scheduled try may yet be cleared before it runs.</summary>
    private static bool HasStarted(TaskInstance row) => row.State is not (null or "scheduled" or "queued" or "removed");

    /// <summary>At the first poll the earlier tries of a row are history and need not be looked at, unless the next one is still to come.</summary>
    private bool IsHistory(TaskInstance row) => poll.IsFirst && row.State is not ("scheduled" or "queued");

    /// <summary>Tries that must be over and are unknown. A row that was cleared, removed or decided anew hides a try of its own number.</summary>
    private IEnumerable<int> UnseenTries(TaskInstance row)
    {
        var last = row.State is null or "restarting" or "removed" or "upstream_failed" ? row.TryNumber : row.TryNumber - 1;
        for (var number = 1; number <= last; number++)
        {
            if (!batch.Contains(Key(row, "try", number)) && !batch.Contains(Key(row, "unseen", number)))
                yield return number;
        }
    }

    private void CountTry(TaskInstance row, bool isFinal)
    {
        var number = row.TryNumber;
        if (Outcome(row) is { } outcome)
        {
            var isNew = batch.TryRecord(Key(row, "try", number), At(row));
            if (isNew)
            {
                if (outcome == "failed")
                    batch.TryRecord(Key(row, "failed", number, row.MaxTries), At(row));
                if (poll.Counts(row.EndDate))
                {
                    batch.Add(TaskMetrics.Tries, 1, row.DagId, metrics.Label(row), outcome);
                    if (Duration(row) is { } duration)
                    {
                        batch.Observe(metrics.Durations, duration.TotalSeconds, row.DagId, metrics.Label(row));
                        CountOverThreshold(row, duration);
                    }
                }
            }
            if (isFinal)
                CountFinal(row, outcome, isNew);
        }
        if (number >= 2 && HasStarted(row))
            CountRetry(row);
    }

    /// <remarks>A try that failed may become final later, when somebody sets its waiting instance to failed or success.</remarks>
    private void CountFinal(TaskInstance row, string outcome, bool isNewTry)
    {
        var isFirst = outcome == "failed" || !isNewTry ? WasFailed(row, row.TryNumber) && batch.TryRecord(Key(row, "final", row.TryNumber), At(row)) : true;
        if (isFirst && poll.Counts(row.EndDate))
            batch.Add(TaskMetrics.Finished, 1, row.DagId, metrics.Label(row), outcome);
    }

    private void CountOverThreshold(TaskInstance row, TimeSpan duration)
    {
        // By the start, live and ended alike: a try that outlives its key must not be new when it ends.
        if (duration > metrics.Threshold(row) && batch.TryRecord(Key(row, "over", row.TryNumber), row.StartDate!.Value) && poll.Counts(row.EndDate))
            batch.Add(TaskMetrics.OverThreshold, 1, row.DagId, metrics.Label(row));
    }

    private void CountRetry(TaskInstance row)
    {
        var before = row.TryNumber - 1;
        var started = row.StartDate ?? row.EndDate;
        if (WasFailed(row, before) && batch.TryRecord(Key(row, "retry", before), started ?? poll.Now) && poll.Counts(started))
            batch.Add(TaskMetrics.Retries, 1, row.DagId, metrics.Label(row));
    }

    /// <summary>Whether that try failed while max_tries was what it is in this row.</summary>
    private bool WasFailed(TaskInstance row, int number) => batch.Contains(Key(row, "failed", number, row.MaxTries));

    private void Declare(TaskInstance row)
    {
        if (declared.Add((row.DagId, row.TaskId)))
            metrics.Declare(batch, row);
    }

    /// <summary>When it happened, for the age of its key. The dates of its run do not tell: a backfill's are years old.</summary>
    private DateTimeOffset At(TaskInstance row) => row.EndDate ?? row.StartDate ?? row.QueuedWhen ?? row.ScheduledWhen ?? poll.Now;

    private EventKey Key(TaskInstance row, string kind, params ReadOnlySpan<int> numbers) =>
        EventKey.Of([kind, environment, row.DagId, row.RunId, row.TaskId, Text(row.MapIndex), .. Texts(numbers)]);

    private static string[] Texts(ReadOnlySpan<int> numbers)
    {
        var texts = new string[numbers.Length];
        for (var i = 0; i < texts.Length; i++)
            texts[i] = Text(numbers[i]);
        return texts;
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
