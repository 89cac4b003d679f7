using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using PipelineExporter.Simulator.Airflow;
using PipelineExporter.Simulator.Airflow.Mwaa;
using PipelineExporter.Simulator.Aws;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Inbox;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator;

/// <summary>A running simulator: Airflow under /airflow2, /airflow3 and /airflow, AWS at / and /restapi, its controls and inboxes under /simulator.</summary>
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

    /// <exception cref="FormatException">A listen address, or an option of Airflow, cannot be read.</exception>
    /// <exception cref="IOException">A port is in use.</exception>
    public static async Task<SimulatorHost> StartAsync(SimulatorOptions options, CancellationToken ct)
    {
        // The other builders watch every folder below the working directory, for the sake of an appsettings.json.
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.Services.AddRoutingCore();
        var endpoint = ListenAddress.Parse(options.ListenAddress);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
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
        var model = new PipelineModel(options.Seed, incidents, options.Scale, options.Tables, options.Buckets);
        var credentials = new AwsCredentials(options.CredentialLifetime);
        var edits = new EditLog(options.Seed);
        var slack = new Inbox<SlackMessage>(message => message.Size);
        var servers = new AirflowServers(options.Airflow, faults, options.Time);
        web.UseMwaa(faults, credentials, options.Time);
        web.UseUpgradableAirflow(servers);
        web.UseRouting();
        web.UseAws(model, faults, credentials, options.Time);
        web.MapControl(incidents, faults, model, edits, options.Time);
        web.MapAirflow(model, edits, faults, servers);
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
