using System.CommandLine;
using System.CommandLine.Help;
using System.Runtime.InteropServices;
using PipelineExporter.Configuration;
using PipelineExporter.Metrics;

namespace PipelineExporter.Commands;

/// <summary>From arguments to a command. What the user got wrong is one line on stderr, and exit code 2.</summary>
internal static class CommandLine
{
    /// <summary>Bad flags or configuration, an address or a state file in use: nothing was started.</summary>
    public const int CannotStart = 2;

    private const string Program = "pipeline-exporter";

    /// <param name="commands">The first is the default.</param>
    public static async Task<int> InvokeAsync(
        string[] args, Command[] commands, TextWriter output, TextWriter error, CancellationToken cancellationToken = default)
    {
        if (args.Contains("--version"))
        {
            await output.WriteLineAsync($"{Program} {SelfMetrics.Version}");
            return 0;
        }

        var root = new RootCommand(
            $"Prometheus metrics of Airflow and AWS data pipelines. Without a command: {commands[0].Name}, with its flags.");
        foreach (var command in commands)
            root.Add(command);

        var known = root.Options.OfType<HelpOption>().SelectMany(o => o.Aliases.Append(o.Name));
        string[] line = args.Length == 0 || (args[0].StartsWith('-') && !known.Contains(args[0])) ? [commands[0].Name, .. args] : args;

        // A file name after @ would be replaced by what is in the file, which no Prometheus program does.
        var parsed = root.Parse(line, new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false });
        if (Mistake(parsed) is { } mistake)
        {
            await error.WriteLineAsync($"{Program}: {mistake}");
            return CannotStart;
        }

        // From here on, so that what a command has begun when it is interrupted is put away.
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        try
        {
            return await parsed.InvokeAsync(
                new()
                {
                    Output = output,
                    Error = error,
                    EnableDefaultExceptionHandler = false,
                    ProcessTerminationTimeout = null, // handled above
                },
                stop.Token);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return 0;
        }
        catch (ConfigurationException e)
        {
            await error.WriteLineAsync(e.Message);
            return CannotStart;
        }
        catch (CannotStartException e)
        {
            await error.WriteLineAsync($"{Program}: {Printable.Text(e.Message)}");
            return CannotStart;
        }

        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stop.Cancel();
        }
    }

    private static string? Mistake(ParseResult parsed)
    {
        if (parsed.Errors.Count == 0)
            return null;

        if (parsed.UnmatchedTokens is not [var token, ..])
            return Printable.Text(parsed.Errors[0].Message).TrimEnd('.');

        var command = parsed.CommandResult.Command;
        var word = token.Split('=')[0];
        if (word.StartsWith('-'))
            return $"unknown flag {Printable.Quoted(word)}{Suggestion.Hint(word, command.Options.Select(o => o.Name))}";

        var names = command.Subcommands.Select(c => c.Name).ToList();
        if (names.Count == 0)
            return $"unexpected argument {Printable.Quoted(word)}";

        var hint = Suggestion.Hint(word, names);
        return $"unknown command {Printable.Quoted(word)}{(hint.Length > 0 ? hint : $": there are {string.Join(", ", names)}")}";
    }
}

/// <summary>The program cannot start for a reason outside of it. The message is one line for the person who started it.</summary>
internal sealed class CannotStartException(string message, Exception? inner = null) : Exception(message, inner);
