using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Sources.Airflow;

namespace PipelineExporter.Tests.Sources.Airflow;

/// <summary>A web server that answers as the test says, over real HTTP.</summary>
internal sealed class FakeAirflow : IAsyncDisposable
{
    private readonly WebApplication app;

    private FakeAirflow(WebApplication app) => this.app = app;

    public Uri Url => new(app.Urls.Single());

    /// <summary>Method and target of each request, in order, as they came over the wire.</summary>
    public ConcurrentQueue<string> Requests { get; } = [];

    /// <summary>The outcome of each request, as the client counted it.</summary>
    public ConcurrentQueue<string> Outcomes { get; } = [];

    public FakeTimeProvider Time { get; } = new(new DateTimeOffset(2026, 11, 23, 7, 0, 0, TimeSpan.Zero));

    public static async Task<FakeAirflow> StartAsync(Func<HttpContext, Task> answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0").ConfigureKestrel(options => options.AddServerHeader = false);
        var server = new FakeAirflow(builder.Build());
        server.app.Run(context =>
        {
            server.Requests.Enqueue($"{context.Request.Method} {context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget}");
            return answer(context);
        });
        await server.app.StartAsync();
        return server;
    }

    public static Task<FakeAirflow> StartAsync(Func<HttpContext, (int Status, string Body)> answer) =>
        StartAsync(context =>
        {
            var (status, body) = answer(context);
            return WriteAsync(context, status, "application/json", body);
        });

    public static Task WriteAsync(HttpContext context, int status, string contentType, string body, DateTimeOffset? date = null)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = contentType;
        if (date is { } instant)
            context.Response.Headers.Date = instant.UtcDateTime.ToString("R", CultureInfo.InvariantCulture);
        return context.Response.WriteAsync(body);
    }

    public AirflowConnection Connect(AirflowCredential? credential = null, string path = "", TimeSpan? timeout = null, TimeProvider? time = null, ILogger? log = null) =>
        new(
            new AirflowEndpoint("production", new Uri(Url, path), credential ?? new AirflowCredential.Basic("exporter", () => "a-password"))
            {
                Timeout = timeout ?? TimeSpan.FromSeconds(30),
            },
            time ?? TimeProvider.System,
            Outcomes.Enqueue,
            log);

    public async ValueTask DisposeAsync() => await app.DisposeAsync();
}
