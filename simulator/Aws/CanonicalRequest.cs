using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace PipelineExporter.Simulator.Aws;

/// <summary>The canonical form of a request that Signature Version 4 hashes and signs.</summary>
/// <remarks>
/// S3 signs the path as sent; every other service removes dot segments and empty segments and encodes the path, already
/// encoded on the wire, once more. Unreserved are A–Z a–z 0–9 - . _ ~.
/// </remarks>
internal static class CanonicalRequest
{
    public const string UnsignedPayload = "UNSIGNED-PAYLOAD";

    public static string Of(SignedRequest request, IReadOnlyList<string> signedHeaders, bool s3)
    {
        var (path, query) = SplitTarget(request.RawTarget);
        var canonical = new StringBuilder()
            .Append(request.Method).Append('\n')
            .Append(s3 ? path : EncodePath(NormalizePath(path))).Append('\n')
            .Append(Query(query)).Append('\n');
        foreach (var name in signedHeaders)
            canonical.Append(name).Append(':').Append(CollapseSpaces(request.Header(name) ?? "")).Append('\n');

        return canonical
            .Append('\n')
            .AppendJoin(';', signedHeaders).Append('\n')
            .Append(PayloadHash(request, s3))
            .ToString();
    }

    /// <summary>S3 signs what the header says of the body, be it the hash, that it is not signed, or that it comes in chunks.</summary>
    static string PayloadHash(SignedRequest request, bool s3) =>
        s3 && request.Header("x-amz-content-sha256") is { } declared ? declared : Convert.ToHexStringLower(SHA256.HashData(request.Body.Span));

    /// <summary>Kestrel hands over the absolute form of a target too; the signature covers the path and the query alone.</summary>
    static (string Path, string Query) SplitTarget(string target)
    {
        if (!target.StartsWith('/'))
        {
            var authority = target.IndexOf("://", StringComparison.Ordinal);
            var start = authority < 0 ? -1 : target.IndexOf('/', authority + 3);
            target = start < 0 ? "/" : target[start..];
        }

        var mark = target.IndexOf('?', StringComparison.Ordinal);
        return mark < 0 ? (target, "") : (target[..mark], target[(mark + 1)..]);
    }

    static string NormalizePath(string path)
    {
        var segments = new List<string>();
        foreach (var segment in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            switch (segment)
            {
                case ".":
                    break;
                case "..":
                    if (segments.Count > 0)
                        segments.RemoveAt(segments.Count - 1);

                    break;
                default:
                    segments.Add(segment);
                    break;
            }
        }

        return segments.Count == 0 ? "/" : $"/{string.Join('/', segments)}{(path.EndsWith('/') ? "/" : "")}";
    }

    static string EncodePath(string path) => string.Join('/', path.Split('/').Select(Encode));

    static string Query(string query)
    {
        if (query.Length == 0)
            return "";

        var pairs = new List<(string Name, string Value)>();
        foreach (var pair in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            var name = equals < 0 ? pair : pair[..equals];
            var value = equals < 0 ? "" : pair[(equals + 1)..];
            pairs.Add((Encode(Uri.UnescapeDataString(name)), Encode(Uri.UnescapeDataString(value))));
        }

        pairs.Sort(static (a, b) =>
            string.CompareOrdinal(a.Name, b.Name) is var order and not 0 ? order : string.CompareOrdinal(a.Value, b.Value));
        return string.Join('&', pairs.Select(pair => $"{pair.Name}={pair.Value}"));
    }

    static string CollapseSpaces(string value) => string.Join(' ', value.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    static string Encode(string text)
    {
        var encoded = new StringBuilder(text.Length);
        foreach (var octet in Encoding.UTF8.GetBytes(text))
        {
            var character = (char)octet;
            if (char.IsAsciiLetterOrDigit(character) || character is '-' or '.' or '_' or '~')
                encoded.Append(character);
            else
                encoded.Append(CultureInfo.InvariantCulture, $"%{octet:X2}");
        }

        return encoded.ToString();
    }
}
