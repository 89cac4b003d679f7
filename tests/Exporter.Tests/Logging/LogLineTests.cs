using System.Text.Json;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Logging;

namespace PipelineExporter.Tests.Logging;

public sealed partial class LogLineTests
{
    private readonly StringWriter output = new();

    [Fact]
    public void An_event_is_one_line_of_keys_and_values()
    {
        LogFailed(Log(LogFormat.Logfmt), "airflow_pools", "airflow/production", "500: \"no\"\nlimit=\\", TimeSpan.FromSeconds(90));

        Assert.Equal(
            """ts=2026-11-23T10:53:03.250Z level=warn component=Runner msg="collector airflow_pools failed" collector=airflow_pools """
            + "problem=\"500: \\\"no\\\"\\nlimit=\\\\\" source=airflow/production stale_after=00:01:30\n",
            output.ToString());
    }

    [Fact]
    public void An_event_is_one_json_object()
    {
        LogFailed(Log(LogFormat.Json), "airflow_pools", "airflow/production", "\u001b[31m\n", TimeSpan.Zero);

        var line = output.ToString();
        Assert.Equal(1, line.Count(c => c == '\n'));
        using var json = JsonDocument.Parse(line);
        Assert.Equal(
            ["ts", "level", "component", "msg", "collector", "problem", "source", "stale_after"],
            json.RootElement.EnumerateObject().Select(p => p.Name));
        Assert.Equal("\u001b[31m\n", json.RootElement.GetProperty("problem").GetString());
        Assert.Equal("2026-11-23T10:53:03.250Z", json.RootElement.GetProperty("ts").GetString());
    }

    [Theory]
    [InlineData(LogLevel.Information, false)]
    [InlineData(LogLevel.Debug, true)]
    public void A_stack_is_for_debugging(LogLevel level, bool stack)
    {
        var error = Assert.Throws<InvalidOperationException>((Action)(() => throw new InvalidOperationException("outer", new IOException("inner"))));

        LogBroken(Log(LogFormat.Logfmt, level), error);

        Assert.Contains("error=\"InvalidOperationException: outer: IOException: inner\"", output.ToString(), StringComparison.Ordinal);
        Assert.Equal(stack, output.ToString().Contains(" stack=\"", StringComparison.Ordinal));
        Assert.Equal(1, output.ToString().Count(c => c == '\n'));
    }

    [Theory]
    [InlineData(LogLevel.Information, "PipelineExporter.X", LogLevel.Information, true)]
    [InlineData(LogLevel.Information, "PipelineExporter.X", LogLevel.Debug, false)]
    [InlineData(LogLevel.Warning, "PipelineExporter.X", LogLevel.Information, false)]
    [InlineData(LogLevel.Information, "Microsoft.AspNetCore.Server.Kestrel", LogLevel.Information, false)]
    [InlineData(LogLevel.Information, "Microsoft.AspNetCore.Server.Kestrel", LogLevel.Warning, true)]
    [InlineData(LogLevel.Information, "System.Net.Http.HttpClient.x", LogLevel.Information, false)]
    [InlineData(LogLevel.Debug, "Microsoft.AspNetCore.Server.Kestrel", LogLevel.Information, true)]
    [InlineData(LogLevel.Error, "Microsoft.AspNetCore.Server.Kestrel", LogLevel.Warning, false)]
    public void Frameworks_are_quiet_until_something_is_wrong(LogLevel chosen, string category, LogLevel level, bool shown)
    {
        using var factory = LoggerFactory.Create(b => b.AddLines(chosen, LogFormat.Logfmt, TimeProvider.System, output));

        Assert.Equal(shown, factory.CreateLogger(category).IsEnabled(level));
    }

    private ILogger Log(LogFormat format, LogLevel level = LogLevel.Information)
    {
        var time = new FakeTimeProvider(new(2026, 11, 23, 10, 53, 3, 250, TimeSpan.Zero));
        return LoggerFactory.Create(b => b.AddLines(level, format, time, output)).CreateLogger("PipelineExporter.Scraping.Runner");
    }

    [LoggerMessage(LogLevel.Warning, "collector {collector} failed")]
    private static partial void LogFailed(ILogger log, string collector, string source, string problem, TimeSpan staleAfter);

    [LoggerMessage(LogLevel.Error, "broken")]
    private static partial void LogBroken(ILogger log, Exception exception);
}
