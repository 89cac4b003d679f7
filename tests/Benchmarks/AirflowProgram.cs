using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace PipelineExporter.Benchmarks;

/// <summary>A program of this checkout that serves HTTP, as a process of its own.</summary>
internal sealed class AirflowProgram : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private readonly Process process;

    private AirflowProgram(Process process, Uri address)
    {
        (this.process, Address) = (process, address);
        Http = new HttpClient(new SocketsHttpHandler { AutomaticDecompression = DecompressionMethods.All }) { BaseAddress = address };
    }

    public Uri Address { get; }

    public HttpClient Http { get; }

    public int ProcessId => process.Id;

    /// <summary>On all its threads, since it started.</summary>
    public TimeSpan Cpu
    {
        get
        {
            process.Refresh();
            return process.TotalProcessorTime;
        }
    }

    /// <summary>Starts the program, and returns once <paramref name="path"/> answers with success.</summary>
    public static async Task<AirflowProgram> StartAsync(
        string program, Func<Uri, IEnumerable<string>> arguments, string path, params (string Name, string Value)[] environment)
    {
        var address = new Uri($"http://127.0.0.1:{FreePort()}/");
        var start = new ProcessStartInfo(program, arguments(address)) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        var started = new AirflowProgram(Process.Start(start)!, address);
        started.process.OutputDataReceived += (_, _) => { };
        started.process.ErrorDataReceived += (_, line) => ShowProblem(line.Data);
        started.process.BeginOutputReadLine();
        started.process.BeginErrorReadLine();
        try
        {
            await started.AnswersAsync(path);
            return started;
        }
        catch
        {
            await started.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        if (!process.HasExited)
            await Report.RunAsync("kill", "-TERM", $"{process.Id}"); // the state file is closed properly
        await process.WaitForExitAsync();
        process.Dispose();
    }

    private static void ShowProblem(string? line)
    {
        if (line is not null && !line.Contains("level=info", StringComparison.Ordinal))
            Console.WriteLine(line);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private async Task AnswersAsync(string path)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(started) < Patience)
        {
            if (process.HasExited)
                throw new InvalidOperationException($"{process.StartInfo.FileName} ended with code {process.ExitCode}");
            try
            {
                using var response = await Http.GetAsync(new Uri(path, UriKind.Relative));
                if (response.IsSuccessStatusCode)
                    return;
            }
            catch (HttpRequestException)
            {
                // Not listening yet.
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        }

        throw new TimeoutException($"{path} did not answer within {Patience}");
    }
}
