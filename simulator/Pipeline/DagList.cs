using System.Collections.Frozen;
using System.Collections.Immutable;

namespace PipelineExporter.Simulator.Pipeline;

/// <summary>The pipeline's DAGs, and those of the load, found by id and by time.</summary>
internal sealed class DagList
{
    readonly FrozenDictionary<string, int> indexes;

    public DagList(int scale)
    {
        All = [.. Catalog.Dags, .. LoadCatalog.Dags(scale)];
        indexes = All.Select((dag, index) => KeyValuePair.Create(dag.Id, index)).ToFrozenDictionary(StringComparer.Ordinal);
    }

    public ImmutableArray<DagDefinition> All { get; }

    public DagDefinition? Find(string dagId) => indexes.TryGetValue(dagId, out var index) ? All[index] : null;

    public int IndexOf(DagDefinition dag) => indexes[dag.Id];

    /// <summary>The pipeline's DAGs, and those of the load of which a run may have changed at or after <paramref name="since"/>.</summary>
    public IEnumerable<DagDefinition> Touched(DateTimeOffset since, DateTimeOffset now)
    {
        var pipeline = Catalog.Dags.Length;
        for (var i = 0; i < pipeline; i++)
            yield return All[i];
        foreach (var i in LoadCatalog.DueIn(since, now, All.Length - pipeline))
            yield return All[pipeline + i];
    }
}
