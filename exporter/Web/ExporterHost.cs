using System.Collections.Immutable;
using System.Net;
using PipelineExporter.Collectors;
using PipelineExporter.Metrics;
using PipelineExporter.Scraping;
using PipelineExporter.State;

namespace PipelineExporter.Web;

/// <summary>Puts the exporter together: state, collectors, and the HTTP server.</summary>
internal static class ExporterHost
{
    /// <summary>Builds the program; the caller starts it. Disposing it closes the state file.</summary>
    /// <exception cref="StateException">The state file cannot be used.</exception>
    public static WebApplication Build(
        ExporterHostOptions options, Func<CollectorContext, IReadOnlyList<ScheduledCollector>> collectors, TimeProvider time, Action<ILoggingBuilder> logging)
    {
        // Flags and exporter.yml are all there is: no ASPNETCORE_ variable, and no appsettings.json, for which the other builders
        // watch every folder below the working directory.
        var builder = WebApplication.CreateEmptyBuilder(new());
        logging(builder.Logging);
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(options.ListenAddress);
        });
        builder.Services.AddSingleton(time);
        builder.Services.AddSingleton<ScrapeLog>();
        builder.Services.AddSingleton<SnapshotStore>();
        builder.Services.AddSingleton(services =>
            StateFile.Open(options.StoragePath, time, services.GetRequiredService<ILoggerFactory>().CreateLogger("state")));
        builder.Services.AddSingleton(services => new Ledger(
            services.GetRequiredService<StateFile>(), services.GetRequiredService<ScrapeLog>(), time, options.Ledger));
        builder.Services.AddSingleton(services => new SelfMetrics(services.GetRequiredService<StateFile>().SetAside));
        builder.Services.AddSingleton(services => CreateService(services, collectors, time));
        builder.Services.AddHostedService(services => services.GetRequiredService<ScrapingService>());

        var app = builder.Build();
        try
        {
            Map(app, options, time);
        }
        catch
        {
            ((IDisposable)app).Dispose();
            throw;
        }

        return app;
    }

    private static ScrapingService CreateService(
        IServiceProvider services, Func<CollectorContext, IReadOnlyList<ScheduledCollector>> collectors, TimeProvider time)
    {
        var store = services.GetRequiredService<SnapshotStore>();
        var ledger = services.GetRequiredService<Ledger>();
        var self = services.GetRequiredService<SelfMetrics>();
        var logs = services.GetRequiredService<ILoggerFactory>();
        var log = logs.CreateLogger("collector");
        var context = new CollectorContext(ledger, time, logs, self.CountRequest);
        return new(
            [.. collectors(context).Select(one => new CollectorRunner(one.Collector, ledger, store, one.Options, time, log))], store, self, time)
        {
            Listening = StartOf(services.GetRequiredService<IHostApplicationLifetime>()),
        };
    }

    // The host starts its server last.
    private static Task StartOf(IHostApplicationLifetime lifetime)
    {
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lifetime.ApplicationStarted.Register(started.SetResult);
        return started.Task;
    }

    private static void Map(WebApplication app, ExporterHostOptions options, TimeProvider time)
    {
        // Resolved before the server starts: a state file that cannot be used ends the program.
        var scraping = app.Services.GetRequiredService<ScrapingService>();
        var store = app.Services.GetRequiredService<SnapshotStore>();
        var scrapes = app.Services.GetRequiredService<ScrapeLog>();
        app.Services.GetRequiredService<SelfMetrics>().MeasureHttp(app);
        app.MapMethods(
            options.TelemetryPath, [HttpMethods.Get, HttpMethods.Head], (RequestDelegate)(context => MetricsEndpoint.ServeAsync(context, store, scrapes)));
        app.MapGet("/", () => StatusPage.Render(scraping.Runners, options.TelemetryPath, options.Links, time));
        app.MapGet("/runbooks", Runbooks.List);
        app.MapGet("/runbooks/{name}", (string name) => Runbooks.Show(name));
        app.MapGet("/-/healthy", () => Results.Text("pipeline-exporter is healthy\n"));
        app.MapGet("/-/ready", () => scraping.IsReady
            ? Results.Text("pipeline-exporter is ready\n")
            : Results.Text("collecting for the first time\n", statusCode: StatusCodes.Status503ServiceUnavailable));
    }
}

/// <param name="ListenAddress">Where the HTTP server listens; port 0 is any free one.</param>
/// <param name="TelemetryPath">Path of the metrics.</param>
/// <param name="StoragePath">Directory of the state file.</param>
/// <param name="Ledger">How long keys are kept and new series held.</param>
internal sealed record ExporterHostOptions(IPEndPoint ListenAddress, string TelemetryPath, string StoragePath, LedgerOptions Ledger)
{
    /// <summary>Where the status page leads on to: names and addresses.</summary>
    public ImmutableArray<KeyValuePair<string, Uri>> Links { get; init; } = [];
}
