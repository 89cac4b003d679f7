using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;

namespace PipelineExporter.Simulator.Tests.Aws;

/// <summary>Signs and sends single requests to a simulator, right or wrong in one thing at a time.</summary>
internal sealed class AwsTestClient(Uri address, TimeProvider time) : IDisposable
{
    readonly HttpClient http = new() { BaseAddress = address };

    public string AccessKey { get; init; } = "SIMULATOR";

    public string Secret { get; init; } = "simulator-secret";

    public string? Token { get; init; }

    /// <summary>How late the client's clock is.</summary>
    public TimeSpan Late { get; init; }

    public string Region { get; init; } = "eu-west-1";

    /// <summary>Null signs for the service that is called.</summary>
    public string? SigningName { get; init; }

    public bool Unsigned { get; init; }

    public Task<HttpResponseMessage> JsonAsync(string service, string target, string body, string contentType) =>
        SendAsync(service, body, contentType, ("X-Amz-Target", target));

    public Task<HttpResponseMessage> GlueAsync(string operation, string body = "{}") =>
        JsonAsync("glue", $"AWSGlue.{operation}", body, "application/x-amz-json-1.1");

    public Task<HttpResponseMessage> CloudWatchAsync(string operation, string body = "{}") =>
        JsonAsync("monitoring", $"GraniteServiceVersion20100801.{operation}", body, "application/x-amz-json-1.0");

    public Task<HttpResponseMessage> CborAsync(string operation, byte[] body, string contentType = "application/cbor") =>
        SendAsync("monitoring", body, contentType, $"/service/GraniteServiceVersion20100801/operation/{operation}", ("smithy-protocol", "rpc-v2-cbor"));

    public Task<HttpResponseMessage> DynamoDbAsync(string operation, string body = "{}") =>
        JsonAsync("dynamodb", $"DynamoDB_20120810.{operation}", body, "application/x-amz-json-1.0");

    /// <param name="target">Path and query.</param>
    /// <param name="payload">What stands in place of the body's hash.</param>
    public Task<HttpResponseMessage> S3Async(string target, HttpMethod? method = null, string? host = null, string payload = "UNSIGNED-PAYLOAD") =>
        SendAsync("s3", [], null, target, [("x-amz-content-sha256", payload)], method ?? HttpMethod.Get, host);

    public Task<HttpResponseMessage> StsAsync(string form) => QueryAsync("sts", form);

    public Task<HttpResponseMessage> QueryAsync(string service, string form) => SendAsync(service, form, "application/x-www-form-urlencoded; charset=utf-8");

    public Task<HttpResponseMessage> MwaaAsync(string environment, string body) => SendAsync("airflow", body, "application/json", $"/restapi/{environment}");

    Task<HttpResponseMessage> SendAsync(string service, string body, string contentType, params (string Name, string Value)[] extra) =>
        SendAsync(service, body, contentType, "/", extra);

    Task<HttpResponseMessage> SendAsync(string service, string body, string contentType, string path, params (string Name, string Value)[] extra) =>
        SendAsync(service, Encoding.UTF8.GetBytes(body), contentType, path, extra);

    Task<HttpResponseMessage> SendAsync(string service, byte[] body, string contentType, string path, params (string Name, string Value)[] extra) =>
        SendAsync(service, body, contentType, path, extra, HttpMethod.Post, host: null);

    async Task<HttpResponseMessage> SendAsync(
        string service, byte[] body, string? contentType, string target, (string Name, string Value)[] extra, HttpMethod method, string? host)
    {
        using var request = new HttpRequestMessage(method, target);
        if (contentType is not null)
        {
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(contentType);
        }
        request.Headers.Host = host;
        var headers = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["host"] = host ?? address.Authority,
            ["x-amz-date"] = (time.GetUtcNow() - Late).ToString("yyyyMMdd'T'HHmmss'Z'"),
        };
        if (Token is not null)
            headers["x-amz-security-token"] = Token;
        foreach (var (name, value) in extra)
            headers[name.ToLowerInvariant()] = value;
        foreach (var (name, value) in headers.Where(header => header.Key != "host"))
            request.Headers.Add(name, value);
        if (!Unsigned)
            request.Headers.TryAddWithoutValidation("Authorization", Sign(SigningName ?? service, method, target, headers, body));
        return await http.SendAsync(request, TestContext.Current.CancellationToken);
    }

    /// <summary>The queries of the tests need neither sorting nor escaping.</summary>
    string Sign(string service, HttpMethod method, string target, SortedDictionary<string, string> headers, byte[] body)
    {
        var scope = $"{headers["x-amz-date"][..8]}/{Region}/{service}/aws4_request";
        var names = string.Join(';', headers.Keys);
        var (path, query) = target.Split('?') is [var before, var after] ? (before, string.Join('&', after.Split('&').Select(pair => pair.Contains('=', StringComparison.Ordinal) ? pair : pair + "="))) : (target, "");
        var payload = headers.GetValueOrDefault("x-amz-content-sha256") ?? Hex(SHA256.HashData(body));
        var canonical = $"{method}\n{path}\n{query}\n{string.Concat(headers.Select(header => $"{header.Key}:{header.Value}\n"))}\n{names}\n{payload}";
        var stringToSign = $"AWS4-HMAC-SHA256\n{headers["x-amz-date"]}\n{scope}\n{Hex(SHA256.HashData(Encoding.UTF8.GetBytes(canonical)))}";
        var key = scope.Split('/').Aggregate(Encoding.UTF8.GetBytes("AWS4" + Secret), (last, part) => HMACSHA256.HashData(last, Encoding.UTF8.GetBytes(part)));
        return $"AWS4-HMAC-SHA256 Credential={AccessKey}/{scope}, SignedHeaders={names}, Signature={Hex(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(stringToSign)))}";
    }

    static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);

    public void Dispose() => http.Dispose();
}
