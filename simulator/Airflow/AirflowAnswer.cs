using System.Buffers;
using System.IO.Compression;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace PipelineExporter.Simulator.Airflow;

/// <summary>Sends what was written, or refused, in an edition's way.</summary>
internal static class AirflowAnswer
{
    static readonly JsonWriterOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    static readonly JsonWriterOptions Indented = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, Indented = true, NewLine = "\n" };

    /// <summary>Airflow 2: indented, never compressed, and the connection ends with the answer.</summary>
    public static Task SendV1Async(HttpContext context, int status, string contentType, Action<Utf8JsonWriter>? write, string? text)
    {
        context.Response.Headers.Server = "gunicorn";
        context.Response.Headers.Connection = "close";
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers["X-Robots-Tag"] = "noindex, nofollow";
        return SendAsync(context, status, contentType, Body(write, text, Indented, "\n"));
    }

    /// <summary>Airflow 3: compact, and compressed for whoever accepts it.</summary>
    public static Task SendV2Async(HttpContext context, int status, string contentType, Action<Utf8JsonWriter>? write, string? text)
    {
        context.Response.Headers.Server = "uvicorn";
        context.Response.Headers.Vary = "Accept-Encoding";
        var body = Body(write, text, Compact, "");
        if (context.Request.Headers.AcceptEncoding.Any(accepted => accepted?.Contains("gzip", StringComparison.OrdinalIgnoreCase) == true))
        {
            context.Response.Headers.ContentEncoding = "gzip";
            body = Compress(body);
        }
        return SendAsync(context, status, contentType, body);
    }

    static async Task SendAsync(HttpContext context, int status, string contentType, ReadOnlyMemory<byte> body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = contentType;
        if (status == StatusCodes.Status204NoContent)
            return;
        context.Response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(context.Request.Method))
            await context.Response.Body.WriteAsync(body, context.RequestAborted);
    }

    static ReadOnlyMemory<byte> Body(Action<Utf8JsonWriter>? write, string? text, JsonWriterOptions options, string end)
    {
        if (write is null)
            return Encoding.UTF8.GetBytes(text ?? "");
        var buffer = new ArrayBufferWriter<byte>(4096);
        using (var json = new Utf8JsonWriter(buffer, options))
            write(json);
        buffer.Write(Encoding.UTF8.GetBytes(end));
        return buffer.WrittenMemory;
    }

    static ReadOnlyMemory<byte> Compress(ReadOnlyMemory<byte> body)
    {
        using var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest))
            gzip.Write(body.Span);
        return compressed.ToArray();
    }
}
