using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Airflow;

/// <summary>What a request changes, in either edition: it chooses task instances, and notes the edit.</summary>
internal sealed class AirflowWrites(EditLog edits, AirflowData data)
{
    /// <summary>Airflow's dates have microseconds.</summary>
    DateTimeOffset Now => new(data.Now.UtcTicks - (data.Now.UtcTicks % TimeSpan.TicksPerMicrosecond), TimeSpan.Zero);

    /// <summary>The instances of a run that a clear asks for.</summary>
    public IReadOnlyList<TaskRow> Choose(DagRun run, ClearBody body)
    {
        var states = body switch
        {
            { OnlyFailed: true } => (Predicate<TaskState>)(state => state is TaskState.Failed or TaskState.UpstreamFailed),
            { OnlyRunning: true } => state => state == TaskState.Running,
            _ => _ => true,
        };
        var named = body.TaskIds?.Select(Named).ToList();
        var tasks = named?.Select(task => task.TaskId).ToHashSet();
        var related = tasks is null ? [] : Related(run.Dag, tasks, body.IncludeUpstream, body.IncludeDownstream);
        return [.. data.TaskInstances(new TaskFilter { Run = run }).Where(row => states(row.Phase.State) &&
            (named is null || related.Contains(row.Task.Id) || named.Exists(task => task.TaskId == row.Task.Id && (task.MapIndex is null || task.MapIndex == row.Instance.MapIndex))))];
    }

    public void Clear(DagRun run, IEnumerable<TaskRow> rows, bool resetRun, bool killsRunning) =>
        edits.Add(new TasksCleared(Now, run.Key, Keys(rows), resetRun, killsRunning));

    public void SetState(DagRun run, IEnumerable<TaskRow> rows, TaskState state) => edits.Add(new TaskStateSet(Now, run.Key, Keys(rows), state));

    public void SetState(DagRun run, RunState state) => edits.Add(new RunStateSet(Now, run.Key, state));

    public void Delete(DagRun run) => edits.Add(new RunDeleted(Now, run.Key));

    /// <summary>False while a task of it runs.</summary>
    public bool TryDelete(DagDefinition dag)
    {
        if (data.TaskInstances(new TaskFilter { DagId = dag.Id, States = new HashSet<TaskState> { TaskState.Running } }).Any())
            return false;
        edits.DeleteDag(dag.Id, Now);
        return true;
    }

    /// <summary>"task", or ["task", map index].</summary>
    static (string? TaskId, int? MapIndex) Named(JsonElement item) => item.ValueKind == JsonValueKind.Array && item.GetArrayLength() == 2
        ? (item[0].GetString(), item[1].GetInt32())
        : (item.GetString(), null);

    static HashSet<string> Related(DagDefinition dag, HashSet<string?> tasks, bool upstream, bool downstream)
    {
        HashSet<string> found = [];
        foreach (var task in downstream ? dag.Tasks : [])
        {
            if (task.Upstream.Any(id => tasks.Contains(id) || found.Contains(id)))
                found.Add(task.Id);
        }
        HashSet<string> above = [];
        foreach (var task in upstream ? dag.Tasks.Reverse() : [])
        {
            if (tasks.Contains(task.Id) || above.Contains(task.Id))
                above.UnionWith(task.Upstream);
        }
        found.UnionWith(above);
        return found;
    }

    static ImmutableHashSet<TaskKey> Keys(IEnumerable<TaskRow> rows) => [.. rows.Select(row => new TaskKey(row.Task.Id, row.Instance.MapIndex))];
}

/// <summary>What to clear; what has another default in each edition, or is not said, is null.</summary>
/// <remarks>Other runs than one, by include_past, include_future or dates, cannot be cleared here.</remarks>
internal sealed record ClearBody
{
    public bool? DryRun { get; init; }

    public bool? OnlyFailed { get; init; }

    public bool OnlyRunning { get; init; }

    public bool? ResetDagRuns { get; init; }

    public IReadOnlyList<JsonElement>? TaskIds { get; init; }

    public string? DagRunId { get; init; }

    public bool IncludeUpstream { get; init; }

    public bool IncludeDownstream { get; init; }
}

internal sealed record StateBody
{
    public bool? DryRun { get; init; }

    public string? State { get; init; }

    public string? NewState { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ClearBody))]
[JsonSerializable(typeof(StateBody))]
internal sealed partial class WritesJson : JsonSerializerContext;
