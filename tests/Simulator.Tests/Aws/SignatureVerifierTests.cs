using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Simulator.Aws;

namespace PipelineExporter.Simulator.Tests.Aws;

public sealed class SignatureVerifierTests
{
    const string DateFormat = "yyyyMMdd'T'HHmmss'Z'";

    static readonly Dictionary<string, JsonNode> Vectors = Read();

    public static TheoryData<string> Names => [.. Vectors.Keys];

    [Fact]
    public void There_are_51_vectors() => Assert.Equal(51, Vectors.Count);

    [Theory]
    [MemberData(nameof(Names))]
    public void Accepts_what_botocore_signed(string name)
    {
        var vector = Vectors[name];

        var verified = Verifier(vector).Verify(Request(vector), (string)vector["service"]!);

        Assert.Equal((string)vector["region"]!, verified.Region);
        Assert.Equal((string)vector["service"]!, verified.Service);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Makes_of_a_request_what_botocore_makes_of_it_byte_for_byte(string name)
    {
        var vector = Vectors[name];

        var expected = SignatureVerifier.Expect(Request(vector), (string)vector["secret_key"]!);

        Assert.Equal((string)vector["canonical_request"]!, expected.CanonicalRequest);
        Assert.Equal((string)vector["string_to_sign"]!, expected.StringToSign);
        Assert.Equal(((string)vector["authorization"]!).Split("Signature=")[1], Convert.ToHexStringLower(expected.Signature));
    }

    [Fact]
    public void The_vectors_are_of_both_variants() =>
        Assert.All([true, false], s3 => Assert.Contains(Vectors.Values, vector => (bool)vector["s3"]! == s3 && s3 == ((string)vector["service"]! == "s3")));

    [Theory]
    [MemberData(nameof(Names))]
    public void Refuses_another_secret(string name)
    {
        var vector = Vectors[name];

        var refused = Refused(Request(vector), Verifier(vector, secret: "wrong"));

        Assert.Equal(SignatureFault.Mismatch, refused.Fault);
        Assert.Contains((string)vector["canonical_request"]!, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("wrong", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Refuses_an_altered_body(string name)
    {
        var vector = Vectors[name];
        var request = Request(vector) with { Body = Encoding.UTF8.GetBytes((string)vector["body"]! + " ") };

        Assert.Equal(SignatureFault.Mismatch, Refused(request, Verifier(vector)).Fault);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Refuses_a_signature_with_one_digit_changed(string name)
    {
        var vector = Vectors[name];
        var signature = (string)vector["authorization"]!;
        var changed = signature[..^1] + (signature[^1] == '0' ? '1' : '0');

        Assert.Equal(SignatureFault.Mismatch, Refused(Request(vector, authorization: changed), Verifier(vector)).Fault);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Refuses_another_method(string name)
    {
        var vector = Vectors[name];

        Assert.Equal(SignatureFault.Mismatch, Refused(Request(vector) with { Method = "PUT" }, Verifier(vector)).Fault);
    }

    [Theory]
    [InlineData("header-case", "X-ZEBRA", "2")]
    [InlineData("glue-json", "X-Amz-Target", "AWSGlue.DeleteJob")]
    [InlineData("cloudwatch-json", "Host", "elsewhere.example.com")]
    public void Refuses_a_signed_header_with_another_value(string name, string header, string value)
    {
        var vector = Vectors[name];
        var request = Request(vector);
        request = request with { Headers = [.. request.Headers.Where(h => h.Key != header), new(header, value)] };

        Assert.Equal(SignatureFault.Mismatch, Refused(request, Verifier(vector)).Fault);
    }

    [Fact]
    public void Refuses_amazon_headers_that_are_not_signed()
    {
        var vector = Vectors["glue-json"];
        var request = Request(vector);
        request = request with { Headers = [.. request.Headers, new("X-Amz-Expected-Owner", "1")] };

        var refused = Refused(request, Verifier(vector));

        Assert.Equal(SignatureFault.Mismatch, refused.Fault);
        Assert.Contains("not signed: x-amz-expected-owner", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_a_host_that_is_not_signed()
    {
        var vector = Vectors["get-no-query"];
        var authorization = ((string)vector["authorization"]!).Replace("host;", "", StringComparison.Ordinal);

        Assert.Contains("'Host'", Refused(Request(vector, authorization), Verifier(vector)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("glue-json", 5)]
    [InlineData("cloudwatch-cbor", 5)]
    [InlineData("mwaa-invoke", 5)]
    [InlineData("s3-list-buckets", 15)]
    [InlineData("sts-query", 15)]
    public void Accepts_dates_that_are_as_far_away_as_the_service_tolerates(string name, int minutes)
    {
        var (vector, tolerance, second) = (Vectors[name], TimeSpan.FromMinutes(minutes), TimeSpan.FromSeconds(1));
        foreach (var late in new[] { tolerance, -tolerance })
            Verifier(vector, late: late).Verify(Request(vector), service: null);

        var expired = Refused(Request(vector), Verifier(vector, late: tolerance + second));
        var early = Refused(Request(vector), Verifier(vector, late: -tolerance - second));

        Assert.Equal((SignatureFault.Skew, SignatureFault.Skew), (expired.Fault, early.Fault));
        var (after, before) = minutes == 5 ? ("062001", "060959") : ("063001", "055959");
        Assert.Equal($"Signature expired: 20261123T061500Z is now earlier than 20261123T061501Z (20261123T{after}Z - {minutes} min.)", expired.Message);
        Assert.Equal($"Signature not yet current: 20261123T061500Z is still later than 20261123T061459Z (20261123T{before}Z + {minutes} min.)", early.Message);
    }

    [Fact]
    public void Refuses_a_scope_of_another_service()
    {
        var vector = Vectors["glue-json"];

        var refused = Assert.Throws<SignatureException>(() => Verifier(vector).Verify(Request(vector), "monitoring"));

        Assert.Equal(SignatureFault.Scope, refused.Fault);
        Assert.Equal("Credential should be scoped to correct service: 'monitoring'.", refused.Message);
    }

    [Theory]
    [InlineData("20261123/", "20261122/", "Date in Credential scope does not match")]
    [InlineData("aws4_request", "aws5_request", "valid terminator")]
    public void Refuses_a_scope_that_does_not_fit(string was, string @is, string message)
    {
        var vector = Vectors["glue-json"];
        var authorization = ((string)vector["authorization"]!).Replace(was, @is, StringComparison.Ordinal);

        var refused = Refused(Request(vector, authorization), Verifier(vector));

        Assert.Equal(SignatureFault.Scope, refused.Fault);
        Assert.Contains(message, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_an_unknown_access_key()
    {
        var vector = Vectors["glue-json"];
        var authorization = ((string)vector["authorization"]!).Replace("AKIDEXAMPLE", "AKIDOTHER", StringComparison.Ordinal);

        Assert.Equal(SignatureFault.UnknownKey, Refused(Request(vector, authorization), Verifier(vector)).Fault);
    }

    [Fact]
    public void Refuses_another_session_token()
    {
        var vector = Vectors["cloudwatch-json-token"];
        var request = Request(vector);
        request = request with
        {
            Headers = [.. request.Headers.Where(h => h.Key != "X-Amz-Security-Token"), new("X-Amz-Security-Token", "other")],
        };

        Assert.Equal(SignatureFault.InvalidToken, Refused(request, Verifier(vector)).Fault);
    }

    [Fact]
    public void Refuses_an_expired_session_token()
    {
        var vector = Vectors["cloudwatch-json-token"];
        var signed = SignedAt(vector);
        var verifier = new SignatureVerifier(
            (_, _) => new AwsPrincipal((string)vector["secret_key"]!, "arn:aws:iam::1:user/x", "user", signed), new FakeTimeProvider(signed));

        Assert.Equal(SignatureFault.ExpiredToken, Refused(Request(vector), verifier).Fault);
    }

    [Theory]
    [InlineData(null, SignatureFault.Missing)]
    [InlineData("", SignatureFault.Missing)]
    [InlineData("Basic YTpi", SignatureFault.Incomplete)]
    [InlineData("AWS4-HMAC-SHA256 Credential=a/20261123/r/s/aws4_request, SignedHeaders=host", SignatureFault.Incomplete)]
    [InlineData("AWS4-HMAC-SHA256 Credential=a/20261123/r/s/aws4_request, Signature=00", SignatureFault.Incomplete)]
    [InlineData("AWS4-HMAC-SHA256 SignedHeaders=host, Signature=00", SignatureFault.Incomplete)]
    [InlineData("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00", SignatureFault.Incomplete)]
    [InlineData("AWS4-HMAC-SHA256 Credential=a/20261123/r/s/aws4_request, SignedHeaders=host, Signature=zz", SignatureFault.Mismatch)]
    public void Says_what_is_wrong_with_an_authorization_header(string? authorization, object fault)
    {
        var vector = Vectors["glue-json"];
        var request = Request(vector);
        request = request with { Headers = [.. request.Headers.Where(h => h.Key != "Authorization")] };
        if (authorization is not null)
        {
            request = request with { Headers = [.. request.Headers, new("Authorization", authorization)] };
        }

        Assert.Equal(fault, Refused(request, Verifier(vector)).Fault);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("2026-11-23T06:15:00Z")]
    public void Wants_a_date_in_the_basic_format(string? date)
    {
        var vector = Vectors["glue-json"];
        var request = Request(vector);
        request = request with { Headers = [.. request.Headers.Where(h => h.Key != "X-Amz-Date")] };
        if (date is not null)
        {
            request = request with { Headers = [.. request.Headers, new("X-Amz-Date", date)] };
        }

        Assert.Equal(SignatureFault.Incomplete, Refused(request, Verifier(vector)).Fault);
    }

    static SignatureException Refused(SignedRequest request, SignatureVerifier verifier) =>
        Assert.Throws<SignatureException>(() => verifier.Verify(request, service: null));

    static DateTimeOffset SignedAt(JsonNode vector) => DateTimeOffset.ParseExact(
        (string)vector["timestamp"]!, DateFormat, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);

    static SignatureVerifier Verifier(JsonNode vector, string? secret = null, TimeSpan late = default) => new(
        (key, token) => key == (string)vector["access_key"]! && token == (string?)vector["session_token"]
            ? new AwsPrincipal(secret ?? (string)vector["secret_key"]!, "arn:aws:iam::1:user/x", "user")
            : null,
        new FakeTimeProvider(SignedAt(vector) + late));

    /// <summary>The request as it stands on the wire; Uri would normalise the very paths that are in question.</summary>
    static SignedRequest Request(JsonNode vector, string? authorization = null)
    {
        var url = (string)vector["url"]!;
        var start = url.IndexOf("://", StringComparison.Ordinal) + 3;
        var slash = url.IndexOf('/', start);
        var headers = new List<KeyValuePair<string, string>>
        {
            new("Host", url[start..slash]),
            new("User-Agent", "not signed"),
            new("Authorization", authorization ?? (string)vector["authorization"]!),
        };
        foreach (var (name, value) in vector["signed_headers_sent"]!.AsObject())
            headers.Add(new(name, (string)value!));

        return new SignedRequest((string)vector["method"]!, url[slash..], headers, Encoding.UTF8.GetBytes((string)vector["body"]!));
    }

    static Dictionary<string, JsonNode> Read()
    {
        var file = Path.Combine(AppContext.BaseDirectory, "Fixtures", "sigv4", "vectors.json");
        return JsonNode.Parse(File.ReadAllText(file))!["vectors"]!.AsArray().ToDictionary(vector => (string)vector!["name"]!, vector => vector!);
    }
}
