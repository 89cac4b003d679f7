using System.Collections.Concurrent;
using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace PipelineExporter.Benchmarks;

/// <summary>Stands between the exporter and an Airflow, and notes what is asked and how many rows come back.</summary>
internal sealed class AirflowProxy : IAsyncDisposable
{
    private static readonly string[] Windows = ["end_date_gte", "updated_at_gte"];

    private readonly ConcurrentQueue<AirflowRequest> requests = new();
    private readonly HttpClient client = new(new SocketsHttpHandler { AutomaticDecompression = DecompressionMethods.None });
    private readonly Uri target;
    private readonly WebApplication app;

    private AirflowProxy(Uri target)
    {
        this.target = target;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        app = builder.Build();
        app.Run(ForwardAsync);
    }

    public Uri Address => new(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());

    public static async Task<AirflowProxy> StartAsync(Uri target)
    {
        var proxy = new AirflowProxy(target);
        await proxy.app.StartAsync();
        return proxy;
    }

    /// <summary>The requests since the last call.</summary>
    public IReadOnlyList<AirflowRequest> Take()
    {
        var taken = new List<AirflowRequest>();
        while (requests.TryDequeue(out var request))
            taken.Add(request);
        return taken;
    }

    public async ValueTask DisposeAsync()
    {
        await app.DisposeAsync();
        client.Dispose();
    }

    private async Task ForwardAsync(HttpContext context)
    {
        using var request = new HttpRequestMessage(new HttpMethod(context.Request.Method), new Uri(target, context.Request.Path + context.Request.QueryString));
        if (context.Request.ContentLength > 0 || context.Request.Headers.TransferEncoding.Count > 0)
            request.Content = new StreamContent(context.Request.Body);
        foreach (var name in (string[])["Accept", "Accept-Encoding", "Authorization"])
            request.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)context.Request.Headers[name]);
        request.Content?.Headers.TryAddWithoutValidation("Content-Type", context.Request.ContentType);
        var started = TimeProvider.System.GetTimestamp();
        using var response = await client.SendAsync(request, context.RequestAborted);
        var body = await response.Content.ReadAsByteArrayAsync(context.RequestAborted);
        var took = TimeProvider.System.GetElapsedTime(started);
        requests.Enqueue(new(Endpoint(context.Request.Path), Rows(response, body), Window(context.Request.Query), took));

        context.Response.StatusCode = (int)response.StatusCode;
        context.Response.ContentType = response.Content.Headers.ContentType?.ToString();
        context.Response.Headers.ContentEncoding = response.Content.Headers.ContentEncoding.ToArray();
        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body, context.RequestAborted);
    }

    /// <summary>What is asked, without the ids: <c>/dags/*/dagRuns</c>.</summary>
    private static string Endpoint(string path)
    {
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        var from = Array.IndexOf(parts, "api") + 2; // /airflow2/api/v1/…
        if (from < 2 || from > parts.Length)
            return path;
        return "/" + string.Join('/', parts[from..].Select((part, i) => i % 2 == 0 || part is "health" or "~" ? part : "*"));
    }

    private static int Rows(HttpResponseMessage response, byte[] body)
    {
        if (!response.IsSuccessStatusCode || body.Length == 0)
            return 0;
        Stream plain = new MemoryStream(body);
        if (response.Content.Headers.ContentEncoding.Contains("gzip"))
            plain = new GZipStream(plain, CompressionMode.Decompress);
        using (plain)
        using (var json = JsonDocument.Parse(plain))
            return json.RootElement.EnumerateObject().Where(property => property.Value.ValueKind == JsonValueKind.Array).Sum(property => property.Value.GetArrayLength());
    }

    /// <summary>How long ago the list begins; the one of runs that failed in the last days is as long as those days.</summary>
    private static TimeSpan? Window(IQueryCollection query) =>
        query["state"] is not ["failed"]
        && Windows.Select(name => query[name]).FirstOrDefault(values => values.Count == 1) is [{ } since]
            ? TimeProvider.System.GetUtcNow() - DateTimeOffset.Parse(since, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal)
            : null;
}

/// <param name="Endpoint">Its path without ids.</param>
/// <param name="Rows">How many rows the answer held.</param>
/// <param name="Window">How long before now the list begins; null for one that has no beginning.</param>
/// <param name="Took">How long Airflow took to answer.</param>
internal sealed record AirflowRequest(string Endpoint, int Rows, TimeSpan? Window, TimeSpan Took)
{
    /// <summary>Of the refresh of the list of DAGs, every five minutes.</summary>
    public bool IsRefresh => Endpoint is "/dags" or "/dags/*/dagRuns";
}
