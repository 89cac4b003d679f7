using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text;
using Amazon.Runtime;
using Amazon.Runtime.Internal.Auth;

namespace PipelineExporter.Sources.Aws;

/// <summary>
/// Signs requests with AWS Signature Version 4. The canonical form is built here, key and signature come from the SDK's signer,
/// whose request type does not fit HttpRequestMessage.
/// </summary>
internal static class AwsSignature
{
    // What proxies or the HTTP stack may add or change on the way.
    private static readonly FrozenSet<string> Unsigned = new[]
    {
        "authorization", "user-agent", "expect", "connection", "transfer-encoding", "te", "content-length", "accept-encoding",
        "traceparent", "tracestate", "x-amzn-trace-id",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>What is signed of a body, which is read into its buffer unless it is there already. In hex; of none, that of an empty one.</summary>
    public static async Task<string> HashAsync(HttpContent? body, CancellationToken cancellationToken)
    {
        if (body is null)
            return Convert.ToHexStringLower(SHA256.HashData([]));
        await body.LoadIntoBufferAsync(cancellationToken);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(await body.ReadAsStreamAsync(cancellationToken), cancellationToken));
    }

    /// <summary>Replaces the request's date, token and authorization headers.</summary>
    /// <param name="bodyHash">See <see cref="HashAsync"/>.</param>
    public static void Sign(
        HttpRequestMessage request, string bodyHash, ImmutableCredentials credentials, string region, string service, DateTimeOffset at)
    {
        var date = at.UtcDateTime;
        request.Headers.Remove("Authorization");
        request.Headers.Remove("X-Amz-Date");
        request.Headers.Remove("X-Amz-Security-Token");
        request.Headers.TryAddWithoutValidation("X-Amz-Date", date.ToString("yyyyMMdd'T'HHmmss'Z'"));
        if (credentials.UseToken)
            request.Headers.TryAddWithoutValidation("X-Amz-Security-Token", credentials.Token);
        var isS3 = service == AwsService.S3.SigningName;
        if (isS3)
        {
            request.Headers.Remove("X-Amz-Content-SHA256");
            request.Headers.TryAddWithoutValidation("X-Amz-Content-SHA256", bodyHash);
        }

        var (canonical, signedHeaders) = Canonical(request, bodyHash, isS3);
        var signature = AWS4Signer.ComputeSignature(
            credentials.AccessKey, credentials.SecretKey, region, date, service, signedHeaders, canonical);
        request.Headers.TryAddWithoutValidation("Authorization", signature.ForAuthorizationHeader);
    }

    /// <summary>The canonical request, and the names of the headers in it.</summary>
    /// <param name="isS3">S3 takes the path as it is sent; every other service escapes it once more.</param>
    internal static (string Request, string SignedHeaders) Canonical(HttpRequestMessage request, string bodyHash, bool isS3 = false)
    {
        var uri = request.RequestUri!;
        var headers = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["host"] = request.Headers.Host ?? (uri.IsDefaultPort ? uri.IdnHost : $"{uri.IdnHost}:{uri.Port}"),
        };
        AddHeaders(headers, request.Headers.NonValidated);
        if (request.Content is not null)
            AddHeaders(headers, request.Content.Headers.NonValidated);

        var signedHeaders = string.Join(';', headers.Keys);
        var text = new StringBuilder()
            .Append(request.Method.Method).Append('\n')
            .Append(isS3 ? uri.AbsolutePath : Path(uri)).Append('\n')
            .Append(Query(uri)).Append('\n');
        foreach (var (name, value) in headers)
            text.Append(name).Append(':').Append(value).Append('\n');
        text.Append('\n').Append(signedHeaders).Append('\n').Append(bodyHash);
        return (text.ToString(), signedHeaders);
    }

    private static void AddHeaders(SortedDictionary<string, string> to, System.Net.Http.Headers.HttpHeadersNonValidated from)
    {
        foreach (var (name, values) in from)
        {
            if (!Unsigned.Contains(name))
                to[name.ToLowerInvariant()] = string.Join(',', values.Select(OneSpaced));
        }
    }

    private static string OneSpaced(string value) =>
        string.Join(' ', value.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    // The path as sent, without empty segments, escaped once more. Uri has resolved dot segments already.
    private static string Path(Uri uri)
    {
        var segments = uri.AbsolutePath.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (segments.Length == 0)
            return "/";
        var path = "/" + string.Join('/', segments.Select(Uri.EscapeDataString));
        return uri.AbsolutePath.EndsWith('/') ? path + "/" : path;
    }

    private static string Query(Uri uri)
    {
        var pairs = uri.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries).Select(pair =>
        {
            var parts = pair.Split('=', 2);
            return (Name: Escape(parts[0]), Value: parts.Length == 2 ? Escape(parts[1]) : "");
        });
        return string.Join('&', pairs
            .OrderBy(pair => pair.Name, StringComparer.Ordinal).ThenBy(pair => pair.Value, StringComparer.Ordinal)
            .Select(pair => $"{pair.Name}={pair.Value}"));

        static string Escape(string text) => Uri.EscapeDataString(Uri.UnescapeDataString(text));
    }
}
