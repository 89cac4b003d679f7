using System.Diagnostics;

namespace PipelineExporter.Stack.Tests.Tools;

/// <summary>Runs a program to its end, without a shell.</summary>
internal static class Command
{
    /// <summary>A program that does not end within a minute, or the patience given, is killed, and the test fails.</summary>
    public static async Task<CommandResult> RunAsync(
        string program, IEnumerable<string> arguments, string? workingDirectory = null, TimeSpan? patience = null)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = workingDirectory ?? Repository.Root,
        };
        using var process = Process.Start(start)!;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(patience ?? TimeSpan.FromMinutes(1));
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(limit.Token);
            var error = process.StandardError.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            return new CommandResult(process.ExitCode, await output, await error);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    /// <summary>Fails the test, with all that the program wrote, unless it ends with code 0. Returns its output.</summary>
    public static async Task<string> SucceedAsync(string program, params string[] arguments)
    {
        var result = await RunAsync(program, arguments);
        Assert.True(result.ExitCode == 0, $"{program} {string.Join(' ', arguments)}\nexit code {result.ExitCode}\n{result.Output}{result.Error}");
        return result.Output;
    }
}

internal sealed record CommandResult(int ExitCode, string Output, string Error);
