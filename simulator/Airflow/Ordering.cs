using System.Globalization;
using System.Runtime.InteropServices;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Airflow;

/// <summary>A value to sort by: a number, a text, or null, which PostgreSQL puts last ascending and first descending.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct SortValue(Int128? Number, string? Text)
{
    public static SortValue Of(DateTimeOffset? at) => new(at?.UtcTicks, null);

    public static SortValue Of(double? seconds) => new(seconds is { } value ? (Int128)(value * 1_000_000) : null, null);

    public static SortValue Of(Int128 number) => new(number, null);

    public static SortValue Of(string? text) => new(null, text);

    public int Compare(SortValue other)
    {
        if (Number is { } left && other.Number is { } right)
            return left.CompareTo(right);
        if (Text is not null && other.Text is not null)
            return string.CompareOrdinal(Text, other.Text);
        return IsNull.CompareTo(other.IsNull);
    }

    bool IsNull => Number is null && Text is null;

    /// <summary>For a cursor.</summary>
    public string Encode() => Number is { } number ? "n" + number.ToString(CultureInfo.InvariantCulture) : Text is not null ? "t" + Text : "";

    /// <summary>False when the text was never encoded.</summary>
    public static bool TryDecode(string text, out SortValue value)
    {
        value = default;
        if (text.Length == 0)
            return true;
        if (text[0] == 't')
        {
            value = Of(text[1..]);
            return true;
        }
        if (text[0] != 'n' || !Int128.TryParse(text.AsSpan(1), CultureInfo.InvariantCulture, out var number))
            return false;
        value = Of(number);
        return true;
    }
}

/// <summary>One attribute to sort by.</summary>
internal sealed record SortKey<TRow>(string Name, bool Descending, Func<TRow, SortValue> Value);

internal enum SortDirection { OldestFirst, NewestFirst }

/// <summary>A total order of rows.</summary>
internal sealed class Ordering<TRow>(IReadOnlyList<SortKey<TRow>> keys) : IComparer<TRow>
{
    /// <summary>What a cursor must have been made for.</summary>
    public string Shape { get; } = string.Join(',', keys.Select(key => (key.Descending ? "-" : "") + key.Name));

    /// <summary>Which end of time comes first; null when another attribute comes before time.</summary>
    public SortDirection? TimeDirection => keys[0].Name is "id" or "run_after" or "start_date" or "end_date" or "updated_at"
        ? keys[0].Descending ? SortDirection.NewestFirst : SortDirection.OldestFirst
        : null;

    public IReadOnlyList<SortValue> Position(TRow row) => [.. keys.Select(key => key.Value(row))];

    public int Compare(TRow? x, TRow? y) => Compare(x!, Position(y!));

    public int Compare(TRow row, IReadOnlyList<SortValue> position)
    {
        for (var i = 0; i < keys.Count; i++)
        {
            var order = keys[i].Value(row).Compare(position[i]);
            if (order != 0)
                return keys[i].Descending ? -order : order;
        }
        return 0;
    }

    public int Count => keys.Count;

    public List<TRow> Sort(IEnumerable<TRow> rows) => First(rows, int.MaxValue).Rows;

    /// <summary>
    /// The first rows in this order (<paramref name="fromEnd"/>: the last ones), and how many rows there were. Holds few
    /// more than it returns, however many there are.
    /// </summary>
    public (List<TRow> Rows, int Total) First(IEnumerable<TRow> rows, int count, bool fromEnd = false)
    {
        List<(TRow Row, IReadOnlyList<SortValue> Position)> held = [];
        var total = 0;
        foreach (var row in rows)
        {
            total++;
            held.Add((row, Position(row)));
            if (held.Count >= 4096 && held.Count / 2 >= count)
                Cut();
        }
        Cut();
        return ([.. held.Select(item => item.Row)], total);

        void Cut()
        {
            held.Sort((x, y) => Compare(x.Position, y.Position));
            if (held.Count > count)
                held.RemoveRange(fromEnd ? 0 : count, held.Count - count);
        }
    }

    int Compare(IReadOnlyList<SortValue> x, IReadOnlyList<SortValue> y)
    {
        for (var i = 0; i < keys.Count; i++)
        {
            var order = x[i].Compare(y[i]);
            if (order != 0)
                return keys[i].Descending ? -order : order;
        }
        return 0;
    }
}

/// <summary>The attributes by which both editions can sort runs and task instances.</summary>
internal static class Sortable
{
    /// <summary>Runs get ascending integers as they are created.</summary>
    static SortValue RunId(RunRow row)
    {
        var key = row.Run.Key;
        return SortValue.Of(((Int128)row.Run.QueuedAt.UtcTicks << 16) + (key.Dag << 2) + (int)key.Cause);
    }

    /// <summary>Null: not sortable by that.</summary>
    public static Func<RunRow, SortValue>? Run(string name, Edition edition) => name switch
    {
        "id" => RunId,
        "state" => row => SortValue.Of(StateNames.Of(row.State)),
        "dag_id" => row => SortValue.Of(row.Run.Dag.Id),
        "run_id" or "dag_run_id" => row => SortValue.Of(edition.RunId(row.Run)),
        "execution_date" or "logical_date" => row => SortValue.Of(edition.LogicalDate(row.Run)),
        "run_after" => row => SortValue.Of(row.Run.RunAfter),
        "start_date" => row => SortValue.Of(row.Start),
        "end_date" => row => SortValue.Of(row.End),
        "updated_at" => row => SortValue.Of(row.UpdatedAt),
        "duration" => row => SortValue.Of(row.Duration),
        "external_trigger" => row => SortValue.Of((Int128)(row.Run.Kind is RunKind.Manual or RunKind.Operator ? 1 : 0)),
        "conf" or "partition_date" => _ => default,
        _ => null,
    };

    public static Func<TaskRow, SortValue>? Task(string name, Edition edition) => name switch
    {
        "id" => row => SortValue.Of(row.Id.Number),
        "state" => row => SortValue.Of(StateNames.Of(row.Phase.State)),
        "duration" => row => SortValue.Of(row.Phase.Duration),
        "start_date" => row => SortValue.Of(row.Phase.Start),
        "end_date" => row => SortValue.Of(row.Phase.End),
        "map_index" => row => SortValue.Of((Int128)row.Instance.MapIndex),
        "try_number" => row => SortValue.Of((Int128)row.Phase.Try),
        "logical_date" => row => SortValue.Of(edition.LogicalDate(row.Run)),
        "run_after" => row => SortValue.Of(row.Run.RunAfter),
        "data_interval_start" => row => SortValue.Of(edition.DataInterval(row.Run)?.Start),
        "data_interval_end" => row => SortValue.Of(edition.DataInterval(row.Run)?.End),
        "operator" => row => SortValue.Of(row.Task.Operator),
        "rendered_map_index" => _ => default,
        _ => null,
    };
}
