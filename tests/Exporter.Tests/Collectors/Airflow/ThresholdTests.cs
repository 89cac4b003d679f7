using CsCheck;
using PipelineExporter.Collectors.Airflow;
using static PipelineExporter.Tests.Collectors.Airflow.Rows;

namespace PipelineExporter.Tests.Collectors.Airflow;

/// <summary>Runs and tries that take too long: each is counted once, when it crosses its threshold or ends beyond it.</summary>
public sealed class ThresholdTests
{
    private static readonly AirflowThresholds Thresholds = new(
        dag => dag == "endless" ? null : TimeSpan.FromHours(2),
        (_, task, isSensor) => task == "slow_by_design" ? TimeSpan.FromHours(1) : isSensor ? null : TimeSpan.FromMinutes(30),
        _ => null);

    [Fact]
    public async Task A_live_run_is_counted_when_it_crosses_and_not_again_when_it_ends_or_the_exporter_restarts()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = Exporter(server);
        await RunsAsync(server, exporter, 0);

        await RunsAsync(server, exporter, 119, Run("running", start: -0.5));
        Assert.Empty(exporter.Counted(RunMetrics.OverThreshold));
        await RunsAsync(server, exporter, 120, Run("running", start: -0.5));
        Assert.Equal(1, exporter.Counted(RunMetrics.OverThreshold)["music"]);
        exporter.Restart();
        await RunsAsync(server, exporter, 121, Run("running", start: -0.5));
        await RunsAsync(server, exporter, 122, Run("success", start: -0.5, end: 121.5));

        Assert.Equal(1, exporter.Counted(RunMetrics.OverThreshold)["music"]);
        Assert.Equal(7200, exporter.Gauges["airflow_runs"]["airflow_dag_run_duration_threshold_seconds music"]);
    }

    [Fact]
    public async Task A_cleared_run_that_is_slow_again_is_another_one()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = Exporter(server);
        await RunsAsync(server, exporter, 0);
        await RunsAsync(server, exporter, 122, Run("failed", start: 1, end: 121.5));
        await RunsAsync(server, exporter, 250, Run("success", start: 123, end: 249));

        Assert.Equal(2, exporter.Counted(RunMetrics.OverThreshold)["music"]);
    }

    [Fact]
    public async Task A_DAG_without_a_threshold_is_never_over_it()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = Exporter(server);
        await RunsAsync(server, exporter, 0);
        await RunsAsync(server, exporter, 900, Run("running", start: 1, dag: "endless"));

        Assert.Empty(exporter.Counted(RunMetrics.OverThreshold));
        Assert.DoesNotContain(exporter.Gauges["airflow_runs"].Keys, gauge => gauge.StartsWith("airflow_dag_run_duration_threshold_seconds endless", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_was_too_slow_before_the_first_poll_is_known_and_not_counted()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = Exporter(server);
        await RunsAsync(server, exporter, 0, Run("running", start: -300));
        await TasksAsync(server, exporter, 0, Instance("running", 1, start: -300));
        await RunsAsync(server, exporter, 5, Run("success", start: -300, end: 4));
        await TasksAsync(server, exporter, 5, Instance("success", 1, start: -300, end: 4));

        Assert.Empty(exporter.Counted(RunMetrics.OverThreshold));
        Assert.Empty(exporter.Counted(TaskMetrics.OverThreshold));
    }

    [Fact]
    public Task A_try_is_counted_once_exactly_when_it_took_longer_however_polls_fall() =>
        Gen.Select(Gen.Int[29 * 60, 31 * 60], Gen.Int[5, 120], Gen.Int[0, 119], Gen.Bool).SampleAsync(
            async (seconds, interval, phase, restarts) =>
            {
                await using var server = await ListServer.StartAsync("3.3.2");
                using var exporter = Exporter(server);
                await TasksAsync(server, exporter, -1);
                var (start, end) = (5d, 5 + (seconds / 60d));
                for (var second = (25 * 60) + phase; second < (40 * 60) + phase; second += interval)
                {
                    var minute = second / 60d;
                    if (restarts)
                        exporter.Restart();
                    await TasksAsync(server, exporter, minute, minute < end ? Instance("running", 1, start: start) : Instance("success", 1, start: start, end: end));
                }

                Assert.Equal(seconds > 30 * 60 ? 1 : 0, exporter.Counted(TaskMetrics.OverThreshold).Values.Sum());
            },
            iter: 12, threads: 2);

    [Fact]
    public async Task A_sensor_has_no_threshold_but_one_that_names_it()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = Exporter(server);
        await TasksAsync(server, exporter, 0);

        await TasksAsync(server, exporter, 62, Sensor("wait_for_files"), Sensor("slow_by_design"), Instance("running", 1, start: 1, task: "transform"));

        Assert.Equal(["music slow_by_design", "music transform"], exporter.Counted(TaskMetrics.OverThreshold).Keys);
        Assert.Equal(
            [("airflow_task_duration_threshold_seconds music slow_by_design", 3600), ("airflow_task_duration_threshold_seconds music transform", 1800)],
            exporter.Gauges["airflow_tasks"].Where(gauge => gauge.Key.Contains("threshold", StringComparison.Ordinal)).Select(gauge => (gauge.Key, gauge.Value)));

        static System.Text.Json.Nodes.JsonNode Sensor(string task)
        {
            var row = Instance("running", 1, start: 1, task: task);
            row["operator"] = "S3KeySensorAsync";
            return row;
        }
    }

    [Fact]
    public async Task The_threshold_told_of_a_sensor_is_its_own_and_goes_with_the_override()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        var forSensors = TimeSpan.FromHours(6);
        TimeSpan? Own(string task, bool isSensor) => isSensor ? forSensors > TimeSpan.Zero ? forSensors : null : TimeSpan.FromHours(1);
        using var exporter = new ReplayedExporter(server.Url, configure: settings => settings with { Thresholds = new(_ => null, (_, task, isSensor) => Own(task, isSensor), _ => null) });
        var sensor = Instance("running", 1, start: 1);
        sensor["operator"] = "FileSensor";
        await TasksAsync(server, exporter, 2, sensor);
        Assert.Equal(6 * 3600, exporter.Gauges["airflow_tasks"]["airflow_task_duration_threshold_seconds music load"]);

        forSensors = TimeSpan.Zero;
        await TasksAsync(server, exporter, 3, sensor);

        Assert.DoesNotContain("airflow_task_duration_threshold_seconds music load", exporter.Gauges["airflow_tasks"].Keys);
    }

    [Fact]
    public async Task Somebody_who_is_waited_for_is_not_slow_work()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = Exporter(server);
        await TasksAsync(server, exporter, 0);
        var approval = Instance("success", 1, start: 1, end: 200);
        approval["operator"] = "ApprovalOperator";
        await TasksAsync(server, exporter, 201, approval);

        Assert.Empty(exporter.Counted(TaskMetrics.OverThreshold));
    }

    [Fact]
    public async Task A_run_that_outlives_its_key_is_counted_once()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = Exporter(server);
        await RunsAsync(server, exporter, 0);
        const double day = 24 * 60;
        await RunsAsync(server, exporter, 200, Run("running", start: 1));
        for (var at = 1; at <= 40; at++)
            await RunsAsync(server, exporter, at * day, Run("running", start: 1));
        await RunsAsync(server, exporter, 41 * day, Run("success", start: 1, end: (41 * day) - 5));

        Assert.Equal(1, exporter.Counted(RunMetrics.OverThreshold).Values.Sum());
        Assert.Equal(1, exporter.Counted(RunMetrics.Finished)["music scheduled success"]);
    }

    [Fact]
    public async Task A_deferred_try_runs_too_and_each_try_that_is_slow_counts()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = Exporter(server);
        await TasksAsync(server, exporter, 0);
        await TasksAsync(server, exporter, 32, Instance("deferred", 1, start: 1));
        Assert.Equal((Noon + TimeSpan.FromMinutes(1)).ToUnixTimeSeconds(), exporter.Gauges["airflow_tasks"]["airflow_task_oldest_running_start_timestamp_seconds music load"]);
        await TasksAsync(server, exporter, 40, Instance("up_for_retry", 1, start: 1, end: 39));
        await TasksAsync(server, exporter, 80, Instance("queued", 2, start: 1, end: 39));
        Assert.Equal(1, exporter.Counted(TaskMetrics.OverThreshold)["music load"]);

        await TasksAsync(server, exporter, 120, Instance("failed", 2, start: 81, end: 119));

        Assert.Equal(2, exporter.Counted(TaskMetrics.OverThreshold)["music load"]);
    }

    private static ReplayedExporter Exporter(ListServer server) => new(server.Url, configure: settings => settings with { Thresholds = Thresholds });

    private static Task RunsAsync(ListServer server, ReplayedExporter exporter, double minute, params System.Text.Json.Nodes.JsonNode[] runs)
    {
        (server.Date, server.Runs) = (Noon + TimeSpan.FromMinutes(minute), [.. runs]);
        return exporter.PollAsync(server.Date, "airflow_runs");
    }

    private static Task TasksAsync(ListServer server, ReplayedExporter exporter, double minute, params System.Text.Json.Nodes.JsonNode[] instances)
    {
        (server.Date, server.Instances) = (Noon + TimeSpan.FromMinutes(minute), [.. instances]);
        return exporter.PollAsync(server.Date, "airflow_tasks");
    }
}
