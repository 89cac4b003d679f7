using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Amazon.Runtime;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Tests.Sources.Aws;

public sealed class AwsSignatureTests
{
    public static TheoryData<string> Vectors { get; } = [.. Document().EnumerateArray().Select(Name)];

    [Fact]
    public void Every_vector_is_signed() => Assert.Equal(51, Vectors.Count);

    [Theory]
    [MemberData(nameof(Vectors))]
    public async Task Signs_as_the_AWS_command_line_does(string name)
    {
        var vector = Document().EnumerateArray().Single(candidate => Name(candidate) == name);
        string? Text(string property) => vector.GetProperty(property).GetString();
        var body = Encoding.UTF8.GetBytes(Text("body") ?? "");
        // Uri resolves dot segments, as the signature wants it, but of S3 "./" and "../" may be part of a key.
        var asGiven = new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = vector.GetProperty("s3").GetBoolean() };
        using var request = new HttpRequestMessage(new(Text("method")!), new Uri(Text("url")!, asGiven)) { Content = new ByteArrayContent(body) };
        foreach (var header in vector.GetProperty("headers").EnumerateObject())
        {
            if (!request.Headers.TryAddWithoutValidation(header.Name, header.Value.GetString()))
                Assert.True(request.Content.Headers.TryAddWithoutValidation(header.Name, header.Value.GetString()));
        }

        var bodyHash = await AwsSignature.HashAsync(request.Content, TestContext.Current.CancellationToken);
        AwsSignature.Sign(
            request, bodyHash, new ImmutableCredentials(Text("access_key"), Text("secret_key"), Text("session_token")), Text("region")!, Text("service")!,
            DateTimeOffset.ParseExact(Text("timestamp")!, "yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal));

        var canonical = AwsSignature.Canonical(request, bodyHash, vector.GetProperty("s3").GetBoolean()).Request;
        var authorization = Assert.Single(request.Headers.GetValues("Authorization"));
        Assert.Equal(Text("canonical_request"), canonical);
        Assert.Equal(Text("string_to_sign"), StringToSign(request, authorization, canonical));
        Assert.Equal(Text("authorization"), authorization);
    }

    // The SDK's signer keeps it to itself: date and scope are those that were sent.
    private static string StringToSign(HttpRequestMessage request, string authorization, string canonical) => string.Join(
        '\n', "AWS4-HMAC-SHA256", Assert.Single(request.Headers.GetValues("X-Amz-Date")), authorization.Split("Credential=")[1].Split(',')[0].Split('/', 2)[1],
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(canonical))));

    [Fact]
    public async Task A_body_that_can_be_read_once_only_is_sent_after_it_was_hashed()
    {
        using var body = new StreamContent(new MemoryStream("{}"u8.ToArray()));

        var hash = await AwsSignature.HashAsync(body, TestContext.Current.CancellationToken);

        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData("{}"u8)), hash);
        using var sent = new MemoryStream();
        await body.CopyToAsync(sent, TestContext.Current.CancellationToken);
        Assert.Equal("{}"u8.ToArray(), sent.ToArray());
    }

    [Fact]
    public void Signing_again_replaces_the_earlier_signature()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "https://glue.eu-west-1.amazonaws.com/");
        var at = new DateTimeOffset(2026, 11, 23, 6, 15, 0, TimeSpan.Zero);
        AwsSignature.Sign(request, "", new ImmutableCredentials("A", "secret", "token"), "eu-west-1", "glue", at);
        AwsSignature.Sign(request, "", new ImmutableCredentials("B", "secret", null), "eu-west-1", "glue", at.AddMinutes(1));

        Assert.Equal("20261123T061600Z", Assert.Single(request.Headers.GetValues("X-Amz-Date")));
        Assert.StartsWith("AWS4-HMAC-SHA256 Credential=B/", Assert.Single(request.Headers.GetValues("Authorization")), StringComparison.Ordinal);
        Assert.False(request.Headers.Contains("X-Amz-Security-Token"));
    }

    private static JsonElement Document() =>
        JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures/sigv4/vectors.json"))).RootElement.GetProperty("vectors");

    private static string Name(JsonElement vector) => vector.GetProperty("name").GetString()!;
}
