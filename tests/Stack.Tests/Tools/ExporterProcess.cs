using System.Diagnostics;

namespace PipelineExporter.Stack.Tests.Tools;

/// <summary>The exporter's program on a free port, with a configuration and a state directory of its own.</summary>
internal sealed class ExporterProcess : IAsyncDisposable
{
    /// <summary>The program that was built with this test, in the same configuration.</summary>
    public static readonly string Program = Repository.File(
        "artifacts", "bin", "Exporter", Path.GetFileName(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar)), "pipeline-exporter.dll");

    /// <summary>What a configuration for the simulator needs: AWS's keys, and AIRFLOW_PASSWORD for a password_env.</summary>
    public static readonly IReadOnlyDictionary<string, string?> SimulatorSecrets = new Dictionary<string, string?>
    {
        ["AIRFLOW_PASSWORD"] = "simulator-password",
        ["AWS_ACCESS_KEY_ID"] = "SIMULATOR",
        ["AWS_SECRET_ACCESS_KEY"] = "simulator-secret",
    };

    private readonly HttpClient http;
    private readonly RunningProcess process;

    private ExporterProcess(RunningProcess process, Uri address) => (this.process, http) = (process, new HttpClient { BaseAddress = address });

    public Uri Address => http.BaseAddress!;

    /// <summary>Each line that it wrote so far.</summary>
    public IReadOnlyList<string> Log => process.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Returns once every collector has run, or failed, once.</summary>
    /// <param name="directory">Where exporter.yml is, and the state goes.</param>
    public static async Task<ExporterProcess> StartAsync(
        TemporaryDirectory directory, IReadOnlyDictionary<string, string?>? environment = null, params IEnumerable<string> flags)
    {
        var address = new Uri($"http://127.0.0.1:{Port.Free()}");
        var started = await RunningProcess.StartAsync(
            "dotnet", [Program, $"--web.listen-address={address.Authority}", "--storage.path=state", .. flags],
            new Uri(address, "-/ready"), directory.Path, environment);
        return new ExporterProcess(started, address);
    }

    /// <summary>Scrapes it.</summary>
    public async Task<MetricsPage> ScrapeAsync()
    {
        var started = Stopwatch.GetTimestamp();
        var text = await PageAsync("metrics");
        return new MetricsPage(text, Stopwatch.GetElapsedTime(started), TimeProvider.System.GetUtcNow());
    }

    public Task<string> PageAsync(string path) => http.GetStringAsync(path, TestContext.Current.CancellationToken);

    public Task<int> StopAsync() => process.StopAsync();

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await process.DisposeAsync();
    }
}
