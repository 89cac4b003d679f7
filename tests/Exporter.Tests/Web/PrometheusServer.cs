using System.Globalization;
using System.Text.Json;
using PipelineExporter.Stack.Tests.Tools;

namespace PipelineExporter.Tests.Web;

/// <summary>A real Prometheus that scrapes every second.</summary>
internal sealed class PrometheusServer : IAsyncDisposable
{
    private readonly TemporaryDirectory files;
    private readonly RunningProcess program;
    private readonly HttpClient http;

    private PrometheusServer(TemporaryDirectory files, RunningProcess program, Uri url)
    {
        (this.files, this.program) = (files, program);
        http = new() { BaseAddress = url };
    }

    /// <param name="ports">Of 127.0.0.1, each a target of the job <c>pipeline-exporter</c>.</param>
    public static async Task<PrometheusServer> StartAsync(params int[] ports)
    {
        var folder = new TemporaryDirectory();
        var port = Port.Free();
        await File.WriteAllTextAsync(
            folder.File("prometheus.yml"),
            $$"""
            global: { scrape_interval: 1s, scrape_timeout: 1s }
            scrape_configs:
              - job_name: pipeline-exporter
                static_configs: [{ targets: [{{string.Join(", ", ports.Select(target => $"'127.0.0.1:{target}'"))}}] }]
            """);
        var url = new Uri($"http://127.0.0.1:{port}/");
        var process = await RunningProcess.StartAsync(
            "prometheus",
            [
                $"--config.file={folder.File("prometheus.yml")}",
                $"--storage.tsdb.path={folder.File("data")}",
                $"--web.listen-address=127.0.0.1:{port}",
            ],
            new Uri(url, "-/ready"));
        return new(folder, process, url);
    }

    /// <summary>The samples that a query answers with: labels as Prometheus has them, and the value.</summary>
    public async Task<IReadOnlyList<(Dictionary<string, string> Labels, double Value)>> QueryAsync(string query)
    {
        await using var answer = await http.GetStreamAsync(
            new Uri($"api/v1/query?query={Uri.EscapeDataString(query)}", UriKind.Relative), TestContext.Current.CancellationToken);
        using var json = await JsonDocument.ParseAsync(answer, cancellationToken: TestContext.Current.CancellationToken);
        return
        [
            .. json.RootElement.GetProperty("data").GetProperty("result").EnumerateArray().Select(sample => (
                sample.GetProperty("metric").EnumerateObject().ToDictionary(label => label.Name, label => label.Value.GetString()!),
                double.Parse(
                    sample.GetProperty("value")[1].GetString()!.Replace("Inf", "Infinity", StringComparison.Ordinal), CultureInfo.InvariantCulture))),
        ];
    }

    /// <summary>Asks again and again until the answer is as expected; the test fails when it is not within a minute.</summary>
    public async Task WaitForAsync(string query, Func<IReadOnlyList<double>, bool> expected)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var values = (await QueryAsync(query)).Select(sample => sample.Value).ToList();
            if (expected(values))
                return;
            if (TimeProvider.System.GetElapsedTime(started) > TimeSpan.FromMinutes(1))
                Assert.Fail($"After a minute, {query} is still [{string.Join(", ", values)}]");
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, TestContext.Current.CancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await program.DisposeAsync();
        files.Dispose();
    }
}
