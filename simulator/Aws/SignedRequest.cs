using System.Buffers;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace PipelineExporter.Simulator.Aws;

/// <summary>
/// A request as it came over the wire: the target neither decoded nor normalised, the headers in any order. A header that
/// was sent several times appears several times.
/// </summary>
internal sealed record SignedRequest(
    string Method, string RawTarget, IReadOnlyList<KeyValuePair<string, string>> Headers, ReadOnlyMemory<byte> Body)
{
    /// <summary>The request as signed, until it is answered; null when it was too large, and refused.</summary>
    public static async Task<SignedRequest?> ReadAsync(HttpContext context, int maxBodyBytes)
    {
        if (await ReadBodyAsync(context, maxBodyBytes) is not { } body)
        {
            context.Response.StatusCode = StatusCodes.Status413PayloadTooLarge;
            return null;
        }

        List<KeyValuePair<string, string>> headers = [];
        foreach (var (name, values) in context.Request.Headers)
        {
            foreach (var value in values)
                headers.Add(new(name, value ?? ""));
        }
        var rawTarget = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        return new SignedRequest(context.Request.Method, rawTarget, headers, body);
    }

    /// <summary>Into memory that the next requests use again: the largest come in fifty times a second.</summary>
    static async Task<ReadOnlyMemory<byte>?> ReadBodyAsync(HttpContext context, int maxBodyBytes)
    {
        var reader = context.Request.BodyReader;
        while (true)
        {
            var read = await reader.ReadAsync(context.RequestAborted);
            if (read.Buffer.Length > maxBodyBytes)
            {
                reader.AdvanceTo(read.Buffer.End);
                return null;
            }
            if (read.IsCompleted)
            {
                var length = (int)read.Buffer.Length;
                var memory = MemoryPool<byte>.Shared.Rent(Math.Max(length, 1));
                context.Response.RegisterForDispose(memory);
                read.Buffer.CopyTo(memory.Memory.Span);
                reader.AdvanceTo(read.Buffer.End);
                return memory.Memory[..length];
            }
            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    /// <summary>The values of a header joined as SigV4 joins them, or null where it was not sent.</summary>
    public string? Header(string name)
    {
        string? joined = null;
        foreach (var (key, value) in Headers)
        {
            if (key.Equals(name, StringComparison.OrdinalIgnoreCase))
            {
                joined = joined is null ? value : $"{joined},{value}";
            }
        }

        return joined;
    }
}
