using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace PipelineExporter.Stack.Tests.Tools;

/// <summary>A server that runs for the length of a test. It is ended by its own id.</summary>
internal sealed class RunningProcess : IAsyncDisposable
{
    private const int SigTerm = 15;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Process process;
    private readonly StringBuilder output = new();

    private RunningProcess(ProcessStartInfo start)
    {
        process = new Process { StartInfo = start };
        process.OutputDataReceived += Keep;
        process.ErrorDataReceived += Keep;
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public int Id => process.Id;

    public bool HasExited => process.HasExited;

    /// <summary>What it has written so far, to standard output and error.</summary>
    public string Output
    {
        get
        {
            lock (output)
                return output.ToString();
        }
    }

    /// <summary>Starts a program and returns once <paramref name="readyUrl"/> answers with success.</summary>
    /// <exception cref="InvalidOperationException">It ended before, or was not ready in time; with what it wrote.</exception>
    public static async Task<RunningProcess> StartAsync(
        string program,
        IEnumerable<string> arguments,
        Uri readyUrl,
        string? workingDirectory = null,
        IReadOnlyDictionary<string, string?>? environment = null)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = workingDirectory ?? Repository.Root,
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string?>())
            start.Environment[name] = value;

        var running = new RunningProcess(start);
        try
        {
            await running.WaitUntilReadyAsync(readyUrl);
            return running;
        }
        catch
        {
            await running.DisposeAsync();
            throw;
        }
    }

    /// <summary>Asks it to end, as an orchestrator does, and waits. Returns its exit code.</summary>
    public async Task<int> StopAsync()
    {
        if (!process.HasExited && Kill(process.Id, SigTerm) != 0 && !process.HasExited)
            throw new InvalidOperationException($"Could not signal process {process.Id}: errno {Marshal.GetLastPInvokeError()}.");
        using var limit = Limit();
        await process.WaitForExitAsync(limit.Token);
        return process.ExitCode;
    }

    /// <summary>Ends it without a chance to clean up.</summary>
    public async Task KillAsync()
    {
        process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited)
            await KillAsync();
        process.Dispose();
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int processId, int signal);

    private static CancellationTokenSource Limit()
    {
        var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Patience);
        return limit;
    }

    private async Task WaitUntilReadyAsync(Uri url)
    {
        using var http = new HttpClient();
        using var limit = Limit();
        while (true)
        {
            try
            {
                using var response = await http.GetAsync(url, limit.Token);
                if (response.IsSuccessStatusCode)
                    return;
            }
            catch (HttpRequestException) when (!process.HasExited)
            {
                // Not listening yet.
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
            {
                throw new InvalidOperationException($"{Describe()} was not ready at {url}. It wrote:\n{Output}", e);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, CancellationToken.None);
        }
    }

    private string Describe() =>
        $"{process.StartInfo.FileName} {string.Join(' ', process.StartInfo.ArgumentList)}{(process.HasExited ? $" ended with code {process.ExitCode} and" : "")}";

    private void Keep(object sender, DataReceivedEventArgs e)
    {
        if (e.Data is null)
            return;
        lock (output)
            output.AppendLine(e.Data);
    }
}
