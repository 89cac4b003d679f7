using System.Collections.Frozen;
using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Xml;
using Amazon.Runtime;

namespace PipelineExporter.Sources.Aws;

/// <summary>The fields of an error answer that are read; services differ in the case of the message.</summary>
internal sealed record AwsErrorBody
{
    [JsonPropertyName("__type")]
    public string? Type { get; set; }

    [JsonPropertyName("code")]
    public string? Code { get; set; }

    [JsonPropertyName("message")]
    public string? LowerMessage { get; set; }

    [JsonPropertyName("Message")]
    public string? UpperMessage { get; set; }
}

/// <summary>Turns an error answer of AWS into an <see cref="AwsException"/>.</summary>
internal static class AwsError
{
    private const int LongestMessage = 300;

    private static readonly FrozenSet<string> Throttling = new[]
    {
        "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException", "SlowDown",
        "TooManyRequestsException", "RequestLimitExceeded", "LimitExceededException", "LimitExceeded", "BandwidthLimitExceeded",
        "ProvisionedThroughputExceededException", "PriorRequestNotComplete",
    }.ToFrozenSet();

    private static readonly FrozenSet<string> Transient = new[]
    {
        "InternalServiceException", "InternalServiceError", "InternalServiceFault", "InternalFailure", "InternalServerError",
        "ServiceUnavailable", "ServiceUnavailableException", "RequestTimeout", "RequestTimeoutException", "OperationTimeoutException",
    }.ToFrozenSet();

    /// <param name="response">Whose content is buffered.</param>
    /// <param name="operation">As AWS calls it.</param>
    /// <param name="credentials">What the request was signed with: should AWS repeat any of it, it is blotted out.</param>
    /// <param name="canRenew">Whether keys that have expired are replaced by others.</param>
    /// <param name="now">The time on this machine.</param>
    public static async Task<AwsException> ReadAsync(
        HttpResponseMessage response, AwsService service, string operation, ImmutableCredentials credentials, bool canRenew, DateTimeOffset now,
        CancellationToken cancellationToken)
    {
        var body = await ParseAsync(response.Content, cancellationToken);
        var header = response.Headers.TryGetValues("x-amzn-ErrorType", out var values) ? values.FirstOrDefault() : null;
        var code = Plain(CodeOf(body.Type ?? body.Code ?? header ?? ""), credentials);
        var message = Plain(body.LowerMessage ?? body.UpperMessage ?? "", credentials);
        var isTold = code.Length > 0;
        if (!isTold)
            code = response.ReasonPhrase ?? response.StatusCode.ToString();
        if (message.Length == 0)
            message = "it gave no reason";

        var status = response.StatusCode;
        var throttling = status == HttpStatusCode.TooManyRequests || Throttling.Contains(code)
            || message.Contains("Rate exceeded", StringComparison.OrdinalIgnoreCase);
        var skewed = IsClockSkew(code, message);
        return new AwsException(service.Id, operation, code, message, status, Hint(service, operation, code, message, isTold, skewed, response, now))
        {
            IsThrottling = throttling,
            // A skewed clock has learnt AWS's time from this very answer.
            IsRetryable = throttling || skewed || (canRenew && IsExpired(code)) || (int)status >= 500 || Transient.Contains(code),
            RetryAfter = RetryAfter(response, now),
        };
    }

    /// <summary>Whether a policy forbids the operation.</summary>
    public static bool IsAccessDenied(string code) => code is "AccessDeniedException" or "AccessDenied" or "UnauthorizedOperation" or "NotAuthorized";

    /// <summary>Whether the session of the keys has ended.</summary>
    public static bool IsExpired(string? code) => code is "ExpiredToken" or "ExpiredTokenException";

    private static async Task<AwsErrorBody> ParseAsync(HttpContent content, CancellationToken cancellationToken)
    {
        var body = await content.ReadAsByteArrayAsync(cancellationToken);
        try
        {
            return body.AsSpan().TrimStart(" \t\r\n\uFEFF"u8) is [(byte)'<', ..]
                ? ParseXml(body)
                : JsonSerializer.Deserialize(body, AwsJsonContext.Default.AwsErrorBody) ?? new();
        }
        catch (Exception e) when (e is JsonException or XmlException)
        {
            return new(); // A proxy's page, most likely: the status is all there is to tell.
        }
    }

    // S3 answers <Error>, services of the query protocol <ErrorResponse><Error>.
    private static AwsErrorBody ParseXml(byte[] body)
    {
        using var reader = XmlReader.Create(new MemoryStream(body), new() { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null });
        if (!reader.ReadToFollowing("Error"))
            return new();
        string? code = null, message = null;
        reader.Read();
        while (!reader.EOF && reader.NodeType != XmlNodeType.EndElement)
        {
            if (reader is { NodeType: XmlNodeType.Element, LocalName: "Code" })
                code = reader.ReadElementContentAsString();
            else if (reader is { NodeType: XmlNodeType.Element, LocalName: "Message" })
                message = reader.ReadElementContentAsString();
            else
                reader.Skip();
        }

        return new() { Code = code, UpperMessage = message };
    }

    // "com.amazonaws.glue#EntityNotFoundException", "EntityNotFoundException:http://…" or just the code.
    private static string CodeOf(string type)
    {
        var code = type.AsSpan();
        if (code.IndexOf(':') is >= 0 and var colon)
            code = code[..colon];
        return code[(code.LastIndexOf('#') + 1)..].ToString();
    }

    // The first line only: after a wrong signature the following ones repeat the request, its session token included.
    private static string Plain(string text, ImmutableCredentials credentials)
    {
        var line = text.Trim().Split('\n', 2)[0].Trim();
        foreach (var secret in (ReadOnlySpan<string?>)[credentials.SecretKey, credentials.Token])
        {
            if (!string.IsNullOrEmpty(secret))
                line = line.Replace(secret, "[redacted]", StringComparison.Ordinal);
        }

        line = string.Concat(line.Where(character => !char.IsControl(character)));
        return line.Length <= LongestMessage ? line : line[..LongestMessage] + "…";
    }

    private static bool IsClockSkew(string code, string message) => code switch
    {
        "RequestTimeTooSkewed" or "RequestExpired" or "RequestInTheFuture" => true,
        "InvalidSignatureException" or "SignatureDoesNotMatch" or "AuthFailure" =>
            message.Contains("expired", StringComparison.OrdinalIgnoreCase) || message.Contains("not yet current", StringComparison.OrdinalIgnoreCase),
        _ => false,
    };

    private static string? Hint(
        AwsService service, string operation, string code, string message, bool isTold, bool skewed, HttpResponseMessage response, DateTimeOffset now)
    {
        if (skewed)
        {
            return response.Headers.Date is { } date
                ? $"This machine's clock differs from AWS's by {Math.Abs((date - now).TotalSeconds):0} s: set it by NTP."
                : "This machine's clock seems to be wrong: set it by NTP.";
        }

        return code switch
        {
            _ when IsAccessDenied(code) =>
                $"Allow {service.ActionOf(operation)} in the IAM policy of the exporter's role.",
            _ when IsExpired(code) =>
                "The session has expired: renew it (`aws sso login`, or new temporary keys) or give the exporter a role.",
            "InvalidSignatureException" or "SignatureDoesNotMatch" when message.Contains("valid region", StringComparison.Ordinal) =>
                "The region is not that of the endpoint: check region and endpoint_url.",
            "InvalidSignatureException" or "SignatureDoesNotMatch" =>
                "The secret key does not belong to the access key, or something between the exporter and AWS changes requests.",
            "UnrecognizedClientException" or "InvalidClientTokenId" or "InvalidAccessKeyId" =>
                "AWS does not know this access key: check the key, and that the region is enabled for the account.",
            "UnknownOperationException" => "The region may lack the service, or endpoint_url may be that of another: check both.",
            _ when !isTold && response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.MethodNotAllowed =>
                "This does not look like AWS: check endpoint_url.",
            _ => null,
        };
    }

    private static TimeSpan? RetryAfter(HttpResponseMessage response, DateTimeOffset now) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } when date > now => date - now,
        _ => null,
    };
}
