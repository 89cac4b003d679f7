using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using PipelineExporter.Sources.Airflow;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>Remembers the failed runs of the last days, and which of them are still open: neither repaired (the same run succeeded, was
/// set to success or deleted) nor followed by the success of a run of the same DAG that started later.</summary>
/// <remarks>A failed run that was cleared and runs again stays open until it succeeds.</remarks>
internal sealed class FailedRuns
{
    /// <summary>A failure is forgotten after so long.</summary>
    public static readonly TimeSpan Keep = TimeSpan.FromDays(7);

    private readonly Dictionary<RunId, FailedRun> failures = [];
    private readonly Dictionary<string, DateTimeOffset> lastSuccess = [];
    private readonly HashSet<string> asked = [];

    /// <summary>DAGs with a failure whose last success was not asked for yet.</summary>
    public IReadOnlyList<string> WithoutLastSuccess =>
        [.. failures.Values.Select(run => run.DagId).Distinct().Where(dag => !asked.Contains(dag))];

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
                failures[RunId.Of(run)] = new FailedRun(run.DagId, run.RunId, Order(run));
                break;
            case "success":
                failures.Remove(RunId.Of(run));
                NoteSuccess(run.DagId, run.StartDate);
                break;
            default:
                break; // queued or running: a cleared failure stays what it was
        }
    }

    /// <summary>Notes the answer to a question for a DAG's last success; null when it never succeeded.</summary>
    public void NoteLastSuccess(string dagId, DagRun? run)
    {
        asked.Add(dagId);
        NoteSuccess(dagId, run?.StartDate);
    }

    /// <summary>Corrects the memory by the whole list of failed runs, which was asked for before <paramref name="others"/>: a failure that
    /// is in neither was deleted, set to success, or is too old.</summary>
    public void Verify(IEnumerable<DagRun> failed, IEnumerable<DagRun> others)
    {
        var there = others.Select(RunId.Of).ToHashSet();
        foreach (var run in failed)
        {
            there.Add(RunId.Of(run));
            Note(run);
        }
        foreach (var gone in failures.Keys.Where(id => !there.Contains(id)).ToList())
            failures.Remove(gone);
    }

    /// <summary>For each DAG with a failure: how many are open, and the last one.</summary>
    public ImmutableArray<DagFailures> ByDag() =>
    [
        .. from run in failures.Values
           group run by run.DagId into dag
           let succeeded = lastSuccess.TryGetValue(dag.Key, out var at) ? at : DateTimeOffset.MinValue
           select new DagFailures(dag.Key, dag.Count(run => run.Order >= succeeded), dag.MaxBy(run => run.Order)!.RunId),
    ];

    private static DateTimeOffset Order(DagRun run) =>
        run.StartDate ?? run.EndDate ?? run.RunAfter ?? run.LogicalDate ?? DateTimeOffset.MinValue;

    private void NoteSuccess(string dagId, DateTimeOffset? start)
    {
        if (start is { } at && (!lastSuccess.TryGetValue(dagId, out var known) || known < at))
            lastSuccess[dagId] = at;
    }
}

/// <param name="Order">When it started; tells which of two runs is the later one.</param>
internal sealed record FailedRun(string DagId, string RunId, DateTimeOffset Order);

/// <param name="Open">Failed runs that are open.</param>
/// <param name="LastRunId">The failed run that started last, open or not.</param>
internal sealed record DagFailures(string DagId, int Open, string LastRunId);

[JsonSerializable(typeof(FailedRun[]))]
internal sealed partial class FailedRunsJson : JsonSerializerContext;
