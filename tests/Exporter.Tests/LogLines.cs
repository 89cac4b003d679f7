using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace PipelineExporter.Tests;

/// <summary>A log that keeps its lines, each as "Level: message" and, when an exception's stack was logged too, its type.</summary>
internal sealed class LogLines : ILogger
{
    private readonly ConcurrentQueue<string> lines = [];

    public IReadOnlyList<string> All => [.. lines];

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        lines.Enqueue($"{logLevel}: {formatter(state, exception)}{(exception is null ? "" : $" ({exception.GetType().Name})")}");
}
