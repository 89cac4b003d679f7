using System.Buffers.Text;
using System.Text;

namespace PipelineExporter.Simulator.Aws;

/// <summary>The NextToken of a listing: opaque to clients, the place where the next page starts to us.</summary>
internal static class PageToken
{
    /// <param name="kind">Of which listing, so that the token of one is not taken for another's.</param>
    public static string Write(string kind, params ReadOnlySpan<string> place) =>
        Base64Url.EncodeToString(Encoding.UTF8.GetBytes($"{kind}\n{string.Join('\n', place)}"));

    /// <summary>The place, or null when it is no token of this kind.</summary>
    public static string[]? Read(string token, string kind)
    {
        if (!Base64Url.IsValid(token))
            return null;
        var parts = Encoding.UTF8.GetString(Base64Url.DecodeFromChars(token)).Split('\n');
        return parts[0] == kind ? parts[1..] : null;
    }
}
