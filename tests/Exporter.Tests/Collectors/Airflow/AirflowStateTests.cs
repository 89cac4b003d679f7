using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Collectors;
using PipelineExporter.Collectors.Airflow;
using PipelineExporter.Metrics;
using PipelineExporter.Sources.Airflow;
using PipelineExporter.State;
using PipelineExporter.Tests.Sources.Airflow;

namespace PipelineExporter.Tests.Collectors.Airflow;

/// <summary>Health, pools and DAGs: what an Airflow is, rather than what it did.</summary>
public sealed class AirflowStateTests
{
    [Fact]
    public async Task Health_tells_which_components_are_well_and_leaves_out_those_that_were_never_started()
    {
        var gauges = await HealthOf("3", "fresh.health", "3.3.2");

        Assert.Equal(["airflow_component_healthy metadatabase 1", "airflow_component_healthy scheduler 0", "airflow_environment_info URL 3.3.2 1"], gauges);
    }

    [Fact]
    public async Task A_database_that_is_down_makes_all_components_unhealthy()
    {
        var gauges = await HealthOf("2.11", "health.database_down", "2.11.2");

        Assert.Equal(
            [
                "airflow_component_healthy dag_processor 0", "airflow_component_healthy metadatabase 0", "airflow_component_healthy scheduler 0",
                "airflow_component_healthy triggerer 0", "airflow_environment_info URL 2.11.2 1",
            ],
            gauges);
    }

    [Fact]
    public async Task Heartbeats_are_instants()
    {
        var gauges = await HealthOf("3", "health", "3.3.2");

        Assert.Contains("airflow_component_heartbeat_timestamp_seconds scheduler 1795415747.058897", gauges);
        Assert.Equal(3, gauges.Count(gauge => gauge.StartsWith("airflow_component_heartbeat", StringComparison.Ordinal)));
    }

    /// <remarks>The same run, seen by REST v1 and then by v2, is one event.</remarks>
    [Fact]
    public async Task An_upgrade_from_2_to_3_is_noticed_and_nothing_is_counted_again()
    {
        var three = false;
        await using var server = await FakeAirflow.StartAsync(context =>
        {
            var path = context.Request.Path.Value!;
            if (path.StartsWith("/api/v2", StringComparison.Ordinal) != three)
                return FakeAirflow.WriteAsync(context, 404, "application/json", "{}");
            var body = path.EndsWith("/version", StringComparison.Ordinal) ? $$"""{"version":"{{(three ? "3.3.2" : "2.11.2")}}"}"""
                : path.EndsWith("/health", StringComparison.Ordinal) ? """{"scheduler":{"status":"healthy"}}"""
                : path.EndsWith("/dagRuns", StringComparison.Ordinal) && context.Request.Query["state"].Count == 0
                    ? new JsonObject { ["dag_runs"] = new JsonArray(Run(three)), ["total_entries"] = 1 }.ToJsonString()
                : path.EndsWith("/taskInstances", StringComparison.Ordinal) && context.Request.Query.ContainsKey("updated_at_gte")
                    ? new JsonObject { ["task_instances"] = new JsonArray(Instance(three)), ["total_entries"] = 1 }.ToJsonString()
                : """{"dag_runs":[],"task_instances":[],"total_entries":0}""";
            return FakeAirflow.WriteAsync(context, 200, "application/json", body, Rows.Noon + TimeSpan.FromMinutes(three ? 5 : 1));
        });
        using var exporter = new ReplayedExporter(server.Url);
        await exporter.PollAsync(Rows.Noon + TimeSpan.FromMinutes(1), "airflow_health", "airflow_runs", "airflow_tasks");

        three = true;
        foreach (var name in new[] { "airflow_runs", "airflow_tasks" })
            await Assert.ThrowsAsync<AirflowException>(() => exporter.PollAsync(Rows.Noon + TimeSpan.FromMinutes(4), name));
        await exporter.PollAsync(Rows.Noon + TimeSpan.FromMinutes(5), "airflow_health", "airflow_runs", "airflow_tasks");

        Assert.Contains($"airflow_environment_info {server.Url.ToString().TrimEnd('/')} 3.3.2", exporter.Gauges["airflow_health"].Keys);
        Assert.Empty(exporter.Counted(RunMetrics.Finished)); // known since the first poll, under one key for both
        Assert.Empty(exporter.Counted(TaskMetrics.Tries));

        static JsonNode Run(bool three) => JsonNode.Parse($$"""
            {"dag_id":"music","dag_run_id":"scheduled__1","run_type":"scheduled","state":"success","start_date":"2026-11-23T12:00:00.5{{(three ? "Z" : "00000+00:00")}}","end_date":"2026-11-23T12:02:00{{(three ? "Z" : "+00:00")}}"}
            """)!;

        static JsonNode Instance(bool three) => JsonNode.Parse($$"""
            {"dag_id":"music","dag_run_id":"scheduled__1","task_id":"load","map_index":-1,"try_number":1,"max_tries":0,"state":"success","start_date":"2026-11-23T12:00:00{{(three ? "Z" : "+00:00")}}","end_date":"2026-11-23T12:02:00{{(three ? "Z" : "+00:00")}}"}
            """)!;
    }

    [Fact]
    public async Task DAGs_tell_whether_they_are_paused_and_let_their_runs_counters_be_born_at_zero()
    {
        await using var server = await ReplayServer.StartAsync("2.11");
        using var exporter = new ReplayedExporter(server.Url);

        await exporter.PollAsync(server.Date, "airflow_dags");

        Assert.Equal(24, exporter.Gauges["airflow_dags"].Keys.Count(gauge => gauge.StartsWith("airflow_dag_paused", StringComparison.Ordinal)));
        Assert.Equal(
            ["airflow_dag_paused paused_after_three_failures", "airflow_dag_paused paused_dag"],
            exporter.Gauges["airflow_dags"].Where(gauge => gauge is { Value: 1 } && gauge.Key.StartsWith("airflow_dag_paused", StringComparison.Ordinal)).Select(gauge => gauge.Key));
        var born = exporter.Series(RunMetrics.Finished).Select(series => string.Join(' ', series.Labels)).ToHashSet();
        Assert.Superset(
            new HashSet<string>
            {
                "music_streaming_validation scheduled success", "music_streaming_validation scheduled failed", "music_streaming_validation manual failed",
                "timedelta_schedule scheduled failed", "music_streaming_kpi_computation dataset_triggered failed", "long_running manual failed",
            },
            born);
        Assert.DoesNotContain("long_running scheduled failed", born);
        Assert.DoesNotContain("music_streaming_kpi_computation scheduled failed", born);
    }

    [Fact]
    public async Task DAGs_of_Airflow_3_are_born_by_their_time_tables()
    {
        await using var server = await ReplayServer.StartAsync("3");
        using var exporter = new ReplayedExporter(server.Url);

        await exporter.PollAsync(server.Date, "airflow_dags");

        var born = exporter.Series(RunMetrics.Finished).Select(series => string.Join(' ', series.Labels)).ToHashSet();
        Assert.Superset(
            new HashSet<string>
            {
                "music_streaming_validation scheduled failed", "média_tägliche-abrechnung.v2 scheduled success",
                "music_streaming_kpi_computation asset_triggered failed", "music_streaming_dynamodb_load manual failed", "awkward.continuous scheduled failed",
            },
            born);
        Assert.DoesNotContain("music_streaming_dynamodb_load scheduled failed", born);
    }

    /// <summary>Only one collector may publish a family of a source; another may let it be born.</summary>
    [Fact]
    public async Task No_two_collectors_publish_the_same_family()
    {
        await using var server = await ReplayServer.StartAsync("3");
        using var exporter = new ReplayedExporter(server.Url);

        Assert.Distinct(exporter.Collectors.SelectMany(collector => collector.Metrics).Select(metric => metric.Name));
        Assert.Equal(
            ["airflow_dags", "airflow_health", "airflow_import_errors", "airflow_pools", "airflow_runs", "airflow_tasks"], exporter.Collectors.Select(collector => collector.Name).Order());
    }

    [Fact]
    public async Task The_reason_why_unlimited_pools_are_missing_is_logged_once()
    {
        await using var server = await FakeAirflow.StartAsync(context => context.Request.Path.Value switch
        {
            "/api/v2/version" => (404, ""),
            "/api/v1/version" => (200, """{"version":"2.11.2"}"""),
            _ when context.Request.Query["limit"] == "1" => (200, """{"pools":[{"name":"default_pool","slots":128,"open_slots":120}],"total_entries":2}"""),
            _ => (500, """{"title":"Response body does not conform to specification"}"""),
        });
        var lines = new List<string>();
        var time = new FakeTimeProvider(Rows.Noon);
        var directory = Directory.CreateTempSubdirectory("pools-").FullName;
        using var logs = LoggerFactory.Create(builder => builder.AddProvider(new Lines(lines)));
        using (var ledger = new Ledger(StateFile.Open(directory, time, logs.CreateLogger("state")), new ScrapeLog(), time, LedgerOptions.Default))
        {
            var collection = new AirflowCollection(
                new AirflowEndpoint("production", server.Url, null), [new("team", "data")], TimeSpan.FromSeconds(30), TimeSpan.FromHours(1));
            var collectors = AirflowCollectors.For(collection, new CollectorContext(ledger, time, logs, (_, _) => { }));
            var pools = collectors.Single(collector => collector.Name == "airflow_pools");
            for (var i = 0; i < 5; i++)
            {
                var sink = new MetricSink(pools.Identity!.Labels, [.. pools.Metrics], 100);
                (await pools.FetchAsync(default)).Write(sink);
                Assert.Equal(7, sink.Count);
            }
            Assert.Equal(["environment=production", "team=data"], pools.Identity!.Labels.Select(label => $"{label.Key}={label.Value}"));
        }
        Directory.Delete(directory, recursive: true);

        Assert.StartsWith("airflow/production: Airflow 2 answers 500 to a list of pools that holds one with unlimited slots (-1), and there are 1 such pools.", Assert.Single(lines));
    }

    [Fact]
    public async Task Unlimited_pools_of_Airflow_2_are_told_by_the_task_instances_in_them()
    {
        await using var server = await ListServer.StartAsync("2.11.2");
        using var exporter = new ReplayedExporter(server.Url);
        server.Pools = [Pool("default_pool", 128), Pool("boundless", -1), Pool("glue_pool", 8)];
        server.Instances = [In("boundless", "running", 2, "a"), In("boundless", "running", 1, "b"), In("boundless", "queued", 1, "c"), In("default_pool", "running", 1, "d")];

        await exporter.PollAsync(Rows.Noon, "airflow_tasks");
        await exporter.PollAsync(Rows.Noon, "airflow_pools");

        var gauges = exporter.Gauges["airflow_pools"];
        Assert.Equal(128, gauges["airflow_pool_slots_limit default_pool"]);
        Assert.Equal(8, gauges["airflow_pool_slots_limit glue_pool"]);
        Assert.Equal((double.PositiveInfinity, double.PositiveInfinity), (gauges["airflow_pool_slots_limit boundless"], gauges["airflow_pool_slots boundless open"]));
        Assert.Equal((3, 1, 4), (gauges["airflow_pool_slots boundless running"], gauges["airflow_pool_slots boundless queued"], gauges["airflow_pool_slots boundless occupied"]));

        static JsonNode Pool(string name, int slots) => new JsonObject { ["name"] = name, ["slots"] = slots, ["open_slots"] = slots };

        static JsonNode In(string pool, string state, int slots, string task)
        {
            var row = Rows.Instance(state, 1, start: -1, task: task);
            (row["pool"], row["pool_slots"]) = (pool, slots);
            return row;
        }
    }

    private static async Task<List<string>> HealthOf(string folder, string fixture, string version)
    {
        var health = await File.ReadAllTextAsync(Path.Combine(Recording.Root, folder, fixture + ".json"));
        await using var server = await FakeAirflow.StartAsync(context => context.Request.Path.Value switch
        {
            "/api/v2/version" when version[0] == '2' => (404, ""),
            "/api/v2/version" or "/api/v1/version" => (200, $$"""{"version":"{{version}}"}"""),
            "/api/v2/monitor/health" or "/api/v1/health" => (200, health),
            _ => (500, ""),
        });
        using var exporter = new ReplayedExporter(server.Url);
        await exporter.PollAsync(exporter.Time.GetUtcNow(), "airflow_health");
        return [.. exporter.Gauges["airflow_health"].Select(gauge => $"{gauge.Key} {gauge.Value}".Replace(server.Url.ToString().TrimEnd('/'), "URL"))];
    }

    private sealed class Lines(List<string> lines) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Add(formatter(state, exception));

        public void Dispose()
        {
        }
    }
}
