using PipelineExporter.Sources.Airflow;

namespace PipelineExporter.Tests.Sources.Airflow;

/// <summary>What goes over the wire, to the letter.</summary>
public sealed class AirflowRequestsTests
{
    private const string Empty =
        """{"dag_runs":[],"task_instances":[],"dags":[],"pools":[],"total_entries":0,"version":"2.11.2","metadatabase":{"status":"healthy"}}""";

    private static readonly DateTimeOffset Since = new(2026, 11, 23, 7, 5, 6, 789, TimeSpan.FromHours(1));

    private static readonly TaskInstance Mapped = new()
    {
        DagId = "média.v2", RunId = "scheduled__2026-11-23T06:20:00+00:00", TaskId = "group.process", MapIndex = 3,
    };

    [Fact]
    public async Task Airflow_2_is_asked_in_few_large_requests_with_the_fields_that_are_read()
    {
        await using var server = await FakeAirflow.StartAsync(context => context.Request.Path.StartsWithSegments("/prefix/api/v2", StringComparison.Ordinal) ? (404, "") : (200, Empty));
        using var connection = server.Connect(path: "/prefix");
        var api = await connection.ApiAsync(default);

        await AskEverything(api);

        const string fields = "fields=dag_id&fields=dag_run_id&fields=run_type&fields=state&fields=start_date&fields=end_date&fields=data_interval_end&fields=logical_date";
        Assert.Equal(
            [
                "GET /prefix/api/v2/version",
                "GET /prefix/api/v1/version",
                "GET /prefix/api/v1/health",
                "GET /prefix/api/v1/pools?limit=100&offset=0&order_by=-slots",
                "GET /prefix/api/v1/dags?limit=100&offset=0&order_by=dag_id&fields=dag_id&fields=is_paused&fields=schedule_interval&fields=owners&fields=tags&fields=next_dagrun_create_after",
                $"GET /prefix/api/v1/dags/~/dagRuns?state=queued&state=running&order_by=id&limit=100&offset=0&{fields}",
                $"GET /prefix/api/v1/dags/~/dagRuns?end_date_gte=2026-11-23T06%3A05%3A06.789000Z&order_by=id&limit=100&offset=0&{fields}",
                $"GET /prefix/api/v1/dags/~/dagRuns?state=failed&end_date_gte=2026-11-23T06%3A05%3A06.789000Z&order_by=id&limit=100&offset=0&{fields}",
                $"GET /prefix/api/v1/dags/m%C3%A9dia.v2/dagRuns?state=success&order_by=-start_date&limit=10&offset=0&{fields}",
                "GET /prefix/api/v1/importErrors?limit=1",
                "GET /prefix/api/v1/dags/~/dagRuns/~/taskInstances?state=running&state=queued&state=scheduled&state=deferred&state=up_for_retry&state=up_for_reschedule&state=restarting&limit=5000&offset=0",
                "GET /prefix/api/v1/dags/~/dagRuns/~/taskInstances?state=success&state=failed&state=skipped&state=upstream_failed&state=removed&updated_at_gte=2026-11-23T06%3A05%3A06.789000Z&limit=5000&offset=0",
                "GET /prefix/api/v1/dags/m%C3%A9dia.v2/dagRuns/scheduled__2026-11-23T06%3A20%3A00%2B00%3A00/taskInstances/group.process/3/tries",
                "GET /prefix/api/v1/dags/m%C3%A9dia.v2/dagRuns/scheduled__2026-11-23T06%3A20%3A00%2B00%3A00/taskInstances/group.process/tries",
            ],
            server.Requests);
    }

    [Fact]
    public async Task Airflow_3_is_asked_with_cursors_and_in_the_order_of_ids()
    {
        await using var server = await FakeAirflow.StartAsync(_ => (200, Empty.Replace("2.11.2", "3.3.2")));
        using var connection = server.Connect();
        var api = await connection.ApiAsync(default);

        await AskEverything(api);

        Assert.Equal(
            [
                "GET /api/v2/version",
                "GET /api/v2/monitor/health",
                "GET /api/v2/pools?limit=100&offset=0&order_by=id",
                "GET /api/v2/dags?limit=100&offset=0&order_by=dag_id",
                "GET /api/v2/dags/~/dagRuns?state=queued&state=running&order_by=id&limit=100&cursor=",
                "GET /api/v2/dags/~/dagRuns?updated_at_gte=2026-11-23T06%3A05%3A06.789000Z&order_by=id&limit=100&cursor=",
                "GET /api/v2/dags/~/dagRuns?state=failed&end_date_gte=2026-11-23T06%3A05%3A06.789000Z&order_by=id&limit=100&cursor=",
                "GET /api/v2/dags/m%C3%A9dia.v2/dagRuns?state=success&order_by=-start_date&limit=10",
                "GET /api/v2/importErrors?limit=1",
                "GET /api/v2/dags/~/dagRuns/~/taskInstances?state=list_valid_states&order_by=id&limit=1&offset=0",
                "GET /api/v2/dags/~/dagRuns/~/taskInstances?state=running&state=queued&state=scheduled&state=deferred&state=up_for_retry&state=up_for_reschedule&state=restarting&state=awaiting_input&order_by=id&limit=100&cursor=",
                "GET /api/v2/dags/~/dagRuns/~/taskInstances?state=success&state=failed&state=skipped&state=upstream_failed&state=removed&updated_at_gte=2026-11-23T06%3A05%3A06.789000Z&order_by=id&limit=100&cursor=",
                "GET /api/v2/dags/m%C3%A9dia.v2/dagRuns/scheduled__2026-11-23T06%3A20%3A00%2B00%3A00/taskInstances/group.process/3/tries",
                "GET /api/v2/dags/m%C3%A9dia.v2/dagRuns/scheduled__2026-11-23T06%3A20%3A00%2B00%3A00/taskInstances/group.process/tries",
            ],
            server.Requests);
    }

    [Theory]
    [InlineData("3.2.1")]
    [InlineData("3.0.0")]
    public async Task A_server_before_3_3_is_not_asked_for_awaiting_input(string version)
    {
        await using var server = await FakeAirflow.StartAsync(_ => (200, Empty.Replace("2.11.2", version)));
        using var connection = server.Connect();

        await (await connection.ApiAsync(default)).LiveTaskInstancesAsync(default);

        Assert.DoesNotContain("awaiting_input", server.Requests.Last());
    }

    [Fact]
    public async Task A_server_before_2_10_has_no_tries_and_is_not_asked_for_them()
    {
        await using var server = await FakeAirflow.StartAsync(
            context => context.Request.Path.StartsWithSegments("/api/v2", StringComparison.Ordinal) ? (404, "") : (200, Empty.Replace("2.11.2", "2.9.3")));
        using var connection = server.Connect();

        Assert.Empty(await (await connection.ApiAsync(default)).TriesAsync(Mapped, default));
        Assert.Equal(2, server.Requests.Count);
    }

    [Fact]
    public async Task An_old_server_that_knows_no_fields_is_asked_without_them_from_then_on()
    {
        await using var server = await FakeAirflow.StartAsync(context => context.Request switch
        {
            { Path: var path } when path.StartsWithSegments("/api/v2", StringComparison.Ordinal) => (404, ""),
            { Query: var query } when query.ContainsKey("fields") => (400, """{"detail":"Extra query parameter(s) fields not in spec"}"""),
            _ => (200, Empty),
        });
        using var connection = server.Connect();
        var api = await connection.ApiAsync(default);

        await api.LiveRunsAsync(default);
        await api.LiveRunsAsync(default);

        Assert.Equal([true, false, false], server.Requests.Skip(2).Select(request => request.Contains("fields=")));
    }

    [Fact]
    public async Task Answers_are_asked_for_compressed_and_read_so()
    {
        await using var server = await FakeAirflow.StartAsync(async context =>
        {
            Assert.Contains("gzip", context.Request.Headers.AcceptEncoding.ToString());
            context.Response.Headers.ContentEncoding = "gzip";
            await using var gzip = new System.IO.Compression.GZipStream(context.Response.Body, System.IO.Compression.CompressionLevel.Fastest);
            await gzip.WriteAsync("""{"version":"3.3.2","git_version":null}"""u8.ToArray());
        });
        using var connection = server.Connect();

        Assert.Equal("3.3.2", (await connection.ApiAsync(default)).Version);
    }

    [Fact]
    public async Task The_date_of_a_list_is_the_servers_clock_at_its_first_page()
    {
        var page = 0;
        await using var server = await FakeAirflow.StartAsync(async context =>
        {
            var body = context.Request.Path.Value!.EndsWith("/version", StringComparison.Ordinal) ? """{"version":"3.2.0"}"""
                : page == 0 ? """{"dag_runs":[{"dag_id":"d","dag_run_id":"1"},{"dag_id":"d","dag_run_id":"2"}],"total_entries":3}"""
                : """{"dag_runs":[{"dag_id":"d","dag_run_id":"2"},{"dag_id":"d","dag_run_id":"3"}],"total_entries":3}""";
            await FakeAirflow.WriteAsync(context, 200, "application/json", body, new DateTimeOffset(2026, 11, 23, 6, page++, 0, TimeSpan.Zero));
        });
        using var connection = server.Connect();
        var api = await connection.ApiAsync(default);
        page = 0;

        var runs = await api.LiveRunsAsync(default);

        Assert.Equal(["1", "2", "3"], runs.Rows.Select(run => run.RunId));
        Assert.Equal(new DateTimeOffset(2026, 11, 23, 6, 0, 0, TimeSpan.Zero), runs.Date);
    }

    private static async Task AskEverything(IAirflowApi api)
    {
        await api.HealthAsync(default);
        await api.PoolsAsync(default);
        await api.DagsAsync(default);
        await api.LiveRunsAsync(default);
        await api.EndedRunsAsync(Since, default);
        await api.FailedRunsAsync(Since, default);
        await api.LastSuccessesAsync(Mapped.DagId, default);
        await api.ImportErrorsAsync(default);
        await api.LiveTaskInstancesAsync(default);
        await api.FinishedTaskInstancesAsync(Since, default);
        await api.TriesAsync(Mapped, default);
        await api.TriesAsync(Mapped with { MapIndex = -1 }, default);
    }
}
