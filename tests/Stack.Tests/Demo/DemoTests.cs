using System.Diagnostics;
using System.Net.Sockets;
using PipelineExporter.Stack.Tests.Tools;

namespace PipelineExporter.Stack.Tests.Demo;

/// <summary><c>pipeline-exporter demo</c>, as a newcomer runs it.</summary>
public sealed class DemoTests : IDisposable
{
    // Families that a collector has from its first collection on; by collector.
    private static readonly Dictionary<string, string[]> Always = new()
    {
        ["airflow_health"] = ["airflow_environment_info", "airflow_component_healthy", "airflow_component_heartbeat_timestamp_seconds"],
        ["airflow_pools"] = ["airflow_pool_slots", "airflow_pool_slots_limit"],
        ["airflow_dags"] = ["airflow_dag_paused"],
        ["airflow_runs"] = ["airflow_dag_runs_total", "airflow_dag_run_duration_seconds_count", "airflow_dag_failed_runs_open"],
        ["airflow_tasks"] = ["airflow_task_tries_total", "airflow_task_instances_finished_total", "airflow_task_retries_total", "airflow_task_duration_seconds_count"],
        ["glue_jobs"] = ["aws_glue_job_runs_total", "aws_glue_job_dpu_seconds_total", "aws_glue_job_run_duration_seconds_count", "aws_glue_job_last_run_duration_seconds"],
        ["s3_buckets"] = ["aws_s3_lifecycle_transition_seconds"],
        ["dynamodb_tables"] = ["aws_dynamodb_table_size_bytes", "aws_dynamodb_table_items", "aws_dynamodb_index_size_bytes"],
        ["cloudwatch_discovery"] = ["pipeline_exporter_cloudwatch_metrics"],
        ["cloudwatch"] = ["aws_glue_driver_elapsed_time_average_seconds", "aws_s3_bucket_size_bytes", "aws_s3_requests_total", "aws_dynamodb_requests_total"],
    };

    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task It_serves_complete_metrics_that_promtool_accepts_and_leaves_nothing_behind()
    {
        // How soon they are complete is for the benchmark to say: here the machine may be busy with something else.
        var complete = await MeasureAsync();

        TestContext.Current.SendDiagnosticMessage($"the demo's metrics were complete {complete.TotalSeconds:0.00} s after it was up");
    }

    [Fact]
    public async Task Two_run_side_by_side_on_other_ports_each_saying_where_to_look()
    {
        await using var first = await Demo.StartAsync(directory);
        await using var second = await Demo.StartAsync(directory);
        using var http = new HttpClient();

        foreach (var demo in (Demo[])[first, second])
        {
            await demo.CompleteAsync();
            foreach (var port in demo.Ports[..2])
                Assert.Contains($"127.0.0.1:{port}", demo.Output, StringComparison.Ordinal);
            foreach (var page in (string[])["Metrics", "Status", "Simulator", "Inboxes"])
            {
                var line = demo.Output.Split('\n').Single(line => line.TrimStart().StartsWith(page, StringComparison.Ordinal));
                (await http.GetAsync(new Uri(line.Trim().Split(' ')[^1]))).EnsureSuccessStatusCode();
            }
        }

        Assert.Equal(2, StateDirectories().Length);
        Assert.Equal(0, await first.StopAsync());
        await second.CompleteAsync();
        Assert.Equal(0, await second.StopAsync());
        Assert.Empty(StateDirectories());

        string[] StateDirectories() => Directory.GetDirectories(directory.Path);
    }

    /// <summary>Its working directory may be the root of everything: a watch of each folder takes what others need.</summary>
    [Fact]
    public async Task It_watches_no_folder()
    {
        await using var demo = await Demo.StartAsync(directory);
        await demo.CompleteAsync();

        var opened = demo.OpenFiles();

        Assert.Contains(opened, file => file.EndsWith("state.db", StringComparison.Ordinal));
        Assert.DoesNotContain(opened, file => file.Contains("inotify", StringComparison.Ordinal));
    }

    /// <summary>From the first connection that it takes to the first page on which nothing is missing.</summary>
    private async Task<TimeSpan> MeasureAsync()
    {
        await using var demo = await Demo.StartAsync(directory);
        var page = await demo.CompleteAsync();
        var complete = Stopwatch.GetElapsedTime(demo.Up);

        var file = directory.File("page");
        await File.WriteAllTextAsync(file, page.Text);
        var check = await Command.RunAsync("sh", ["-c", $"promtool check metrics < '{file}'"]);
        Assert.True(check is { ExitCode: 0, Output: "", Error: "" }, $"{check.Output}{check.Error}");
        File.Delete(file);

        Assert.Single(Directory.GetDirectories(directory.Path));
        Assert.Equal(0, await demo.StopAsync());
        Assert.Empty(Directory.GetFileSystemEntries(directory.Path));
        Assert.DoesNotContain("level=error", demo.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("level=warn", demo.Output, StringComparison.Ordinal);
        return complete;
    }

    private sealed class Demo : IAsyncDisposable
    {
        private readonly HttpClient http;
        private readonly RunningProcess process;

        private Demo(RunningProcess process, int[] ports, long up)
        {
            (this.process, Ports, Up) = (process, ports, up);
            http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{ports[0]}") };
        }

        public int[] Ports { get; }

        /// <summary>The timestamp of the first connection that it took.</summary>
        public long Up { get; }

        public string Output => process.Output;

        public IReadOnlyList<string> OpenFiles() =>
            [.. new DirectoryInfo($"/proc/{process.Id}/fd").EnumerateFileSystemInfos().Select(file => file.LinkTarget).OfType<string>()];

        public static async Task<Demo> StartAsync(TemporaryDirectory directory)
        {
            int[] ports = [Port.Free(), Port.Free(), Port.Free()];
            using var ended = new CancellationTokenSource();
            var up = FirstConnectionAsync(ports[0], ended.Token);
            try
            {
                var running = await RunningProcess.StartAsync(
                    "dotnet",
                    [
                        ExporterProcess.Program, "demo", $"--web.listen-address=127.0.0.1:{ports[0]}", $"--simulator.listen-address=127.0.0.1:{ports[1]}",
                        $"--simulator.smtp-listen-address=127.0.0.1:{ports[2]}",
                    ],
                    new Uri($"http://127.0.0.1:{ports[0]}/-/healthy"), directory.Path, new Dictionary<string, string?> { ["TMPDIR"] = directory.Path });
                return new Demo(running, ports, await up);
            }
            catch
            {
                await ended.CancelAsync();
                throw;
            }
        }

        /// <summary>The first page on which every collector succeeded and every family is that is always there.</summary>
        public async Task<MetricsPage> CompleteAsync()
        {
            while (true)
            {
                var text = await http.GetStringAsync("metrics");
                var page = new MetricsPage(text, TimeSpan.Zero, TimeProvider.System.GetUtcNow());
                var missing = Always.Where(one => page.Value("pipeline_exporter_collector_success", ("collector", one.Key)) != 1).Select(one => one.Key)
                    .Concat(Always.Values.SelectMany(names => names).Where(name => !page.Of(name).Any())).ToList();
                if (missing.Count == 0)
                    return page;
                if (Stopwatch.GetElapsedTime(Up) > TimeSpan.FromSeconds(30))
                    Assert.Fail($"Still missing 30 s after it was up: {string.Join(", ", missing)}\n{Output}");
                await Task.Delay(TimeSpan.FromMilliseconds(50));
            }
        }

        public Task<int> StopAsync() => process.StopAsync();

        public async ValueTask DisposeAsync()
        {
            http.Dispose();
            await process.DisposeAsync();
        }

        private static async Task<long> FirstConnectionAsync(int port, CancellationToken ct)
        {
            while (true)
            {
                try
                {
                    using var client = new TcpClient();
                    await client.ConnectAsync("127.0.0.1", port, ct);
                    return Stopwatch.GetTimestamp();
                }
                catch (SocketException)
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(10), ct);
                }
            }
        }
    }
}
