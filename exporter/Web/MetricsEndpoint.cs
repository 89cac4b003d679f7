using System.Buffers;
using System.Collections.Immutable;
using Microsoft.Net.Http.Headers;
using PipelineExporter.Scraping;
using PipelineExporter.State;

namespace PipelineExporter.Web;

/// <summary>
/// Serves the current page. A scrape copies bytes: it waits for no source, renders nothing and compresses nothing. Only
/// a client that takes no gzip, as Prometheus does, has it unpacked.
/// </summary>
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

        if (gzip ? await SendAsync(context, page.Gzip) : await UnpackAsync(context, page))
            scrapes.Answered(page.Generation);
    }

    private static async Task<bool> SendAsync(HttpContext context, ImmutableArray<byte[]> pieces)
    {
        var unflushed = 0;
        foreach (var bytes in pieces)
        {
            for (var at = 0; at < bytes.Length; at += FlushAfter)
            {
                var piece = bytes.AsSpan(at, Math.Min(FlushAfter, bytes.Length - at));
                context.Response.BodyWriter.Write(piece);
                if ((unflushed += piece.Length) < FlushAfter)
                    continue;
                if (!await FlushAsync(context))
                    return false;
                unflushed = 0;
            }
        }

        return await FlushAsync(context);
    }

    private static async Task<bool> UnpackAsync(HttpContext context, MetricsPage page)
    {
        await using var plain = page.OpenPlain();
        while (true)
        {
            var piece = context.Response.BodyWriter.GetMemory(FlushAfter)[..FlushAfter];
            var read = await plain.ReadAtLeastAsync(piece, FlushAfter, throwOnEndOfStream: false, context.RequestAborted);
            context.Response.BodyWriter.Advance(read);
            if (!await FlushAsync(context))
                return false;
            if (read < FlushAfter)
                return true;
        }
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
