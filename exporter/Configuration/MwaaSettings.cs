using System.Text.RegularExpressions;

namespace PipelineExporter.Configuration;

/// <summary>An environment of Amazon MWAA, asked through AWS with AWS credentials.</summary>
internal sealed partial class MwaaAuth(Section s) : AirflowAuth
{
    private static readonly ValueType<string> EnvironmentName = new("name", NameExpected, text =>
        NamePattern().IsMatch(text) ? text : throw new FormatException($"expected {NameExpected}, found {Printable.Quoted(text)}"));

    private const string NameExpected = "the name of an MWAA environment: at most 80 letters, digits, '_' and '-', the first a letter";

    public string Name { get; } = s.Required("name", EnvironmentName, "Name of the environment.");

    public string Region { get; } = s.Required("region", Values.Region, "Its region.");

    /// <summary>Null: the credentials are used as they are.</summary>
    public string? RoleArn { get; } = s.Maybe("role_arn", Values.RoleArn, "none", "Role to assume.");

    public string? ExternalId { get; } = s.Maybe("external_id", Values.ExternalId, "none", "External ID that the role asks for.");

    /// <summary>Null: AWS's own, or the one that <c>AWS_ENDPOINT_URL</c> names.</summary>
    public Uri? EndpointUrl { get; } = s.Maybe("endpoint_url", Values.Url, "AWS", "Endpoint of MWAA, CloudWatch and STS, for a stand-in of AWS.");

    public static new MwaaAuth Read(Section s)
    {
        var auth = new MwaaAuth(s);
        if (!s.Describing && auth is { ExternalId: not null, RoleArn: null })
        {
            s.Error("external_id", "has no effect without role_arn");
        }

        return auth;
    }

    /// <summary>Whether the address of the web server is given where it is needed, and only there.</summary>
    public static void CheckUrl(Section airflow, AirflowAuth? auth)
    {
        if (auth is MwaaAuth && airflow.Has("url"))
        {
            airflow.Error("url", "is not used with auth.mwaa, which asks AWS: the web server's address for links is external_url");
        }
        else if (auth is not MwaaAuth && !airflow.Has("url"))
        {
            airflow.Error("url", $"is required: {Values.Url.Expected}");
        }
    }

    [GeneratedRegex(@"\A[A-Za-z][A-Za-z0-9_-]{0,79}\z")]
    private static partial Regex NamePattern();
}
