using CsCheck;
using PipelineExporter.Sources.Airflow;

namespace PipelineExporter.Tests.Sources.Airflow;

public sealed class PagingTests
{
    private static readonly DateTimeOffset Date = new(2026, 11, 23, 7, 0, 0, TimeSpan.Zero);

    /// <summary>Rows leave from anywhere and enter anywhere between any two pages, as runs do that are cleared or end.</summary>
    [Fact]
    public Task An_ordered_list_is_read_without_a_gap_while_rows_come_and_go() =>
        Gen.Select(Gen.Int[1, 600], Gen.Int[20, 100], Gen.Int[0, 25], Gen.Int[0, 1_000_000]).SampleAsync(async (count, pageSize, moves, seed) =>
        {
            var random = new Random(seed);
            var list = new SortedSet<int>(Enumerable.Range(0, count).Select(i => i * 10));
            var always = new HashSet<int>(list);

            var read = await Paging.OrderedAsync<int, int>(
                offset =>
                {
                    var page = new Page([.. list.Skip(offset).Take(pageSize)], list.Count);
                    always.IntersectWith(list);
                    for (var i = random.Next(moves + 1); i > 0 && list.Count > 0; i--)
                    {
                        if (random.Next(3) > 0)
                            list.Remove(list.ElementAt(random.Next(list.Count)));
                        else
                            list.Add(random.Next(count * 10));
                    }
                    return Answer(page);
                },
                row => row,
                reason => new InvalidOperationException(reason));

            always.IntersectWith(list);
            Assert.Superset(always, read.Rows.ToHashSet());
            Assert.Distinct(read.Rows);
        }, iter: 2000, threads: 2);

    [Fact]
    public async Task A_limit_that_the_server_clamps_is_honoured()
    {
        var offsets = new List<int>();
        var read = await Paging.OrderedAsync<int, int>(
            offset =>
            {
                offsets.Add(offset);
                return Answer(new Page([.. Enumerable.Range(offset, Math.Min(100, 250 - offset))], 250));
            },
            row => row,
            reason => new InvalidOperationException(reason));

        Assert.Equal(Enumerable.Range(0, 250), read.Rows);
        Assert.Equal([0, 90, 180], offsets);
    }

    [Fact]
    public async Task A_list_that_never_stands_still_is_an_error_and_no_endless_loop()
    {
        var next = 0;
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => Paging.OrderedAsync<int, int>(
            _ => Answer(new Page([.. Enumerable.Range(next += 1000, 100)], 1000)), row => row, reason => new InvalidOperationException(reason)));

        Assert.StartsWith("its rows kept moving", error.Message);
    }

    [Fact]
    public async Task Cursors_are_followed_to_the_page_that_has_none()
    {
        var asked = new List<string>();
        var read = await Paging.CursorAsync<int, int>(
            (cursor, offset) =>
            {
                asked.Add($"{cursor}|{offset}");
                return cursor switch
                {
                    "" => Answer(new Page([1, 2], 5, "a")),
                    "a" => Answer(new Page([3, 4], 5, "b")),
                    _ => Answer(new Page([5], 5)),
                };
            },
            row => row,
            reason => new InvalidOperationException(reason));

        Assert.Equal([1, 2, 3, 4, 5], read.Rows);
        Assert.Equal(["|", "a|", "b|"], asked);
    }

    [Fact]
    public async Task A_server_without_cursors_is_read_by_offset()
    {
        var asked = new List<string>();
        var read = await Paging.CursorAsync<int, int>(
            (cursor, offset) =>
            {
                asked.Add($"{cursor}|{offset}");
                return Answer(new Page([.. Enumerable.Range(offset ?? 0, Math.Min(50, 120 - (offset ?? 0)))], 120));
            },
            row => row,
            reason => new InvalidOperationException(reason));

        Assert.Equal(Enumerable.Range(0, 120), read.Rows);
        Assert.Equal(["|", "|40", "|80"], asked);
    }

    [Fact]
    public async Task A_cursor_that_leads_back_is_an_error_and_no_endless_loop() =>
        await Assert.ThrowsAsync<InvalidOperationException>(() => Paging.CursorAsync<int, int>(
            (_, _) => Answer(new Page([1], 5, "again")), row => row, reason => new InvalidOperationException(reason)));

    [Fact]
    public async Task An_unordered_list_is_read_again_until_no_row_is_missing()
    {
        var pages = new Queue<int[]>([[1, 2], [2, 3], [3, 4], [1, 2]]);
        var (list, complete) = await Paging.UnorderedAsync<int, int>(_ => Answer(new Page(pages.Dequeue(), 4)), row => row, passes: 3);

        Assert.Equal([1, 2, 3, 4], list.Rows.Order());
        Assert.True(complete);
    }

    [Fact]
    public async Task An_unordered_list_that_stays_incomplete_says_so()
    {
        var (list, complete) = await Paging.UnorderedAsync<int, int>(_ => Answer(new Page([1, 2], 4)), row => row, passes: 3);

        Assert.Equal([1, 2], list.Rows);
        Assert.False(complete);
    }

    private static Task<Answer<IPage<int>>> Answer(Page page) => Task.FromResult(new Answer<IPage<int>>(page, Date));

    private sealed record Page(IReadOnlyList<int> Rows, int TotalEntries, string? NextCursor = null) : IPage<int>;
}
