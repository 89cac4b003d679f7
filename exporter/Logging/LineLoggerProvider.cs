namespace PipelineExporter.Logging;

/// <summary>Writes every event as one line, at once: a program that dies has said why.</summary>
internal sealed class LineLoggerProvider(LogFormat format, bool stacks, TimeProvider time, TextWriter output) : ILoggerProvider
{
    private readonly Lock gate = new();

    public ILogger CreateLogger(string categoryName) =>
        new LineLogger(this, categoryName[(categoryName.LastIndexOf('.') + 1)..]);

    public void Dispose()
    {
        // The writer belongs to the process.
    }

    private void Write(IEnumerable<KeyValuePair<string, object?>> fields)
    {
        var line = format == LogFormat.Json ? LogLine.ToJson(fields) : LogLine.Logfmt(fields);
        lock (gate)
        {
            output.WriteLine(line);
            output.Flush();
        }
    }

    private sealed class LineLogger(LineLoggerProvider provider, string component) : ILogger
    {
        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var fields = new List<KeyValuePair<string, object?>>
            {
                new("ts", provider.Time.GetUtcNow()),
                new("level", Name(logLevel)),
                new("component", component),
                new("msg", formatter(state, exception)),
            };
            if (state is IEnumerable<KeyValuePair<string, object?>> values)
            {
                fields.AddRange(values
                    .Where(v => v.Key != "{OriginalFormat}")
                    .Select(v => new KeyValuePair<string, object?>(LogLine.Key(v.Key), v.Value))
                    .Where(v => fields.TrueForAll(f => f.Key != v.Key))
                    .OrderBy(v => v.Key, StringComparer.Ordinal)); // the generated state has an order of its own
            }

            if (exception is not null)
            {
                fields.Add(new("error", string.Join(": ", Messages(exception))));
                if (provider.Stacks)
                    fields.Add(new("stack", exception.ToString()));
            }

            provider.Write(fields);
        }

        private static IEnumerable<string> Messages(Exception exception)
        {
            for (var e = exception; e is not null; e = e.InnerException)
                yield return $"{e.GetType().Name}: {e.Message}";
        }

        private static string Name(LogLevel level) => level switch
        {
            LogLevel.Trace or LogLevel.Debug => "debug",
            LogLevel.Information => "info",
            LogLevel.Warning => "warn",
            _ => "error",
        };
    }

    private TimeProvider Time => time;

    private bool Stacks => stacks;
}

internal static class LoggingBuilderExtensions
{
    /// <summary>Lines to <paramref name="output"/>; the frameworks only speak up when something is wrong, unless debugging.</summary>
    public static ILoggingBuilder AddLines(
        this ILoggingBuilder builder, LogLevel level, LogFormat format, TimeProvider time, TextWriter output)
    {
        var framework = level <= LogLevel.Debug ? LogLevel.Information : LogLevel.Warning > level ? LogLevel.Warning : level;
        return builder
            .ClearProviders()
            .SetMinimumLevel(level)
            .AddFilter("Microsoft", framework)
            .AddFilter("System", framework)
            .AddFilter("Polly", framework)
            .AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None) // the command reports why the host ended, in one line
            .AddProvider(new LineLoggerProvider(format, stacks: level <= LogLevel.Debug, time, output));
    }
}
