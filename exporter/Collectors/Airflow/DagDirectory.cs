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
/// <remarks>
/// What is not shown stays in the ledger until its age ends, so that a DAG that returns goes on counting. The ledger is never
/// asked while the lock is held: it asks for what is shown while it holds its own.
/// </remarks>
/// <param name="includes">Whether the configuration watches a DAG at all.</param>
internal sealed class DagDirectory(Func<string, bool> includes, TimeProvider time)
{
    /// <summary>How long a DAG is shown that is listed no more.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromHours(1);

    private const string GoneName = "airflow_dags.gone";

    private readonly Lock gate = new();

    /// <summary>As they were listed last; DAGs that are gone stay for the hour of grace.</summary>
    private FrozenDictionary<string, Dag> known = FrozenDictionary<string, Dag>.Empty;

    /// <summary>Null before the first list.</summary>
    private FrozenSet<string>? listed;

    /// <summary>Null until the ledger was read.</summary>
    private Dictionary<string, DateTimeOffset>? gone;

    /// <summary>The DAG as it was listed last, for an hour after it is gone; else null.</summary>
    public Dag? Find(string dagId)
    {
        lock (gate)
            return known.GetValueOrDefault(dagId);
    }

    /// <summary>The DAGs of the last list.</summary>
    public IReadOnlyCollection<string> Listed
    {
        get
        {
            lock (gate)
                return listed ?? [];
        }
    }

    /// <summary>Takes over from the process before what was gone; needed once, before anything is shown.</summary>
    public void Load(SourceLedger ledger)
    {
        lock (gate)
        {
            if (gone is not null)
                return;
        }
        var stored = ledger.GetValue(GoneName) is { } text
            ? JsonSerializer.Deserialize(text, DagDirectoryJson.Default.DictionaryStringDateTimeOffset) ?? []
            : [];
        lock (gate)
            gone ??= stored;
    }

    /// <summary>Whether the series of a DAG are published.</summary>
    public bool Shows(string dagId)
    {
        lock (gate)
        {
            if (listed?.Contains(dagId) == true)
                return true;
            if (gone!.TryGetValue(dagId, out var since))
                return time.GetUtcNow() - since < Grace;
            // Before the first list nobody knows. Afterwards it went, or it is new and in the next list.
            if (listed is not null || !includes(dagId))
                gone[dagId] = time.GetUtcNow();
            return true;
        }
    }

    /// <summary>Takes over a list, and stores with <paramref name="batch"/> which DAGs are gone since when.</summary>
    /// <param name="forget">What is gone since before is not in the ledger any more.</param>
    public void Update(IReadOnlyList<Dag> dags, SourceLedger ledger, LedgerBatch batch, DateTimeOffset forget)
    {
        Load(ledger);
        string text;
        lock (gate)
        {
            var now = time.GetUtcNow();
            var current = dags.ToFrozenDictionary(dag => dag.DagId);
            var left = gone!;
            foreach (var dag in (listed ?? []).Where(dag => !current.ContainsKey(dag)))
                left.TryAdd(dag, now);
            foreach (var dag in left.Where(dag => current.ContainsKey(dag.Key) || dag.Value < forget).Select(dag => dag.Key).ToList())
                left.Remove(dag);
            known = known.Where(dag => left.TryGetValue(dag.Key, out var since) && now - since < Grace).Concat(current).ToFrozenDictionary();
            listed = [.. current.Keys];
            text = JsonSerializer.Serialize(new SortedDictionary<string, DateTimeOffset>(left, StringComparer.Ordinal), DagDirectoryJson.Default.SortedDictionaryStringDateTimeOffset);
        }
        if (text != (ledger.GetValue(GoneName) ?? "{}"))
            batch.SetValue(GoneName, text);
    }
}

[JsonSerializable(typeof(Dictionary<string, DateTimeOffset>))]
[JsonSerializable(typeof(SortedDictionary<string, DateTimeOffset>))]
internal sealed partial class DagDirectoryJson : JsonSerializerContext;
