using System.Net;

namespace PipelineExporter.Web;

/// <summary>The frame that the exporter's pages share. What is put into it must be HTML already; use <see cref="Text"/> for names.</summary>
internal static class Page
{
    public static string Text(string? value) => WebUtility.HtmlEncode(value ?? "");

    public static IResult Html(string title, string body, int status = StatusCodes.Status200OK) => Results.Content(
        $$"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>{{Text(title)}}</title>
        <style>
        :root { color-scheme: light dark; }
        body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
        table { border-collapse: collapse; width: 100%; }
        th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8884; vertical-align: top; }
        code, pre { font: 13px/1.45 ui-monospace, monospace; background: #8882; border-radius: 4px; padding: .1rem .3rem; }
        pre { padding: .7rem; overflow-x: auto; }
        pre code { background: none; padding: 0; }
        .ok { color: #1a7f37; } .bad { color: #cf222e; }
        </style>
        </head>
        <body>
        {{body}}
        </body>
        </html>
        """,
        "text/html; charset=utf-8",
        statusCode: status);
}
