namespace PipelineExporter.Sources.Airflow;

/// <summary>A page as Airflow sends it. <see cref="NextCursor"/> is null where there are no cursors, and on the last page.</summary>
internal interface IPage<out T>
{
    IReadOnlyList<T> Rows { get; }

    int TotalEntries { get; }

    string? NextCursor { get; }
}

/// <summary>An answer and the server's clock when it was sent.</summary>
internal readonly record struct Answer<T>(T Value, DateTimeOffset Date);

/// <summary>Reads whole lists from pages while their rows come and go.</summary>
internal static class Paging
{
    /// <summary>How many rows may leave a list between two of its pages before a page has to be asked again.</summary>
    private const int Overlap = 10;

    /// <summary>Offset pages of a list with a stable order.</summary>
    /// <remarks>
    /// Each page begins with rows of the page before. A page that begins with a row never seen shows that rows left the list in
    /// front of it and that others were skipped: then it steps back. What enters meanwhile is the next poll's. No limit that was
    /// asked for is trusted: the number of rows that came is.
    /// </remarks>
    public static async Task<Dated<T>> OrderedAsync<T, TKey>(
        Func<int, Task<Answer<IPage<T>>>> ask, Func<T, TKey> key, Func<string, Exception> fail)
        where TKey : notnull
    {
        var rows = new OrderedDictionary<TKey, T>();
        DateTimeOffset? date = null;
        var (offset, step, asked) = (0, 0, 0);
        while (true)
        {
            var answer = await ask(offset);
            date ??= answer.Date;
            var page = answer.Value;
            var limit = 20 + 4 * (page.TotalEntries / Math.Max(1, page.Rows.Count));
            if (++asked > limit)
                throw fail($"its rows kept moving: {rows.Count} of {page.TotalEntries} read in {asked} pages");
            var gap = step > 0 && (page.Rows.Count == 0 || !rows.ContainsKey(key(page.Rows[0])));
            if (offset > 0 && gap)
            {
                offset = Math.Max(0, offset - Math.Max(step, Overlap));
                continue;
            }
            foreach (var row in page.Rows)
                rows[key(row)] = row;
            var end = offset + page.Rows.Count;
            if (page.Rows.Count == 0 || end >= page.TotalEntries)
                return new Dated<T>([.. rows.Values], date.Value);
            step = Math.Min(Overlap, page.Rows.Count / 2);
            offset = end - step;
        }
    }

    /// <summary>Cursor pages where the server gives a cursor (3.3 and later), else offset pages.</summary>
    public static async Task<Dated<T>> CursorAsync<T, TKey>(
        Func<string?, int?, Task<Answer<IPage<T>>>> ask, Func<T, TKey> key, Func<string, Exception> fail)
        where TKey : notnull
    {
        var first = await ask("", null);
        if (first.Value.NextCursor is null)
        {
            // An older server ignores the cursor and answers the first page by offset.
            if (first.Value.Rows.Count >= first.Value.TotalEntries)
                return new Dated<T>(first.Value.Rows, first.Date);
            var asked = false;
            return await OrderedAsync(
                offset =>
                {
                    if (asked)
                        return ask(null, offset);
                    asked = true;
                    return Task.FromResult(first);
                },
                key,
                fail);
        }
        var rows = new OrderedDictionary<TKey, T>();
        var cursors = new HashSet<string>();
        for (var page = first.Value; ; page = (await ask(page.NextCursor, null)).Value)
        {
            foreach (var row in page.Rows)
                rows[key(row)] = row;
            if (page.NextCursor is null || page.Rows.Count == 0)
                return new Dated<T>([.. rows.Values], first.Date);
            if (!cursors.Add(page.NextCursor))
                throw fail("its cursor came back to a page that had been read");
        }
    }

    /// <summary>Offset pages of a list without any order, which may repeat rows and skip others: passes until none is missing.</summary>
    /// <param name="ask">A page from an offset on.</param>
    /// <param name="key">Tells rows apart.</param>
    /// <param name="passes">How often the whole list may be read.</param>
    /// <returns>The rows, and whether they are as many as the server said.</returns>
    public static async Task<(Dated<T> List, bool Complete)> UnorderedAsync<T, TKey>(
        Func<int, Task<Answer<IPage<T>>>> ask, Func<T, TKey> key, int passes)
        where TKey : notnull
    {
        var rows = new OrderedDictionary<TKey, T>();
        DateTimeOffset? date = null;
        for (var pass = 1; ; pass++)
        {
            var (offset, total) = (0, 0);
            do
            {
                var answer = await ask(offset);
                date ??= answer.Date;
                total = answer.Value.TotalEntries;
                foreach (var row in answer.Value.Rows)
                    rows[key(row)] = row;
                if (answer.Value.Rows.Count == 0)
                    break;
                offset += answer.Value.Rows.Count;
            }
            while (offset < total);
            if (rows.Count >= total || pass == passes)
                return (new Dated<T>([.. rows.Values], date.Value), rows.Count >= total);
        }
    }
}
