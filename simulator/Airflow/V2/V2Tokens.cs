using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace PipelineExporter.Simulator.Airflow.V2;

/// <summary>JSON web tokens of the SimpleAuthManager: HS512, a day long unless set otherwise, and no expiry beside the token.</summary>
internal sealed class V2Tokens(AirflowServers servers)
{
    static readonly TimeSpan LongestOfCli = TimeSpan.FromHours(1);

    /// <summary>An expired token is accepted so much longer.</summary>
    static readonly TimeSpan Leeway = TimeSpan.FromSeconds(10);

    /// <summary>As public as the password: it only keeps tokens of other servers out.</summary>
    static readonly byte[] Key = Encoding.UTF8.GetBytes("the simulator's signing key, which protects nothing but the tests of those who check");

    static readonly string Header = Encode("""{"alg":"HS512","typ":"JWT"}"""u8);

    public string Issue(AirflowUser user, bool forCli)
    {
        var now = servers.Now.ToUnixTimeSeconds();
        var lifetime = servers.Settings.TokenLifetime;
        if (forCli && lifetime > LongestOfCli)
            lifetime = LongestOfCli;
        var claims = new TokenClaims(user.Name, user.Role, [], Guid.NewGuid().ToString("N"), "apache-airflow", now, now, now + (long)lifetime.TotalSeconds);
        var signed = Header + "." + Encode(JsonSerializer.SerializeToUtf8Bytes(claims, TokenJson.Default.TokenClaims));
        return signed + "." + Encode(Sign(signed));
    }

    /// <summary>Whose token it is.</summary>
    /// <exception cref="AirflowRefusal">401 without a token or with an expired one, 403 with one that is none of ours.</exception>
    public AirflowUser Check(string? authorization)
    {
        if (authorization is null || !authorization.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase))
            throw V2Errors.Detail(401, "Not authenticated");
        if (Read(authorization["Bearer ".Length..].Trim()) is not { } claims || AirflowUser.Named(claims.Sub) is not { } user)
            throw V2Errors.Detail(403, "Invalid JWT token");
        if (servers.Now > DateTimeOffset.FromUnixTimeSeconds(claims.Exp) + Leeway)
            throw V2Errors.Detail(401, "Token Expired");
        return user;
    }

    static TokenClaims? Read(string token)
    {
        var end = token.LastIndexOf('.');
        if (end < 0 || token.Split('.') is not [var header, var claims, var signature] || header != Header ||
            !Base64Url.IsValid(signature) || !Base64Url.IsValid(claims) ||
            !CryptographicOperations.FixedTimeEquals(Base64Url.DecodeFromChars(signature), Sign(token[..end])))
        {
            return null;
        }
        return JsonSerializer.Deserialize(Base64Url.DecodeFromChars(claims), TokenJson.Default.TokenClaims);
    }

    static byte[] Sign(string text) => HMACSHA512.HashData(Key, Encoding.UTF8.GetBytes(text));

    static string Encode(ReadOnlySpan<byte> bytes) => Base64Url.EncodeToString(bytes);
}

internal sealed record TokenClaims(string Sub, string Role, IReadOnlyList<string> Teams, string Jti, string Aud, long Nbf, long Iat, long Exp);

internal sealed record LoginBody(string? Username, string? Password);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(TokenClaims))]
[JsonSerializable(typeof(LoginBody))]
internal sealed partial class TokenJson : JsonSerializerContext;
