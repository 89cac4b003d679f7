using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using PipelineExporter.Commands;

namespace PipelineExporter.Tests.Commands;

/// <summary>The program itself, as a process.</summary>
public sealed class ProgramTests : IDisposable
{
    private readonly List<Process> started = [];
    private readonly string directory = Directory.CreateTempSubdirectory("pipeline-exporter-test-").FullName;

    public ProgramTests() => File.WriteAllText(Configuration, "aws: [{ region: eu-west-1, endpoint_url: \"http://127.0.0.1:1\", glue: {} }]\n");

    private string Configuration => Path.Combine(directory, "exporter.yml");

    private CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        foreach (var process in started)
        {
            if (!process.HasExited)
                process.Kill();
            process.WaitForExit();
            process.Dispose();
        }

        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public async Task It_checks_a_configuration()
    {
        var (code, output, error) = await EndAsync("check-config", "--config.file=exporter.yml");

        Assert.Equal((0, "exporter.yml: valid: aws/eu-west-1\n", ""), (code, output, error));
    }

    [Fact]
    public async Task It_reports_a_bad_configuration_and_stops()
    {
        await File.WriteAllTextAsync(Configuration, "aws: [{ regoin: x }", Cancellation);

        var (code, output, error) = await EndAsync("--config.file=exporter.yml", "--web.listen-address=127.0.0.1:0");

        Assert.Equal((2, "", "exporter.yml:2: is not YAML: While parsing a flow sequence, did not find expected ',' or ']'\n"), (code, output, error));
    }

    [Fact]
    public async Task It_runs_by_default_until_it_is_told_to_stop_and_owns_its_state_meanwhile()
    {
        var first = Start("--config.file=exporter.yml", "--web.listen-address=127.0.0.1:0", "--log.format=json");
        var address = await AddressAsync(first);
        using var http = new HttpClient();
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync(new Uri(address, "/-/healthy"), Cancellation)).StatusCode);

        var sameAddress = await EndAsync("run", $"--web.listen-address={address.Authority}", "--storage.path=other");
        Assert.Equal(
            (2, "", $"pipeline-exporter: cannot listen on {address.Authority}: it is in use; choose another with --web.listen-address\n"),
            sameAddress);
        var sameState = await EndAsync("run", "--web.listen-address=127.0.0.1:0");
        Assert.Equal((2, ""), (sameState.Code, sameState.Output));
        Assert.Matches(@"^pipeline-exporter: [^\n]*data: in use by another exporter[^\n]*\n$", sameState.Error);

        Assert.Equal(0, await TerminateAsync(first));
    }

    [Fact]
    public async Task It_says_in_one_line_that_the_state_cannot_be_written()
    {
        var (code, output, error) = await EndAsync("--web.listen-address=127.0.0.1:0", "--storage.path=/proc/nowhere");

        Assert.Equal((2, ""), (code, output));
        Assert.Matches(@"^pipeline-exporter: [^\n]*/proc/nowhere[^\n]*--storage\.path[^\n]*\n$", error);
    }

    [Fact]
    public async Task The_demo_says_where_to_look_and_leaves_nothing_behind()
    {
        // The mail inbox moves with the simulator: these two flags are enough beside another demo.
        var demo = Start("demo", "--web.listen-address=127.0.0.1:0", "--simulator.listen-address=127.0.0.1:0");
        var guide = new List<string>();
        while (await demo.StandardOutput.ReadLineAsync(Cancellation) is { } line && !line.Contains("Ctrl+C", StringComparison.Ordinal))
            guide.Add(line);

        using var http = new HttpClient();
        foreach (var page in (string[])["Metrics", "Status", "Simulator", "Inboxes"])
        {
            var url = guide.Single(l => l.TrimStart().StartsWith(page, StringComparison.Ordinal)).Split(' ')[^1];
            Assert.Equal(HttpStatusCode.OK, (await http.GetAsync(new Uri(url), Cancellation)).StatusCode);
        }

        // As the guide says it to a shell.
        var curl = guide.Single(l => l.Contains("curl -d", StringComparison.Ordinal)).Trim();
        using var shell = Process.Start("sh", ["-c", $"{curl} --fail --silent --output {directory}/answer"]);
        await shell.WaitForExitAsync(Cancellation);
        Assert.Equal(0, shell.ExitCode);

        var state = Directory.EnumerateDirectories(directory, "pipeline-exporter-demo-*").ToList();
        Assert.Single(state);
        Assert.Equal(0, await TerminateAsync(demo));
        Assert.False(Directory.Exists(state[0]));
    }

    [Fact]
    public async Task A_demo_that_is_stopped_while_it_starts_leaves_nothing_behind_either()
    {
        var demo = Start("demo", "--web.listen-address=127.0.0.1:0", "--simulator.listen-address=127.0.0.1:0");
        while (!Directory.EnumerateDirectories(directory, "pipeline-exporter-demo-*").Any())
        {
            Assert.False(demo.HasExited);
            await Task.Delay(TimeSpan.FromMilliseconds(5), Cancellation);
        }

        Assert.Equal(0, await TerminateAsync(demo));
        Assert.Empty(Directory.EnumerateDirectories(directory, "pipeline-exporter-demo-*"));
    }

    [Fact]
    public async Task The_demo_names_the_simulators_flags_when_its_address_is_in_use()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();

        var (code, output, error) = await EndAsync(
            "demo", "--web.listen-address=127.0.0.1:0", $"--simulator.listen-address={taken.LocalEndpoint}", "--simulator.smtp-listen-address=127.0.0.1:0");

        Assert.Equal((2, ""), (code, output));
        Assert.Equal(
            $"pipeline-exporter: the simulator cannot listen on {taken.LocalEndpoint} and 127.0.0.1:0: it is in use; "
            + "choose others with --simulator.listen-address and --simulator.smtp-listen-address\n", error);
    }

    private Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(CommandLine).Assembly.Location, .. arguments])
        {
            WorkingDirectory = directory,
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["TMPDIR"] = directory;
        var process = Process.Start(start)!;
        started.Add(process);
        return process;
    }

    private async Task<(int Code, string Output, string Error)> EndAsync(params string[] arguments)
    {
        var process = Start(arguments);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        limit.CancelAfter(TimeSpan.FromSeconds(60));
        var output = process.StandardOutput.ReadToEndAsync(limit.Token);
        var error = process.StandardError.ReadToEndAsync(limit.Token);
        await process.WaitForExitAsync(limit.Token);
        return (process.ExitCode, await output, await error);
    }

    /// <summary>From the line that says where it listens.</summary>
    private async Task<Uri> AddressAsync(Process process)
    {
        while (await process.StandardError.ReadLineAsync(Cancellation) is { } line)
        {
            using var json = System.Text.Json.JsonDocument.Parse(line);
            if (json.RootElement.TryGetProperty("address", out var address))
            {
                _ = process.StandardError.BaseStream.CopyToAsync(Stream.Null, Cancellation);
                return new Uri(address.GetString()!);
            }
        }

        throw new InvalidOperationException("it ended without a word about its address");
    }

    private async Task<int> TerminateAsync(Process process)
    {
        using (var kill = Process.Start("kill", ["-TERM", $"{process.Id}"]))
            await kill.WaitForExitAsync(Cancellation);
        await process.WaitForExitAsync(Cancellation);
        return process.ExitCode;
    }
}
