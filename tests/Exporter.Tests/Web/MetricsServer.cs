using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using PipelineExporter.Scraping;
using PipelineExporter.State;
using PipelineExporter.Web;

namespace PipelineExporter.Tests.Web;

/// <summary>/metrics behind the real HTTP server.</summary>
internal sealed class MetricsServer : IAsyncDisposable
{
    private readonly WebApplication server;

    private MetricsServer(WebApplication server) => this.server = server;

    public Uri Url { get; private set; } = null!;

    public static async Task<MetricsServer> StartAsync(SnapshotStore store, ScrapeLog scrapes, int port = 0, Action? ended = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        var app = builder.Build();
        app.MapMethods("/metrics", ["GET", "HEAD"], (RequestDelegate)(async context =>
        {
            try
            {
                await MetricsEndpoint.ServeAsync(context, store, scrapes);
            }
            finally
            {
                ended?.Invoke();
            }
        }));
        await app.StartAsync(TestContext.Current.CancellationToken);
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        return new(app) { Url = new Uri($"{address}/metrics") };
    }

    public async ValueTask DisposeAsync()
    {
        await server.StopAsync(CancellationToken.None);
        await server.DisposeAsync();
    }
}
