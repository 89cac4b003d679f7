using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using PipelineExporter.Sources.Airflow;

namespace PipelineExporter.Tests.Sources.Airflow;

/// <summary>The quirks of Airflow 2.x that need more than one request.</summary>
public sealed class AirflowV1Tests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 23, 7, 0, 0, TimeSpan.Zero);

    /// <remarks>A server that has no order at all: each answer is shuffled anew, as an unlucky database may do.</remarks>
    [Theory]
    [InlineData(4_000, 5000, 1)]
    [InlineData(12_000, 5000, 9)]
    [InlineData(900, 100, 33)]
    public async Task Finished_instances_are_read_whole_though_their_pages_have_no_order(int count, int clamp, int mostRequests)
    {
        var random = new Random(1);
        var rows = Enumerable.Range(0, count).Select(i => (Id: i, UpdatedAt: Now - TimeSpan.FromSeconds(3600.0 * i / count))).ToArray();
        await using var server = await StartAsync(query =>
        {
            var (from, to) = (Date(query["updated_at_gte"]), Date(query["updated_at_lte"]));
            var window = rows.Where(row => !(row.UpdatedAt < from) && !(row.UpdatedAt > to)).ToArray();
            random.Shuffle(window);
            return Page(
                window.Skip(int.Parse(query["offset"].ToString())).Take(Math.Min(clamp, int.Parse(query["limit"].ToString()))).Select(row => row.Id),
                window.Length);
        });
        using var connection = server.Connect();
        var api = await connection.ApiAsync(default);

        var finished = await api.FinishedTaskInstancesAsync(Now - TimeSpan.FromHours(2), default);

        Assert.Equal(Enumerable.Range(0, count), finished.Rows.Select(row => row.MapIndex).Order());
        Assert.InRange(server.Requests.Count - 2, 1, mostRequests);
    }

    [Fact]
    public async Task A_row_that_changes_while_the_windows_are_read_is_in_a_later_one()
    {
        // Row 0 stands in the oldest window when that is asked for the first time, and has moved to the end when it is asked again.
        var asked = 0;
        await using var server = await StartAsync(query =>
        {
            asked++;
            var (from, to) = (Date(query["updated_at_gte"]), Date(query["updated_at_lte"]));
            var rows = new[] { (0, asked <= 1 ? Now - TimeSpan.FromMinutes(59) : Now), (1, Now - TimeSpan.FromMinutes(50)), (2, Now - TimeSpan.FromMinutes(10)) };
            int[] window = [.. rows.Where(row => !(row.Item2 < from) && !(row.Item2 > to)).Select(row => row.Item1)];
            return Page(window.Take(2), window.Length);
        });
        using var connection = server.Connect();

        var finished = await (await connection.ApiAsync(default)).FinishedTaskInstancesAsync(Now - TimeSpan.FromHours(1), default);

        Assert.Equal([0, 1, 2], finished.Rows.Select(row => row.MapIndex).Order());
    }

    [Fact]
    public async Task Rows_of_one_instant_that_never_come_whole_are_an_error()
    {
        await using var server = await StartAsync(_ => Page([1, 2], 9));
        using var connection = server.Connect();
        var api = await connection.ApiAsync(default);

        var error = await Assert.ThrowsAsync<AirflowException>(() => api.FinishedTaskInstancesAsync(Now, default));

        Assert.EndsWith("its pages kept skipping rows; the next poll asks again", error.Message);
    }

    [Fact]
    public async Task Tries_that_never_ran_are_left_out_of_a_history()
    {
        var recording = Recording.Read("2.11/cases/made_up_try.tries");
        await using var server = await FakeAirflow.StartAsync(context => context.Request.Path.Value switch
        {
            "/api/v2/version" => (404, ""),
            "/api/v1/version" => (200, """{"version":"2.11.2"}"""),
            _ => (200, System.Text.Encoding.UTF8.GetString(recording.Body)),
        });
        using var connection = server.Connect();

        var tries = await (await connection.ApiAsync(default)).TriesAsync(new() { DagId = "d", RunId = "r", TaskId = "t" }, default);

        Assert.Equal([1, 3], tries.Select(row => row.TryNumber));
    }

    [Theory]
    [InlineData(3, 0, 1)]
    [InlineData(5, 1, 3)]
    [InlineData(5, 4, 6)]
    [InlineData(250, 0, 3)]
    [InlineData(250, 2, 10)]
    public async Task Pools_beside_unlimited_ones_are_listed(int limited, int unlimited, int requests)
    {
        await using var server = await StartWithPoolsAsync(() => (limited, unlimited));
        using var connection = server.Connect();
        var api = await connection.ApiAsync(default);

        var pools = await api.PoolsAsync(default);

        Assert.Equal(Enumerable.Range(0, limited).Select(i => $"pool-{i}").Order(), pools.Pools.Select(pool => pool.Name).Order());
        Assert.Equal(unlimited, pools.Unlisted);
        Assert.Equal(requests, server.Requests.Count - 2);
    }

    [Fact]
    public async Task Once_it_is_known_how_many_pools_can_be_listed_one_request_is_enough()
    {
        await using var server = await StartWithPoolsAsync(() => (5, 1));
        using var connection = server.Connect();
        var api = await connection.ApiAsync(default);
        await api.PoolsAsync(default);
        var before = server.Requests.Count;

        for (var i = 0; i < 10; i++)
            Assert.Equal(5, (await api.PoolsAsync(default)).Pools.Count);

        Assert.Equal(10, server.Requests.Count - before);
    }

    [Theory]
    [InlineData(6, 1)]
    [InlineData(4, 1)]
    [InlineData(5, 2)]
    [InlineData(4, 2)]
    [InlineData(5, 0)]
    public async Task Pools_that_change_are_found_out_about(int limited, int unlimited)
    {
        var pools = (Limited: 5, Unlimited: 1);
        await using var server = await StartWithPoolsAsync(() => pools);
        using var connection = server.Connect();
        var api = await connection.ApiAsync(default);
        await api.PoolsAsync(default);

        pools = (limited, unlimited);
        var list = await api.PoolsAsync(default);

        Assert.Equal((limited, unlimited), (list.Pools.Count, list.Unlisted));
    }

    [Fact]
    public async Task A_pool_that_gets_a_limit_is_found_after_a_while()
    {
        var pools = (Limited: 5, Unlimited: 1);
        await using var server = await StartWithPoolsAsync(() => pools);
        using var connection = server.Connect();
        var api = await connection.ApiAsync(default);
        await api.PoolsAsync(default);
        pools = (6, 0);

        var polls = 1;
        while ((await api.PoolsAsync(default)).Pools.Count < 6)
            polls++;

        Assert.InRange(polls, 1, 21);
    }

    [Fact]
    public async Task A_database_that_is_down_is_not_taken_for_an_unlimited_pool()
    {
        await using var server = await FakeAirflow.StartAsync(context => context.Request.Path.Value switch
        {
            "/api/v2/version" => (404, ""),
            "/api/v1/version" => (200, """{"version":"2.11.2"}"""),
            _ => (500, "<html>Ooops!</html>"),
        });
        using var connection = server.Connect();
        var api = await connection.ApiAsync(default);

        var error = await Assert.ThrowsAsync<AirflowException>(() => api.PoolsAsync(default));

        Assert.Equal("GET /api/v1/pools: answered 500", error.Message);
        Assert.Equal(4, server.Requests.Count);
    }

    private static Task<FakeAirflow> StartAsync(Func<IQueryCollection, string> instances) => FakeAirflow.StartAsync(context => context.Request.Path.Value switch
    {
        "/api/v2/version" => FakeAirflow.WriteAsync(context, 404, "text/html", ""),
        "/api/v1/version" => FakeAirflow.WriteAsync(context, 200, "application/json", """{"version":"2.11.2"}"""),
        _ => FakeAirflow.WriteAsync(context, 200, "application/json", instances(context.Request.Query), Now),
    });

    /// <summary>As recorded: ordered by -slots, the unlimited pools last, and 500 for a page that holds one.</summary>
    private static Task<FakeAirflow> StartWithPoolsAsync(Func<(int Limited, int Unlimited)> pools) => FakeAirflow.StartAsync(context =>
    {
        if (context.Request.Path == "/api/v2/version")
            return (404, "");
        if (context.Request.Path == "/api/v1/version")
            return (200, """{"version":"2.11.2"}""");
        Assert.Equal("-slots", context.Request.Query["order_by"]);
        var (limited, unlimited) = pools();
        var offset = int.Parse(context.Request.Query["offset"].ToString());
        var page = Enumerable.Range(0, limited + unlimited).Skip(offset).Take(Math.Min(100, int.Parse(context.Request.Query["limit"].ToString()))).ToArray();
        if (page.Any(i => i >= limited))
            return (500, """{"detail":"inf is not of type 'integer'\n\nFailed validating","title":"Response body does not conform to specification"}""");
        JsonNode[] rows = [.. page.Select(i => new JsonObject { ["name"] = $"pool-{i}", ["slots"] = 1000 - i })];
        return (200, new JsonObject { ["pools"] = new JsonArray(rows), ["total_entries"] = limited + unlimited }.ToJsonString());
    });

    private static string Page(IEnumerable<int> ids, int total)
    {
        JsonNode[] rows = [.. ids.Select(id => new JsonObject
        {
            ["dag_id"] = "d", ["dag_run_id"] = "r", ["task_id"] = "t", ["map_index"] = id, ["try_number"] = 1, ["state"] = "success",
        })];
        return new JsonObject { ["task_instances"] = new JsonArray(rows), ["total_entries"] = total }.ToJsonString();
    }

    private static DateTimeOffset? Date(Microsoft.Extensions.Primitives.StringValues value) =>
        value.Count == 0 ? null : DateTimeOffset.Parse(value.ToString(), CultureInfo.InvariantCulture);
}
