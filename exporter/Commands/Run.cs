using System.CommandLine;
using System.Net.Sockets;
using Amazon.Runtime;
using PipelineExporter.Collectors;
using PipelineExporter.Configuration;
using PipelineExporter.Logging;
using PipelineExporter.Metrics;
using PipelineExporter.State;
using PipelineExporter.Web;

namespace PipelineExporter.Commands;

/// <summary><c>run</c>: serves the metrics of the sources that the configuration names, until it is told to stop.</summary>
internal static partial class Run
{
    public static Command Command()
    {
        var file = Flags.ConfigFile();
        var serve = new ServeFlags(
            Flags.ListenAddress("--web.listen-address", ":9894", "Where to listen; port 0 is any free one."),
            Flags.StoragePath("data", "Directory of the state file."));
        var command = serve.AddTo(new Command("run", "Serve the metrics of the configured sources (the default).") { file });
        command.SetAction((parsed, cancellationToken) => ServeAsync(
            ExporterConfiguration.Load(file.Of(parsed)!), serve.Read(parsed), _ => Task.CompletedTask, cancellationToken));
        return command;
    }

    /// <param name="started">Told the address that was really taken.</param>
    /// <exception cref="CannotStartException">The address or the state file cannot be used.</exception>
    public static async Task<int> ServeAsync(
        ExporterConfiguration configuration, ServeOptions options, Func<Uri, Task> started, CancellationToken cancellationToken)
    {
        Malloc.ReturnBlocksOf(64 << 10);
        await using var app = Build(configuration, options);
        try
        {
            await app.StartAsync(cancellationToken);
        }
        catch (Exception e) when (IsListenFailure(e))
        {
            throw new CannotStartException(
                $"cannot listen on {options.Listen}: {Reason(e)}; choose another with --web.listen-address", e);
        }

        var log = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("main");
        var address = new Uri(app.Urls.First());
        LogListening(log, SelfMetrics.Version, address);
        // A volume that was forgotten shows here, and nowhere else.
        var state = app.Services.GetRequiredService<StateFile>();
        LogState(log, state.IsNew ? "begins in" : "goes on with", state.Path);
        await started(address);
        await app.WaitForShutdownAsync(cancellationToken);

        // A background service that failed has stopped the host, which tells nobody.
        var failure = app.Services.GetServices<IHostedService>().OfType<BackgroundService>()
            .Select(service => service.ExecuteTask?.Exception?.InnerException).FirstOrDefault(e => e is not null);
        if (failure is not null)
            LogFailed(log, failure);

        return failure is null ? 0 : 1;
    }

    [LoggerMessage(LogLevel.Information, "pipeline-exporter {version} listens on {address}")]
    private static partial void LogListening(ILogger log, string version, Uri address);

    [LoggerMessage(LogLevel.Information, "counting {how} {path}")]
    private static partial void LogState(ILogger log, string how, string path);

    [LoggerMessage(LogLevel.Critical, "stopped: a part of the exporter failed")]
    private static partial void LogFailed(ILogger log, Exception exception);

    private static WebApplication Build(ExporterConfiguration configuration, ServeOptions options)
    {
        try
        {
            return ExporterHost.Build(
                new(options.Listen.EndPoint, options.TelemetryPath, options.StoragePath!,
                    new(configuration.State.KeyRetention, configuration.State.ZeroHold)) { Links = configuration.Web.Links },
                context => CollectorCatalog.Create(configuration, context, options.AwsKeys),
                TimeProvider.System,
                logging => logging.AddLines(options.Level, options.Format, TimeProvider.System, Console.Error));
        }
        catch (StateException e)
        {
            throw new CannotStartException(e.Message, e);
        }
    }

    public static bool IsListenFailure(Exception e) => e is IOException or SocketException;

    public static string Reason(Exception e) => (e.InnerException ?? e) switch
    {
        SocketException { SocketErrorCode: SocketError.AddressAlreadyInUse } => "it is in use",
        SocketException { SocketErrorCode: SocketError.AccessDenied } => "permission is denied",
        SocketException { SocketErrorCode: SocketError.AddressNotAvailable } => "this machine has no such address",
        Microsoft.AspNetCore.Connections.AddressInUseException => "it is in use",
        var reason => reason.Message,
    };
}

/// <summary>The flags that <c>run</c> and <c>demo</c> share.</summary>
internal sealed record ServeFlags(Flag<ListenAddress> Listen, Flag<string> StoragePath)
{
    private readonly Flag<string> telemetryPath = Flags.TelemetryPath();
    private readonly Flag<LogLevel> level = Flags.Level();
    private readonly Flag<LogFormat> format = Flags.Format();

    public Command AddTo(Command command)
    {
        foreach (var option in (Option[])[Listen, telemetryPath, StoragePath, level, format])
            command.Add(option);
        return command;
    }

    public ServeOptions Read(ParseResult parsed) => new(
        Listen.Of(parsed)!, telemetryPath.Of(parsed)!, StoragePath.Of(parsed),
        level.Of(parsed), format.Of(parsed));
}

/// <param name="StoragePath">Null only until <c>demo</c> has chosen one.</param>
internal sealed record ServeOptions(ListenAddress Listen, string TelemetryPath, string? StoragePath, LogLevel Level, LogFormat Format)
{
    /// <summary>Instead of the keys that the AWS SDK finds; nothing in the configuration can set them.</summary>
    public AWSCredentials? AwsKeys { get; init; }
}
