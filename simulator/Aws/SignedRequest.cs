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
    /// <summary>The request as signed; null when it was too large, and refused.</summary>
    public static async Task<SignedRequest?> ReadAsync(HttpContext context, int maxBodyBytes)
    {
        context.Request.EnableBuffering(bufferThreshold: maxBodyBytes, bufferLimit: maxBodyBytes);
        var body = new MemoryStream();
        try
        {
            await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        }
        catch (IOException) when (!context.RequestAborted.IsCancellationRequested)
        {
            context.Response.StatusCode = StatusCodes.Status413PayloadTooLarge;
            return null;
        }

        context.Request.Body.Position = 0;
        var headers = context.Request.Headers
            .SelectMany(header => header.Value.Select(value => KeyValuePair.Create(header.Key, value ?? "")))
            .ToList();
        var rawTarget = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        return new SignedRequest(context.Request.Method, rawTarget, headers, body.GetBuffer().AsMemory(0, (int)body.Length));
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
