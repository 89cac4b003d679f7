using Amazon.Runtime;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Sources.Airflow;

/// <summary>Where an Airflow is and how to log in; without a credential, requests carry none.</summary>
internal sealed record AirflowEndpoint(string Environment, Uri Url, AirflowCredential? Credential)
{
    /// <summary>Where people's browsers find it, for links; null where nobody knows.</summary>
    public Uri? ExternalUrl { get; init; } = Url;

    /// <summary>How long one request may take, its body included. 2.x needs some seconds for thousands of task instances.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);
}

/// <summary>How to log in. Secrets are read through a function whenever they are needed, so that a rotated file is seen without restart.</summary>
internal abstract record AirflowCredential
{
    private AirflowCredential()
    {
    }

    /// <summary>HTTP basic auth: Airflow 2.x.</summary>
    public sealed record Basic(string Username, Func<string> Password) : AirflowCredential;

    /// <summary>A user's name and password, exchanged for a token: Airflow 3.x.</summary>
    public sealed record Login(string Username, Func<string> Password) : AirflowCredential;

    /// <summary>A token that somebody else issues: Astronomer, Composer, a proxy.</summary>
    public sealed record Bearer(Func<string> Token) : AirflowCredential;

    /// <summary>An environment of Amazon MWAA, which AWS asks on behalf of whoever signs the request.</summary>
    /// <param name="Name">Of the environment.</param>
    /// <param name="Source">Its account and region, and the role to assume.</param>
    /// <param name="Keys">Instead of those that the SDK finds.</param>
    public sealed record Mwaa(string Name, AwsSourceOptions Source, AWSCredentials? Keys = null) : AirflowCredential;
}
