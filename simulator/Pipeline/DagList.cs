using System.Collections.Frozen;
using System.Collections.Immutable;

namespace PipelineExporter.Simulator.Pipeline;

/// <summary>The DAGs, found by id.</summary>
internal sealed class DagList
{
    readonly FrozenDictionary<string, int> indexes;

    public DagList()
    {
        All = Catalog.Dags;
        indexes = All.Select((dag, index) => KeyValuePair.Create(dag.Id, index)).ToFrozenDictionary(StringComparer.Ordinal);
    }

    public ImmutableArray<DagDefinition> All { get; }

    public DagDefinition? Find(string dagId) => indexes.TryGetValue(dagId, out var index) ? All[index] : null;

    public int IndexOf(DagDefinition dag) => indexes[dag.Id];
}
