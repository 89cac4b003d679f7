using System.Buffers.Text;
using System.Text;

namespace PipelineExporter.Simulator.Airflow.V2;

/// <summary>One page of a list that can be walked by cursor (since 3.3).</summary>
internal sealed record V2Page<TRow>(IReadOnlyList<TRow> Rows, int Total, int? TotalLimit, string? Next, string? Previous)
{
    /// <summary>Past it, rows are no longer counted for a cursor.</summary>
    const int CountLimit = 50_000;

    /// <summary>Before a cursor that walks back.</summary>
    const char Backwards = '~';

    const char Separator = '\u001f';

    /// <summary>A page by offset.</summary>
    public static V2Page<TRow> ByOffset(IReadOnlyList<TRow> rows, int total) => new(rows, total, null, null, null);

    /// <summary>An empty cursor asks for the first page.</summary>
    /// <exception cref="AirflowRefusal">The cursor was never given, or for another order.</exception>
    public static V2Page<TRow> ByCursor(IEnumerable<TRow> found, Ordering<TRow> order, string cursor, int limit)
    {
        var backwards = cursor is [Backwards, ..];
        var position = cursor.Length > 0 ? Decode(cursor.TrimStart(Backwards), order) : null;
        var passed = 0;
        var (rows, left) = order.First(found.Where(IsAhead), limit, fromEnd: backwards);
        var (before, after) = backwards ? (left - rows.Count, passed) : (passed, left - rows.Count);
        return new V2Page<TRow>(
            rows,
            Math.Min(passed + left, CountLimit),
            CountLimit,
            Next: rows is [.., var last] && after > 0 ? Encode(last, order) : null,
            Previous: rows is [var first, ..] && before > 0 ? Backwards + Encode(first, order) : null);

        bool IsAhead(TRow row)
        {
            if (position is null || (backwards ? order.Compare(row, position) < 0 : order.Compare(row, position) > 0))
                return true;
            passed++;
            return false;
        }
    }

    static string Encode(TRow row, Ordering<TRow> order) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(
        string.Join(Separator, order.Position(row).Select(value => value.Encode()).Prepend(order.Shape))));

    static List<SortValue> Decode(string cursor, Ordering<TRow> order)
    {
        if (!Base64Url.IsValid(cursor))
            throw V2Errors.Detail(400, "Invalid cursor token");
        var parts = Encoding.UTF8.GetString(Base64Url.DecodeFromChars(cursor)).Split(Separator);
        if (parts.Length == 1)
            throw V2Errors.Detail(400, "Invalid cursor token");
        if (parts[0] != order.Shape || parts.Length != order.Count + 1)
            throw V2Errors.Detail(400, "Cursor token does not match current query shape");
        List<SortValue> position = [];
        foreach (var part in parts.Skip(1))
            position.Add(SortValue.TryDecode(part, out var value) ? value : throw V2Errors.Detail(400, "Invalid cursor token"));
        return position;
    }
}
