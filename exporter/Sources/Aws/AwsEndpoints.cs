using System.Collections.Frozen;
using Amazon;

namespace PipelineExporter.Sources.Aws;

/// <summary>A service of AWS as the exporter needs to know it.</summary>
/// <param name="Id">As messages name it, and AWS_ENDPOINT_URL_… in capitals.</param>
/// <param name="SigningName">In host names and signatures.</param>
/// <param name="JsonVersion">Of its JSON protocol; empty for a service of another protocol.</param>
internal sealed record AwsService(string Id, string SigningName, string JsonVersion)
{
    public static readonly AwsService Glue = new("Glue", "glue", "1.1");
    public static readonly AwsService CloudWatch = new("CloudWatch", "monitoring", "1.0");
    public static readonly AwsService SecurityToken = new("STS", "sts", "");

    /// <summary>Passes requests on to the web server of an Airflow, whose refusals come back as errors of these two codes.</summary>
    public static readonly AwsService Mwaa = new("MWAA", "airflow", "")
    {
        HostPrefix = "env.",
        HandedOn = FrozenSet.Create(StringComparer.Ordinal, "RestApiClientException", "RestApiServerException"),
    };

    /// <summary>Before the signing name in AWS's own host names.</summary>
    public string HostPrefix { get; init; } = "";

    /// <summary>Codes of errors that are the caller's to read: what stands behind the service gave them.</summary>
    public FrozenSet<string> HandedOn { get; init; } = [];
}

/// <summary>Where a service answers, by the order that every AWS SDK keeps.</summary>
internal static class AwsEndpoints
{
    /// <summary>
    /// The configured address, else AWS_ENDPOINT_URL_&lt;SERVICE&gt;, else AWS_ENDPOINT_URL (both unless
    /// AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true), else AWS's own for the region.
    /// </summary>
    /// <exception cref="AwsException">An environment variable holds no http or https address.</exception>
    public static Uri Resolve(AwsService service, string region, Uri? configured, Func<string, string?> environment) =>
        configured ?? Override(service, environment) ?? new Uri(
            $"https://{service.HostPrefix}{service.SigningName}.{region}.{RegionEndpoint.GetBySystemName(region).PartitionDnsSuffix}/");

    private static Uri? Override(AwsService service, Func<string, string?> environment)
    {
        if (string.Equals(environment("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), "true", StringComparison.OrdinalIgnoreCase))
            return null;
        foreach (var name in (ReadOnlySpan<string>)[$"AWS_ENDPOINT_URL_{service.Id.ToUpperInvariant()}", "AWS_ENDPOINT_URL"])
        {
            var value = environment(name);
            if (string.IsNullOrEmpty(value))
                continue;
            return Uri.TryCreate(value, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
                ? uri
                : throw new AwsException(service.Id, null, "Endpoint", $"the environment variable {name} is no http or https address");
        }

        return null;
    }
}
