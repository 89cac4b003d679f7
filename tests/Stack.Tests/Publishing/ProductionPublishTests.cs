using System.Text;
using PipelineExporter.Simulator;
using PipelineExporter.Stack.Tests.Tools;

namespace PipelineExporter.Stack.Tests.Publishing;

/// <summary>What goes to production: compiled ahead of time without a warning, and without the simulator.</summary>
public sealed class ProductionPublishTests
{
    // What each kind of client brings: Refit's JSON, the SDK's XML and JSON, roles, and CloudWatch by way of an Airflow.
    private static readonly string[] Expected =
    [
        "airflow_dag_last_run_start_timestamp_seconds", "airflow_worker_cpu_utilization_ratio", "aws_glue_job_runs_total", "aws_s3_bucket_created_timestamp_seconds",
        "aws_s3_lifecycle_transition_seconds", "aws_s3_bucket_objects", "aws_s3_first_byte_latency_seconds", "aws_dynamodb_table_items",
        "aws_dynamodb_request_latency_seconds", "aws_dynamodb_throttled_requests_last_5m",
    ];

    [Fact]
    public async Task It_compiles_natively_without_warnings_and_works_and_holds_no_simulator()
    {
        using var directory = new TemporaryDirectory();
        var target = directory.File("published");
        // Its own artifacts: this machine's build stays as it is, and every warning is said anew.
        var published = await Command.RunAsync(
            "dotnet",
            [
                "publish", Repository.File("exporter"), "-c", "Release", "--use-current-runtime", "-p:PublishAot=true", "--nologo",
                "--artifacts-path", directory.File("artifacts"), "-o", target,
            ],
            patience: TimeSpan.FromMinutes(6));
        Assert.True(published.ExitCode == 0, published.Output + published.Error);
        Assert.DoesNotContain("warning", published.Output, StringComparison.OrdinalIgnoreCase);

        Assert.DoesNotContain(Directory.EnumerateFiles(target), file => Path.GetFileName(file).Contains("Simulator", StringComparison.OrdinalIgnoreCase));
        var program = Path.Combine(target, "pipeline-exporter");
        Assert.False(Holds(program, "simulator-secret"), "the program holds the simulator's secret key");
        Assert.False(Holds(program, "/simulator/incidents"), "the program holds the simulator's paths");

        // Unpacked relocations of the type data would be 12 MiB more of resident memory.
        Assert.Contains("RELR", await Command.SucceedAsync("readelf", "--dynamic", program), StringComparison.Ordinal);

        await WorksAsync(program, directory);
    }

    // By reflection, a native program finds nothing that was not kept for it: each collector runs here as it does in production.
    private static async Task WorksAsync(string program, TemporaryDirectory directory)
    {
        await using var simulator = await SimulatorHost.StartAsync(
            new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(
            directory.File("exporter.yml"),
            $$"""
            airflow:
              - environment: gone
                url: http://127.0.0.1:1
                auth: { bearer: { token_file: token } }
              - environment: two
                url: {{simulator.Address}}airflow2
                auth: { basic: { username: exporter, password_env: AIRFLOW_PASSWORD } }
              - environment: three
                url: {{simulator.Address}}airflow3
                auth: { token: { username: exporter, password_env: AIRFLOW_PASSWORD } }
                workers:
                  cloudwatch:
                    region: eu-west-1
                    endpoint_url: {{simulator.Address}}
                    namespace: AWS/MWAA
                    dimensions: { Environment: music-streaming }
                    cluster_dimension: Cluster
            aws:
              - region: eu-west-1
                role_arn: arn:aws:iam::123456789012:role/exporter
                endpoint_url: {{simulator.Address}}
                glue: {}
                s3: {}
                dynamodb: {}
            """,
            TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(directory.File("token"), "t", TestContext.Current.CancellationToken);
        var address = new Uri($"http://127.0.0.1:{Port.Free()}/");
        await using var exporter = await RunningProcess.StartAsync(
            program, ["--config.file=exporter.yml", "--storage.path=data", $"--web.listen-address={address.Authority}"],
            new Uri(address, "-/ready"), directory.Path, ExporterProcess.SimulatorSecrets);
        using var http = new HttpClient();
        var (started, missing) = (TimeProvider.System.GetTimestamp(), Expected);
        while (true)
        {
            var page = new MetricsPage(
                await http.GetStringAsync(new Uri(address, "metrics"), TestContext.Current.CancellationToken), default, TimeProvider.System.GetUtcNow());
            // Nothing answers at port 1: its collectors fail, and hurt no other.
            var failed = page.Of("pipeline_exporter_collector_success").Where(sample => sample.Value != 1).Select(sample => sample.Labels["source"]).Distinct().ToList();
            missing = [.. Expected.Where(name => !page.Of(name).Any())];
            if (missing.Length == 0 && failed is ["airflow/gone"])
                break;
            Assert.True(
                TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromMinutes(2),
                $"Missing: {string.Join(", ", missing)}; failed: {string.Join(", ", failed)}\n{exporter.Output}");
            await Task.Delay(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken);
        }

        Assert.Equal(0, await exporter.StopAsync());
    }

    // As text in the binary: string literals are UTF-16 in a native image, resources UTF-8.
    private static bool Holds(string file, string text)
    {
        var bytes = File.ReadAllBytes(file).AsSpan();
        return bytes.IndexOf(Encoding.UTF8.GetBytes(text)) >= 0 || bytes.IndexOf(Encoding.Unicode.GetBytes(text)) >= 0;
    }
}
