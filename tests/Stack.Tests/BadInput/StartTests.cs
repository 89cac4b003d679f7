using System.Net;
using System.Net.Sockets;
using PipelineExporter.Stack.Tests.Tools;

namespace PipelineExporter.Stack.Tests.BadInput;

/// <summary>What keeps the program from starting is one line on standard error and exit code 2.</summary>
public sealed class StartTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Theory]
    [InlineData("demo --config.file=exporter.yml", "unknown flag '--config.file'")]
    [InlineData("--web.listen-address=127.0.0.1:65536", "127.0.0.1:65536")]
    [InlineData("--config.file=nowhere/exporter.yml", "there is no such file")]
    [InlineData("--config.file=.", "is a directory, not a file")]
    [InlineData("--config.file=bytes.yml", "bytes.yml")]
    [InlineData("--config.file=empty.yml", "names no source")]
    [InlineData("--config.file=list.yml", "list.yml")]
    [InlineData("--storage.path=exporter.yml", "--storage.path")]
    [InlineData("--web.listen-address=192.0.2.1:9894", "this machine has no such address")]
    public async Task The_program_says_in_one_line_why_it_cannot_start(string line, string words)
    {
        await ConfigureAsync();
        await File.WriteAllBytesAsync(directory.File("bytes.yml"), [0x61, 0x3a, 0x20, 0xff, 0xfe, 0x00, 0x01]);
        await File.WriteAllTextAsync(directory.File("empty.yml"), "");
        await File.WriteAllTextAsync(directory.File("list.yml"), "- airflow\n");
        string[] arguments = [.. line.Split(' ')];

        await CannotStartAsync(words, line.Contains("listen-address", StringComparison.Ordinal) || arguments[0] == "demo"
            ? arguments : [.. arguments, "--web.listen-address=127.0.0.1:0"]);
    }

    [Fact]
    public async Task A_state_directory_belongs_to_one_running_exporter_also_against_the_demo_and_is_free_again_when_that_was_killed()
    {
        await ConfigureAsync();
        var first = await ExporterProcess.StartAsync(directory);
        await using (first)
        {
            await CannotStartAsync("in use by another exporter", "run", "--web.listen-address=127.0.0.1:0", "--storage.path=state");
            await CannotStartAsync(
                "in use by another exporter", "demo", "--web.listen-address=127.0.0.1:0", "--simulator.listen-address=127.0.0.1:0",
                "--simulator.smtp-listen-address=127.0.0.1:0", "--storage.path=state");
            Assert.Contains("pipeline_exporter_build_info", (await first.ScrapeAsync()).Text, StringComparison.Ordinal);
        }

        // Disposing kills it.
        await using var second = await ExporterProcess.StartAsync(directory);
        Assert.Equal(0, await second.StopAsync());
    }

    [Fact]
    public async Task A_port_in_use_is_named()
    {
        await ConfigureAsync();
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();

        await CannotStartAsync($"cannot listen on {taken.LocalEndpoint}: it is in use", $"--web.listen-address={taken.LocalEndpoint}");
        await CannotStartAsync(
            $"cannot listen on {taken.LocalEndpoint}: it is in use", "demo", $"--web.listen-address={taken.LocalEndpoint}",
            "--simulator.listen-address=127.0.0.1:0", "--simulator.smtp-listen-address=127.0.0.1:0");
        await CannotStartAsync(
            $"{taken.LocalEndpoint}", "demo", "--web.listen-address=127.0.0.1:0", "--simulator.listen-address=127.0.0.1:0",
            $"--simulator.smtp-listen-address={taken.LocalEndpoint}");
    }

    private Task ConfigureAsync() => File.WriteAllTextAsync(
        directory.File("exporter.yml"), "aws: [{ region: eu-west-1, account_id: \"123456789012\", endpoint_url: \"http://127.0.0.1:1\", glue: {} }]\n");

    private async Task CannotStartAsync(string words, params string[] arguments)
    {
        var result = await Command.RunAsync("dotnet", [ExporterProcess.Program, .. arguments], directory.Path);

        Assert.Equal((2, ""), (result.ExitCode, result.Output));
        Assert.True(result.Error.Count(character => character == '\n') == 1, $"{string.Join(' ', arguments)} wrote:\n{result.Error}");
        Assert.Contains(words, result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Exception", result.Error, StringComparison.Ordinal);
    }
}
