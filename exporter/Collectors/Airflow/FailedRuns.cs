using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using PipelineExporter.Sources.Airflow;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>Remembers the failed runs of the last days, and which of them are still open: neither repaired (the same run succeeded, was
/// set to success or deleted) nor followed by the success of a run of the same DAG that started later.</summary>
/// <remarks>A failed run that was cleared and runs again stays open until it succeeds.</remarks>
/// <param name="lastSuccess">When the success of a DAG started that started last; null when none is known.</param>
internal sealed class FailedRuns(Func<string, DateTimeOffset?> lastSuccess)
{
    /// <summary>A failure is forgotten after so long.</summary>
    public static readonly TimeSpan Keep = TimeSpan.FromDays(7);

    /// <summary>A killed task rewrites its run's end some seconds later.</summary>
    private static readonly TimeSpan Margin = TimeSpan.FromMinutes(1);

    private readonly Dictionary<RunId, FailedRun> failures = [];
    private bool listed;

    /// <summary>Since when failed runs are to be listed to verify the memory; null when there is nothing to verify.</summary>
    /// <remarks>Everything at first; then from the oldest failure that is open: of one that was made good, only its name is told.</remarks>
    public DateTimeOffset? VerifySince(DateTimeOffset now)
    {
        if (!listed)
            return now - Keep;
        foreach (var old in failures.Where(one => one.Value.At < now - Keep).Select(one => one.Key).ToList())
            failures.Remove(old);
        return failures.Values.Where(IsOpen).Select(run => (DateTimeOffset?)run.At).Min() - Margin;
    }

    /// <summary>DAGs with a failure that is open, so far as is known.</summary>
    public IReadOnlyCollection<string> OpenDags => failures.Values.Where(IsOpen).Select(run => run.DagId).ToHashSet();

    /// <summary>Takes over failures that are running again, as the process before stored them.</summary>
    public void Restore(string? reruns)
    {
        if (reruns is null)
            return;
        foreach (var run in JsonSerializer.Deserialize(reruns, FailedRunsJson.Default.FailedRunArray) ?? [])
            failures[new RunId(run.DagId, run.RunId)] = run;
    }

    /// <summary>The failures that run again, to be restored by the next process: the server shows them as running and no more.</summary>
    public string Reruns(IEnumerable<DagRun> live)
    {
        FailedRun[] reruns = [.. live.Where(run => !AirflowStates.IsFinished(run)).Select(RunId.Of).Where(failures.ContainsKey).Select(id => failures[id])];
        return JsonSerializer.Serialize(reruns, FailedRunsJson.Default.FailedRunArray);
    }

    /// <summary>Notes what a list said of a run.</summary>
    public void Note(DagRun run)
    {
        switch (run.State)
        {
            case "failed":
                failures[RunId.Of(run)] = new FailedRun(run.DagId, run.RunId, Order(run), run.EndDate);
                break;
            case "success":
                failures.Remove(RunId.Of(run));
                break;
            default:
                break; // queued or running: a cleared failure stays what it was
        }
    }

    /// <summary>Corrects the memory by the list of runs that failed since <paramref name="since"/>, which was asked for before
    /// <paramref name="others"/>: a failure that is in neither was deleted or set to success.</summary>
    public void Verify(DateTimeOffset since, IEnumerable<DagRun> failed, IEnumerable<DagRun> others)
    {
        listed = true;
        var there = others.Select(RunId.Of).ToHashSet();
        foreach (var run in failed)
        {
            there.Add(RunId.Of(run));
            Note(run);
        }
        foreach (var gone in failures.Where(one => one.Value.At >= since && !there.Contains(one.Key)).Select(one => one.Key).ToList())
            failures.Remove(gone);
    }

    /// <summary>For each DAG with a failure: how many are open, and the last one.</summary>
    public ImmutableArray<DagFailures> ByDag() =>
    [
        .. from run in failures.Values
           group run by run.DagId into dag
           select new DagFailures(dag.Key, dag.Count(IsOpen), dag.MaxBy(run => run.Order)!.RunId),
    ];

    private bool IsOpen(FailedRun run) => lastSuccess(run.DagId) is not { } succeeded || run.Order >= succeeded;

    private static DateTimeOffset Order(DagRun run) =>
        run.StartDate ?? run.EndDate ?? run.RunAfter ?? run.LogicalDate ?? DateTimeOffset.MinValue;
}

/// <param name="Order">When it started; tells which of two runs is the later one.</param>
/// <param name="End">Null where it was stored without.</param>
internal sealed record FailedRun(string DagId, string RunId, DateTimeOffset Order, DateTimeOffset? End = null)
{
    [JsonIgnore]
    public DateTimeOffset At => End ?? Order;
}

/// <param name="Open">Failed runs that are open.</param>
/// <param name="LastRunId">The failed run that started last, open or not.</param>
internal sealed record DagFailures(string DagId, int Open, string LastRunId);

[JsonSerializable(typeof(FailedRun[]))]
internal sealed partial class FailedRunsJson : JsonSerializerContext;
