using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using PipelineExporter.Simulator.Airflow;
using PipelineExporter.Simulator.Airflow.V1;
using PipelineExporter.Simulator.Airflow.V2;
using PipelineExporter.Simulator.Aws;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Inbox;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator;

/// <summary>A running simulator: Airflow under /airflow2 and /airflow3, AWS at /, its controls and inboxes under /simulator.</summary>
public sealed class SimulatorHost : IAsyncDisposable
{
    readonly WebApplication app;
    readonly SmtpServer? smtp;

    SimulatorHost(WebApplication app, SmtpServer? smtp)
    {
        this.app = app;
        this.smtp = smtp;
        Address = new Uri(app.Urls.First());
    }

    /// <summary>The base of every URL of the simulator, with the port that was really taken.</summary>
    public Uri Address { get; }

    /// <summary>Where the mail inbox takes SMTP; null when it is off.</summary>
    public IPEndPoint? SmtpEndpoint => smtp?.Endpoint;

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
        var mail = new Inbox<Mail>(message => message.Size);
        SmtpServer? server = null;
        try
        {
            if (options.SmtpListenAddress is { } smtpAddress)
                server = SmtpServer.Start(ListenAddress.Parse(smtpAddress), mail, options.Time);
            MapFeatures(web, options, mail, server);
            await web.StartAsync(ct);
        }
        catch
        {
            if (server is not null)
                await server.DisposeAsync();
            await web.DisposeAsync();
            throw;
        }
        return new SimulatorHost(web, server);
    }

    /// <summary>One line a feature: each maps its own paths, and asks the fault injector first.</summary>
    static void MapFeatures(WebApplication web, SimulatorOptions options, Inbox<Mail> mail, SmtpServer? smtp)
    {
        var incidents = new IncidentLog(options.Time);
        var faults = new FaultInjector(options.Time, options.Seed);
        var model = new PipelineModel(options.Seed, incidents, options.Scale);
        var slack = new Inbox<SlackMessage>(message => message.Size);
        web.MapControl(incidents, faults, model, options.Time);
        new AirflowV1(model, faults, options.Time).Map(web);
        new AirflowV2(model, faults, options.Time).Map(web);
        web.MapRunPages(model, faults, options.Time);
        web.MapAws(model, faults, options.Time);
        web.MapInbox(mail, slack, options.Time);
        web.MapPages(mail, slack, incidents, smtp?.Endpoint);
    }

    /// <summary>Completes when the host was stopped, or at cancellation.</summary>
    public Task WaitForShutdownAsync(CancellationToken ct) => app.WaitForShutdownAsync(ct);

    public async ValueTask DisposeAsync()
    {
        if (smtp is not null)
            await smtp.DisposeAsync();
        await app.DisposeAsync();
    }

    /// <summary>The program that embeds the simulator owns Ctrl+C.</summary>
    sealed class NoSignals : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
