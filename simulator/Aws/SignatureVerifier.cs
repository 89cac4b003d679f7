using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace PipelineExporter.Simulator.Aws;

/// <summary>Why a signature was refused. Each protocol has its own code for it.</summary>
internal enum SignatureFault
{
    /// <summary>No Authorization header.</summary>
    Missing,

    /// <summary>An Authorization header that cannot be read, or no date.</summary>
    Incomplete,

    /// <summary>An access key that nobody issued.</summary>
    UnknownKey,

    /// <summary>A session token that nobody issued, or not for this key.</summary>
    InvalidToken,

    /// <summary>A session token whose time is over.</summary>
    ExpiredToken,

    /// <summary>A scope of another service, of no region, or of another date than the request's.</summary>
    Scope,

    /// <summary>A date too far from now.</summary>
    Skew,

    /// <summary>Another signature than ours, or of too little.</summary>
    Mismatch,
}

internal sealed class SignatureException(SignatureFault fault, string message) : Exception(message)
{
    public SignatureFault Fault { get; } = fault;

    /// <summary>What services that speak JSON call it.</summary>
    public string JsonCode => Fault switch
    {
        SignatureFault.Missing => "MissingAuthenticationTokenException",
        SignatureFault.Incomplete => "IncompleteSignatureException",
        SignatureFault.UnknownKey or SignatureFault.InvalidToken => "UnrecognizedClientException",
        SignatureFault.ExpiredToken => "ExpiredTokenException",
        _ => "InvalidSignatureException",
    };
}

/// <summary>Who signed a request, and for which region and service.</summary>
internal sealed record VerifiedSignature(AwsPrincipal Principal, string Region, string Service);

/// <summary>What a signer with a secret would make of a request.</summary>
internal sealed record ExpectedSignature(string CanonicalRequest, string StringToSign, byte[] Signature);

/// <summary>
/// Checks AWS Signature Version 4 in the Authorization header, as AWS's servers do it. Written from the specification, and
/// sharing nothing with any signer, so that a mistake in a signer cannot hide here.
/// </summary>
/// <param name="findPrincipal">The holder of an access key and session token, or null for a pair that nobody issued.</param>
internal sealed class SignatureVerifier(Func<string, string?, AwsPrincipal?> findPrincipal, TimeProvider time)
{
    const string Algorithm = "AWS4-HMAC-SHA256";
    const string DateFormat = "yyyyMMdd'T'HHmmss'Z'";
    const string MismatchMessage =
        "The request signature we calculated does not match the signature you provided. " +
        "Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";

    /// <param name="service">The signing name that the scope has to name; null accepts any.</param>
    /// <exception cref="SignatureException">The request is refused.</exception>
    public VerifiedSignature Verify(SignedRequest request, string? service)
    {
        var now = time.GetUtcNow();
        var authorization = Authorization.Parse(request.Header("Authorization"));
        var date = RequestDate(request);
        var token = request.Header("x-amz-security-token");
        var principal = findPrincipal(authorization.AccessKey, token) ?? throw new SignatureException(
            token is null ? SignatureFault.UnknownKey : SignatureFault.InvalidToken, "The security token included in the request is invalid.");
        if (principal.Expires is { } expires && expires <= now)
            throw new SignatureException(SignatureFault.ExpiredToken, "The security token included in the request is expired");

        CheckScope(authorization, date, service);
        CheckAge(date, now, authorization.Service);
        CheckSignedHeaders(request, authorization);

        var expected = Expect(request, authorization, date, principal.SecretAccessKey);
        if (!CryptographicOperations.FixedTimeEquals(expected.Signature, authorization.Signature))
        {
            throw Mismatch(
                $"{MismatchMessage}\n\nThe Canonical String for this request should have been\n'{expected.CanonicalRequest}'\n\n" +
                $"The String-to-Sign should have been\n'{expected.StringToSign}'\n");
        }

        CheckDeclaredPayload(request);
        return new VerifiedSignature(principal, authorization.Region, authorization.Service);
    }

    /// <exception cref="SignatureException">The request does not say for whom and when it is signed.</exception>
    public static ExpectedSignature Expect(SignedRequest request, string secret) =>
        Expect(request, Authorization.Parse(request.Header("Authorization")), RequestDate(request), secret);

    static ExpectedSignature Expect(SignedRequest request, Authorization authorization, string date, string secret)
    {
        var canonical = CanonicalRequest.Of(request, authorization.SignedHeaders, s3: authorization.Service == "s3");
        var stringToSign = string.Join('\n', Algorithm, date, authorization.Scope, Hash(canonical));
        return new(canonical, stringToSign, Sign(secret, authorization, stringToSign));
    }

    static string RequestDate(SignedRequest request)
    {
        if (request.Header("x-amz-date") is { } amazonDate)
        {
            return DateTimeOffset.TryParseExact(amazonDate, DateFormat, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out _)
                ? amazonDate
                : throw Incomplete("Date must be in ISO-8601 'basic format'.");
        }

        return DateTimeOffset.TryParseExact(
            request.Header("date"), "r", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var httpDate)
            ? httpDate.ToString(DateFormat, CultureInfo.InvariantCulture)
            : throw Incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
    }

    static void CheckScope(Authorization authorization, string date, string? service)
    {
        if (authorization.Terminator != "aws4_request")
            throw Scope("Credential should be scoped with a valid terminator: 'aws4_request'.");

        if (service is not null && authorization.Service != service)
        {
            throw Scope($"Credential should be scoped to correct service: '{service}'.");
        }

        if (!AwsRegions.Exists(authorization.Region))
        {
            throw Scope(authorization.Service == "s3"
                ? $"the region '{authorization.Region}' is wrong; expecting '{AwsCredentials.Region}'"
                : "Credential should be scoped to a valid region.");
        }

        if (authorization.Date != date[..8])
        {
            throw Scope(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: " +
                $"'{authorization.Date}' != '{date[..8]}', from '{date}'.");
        }
    }

    /// <summary>S3 and STS tolerate a clock that is fifteen minutes wrong, the services of the other protocols five.</summary>
    static void CheckAge(string date, DateTimeOffset now, string service)
    {
        var minutes = service is "s3" or "sts" ? 15 : 5;
        var tolerance = TimeSpan.FromMinutes(minutes);
        var signed = DateTimeOffset.ParseExact(date, DateFormat, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);
        if (signed < now - tolerance)
        {
            throw Skew($"Signature expired: {date} is now earlier than {Text(now - tolerance)} ({Text(now)} - {minutes} min.)");
        }

        if (signed > now + tolerance)
        {
            throw Skew($"Signature not yet current: {date} is still later than {Text(now + tolerance)} ({Text(now)} + {minutes} min.)");
        }

        static string Text(DateTimeOffset instant) => instant.ToString(DateFormat, CultureInfo.InvariantCulture);
    }

    /// <summary>An intermediary could add or change what is not signed, so AWS insists on the host and on its own headers.</summary>
    static void CheckSignedHeaders(SignedRequest request, Authorization authorization)
    {
        if (!authorization.SignedHeaders.Contains("host"))
            throw Mismatch("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");

        foreach (var (name, _) in request.Headers)
        {
            if (name.StartsWith("x-amz-", StringComparison.OrdinalIgnoreCase)
                && !authorization.SignedHeaders.Contains(name.ToLowerInvariant()))
            {
                throw Mismatch($"There were headers present in the request which were not signed: {name.ToLowerInvariant()}");
            }
        }
    }

    /// <summary>
    /// S3's clients also state the hash of the body in a header; the signature covers the header, this the body. Bodies that are not
    /// signed, or in chunks that are signed one by one, have a word in its place.
    /// </summary>
    static void CheckDeclaredPayload(SignedRequest request)
    {
        if (request.Header("x-amz-content-sha256") is { } declared
            && declared != CanonicalRequest.UnsignedPayload
            && !declared.StartsWith("STREAMING-", StringComparison.Ordinal)
            && declared != Convert.ToHexStringLower(SHA256.HashData(request.Body.Span)))
        {
            throw Mismatch("The provided 'x-amz-content-sha256' header does not match what was computed.");
        }
    }

    static byte[] Sign(string secret, Authorization authorization, string stringToSign)
    {
        var key = Encoding.UTF8.GetBytes("AWS4" + secret);
        foreach (var part in (ReadOnlySpan<string>)[authorization.Date, authorization.Region, authorization.Service, "aws4_request"])
            key = HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(part));

        return HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(stringToSign));
    }

    static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    static SignatureException Scope(string message) => new(SignatureFault.Scope, message);

    static SignatureException Skew(string message) => new(SignatureFault.Skew, message);

    static SignatureException Mismatch(string message) => new(SignatureFault.Mismatch, message);

    static SignatureException Incomplete(string message) => new(SignatureFault.Incomplete, message);

    /// <summary>
    /// The parts of <c>AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, SignedHeaders=a;b, Signature=HEX</c>.
    /// </summary>
    sealed record Authorization(
        string AccessKey, string Date, string Region, string Service, string Terminator, string[] SignedHeaders, byte[] Signature)
    {
        public string Scope => string.Join('/', Date, Region, Service, Terminator);

        public static Authorization Parse(string? header)
        {
            if (string.IsNullOrWhiteSpace(header))
                throw new SignatureException(SignatureFault.Missing, "Missing Authentication Token");

            if (!header.StartsWith(Algorithm + " ", StringComparison.Ordinal))
            {
                throw Incomplete($"Unsupported authorization type; the algorithm is {Algorithm}.");
            }

            var parts = new Dictionary<string, string>();
            foreach (var part in header[Algorithm.Length..].Split(',', StringSplitOptions.TrimEntries))
            {
                var equals = part.IndexOf('=', StringComparison.Ordinal);
                parts[equals < 0 ? part : part[..equals]] = equals < 0 ? "" : part[(equals + 1)..];
            }

            // An access key holds no slash, so the last four parts are the scope.
            var credential = Part("Credential").Split('/');
            if (credential.Length != 5)
                throw Incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.");

            var signedHeaders = Part("SignedHeaders").Split(';');
            return TryFromHex(Part("Signature"), out var signature)
                ? new(credential[0], credential[1], credential[2], credential[3], credential[4], signedHeaders, signature)
                : throw Mismatch(MismatchMessage);

            string Part(string name) => parts.GetValueOrDefault(name) is { Length: > 0 } value
                ? value
                : throw Incomplete($"Authorization header requires '{name}' parameter.");
        }

        static bool TryFromHex(string text, [NotNullWhen(true)] out byte[]? bytes)
        {
            bytes = text.Length == 2 * SHA256.HashSizeInBytes && text.All(char.IsAsciiHexDigitLower)
                ? Convert.FromHexString(text)
                : null;
            return bytes is not null;
        }
    }
}
