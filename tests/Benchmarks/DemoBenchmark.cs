using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace PipelineExporter.Benchmarks;

/// <summary>The real program's demo: how soon it serves metrics, and the memory it then takes.</summary>
internal static class DemoBenchmark
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Run = TimeSpan.FromSeconds(30);

    /// <param name="program">A built pipeline-exporter; the Release build of this checkout unless given.</param>
    public static async Task<int> RunAsync(string? program)
    {
        program ??= Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../Exporter/release/pipeline-exporter"));
        var url = new Uri($"http://127.0.0.1:{FreePort()}/");
        var start = new ProcessStartInfo(program, ["demo", $"--web.listen-address={url.Authority}", $"--simulator.listen-address=127.0.0.1:{FreePort()}"])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        var started = TimeProvider.System.GetTimestamp();
        using var demo = Process.Start(start)!;
        demo.OutputDataReceived += (_, _) => { };
        demo.ErrorDataReceived += (_, _) => { };
        demo.BeginOutputReadLine();
        demo.BeginErrorReadLine();
        try
        {
            using var http = new HttpClient { BaseAddress = url };
            var up = await AnswersAsync(http, "metrics", demo, started);
            var ready = await AnswersAsync(http, "-/ready", demo, started);
            var report = new Report();
            report.Line("demo: from the start of the process until /metrics answers", up.TotalSeconds, "s");
            report.Line("demo: from then until every collector has run", (ready - up).TotalSeconds, "s", atMost: 3);
            report.Line("demo: resident memory then, simulator included", Report.MemoryMiB("VmRSS", demo.Id), "MiB");
            await Task.Delay(Run, TimeProvider.System);
            report.Line($"demo: resident memory after {Run.TotalSeconds:0} s", Report.MemoryMiB("VmRSS", demo.Id), "MiB");
            report.Line("demo: peak resident memory", Report.MemoryMiB("VmHWM", demo.Id), "MiB");
            return report.ExitCode;
        }
        finally
        {
            if (!demo.HasExited)
                demo.Kill();
            await demo.WaitForExitAsync();
        }
    }

    private static async Task<TimeSpan> AnswersAsync(HttpClient http, string path, Process demo, long started)
    {
        while (TimeProvider.System.GetElapsedTime(started) < Patience)
        {
            if (demo.HasExited)
                throw new InvalidOperationException($"the demo ended with code {demo.ExitCode}");
            try
            {
                using var response = await http.GetAsync(new Uri(path, UriKind.Relative));
                if (response.IsSuccessStatusCode)
                    return TimeProvider.System.GetElapsedTime(started);
            }
            catch (HttpRequestException)
            {
                // Not listening yet.
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        }

        throw new TimeoutException($"{path} did not answer within {Patience}");
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
