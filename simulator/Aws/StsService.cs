using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace PipelineExporter.Simulator.Aws;

/// <summary>Security Token Service: who am I, and temporary credentials for any role of the account.</summary>
internal sealed partial class StsService(AwsCredentials credentials)
{
    public AwsService Describe() => new AwsService
    {
        Name = "sts",
        SigningName = "sts",
        QueryVersion = "2011-06-15",
        XmlNamespace = "https://sts.amazonaws.com/doc/2011-06-15/",
        FailureCode = "InternalFailure",
    }
    .Query("GetCallerIdentity", GetCallerIdentity)
    .Query("AssumeRole", AssumeRole);

    static IEnumerable<XElement> GetCallerIdentity(QueryParameters parameters, AwsCall call) =>
    [
        new("Arn", call.Principal.Arn),
        new("UserId", call.Principal.UserId),
        new("Account", AwsCredentials.AccountId),
    ];

    IEnumerable<XElement> AssumeRole(QueryParameters parameters, AwsCall call)
    {
        var roleArn = Required(parameters, "RoleArn", "roleArn", 20, 2048);
        var sessionName = Required(parameters, "RoleSessionName", "roleSessionName", 2, 64);
        if (!SessionName().IsMatch(sessionName))
            throw Invalid(sessionName, "roleSessionName", @"Member must satisfy regular expression pattern: [\w+=,.@-]*");
        var duration = parameters.Integer("DurationSeconds") ?? 3600;
        if (duration < 900)
            throw Invalid(duration, "durationSeconds", "Member must have value greater than or equal to 900");
        if (duration > 43200)
            throw Invalid(duration, "durationSeconds", "Member must have value less than or equal to 43200");
        if (RoleArn().Match(roleArn) is not { Success: true } role)
            throw new AwsException(
                "AccessDenied", $"User: {call.Principal.Arn} is not authorized to perform: sts:AssumeRole on resource: {roleArn}", 403);

        var issued = credentials.Issue(role.Groups["name"].Value, sessionName, call.Now.AddSeconds(duration));
        return
        [
            new("AssumedRoleUser", new XElement("AssumedRoleId", issued.UserId), new XElement("Arn", issued.Arn)),
            new(
                "Credentials",
                new XElement("AccessKeyId", issued.AccessKeyId),
                new XElement("SecretAccessKey", issued.SecretAccessKey),
                new XElement("SessionToken", issued.SessionToken),
                new XElement("Expiration", issued.Expiration.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture))),
        ];
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

    /// <summary>A role of another account, or none, may not be assumed.</summary>
    [GeneratedRegex(
        @"^arn:aws:iam::" + AwsCredentials.AccountId + @":role/([\w+=,.@-]+/)*(?<name>[\w+=,.@-]{1,64})$", RegexOptions.ExplicitCapture)]
    private static partial Regex RoleArn();

    [GeneratedRegex(@"^[\w+=,.@-]*$")]
    private static partial Regex SessionName();
}
