using System.Text.Encodings.Web;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http;

namespace PipelineExporter.Simulator.Inbox;

/// <summary>The frame of the simulator's own pages, and the one way by which foreign text gets into them.</summary>
internal static class Html
{
    static readonly HtmlEncoder Encoder = HtmlEncoder.Create(UnicodeRanges.All);

    /// <summary>Text as text, in an element or in a quoted attribute.</summary>
    public static string Encode(string? text) => text is null ? "" : Encoder.Encode(text);

    /// <summary>The address, encoded, when a browser may be sent there; null for what could run script.</summary>
    public static string? Link(string? url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" or "mailto" ? Encode(url) : null;

    /// <param name="body">Encoded already.</param>
    public static Task WritePageAsync(HttpContext context, string title, string body)
    {
        // Nothing that a mail or a message brings along may load or run.
        context.Response.Headers.ContentSecurityPolicy =
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; frame-src 'self'; " +
            "base-uri 'none'; form-action 'none'";
        context.Response.Headers.CacheControl = "no-store";
        context.Response.ContentType = "text/html; charset=utf-8";
        return context.Response.WriteAsync(
            $$"""
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>{{Encode(title)}}</title>
            <style>
            body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; color: #1d1c1d; background: #fff; }
            nav { border-bottom: 1px solid #ddd; margin-bottom: 1rem; padding-bottom: .5rem; }
            nav a { margin-right: 1rem; }
            table { border-collapse: collapse; width: 100%; }
            th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid #eee; }
            th { font-weight: 600; white-space: nowrap; }
            pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #f6f6f6; padding: .75rem; }
            code { background: #f6f6f6; padding: 0 .25rem; }
            iframe { width: 100%; height: 36rem; border: 1px solid #ddd; }
            time { color: #666; }
            .message { margin: 0 0 1.25rem; }
            .attachment { border-left: 4px solid #ccc; padding: .1rem 0 .1rem .75rem; margin-top: .25rem; }
            .attachment.good { border-color: #2eb67d; }
            .attachment.warning { border-color: #ecb22e; }
            .attachment.danger { border-color: #e01e5a; }
            .fields { display: grid; grid-template-columns: 1fr 1fr; gap: .25rem 1rem; margin: .25rem 0; }
            .button { display: inline-block; border: 1px solid #bbb; border-radius: 4px; margin: .25rem .4rem 0 0; padding: 0 .6rem; }
            .on { color: #c01048; font-weight: 600; }
            </style>
            </head>
            <body>
            <nav><a href="/">Simulator</a> <a href="/inbox">Inbox</a></nav>
            {{body}}
            <script src="/simulator/page.js"></script>
            </body>
            </html>
            """,
            context.RequestAborted);
    }

    public static string Time(DateTimeOffset at)
    {
        var text = at.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss 'UTC'");
        return $"""<time datetime="{at.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}">{text}</time>""";
    }
}
