using System.CommandLine;
using PipelineExporter.Logging;

namespace PipelineExporter.Commands;

/// <summary>The flags, named as Prometheus' own programs name theirs. Each command has its own copies.</summary>
internal static class Flags
{
    public static Flag<string> ConfigFile() => new("--config.file", "FILE", "exporter.yml", "The configuration.", NotEmpty);

    public static Flag<string> TelemetryPath() => new("--web.telemetry-path", "PATH", "/metrics", "Path of the metrics.", path =>
        path.Length > 1 && path[0] == '/' && path.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '-' or '_' or '.')
            && !path.StartsWith("/-/", StringComparison.Ordinal) && !path.StartsWith("/runbooks", StringComparison.Ordinal)
            ? path
            : throw new FormatException("expected a path such as /metrics, and none of the exporter's own: /, /-/…, /runbooks/…"));

    public static Flag<ListenAddress> ListenAddress(string name, string? fallback, string description) =>
        new(name, "[HOST]:PORT", fallback, description, Commands.ListenAddress.Parse);

    public static Flag<string> StoragePath(string? fallback, string description) =>
        new("--storage.path", "DIR", fallback, description, NotEmpty);

    public static Flag<LogLevel> Level() => new("--log.level", "LEVEL", "info", "debug, info, warn or error.", text => text switch
    {
        "debug" => LogLevel.Debug,
        "info" => LogLevel.Information,
        "warn" => LogLevel.Warning,
        "error" => LogLevel.Error,
        _ => throw new FormatException("expected debug, info, warn or error"),
    });

    public static Flag<LogFormat> Format() => new("--log.format", "FORMAT", "logfmt", "logfmt or json.", text => text switch
    {
        "logfmt" => LogFormat.Logfmt,
        "json" => LogFormat.Json,
        _ => throw new FormatException("expected logfmt or json"),
    });

    private static string NotEmpty(string text) => text.Length > 0 ? text : throw new FormatException("expected a path");
}

/// <summary>A flag whose text is checked while the command line is read, and shown as it is written in the help.</summary>
internal sealed class Flag<T> : Option<string>
{
    private readonly Func<string, T> parse;

    /// <param name="fallback">The default as it would be written; null for a flag that can be left out.</param>
    /// <param name="parse">Throws <see cref="FormatException"/> with what is allowed.</param>
    public Flag(string name, string placeholder, string? fallback, string description, Func<string, T> parse)
        : base(name)
    {
        this.parse = parse;
        HelpName = placeholder;
        Description = description;
        Arity = ArgumentArity.ExactlyOne;
        if (fallback is not null)
            DefaultValueFactory = _ => fallback;

        Validators.Add(result =>
        {
            if (result is not { Implicit: false, Tokens: [var token] })
                return;

            try
            {
                parse(token.Value);
            }
            catch (FormatException e)
            {
                result.AddError($"{name}: {e.Message}, found {Configuration.Printable.Quoted(token.Value)}");
            }
        });
    }

    /// <summary>Null (or nothing) only for a flag without default.</summary>
    public T? Of(ParseResult parsed) => parsed.GetValue(this) is { } text ? parse(text) : default;
}
