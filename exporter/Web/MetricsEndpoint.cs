using System.Buffers;
using Microsoft.Net.Http.Headers;
using PipelineExporter.Scraping;
using PipelineExporter.State;

namespace PipelineExporter.Web;

/// <summary>Serves the current page. A scrape copies bytes: it waits for no source, renders nothing and compresses nothing.</summary>
internal static class MetricsEndpoint
{
    // Bounds what a slow reader makes the server hold.
    private const int FlushAfter = 64 * 1024;

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

        var unflushed = 0;
        foreach (var bytes in gzip ? page.Gzip : page.Plain)
        {
            for (var at = 0; at < bytes.Length; at += FlushAfter)
            {
                var piece = bytes.AsSpan(at, Math.Min(FlushAfter, bytes.Length - at));
                response.BodyWriter.Write(piece);
                if ((unflushed += piece.Length) < FlushAfter)
                    continue;
                if (!await FlushAsync(context))
                    return;
                unflushed = 0;
            }
        }

        if (await FlushAsync(context))
            scrapes.Answered(page.Generation);
    }

    // False when the reader has gone: the server does not always throw then.
    private static async Task<bool> FlushAsync(HttpContext context)
    {
        var flushed = await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
        return !flushed.IsCompleted && !flushed.IsCanceled && !context.RequestAborted.IsCancellationRequested;
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
