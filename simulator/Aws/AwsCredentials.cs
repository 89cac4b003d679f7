using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace PipelineExporter.Simulator.Aws;

/// <summary>Somebody who may sign requests.</summary>
/// <param name="Expires">When temporary credentials end; null for the permanent key.</param>
internal sealed record AwsPrincipal(string SecretAccessKey, string Arn, string UserId, DateTimeOffset? Expires = null)
{
    /// <summary>Who calls what needs no signature.</summary>
    public static readonly AwsPrincipal Anonymous = new("", $"arn:aws:sts::{AwsCredentials.AccountId}:anonymous", "anonymous");

    /// <summary>Of the account that the principal is in: the fifth part of its ARN.</summary>
    public string AccountId { get; } = Arn.Split(':')[4];
}

/// <summary>Whom temporary credentials are for.</summary>
/// <param name="Role">Null for the user itself.</param>
internal sealed record AwsSession(string AccountId, string? Role, string Name, DateTimeOffset Expiration);

/// <summary>What STS issues.</summary>
internal sealed record TemporaryCredentials(string AccessKeyId, string SecretAccessKey, string SessionToken, AwsSession Session)
{
    public string Arn => Session.Role is { } role
        ? $"arn:aws:sts::{Session.AccountId}:assumed-role/{role}/{Session.Name}"
        : AwsCredentials.OwnerArn;

    public string UserId => Session.Role is { } role ? $"{AwsCredentials.RoleId(role)}:{Session.Name}" : AwsCredentials.OwnerId;
}

/// <summary>
/// The accounts, the fixed and public key of the pipeline's, and the temporary credentials that STS issues. A session token carries its own
/// account, role, session name and end under a MAC, so that nothing is remembered and credentials outlive a restart.
/// </summary>
/// <param name="longest">However long a caller asks for.</param>
internal sealed class AwsCredentials(TimeSpan? longest = null)
{
    public const string AccountId = "123456789012";

    /// <summary>Another account, which only a role of it leads to.</summary>
    public const string OtherAccountId = "210987654321";

    public const string Region = "eu-west-1";
    public const string AccessKeyId = "SIMULATOR";
    public const string SecretAccessKey = "simulator-secret";
    public const string OwnerArn = $"arn:aws:iam::{AccountId}:user/simulator";
    public const string OwnerId = "AIDASIMULATOR00000001";

    static readonly AwsPrincipal Owner = new(SecretAccessKey, OwnerArn, OwnerId);

    public AwsPrincipal? Find(string accessKeyId, string? sessionToken)
    {
        if (sessionToken is null)
            return accessKeyId == AccessKeyId ? Owner : null;

        return Read(sessionToken) is { } credentials && credentials.AccessKeyId == accessKeyId
            ? new AwsPrincipal(credentials.SecretAccessKey, credentials.Arn, credentials.UserId, credentials.Session.Expiration)
            : null;
    }

    /// <param name="role">Null for the user itself.</param>
    public TemporaryCredentials Issue(string accountId, string? role, string name, DateTimeOffset now, TimeSpan duration)
    {
        var end = now + (longest < duration ? longest.Value : duration);
        return Describe(string.Join('\n', accountId, role, name, end.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture)));
    }

    public static string RoleId(string role) => "AROA" + Convert.ToHexString(Mac("role", Encoding.UTF8.GetBytes(role)))[..17];

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
        var (account, role, name, end) = (fields[0], fields[1], fields[2], long.Parse(fields[3], CultureInfo.InvariantCulture));
        return new TemporaryCredentials(
            AccessKeyId: "ASIA" + Convert.ToHexString(Mac("key", payload))[..16],
            SecretAccessKey: Convert.ToBase64String(Mac("secret", payload))[..40],
            SessionToken: $"{Base64Url.EncodeToString(payload)}.{Base64Url.EncodeToString(Mac("token", payload))}",
            new AwsSession(account, role.Length > 0 ? role : null, name, DateTimeOffset.FromUnixTimeSeconds(end)));
    }

    static byte[] Mac(string purpose, byte[] payload) =>
        HMACSHA256.HashData(Encoding.UTF8.GetBytes($"{SecretAccessKey}/{purpose}"), payload);
}
