using System.Collections.Frozen;
using System.Text.Json;
using System.Text.Json.Serialization;
using PipelineExporter.Sources.Airflow;
using PipelineExporter.State;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>
/// The DAGs that Airflow lists, and since when those are gone that it lists no more. A DAG that was deleted, renamed or
/// excluded is shown for an hour more: a DAG file that is broken for a moment leaves the list, too.
/// </summary>
/// <remarks>What is not shown stays in the ledger until its age ends, so that a DAG that returns goes on counting.</remarks>
internal sealed class DagDirectory(TimeProvider time)
{
    /// <summary>How long a DAG is shown that is listed no more.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromHours(1);

    private const string GoneName = "airflow_dags.gone";

    private readonly Lock gate = new();

    /// <summary>Those that series were shown or hidden of since the last list, and are in none.</summary>
    private readonly HashSet<string> unlisted = [];

    private FrozenDictionary<string, Dag>? listed;
    private Dictionary<string, DateTimeOffset>? gone;

    /// <summary>When the list was read; null before.</summary>
    public DateTimeOffset? ReadAt { get; private set; }

    /// <summary>The DAG as it was listed last; null when it was not.</summary>
    public Dag? Find(string dagId)
    {
        lock (gate)
            return listed?.GetValueOrDefault(dagId);
    }

    /// <summary>Whether the series of a DAG are published.</summary>
    public bool Shows(string dagId, SourceLedger ledger)
    {
        lock (gate)
        {
            if (listed?.ContainsKey(dagId) == true)
                return true;
            unlisted.Add(dagId);
            gone ??= Read(ledger);
            if (!gone.TryGetValue(dagId, out var since))
            {
                // Before the first list nobody knows. Afterwards it went, or it is new and in the next list.
                if (listed is null)
                    return true;
                gone[dagId] = since = time.GetUtcNow();
            }
            return time.GetUtcNow() - since < Grace;
        }
    }

    /// <summary>Takes over a list, and stores with <paramref name="batch"/> which DAGs are gone since when.</summary>
    public void Update(IReadOnlyList<Dag> dags, SourceLedger ledger, LedgerBatch batch)
    {
        lock (gate)
        {
            var now = time.GetUtcNow();
            gone ??= Read(ledger);
            IEnumerable<string> before = listed is null ? gone.Keys : listed.Keys;
            listed = dags.ToFrozenDictionary(dag => dag.DagId);
            ReadAt = now;
            gone = unlisted.Concat(before).Distinct().Where(dag => !listed.ContainsKey(dag))
                .ToDictionary(dag => dag, dag => gone.TryGetValue(dag, out var since) ? since : now);
            unlisted.Clear();
            var text = JsonSerializer.Serialize(gone, DagDirectoryJson.Default.DictionaryStringDateTimeOffset);
            if (text != (ledger.GetValue(GoneName) ?? "{}"))
                batch.SetValue(GoneName, text);
        }
    }

    private static Dictionary<string, DateTimeOffset> Read(SourceLedger ledger) => ledger.GetValue(GoneName) is { } text
        ? JsonSerializer.Deserialize(text, DagDirectoryJson.Default.DictionaryStringDateTimeOffset) ?? []
        : [];
}

[JsonSerializable(typeof(Dictionary<string, DateTimeOffset>))]
internal sealed partial class DagDirectoryJson : JsonSerializerContext;
