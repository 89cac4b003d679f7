using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace PipelineExporter.Simulator.Tests;

public sealed class SimulatorHostTests
{
    [Fact]
    public async Task Two_simulators_take_free_ports_of_their_own_on_loopback_and_end_when_told()
    {
        var options = new SimulatorOptions { ListenAddress = "127.0.0.1:0", SmtpListenAddress = "127.0.0.1:0" };
        await using var first = await SimulatorHost.StartAsync(options, CancellationToken.None);
        await using var second = await SimulatorHost.StartAsync(options, CancellationToken.None);
        Assert.NotEqual(first.Address.Port, second.Address.Port);
        Assert.True(first.Address.IsLoopback);
        Assert.NotEqual(first.SmtpEndpoint, second.SmtpEndpoint);

        using var stop = new CancellationTokenSource();
        var running = first.WaitForShutdownAsync(stop.Token);
        Assert.False(running.IsCompleted);
        await stop.CancelAsync();
        await running.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task A_port_in_use_is_an_error_that_names_it()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var options = new SimulatorOptions { ListenAddress = taken.LocalEndpoint.ToString()!, SmtpListenAddress = null };
        var error = await Assert.ThrowsAnyAsync<IOException>(() => SimulatorHost.StartAsync(options, CancellationToken.None));
        Assert.Contains(taken.LocalEndpoint.ToString()!, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("9895")]
    [InlineData("example.com:9895")]
    [InlineData("127.0.0.1:99999")]
    [InlineData("")]
    public async Task An_address_that_is_none_is_an_error_that_says_what_to_write(string address)
    {
        var error = await Assert.ThrowsAsync<FormatException>(() =>
            SimulatorHost.StartAsync(new SimulatorOptions { ListenAddress = address, SmtpListenAddress = null }, CancellationToken.None));
        Assert.Contains($"'{address}' is not a listen address", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("127.0.0.1:80", "127.0.0.1:80")]
    [InlineData(":80", "0.0.0.0:80")]
    [InlineData("localhost:80", "127.0.0.1:80")]
    [InlineData("[::1]:80", "[::1]:80")]
    public void Addresses_are_written_as_prometheus_programs_write_them(string text, string endpoint) =>
        Assert.Equal(endpoint, ListenAddress.Parse(text).ToString());

    [Theory]
    [InlineData("--colour=red")]
    [InlineData("--listen-address=nowhere")]
    [InlineData("--seed=many")]
    [InlineData("--simulator.dags=-1")]
    public async Task The_program_says_in_one_line_what_it_cannot_use_and_exits_with_2(string argument)
    {
        using var program = Start(argument);
        var errors = await program.StandardError.ReadToEndAsync();
        await program.WaitForExitAsync();
        Assert.Equal(2, program.ExitCode);
        Assert.Single(errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("pipeline-simulator: ", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_program_says_where_it_listens_and_serves()
    {
        using var program = Start("--listen-address=127.0.0.1:0", "--smtp-listen-address=", "--simulator.dags=3");
        try
        {
            var line = await program.StandardOutput.ReadLineAsync();
            using var http = new HttpClient { BaseAddress = new Uri(line!.Split(' ')[^1]) };
            Assert.Contains("3.3.2", await http.GetStringAsync("airflow3/api/v2/version"), StringComparison.Ordinal);
            var now = TimeProvider.System.GetUtcNow();
            var truth = await http.GetStringAsync($"simulator/truth?from={now.AddHours(-3):yyyy-MM-ddTHH:mm:ssZ}&to={now.AddSeconds(-1):yyyy-MM-ddTHH:mm:ssZ}");
            Assert.Contains("load_0002", truth, StringComparison.Ordinal);
            Assert.DoesNotContain("load_0003", truth, StringComparison.Ordinal);
        }
        finally
        {
            program.Kill();
        }
    }

    static Process Start(params string[] arguments)
    {
        // The host's project is built beside the tests, not into them: it is a program of its own.
        var bin = new DirectoryInfo(AppContext.BaseDirectory);
        var host = Path.Combine(bin.Parent!.Parent!.FullName, "Simulator.Host", bin.Name, "pipeline-simulator.dll");
        return Process.Start(new ProcessStartInfo("dotnet", [host, .. arguments]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true })!;
    }
}
