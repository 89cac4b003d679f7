using System.Text;
using PipelineExporter.Stack.Tests.Tools;

namespace PipelineExporter.Stack.Tests.Publishing;

/// <summary>What goes to production: compiled ahead of time without a warning, and without the simulator.</summary>
public sealed class ProductionPublishTests
{
    [Fact]
    public async Task It_compiles_natively_without_warnings_and_starts_and_holds_no_simulator()
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

        var port = Port.Free();
        var configuration = directory.File("exporter.yml");
        await File.WriteAllTextAsync(
            configuration,
            """
            airflow:
              - environment: production
                url: http://127.0.0.1:1
                auth: { bearer: { token_file: token } }
            """,
            TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(directory.File("token"), "t", TestContext.Current.CancellationToken);
        await using var exporter = await RunningProcess.StartAsync(
            program,
            [$"--config.file={configuration}", $"--storage.path={directory.File("data")}", $"--web.listen-address=127.0.0.1:{port}"],
            new Uri($"http://127.0.0.1:{port}/-/ready"));
        using var http = new HttpClient();
        var metrics = await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/metrics"), TestContext.Current.CancellationToken);
        // Nothing answers at port 1: the collectors fail, the exporter serves.
        Assert.Contains("pipeline_exporter_collector_success{collector=\"airflow_runs\",source=\"airflow/production\"} 0", metrics, StringComparison.Ordinal);
        Assert.Equal(0, await exporter.StopAsync());
    }

    // As text in the binary: string literals are UTF-16 in a native image, resources UTF-8.
    private static bool Holds(string file, string text)
    {
        var bytes = File.ReadAllBytes(file).AsSpan();
        return bytes.IndexOf(Encoding.UTF8.GetBytes(text)) >= 0 || bytes.IndexOf(Encoding.Unicode.GetBytes(text)) >= 0;
    }
}
