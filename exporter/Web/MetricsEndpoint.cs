using System.Buffers;
using Microsoft.Net.Http.Headers;
using PipelineExporter.Scraping;

namespace PipelineExporter.Web;

/// <summary>Serves the current page. A scrape copies bytes: it waits for no source, renders nothing and compresses nothing.</summary>
internal static class MetricsEndpoint
{
    private const int FlushAfter = 256 * 1024;

    public static async Task ServeAsync(HttpContext context, SnapshotStore store, ScrapeLog scrapes)
    {
        var page = store.Page;
        var response = context.Response;
        response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
        response.Headers.Vary = HeaderNames.AcceptEncoding;
        var gzip = AcceptsGzip(context.Request);
        if (gzip)
            response.Headers.ContentEncoding = "gzip";
        response.ContentLength = gzip ? page.GzipLength : page.PlainLength;
        if (HttpMethods.IsHead(context.Request.Method))
            return;

        long unflushed = 0;
        foreach (var bytes in gzip ? page.Gzip : page.Plain)
        {
            response.BodyWriter.Write(bytes);
            if ((unflushed += bytes.Length) < FlushAfter)
                continue;
            await response.BodyWriter.FlushAsync(context.RequestAborted);
            unflushed = 0;
        }

        await response.BodyWriter.FlushAsync(context.RequestAborted);
        scrapes.Answered(page.Generation);
    }

    // "gzip;q=0" refuses it, "*" includes it.
    private static bool AcceptsGzip(HttpRequest request)
    {
        if (!StringWithQualityHeaderValue.TryParseList(request.Headers.AcceptEncoding, out var accepted))
            return false;
        var gzip = accepted.FirstOrDefault(value => value.Value.Equals("gzip", StringComparison.OrdinalIgnoreCase))
            ?? accepted.FirstOrDefault(value => value.Value == "*");
        return gzip is not null && gzip.Quality is not 0;
    }
}
