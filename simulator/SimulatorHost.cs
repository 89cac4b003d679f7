using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using PipelineExporter.Simulator.Aws;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator;

/// <summary>A running simulator: Airflow under /airflow2 and /airflow3, AWS at /, its controls and inboxes under /simulator.</summary>
public sealed class SimulatorHost : IAsyncDisposable
{
    readonly WebApplication app;

    SimulatorHost(WebApplication app, Uri address)
    {
        this.app = app;
        Address = address;
    }

    /// <summary>The base of every URL of the simulator, with the port that was really taken.</summary>
    public Uri Address { get; }

    /// <summary>Where the mail inbox takes SMTP; null when it is off.</summary>
    public IPEndPoint? SmtpEndpoint { get; private init; }

    /// <exception cref="FormatException">A listen address cannot be read.</exception>
    /// <exception cref="IOException">A port is in use.</exception>
    public static async Task<SimulatorHost> StartAsync(SimulatorOptions options, CancellationToken ct)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var endpoint = ListenAddress.Parse(options.ListenAddress);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(endpoint);
        });
        builder.Services.AddSingleton<IHostLifetime, NoSignals>();

        var web = builder.Build();
        try
        {
            MapFeatures(web, options);
            await web.StartAsync(ct);
        }
        catch
        {
            await web.DisposeAsync();
            throw;
        }
        return new SimulatorHost(web, new Uri(web.Urls.First()));
    }

    /// <summary>One line a feature: each maps its own paths, and asks the fault injector first.</summary>
    static void MapFeatures(WebApplication web, SimulatorOptions options)
    {
        var incidents = new IncidentLog(options.Time);
        var faults = new FaultInjector(options.Time, options.Seed);
        var model = new PipelineModel(options.Seed, incidents);
        _ = model;
        web.MapControl(incidents, faults);
        web.MapAws(model, faults, options.Time);
    }

    /// <summary>Completes when the host was stopped, or at cancellation.</summary>
    public Task WaitForShutdownAsync(CancellationToken ct) => app.WaitForShutdownAsync(ct);

    public ValueTask DisposeAsync() => app.DisposeAsync();

    /// <summary>The program that embeds the simulator owns Ctrl+C.</summary>
    sealed class NoSignals : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
