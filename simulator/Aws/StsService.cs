using System.Buffers.Text;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace PipelineExporter.Simulator.Aws;

/// <summary>Security Token Service: who am I, and temporary credentials for any role of the two accounts.</summary>
internal sealed partial class StsService(AwsCredentials credentials)
{
    /// <summary>What a service account's token file holds.</summary>
    public const string WebIdentityToken = "simulator-web-identity-token";

    /// <summary>A role that only those may assume who know the external id.</summary>
    public const string GuardedRole = "external-id-required", ExternalId = "music-streaming";

    const int HourSeconds = 3600;

    public AwsService Describe() => new AwsService
    {
        Name = "sts",
        SigningName = "sts",
        QueryVersion = "2011-06-15",
        XmlNamespace = "https://sts.amazonaws.com/doc/2011-06-15/",
        FailureCode = "InternalFailure",
    }
    .Query("GetCallerIdentity", GetCallerIdentity)
    .Query("AssumeRole", AssumeRole)
    .Query("AssumeRoleWithWebIdentity", AssumeRoleWithWebIdentity, isAnonymous: true)
    .Query("GetSessionToken", GetSessionToken);

    static IEnumerable<XElement> GetCallerIdentity(QueryParameters parameters, AwsCall call) =>
    [
        new("Arn", call.Principal.Arn),
        new("UserId", call.Principal.UserId),
        new("Account", call.Principal.AccountId),
    ];

    IEnumerable<XElement> AssumeRole(QueryParameters parameters, AwsCall call)
    {
        var (roleArn, sessionName, duration) = Role(parameters);
        if (call.Principal.Expires is not null && duration > HourSeconds)
            throw new AwsException(
                "ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining");
        var role = RoleArn().Match(roleArn);
        if (!role.Success || (role.Groups["name"].Value == GuardedRole && parameters.Text("ExternalId") != ExternalId))
            throw new AwsException(
                "AccessDenied", $"User: {call.Principal.Arn} is not authorized to perform: sts:AssumeRole on resource: {roleArn}", 403);
        return Assumed(role, sessionName, call, duration);
    }

    IEnumerable<XElement> AssumeRoleWithWebIdentity(QueryParameters parameters, AwsCall call)
    {
        var (roleArn, sessionName, duration) = Role(parameters);
        var token = Required(parameters, "WebIdentityToken", "webIdentityToken", 4, 20_000);
        var role = RoleArn().Match(roleArn);
        if (!role.Success)
            throw new AwsException("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403);
        if (token != WebIdentityToken)
            CheckEnd(token, call.Now);
        return
        [
            .. Assumed(role, sessionName, call, duration),
            new("SubjectFromWebIdentityToken", "system:serviceaccount:monitoring:exporter"),
            new("Audience", "sts.amazonaws.com"),
        ];
    }

    IEnumerable<XElement> GetSessionToken(QueryParameters parameters, AwsCall call)
    {
        if (call.Principal.Expires is not null)
            throw new AwsException("AccessDenied", "Cannot call GetSessionToken with session credentials", 403);
        var duration = Duration(parameters, fallback: 12 * HourSeconds, max: 36 * HourSeconds);
        return [Credentials(credentials.Issue(call.Principal.AccountId, role: null, "simulator", call.Now, TimeSpan.FromSeconds(duration)))];
    }

    IEnumerable<XElement> Assumed(Match role, string sessionName, AwsCall call, int duration)
    {
        var issued = credentials.Issue(
            role.Groups["account"].Value, role.Groups["name"].Value, sessionName, call.Now, TimeSpan.FromSeconds(duration));
        return
        [
            new("AssumedRoleUser", new XElement("AssumedRoleId", issued.UserId), new XElement("Arn", issued.Arn)),
            Credentials(issued),
        ];
    }

    static XElement Credentials(TemporaryCredentials issued) => new(
        "Credentials",
        new XElement("AccessKeyId", issued.AccessKeyId),
        new XElement("SecretAccessKey", issued.SecretAccessKey),
        new XElement("SessionToken", issued.SessionToken),
        new XElement("Expiration", issued.Session.Expiration.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture)));

    static (string Arn, string SessionName, int Duration) Role(QueryParameters parameters)
    {
        var roleArn = Required(parameters, "RoleArn", "roleArn", 20, 2048);
        var sessionName = Required(parameters, "RoleSessionName", "roleSessionName", 2, 64);
        if (!SessionName().IsMatch(sessionName))
            throw Invalid(sessionName, "roleSessionName", @"Member must satisfy regular expression pattern: [\w+=,.@-]*");
        return (roleArn, sessionName, Duration(parameters, fallback: HourSeconds, max: 12 * HourSeconds));
    }

    static int Duration(QueryParameters parameters, int fallback, int max)
    {
        var duration = parameters.Integer("DurationSeconds") ?? fallback;
        return duration < 900 ? throw Invalid(duration, "durationSeconds", "Member must have value greater than or equal to 900")
            : duration > max ? throw Invalid(duration, "durationSeconds", $"Member must have value less than or equal to {max}")
            : duration;
    }

    static string Required(QueryParameters parameters, string name, string member, int min, int max)
    {
        var value = parameters.Text(name);
        return value is null ? throw Invalid(null, member, "Member must not be null")
            : value.Length < min ? throw Invalid(value, member, $"Member must have length greater than or equal to {min}")
            : value.Length > max ? throw Invalid(value, member, $"Member must have length less than or equal to {max}")
            : value;
    }

    static AwsException Invalid(object? value, string member, string constraint) =>
        AwsException.Constraint("ValidationError", value, member, constraint);

    /// <summary>Any JSON Web Token will do that has not ended.</summary>
    static void CheckEnd(string token, DateTimeOffset now)
    {
        if (token.Split('.') is not [_, var claims, _] || !Base64Url.IsValid(claims))
            throw InvalidToken();
        try
        {
            using var json = JsonDocument.Parse(Base64Url.DecodeFromChars(claims));
            if (json.RootElement is not { ValueKind: JsonValueKind.Object } root || !root.TryGetProperty("exp", out var exp) || !exp.TryGetInt64(out var end))
                throw InvalidToken();
            if (end <= now.ToUnixTimeSeconds())
                throw new AwsException(
                    "ExpiredTokenException", $"Token expired: current date/time {now.ToUnixTimeSeconds()} must be before the expiration date/time {end}");
        }
        catch (JsonException)
        {
            throw InvalidToken();
        }
    }

    static AwsException InvalidToken() =>
        new("InvalidIdentityToken", "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)");

    /// <summary>A role of a third account, or none, may not be assumed.</summary>
    [GeneratedRegex(
        @"^arn:aws[\w-]*:iam::(?<account>" + AwsCredentials.AccountId + "|" + AwsCredentials.OtherAccountId + @"):role/([\w+=,.@-]+/)*(?<name>[\w+=,.@-]{1,64})$",
        RegexOptions.ExplicitCapture)]
    private static partial Regex RoleArn();

    [GeneratedRegex(@"^[\w+=,.@-]*$")]
    private static partial Regex SessionName();
}
