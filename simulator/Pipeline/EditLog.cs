using System.Collections.Immutable;

namespace PipelineExporter.Simulator.Pipeline;

/// <summary>
/// Every edit, for ever. As with incidents, one changes nothing that was before it: an instant that was asked about answers
/// the same.
/// </summary>
internal sealed class EditLog(int seed)
{
    readonly Lock gate = new();
    readonly Dictionary<RunKey, (DagRun Played, int Edits, DagRun Edited)> edited = [];
    ImmutableDictionary<RunKey, ImmutableArray<Edit>> edits = ImmutableDictionary<RunKey, ImmutableArray<Edit>>.Empty;
    ImmutableDictionary<string, DateTimeOffset> deletedDags = ImmutableDictionary<string, DateTimeOffset>.Empty;

    public void Add(Edit edit)
    {
        lock (gate)
            edits = edits.SetItem(edit.Run, edits.GetValueOrDefault(edit.Run, []).Add(edit));
    }

    public void DeleteDag(string dagId, DateTimeOffset at)
    {
        lock (gate)
        {
            if (!deletedDags.ContainsKey(dagId))
                deletedDags = deletedDags.Add(dagId, at);
        }
    }

    /// <summary>Its file is gone too, so that it never comes back. What it set off in other DAGs goes on.</summary>
    public bool IsDeleted(string dagId, DateTimeOffset now)
    {
        lock (gate)
            return deletedDags.TryGetValue(dagId, out var at) && at <= now;
    }

    /// <summary>The edited runs of a DAG, and when each was edited first.</summary>
    public IReadOnlyList<(RunKey Run, DateTimeOffset First)> Of(int dag)
    {
        lock (gate)
            return edits.IsEmpty ? [] : [.. edits.Where(entry => entry.Key.Dag == dag).Select(entry => (entry.Key, entry.Value.Min(edit => edit.At)))];
    }

    /// <summary>A run with everything that was, or will be, changed of it.</summary>
    public DagRun Apply(DagRun played)
    {
        lock (gate)
        {
            if (!edits.TryGetValue(played.Key, out var changes))
                return played;
            if (edited.TryGetValue(played.Key, out var known) && known.Edits == changes.Length && ReferenceEquals(known.Played, played))
                return known.Edited;
            var run = changes.OrderBy(edit => edit.At).Aggregate((Run: played, Number: 0), (before, edit) =>
                (RunEditor.Apply(seed, played, before.Run, edit, before.Number), before.Number + 1)).Run;
            edited[played.Key] = (played, changes.Length, run);
            return run;
        }
    }
}
