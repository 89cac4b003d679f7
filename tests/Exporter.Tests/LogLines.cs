using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace PipelineExporter.Tests;

/// <summary>
/// A log that keeps its lines, each as "Level: message", with the keys whose values the message does not hold and, when an
/// exception's stack was logged too, its type.
/// </summary>
internal sealed class LogLines : ILogger
{
    private readonly ConcurrentQueue<string> lines = [];

    public IReadOnlyList<string> All => [.. lines];

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        var message = formatter(state, exception);
        var more = state is IEnumerable<KeyValuePair<string, object?>> values
            ? values.Where(value => value.Key != "{OriginalFormat}" && !message.Contains($"{value.Value}", StringComparison.Ordinal))
            : [];
        lines.Enqueue(
            $"{logLevel}: {message}{string.Concat(more.Select(value => $" {value.Key}={value.Value}"))}{(exception is null ? "" : $" ({exception.GetType().Name})")}");
    }
}
