using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace PipelineExporter.Simulator.Aws;

/// <summary>Somebody who may sign requests.</summary>
/// <param name="Expires">When temporary credentials end; null for the permanent key.</param>
internal sealed record AwsPrincipal(string SecretAccessKey, string Arn, string UserId, DateTimeOffset? Expires = null);

/// <summary>What AssumeRole issues.</summary>
internal sealed record TemporaryCredentials(
    string AccessKeyId, string SecretAccessKey, string SessionToken, DateTimeOffset Expiration, string Arn, string UserId);

/// <summary>
/// The one account, its fixed and public key, and the temporary credentials that its STS issues. A session token carries its own
/// role, session name and end under a MAC, so that nothing is remembered and credentials outlive a restart.
/// </summary>
internal sealed class AwsCredentials
{
    public const string AccountId = "123456789012";
    public const string Region = "eu-west-1";
    public const string AccessKeyId = "SIMULATOR";
    public const string SecretAccessKey = "simulator-secret";

    static readonly AwsPrincipal Owner =
        new(SecretAccessKey, $"arn:aws:iam::{AccountId}:user/simulator", "AIDASIMULATOR00000001");

    public AwsPrincipal? Find(string accessKeyId, string? sessionToken)
    {
        if (sessionToken is null)
            return accessKeyId == AccessKeyId ? Owner : null;

        return Read(sessionToken) is { } credentials && credentials.AccessKeyId == accessKeyId
            ? new AwsPrincipal(credentials.SecretAccessKey, credentials.Arn, credentials.UserId, credentials.Expiration)
            : null;
    }

    public TemporaryCredentials Issue(string roleName, string sessionName, DateTimeOffset expiration) =>
        Describe(string.Join('\n', roleName, sessionName, expiration.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture)));

    static TemporaryCredentials? Read(string sessionToken)
    {
        var parts = sessionToken.Split('.');
        if (parts.Length != 2 || !Base64Url.IsValid(parts[0]) || !Base64Url.IsValid(parts[1]))
            return null;

        var payload = Base64Url.DecodeFromChars(parts[0]);
        return CryptographicOperations.FixedTimeEquals(Mac("token", payload), Base64Url.DecodeFromChars(parts[1]))
            ? Describe(Encoding.UTF8.GetString(payload))
            : null;
    }

    static TemporaryCredentials Describe(string session)
    {
        var payload = Encoding.UTF8.GetBytes(session);
        var fields = session.Split('\n');
        var (roleName, sessionName, end) = (fields[0], fields[1], long.Parse(fields[2], CultureInfo.InvariantCulture));
        var role = Convert.ToHexString(Mac("role", Encoding.UTF8.GetBytes(roleName)))[..17];
        return new TemporaryCredentials(
            AccessKeyId: "ASIA" + Convert.ToHexString(Mac("key", payload))[..16],
            SecretAccessKey: Convert.ToBase64String(Mac("secret", payload))[..40],
            SessionToken: $"{Base64Url.EncodeToString(payload)}.{Base64Url.EncodeToString(Mac("token", payload))}",
            Expiration: DateTimeOffset.FromUnixTimeSeconds(end),
            Arn: $"arn:aws:sts::{AccountId}:assumed-role/{roleName}/{sessionName}",
            UserId: $"AROA{role}:{sessionName}");
    }

    static byte[] Mac(string purpose, byte[] payload) =>
        HMACSHA256.HashData(Encoding.UTF8.GetBytes($"{SecretAccessKey}/{purpose}"), payload);
}
