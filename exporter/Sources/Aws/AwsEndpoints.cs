using System.Collections.Frozen;
using Amazon;
using Amazon.Runtime;
using Amazon.SecurityToken;

namespace PipelineExporter.Sources.Aws;

/// <summary>A service of AWS as the exporter needs to know it.</summary>
/// <param name="Id">As messages name it, and AWS_ENDPOINT_URL_… in capitals.</param>
/// <param name="SigningName">In host names and signatures.</param>
/// <param name="JsonVersion">Of its JSON protocol; empty for a service of another protocol.</param>
internal sealed record AwsService(string Id, string SigningName, string JsonVersion)
{
    public static readonly AwsService Glue = new("Glue", "glue", "1.1");

    public static readonly AwsService CloudWatch = new("CloudWatch", "monitoring", "1.0") { ActionPrefix = "cloudwatch", IsGovFips = true };

    public static readonly AwsService SecurityToken = new("STS", "sts", "") { IsGovFips = true };

    public static readonly AwsService DynamoDb = new("DynamoDB", "dynamodb", "1.0") { IsGovFips = true };

    public static readonly AwsService S3 = new("S3", "s3", "")
    {
        AnswersXml = true,
        BillsRefusals = true,
        Actions = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["ListBuckets"] = "ListAllMyBuckets",
            ["ListObjectsV2"] = "ListBucket",
            ["HeadBucket"] = "ListBucket",
            ["GetBucketLifecycleConfiguration"] = "GetLifecycleConfiguration",
            ["GetBucketMetricsConfiguration"] = "GetMetricsConfiguration",
            ["ListBucketMetricsConfigurations"] = "GetMetricsConfiguration",
        }.ToFrozenDictionary(),
    };

    /// <summary>Passes requests on to the web server of an Airflow, whose refusals come back as errors of these two codes.</summary>
    public static readonly AwsService Mwaa = new("MWAA", "airflow", "")
    {
        HostPrefix = "env.",
        HandedOn = FrozenSet.Create(StringComparer.Ordinal, "RestApiClientException", "RestApiServerException"),
    };

    /// <summary>Before the signing name in AWS's own host names.</summary>
    public string HostPrefix { get; init; } = "";

    /// <summary>In the GovCloud the plain host name is the FIPS one.</summary>
    public bool IsGovFips { get; init; }

    /// <summary>Codes of errors that are the caller's to read: what stands behind the service gave them.</summary>
    public FrozenSet<string> HandedOn { get; init; } = [];

    /// <summary>Good answers are XML, and never empty.</summary>
    public bool AnswersXml { get; init; }

    /// <summary>AWS takes as much for an answer that something is not there, or not allowed, as for any other; for its own errors nothing.</summary>
    public bool BillsRefusals { get; init; }

    private string? ActionPrefix { get; init; }

    private FrozenDictionary<string, string> Actions { get; init; } = FrozenDictionary<string, string>.Empty;

    /// <summary>What an IAM policy must allow for an operation; mostly it has the operation's name.</summary>
    public string ActionOf(string operation) => $"{ActionPrefix ?? SigningName}:{Actions.GetValueOrDefault(operation, operation)}";
}

/// <summary>Where a service answers, by the order that every AWS SDK keeps.</summary>
internal static class AwsEndpoints
{
    /// <summary>
    /// The configured address, else AWS_ENDPOINT_URL_&lt;SERVICE&gt;, else AWS_ENDPOINT_URL, else the shared profile's for the service
    /// or for all (none of these if AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true), else AWS's own for the region.
    /// </summary>
    /// <param name="environment">Reads an environment variable. Null: the process's, and the shared profile goes with it.</param>
    /// <exception cref="AwsException">A variable or the profile holds no http or https address.</exception>
    public static Uri Resolve(AwsService service, AwsSourceOptions source, Func<string, string?>? environment = null)
    {
        if (source.EndpointUrl is { } configured)
            return configured;
        var shared = environment is null ? Shared(service) : null;
        environment ??= Environment.GetEnvironmentVariable;
        if (!IsTrue(environment, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"))
        {
            foreach (var name in (ReadOnlySpan<string>)[$"AWS_ENDPOINT_URL_{service.Id.ToUpperInvariant()}", "AWS_ENDPOINT_URL"])
            {
                if (Parse(service, environment(name), $"the environment variable {name}") is { } found)
                    return found;
            }

            if (Parse(service, shared?.ServiceURL, "endpoint_url of the AWS profile") is { } profiles)
                return profiles;
        }

        return Own(service, source.Region, source.UseFips || (shared?.UseFIPSEndpoint ?? IsTrue(environment, "AWS_USE_FIPS_ENDPOINT")));
    }

    // As the SDK reads variables and shared profile for any client; it has no other way to ask.
    private static ClientConfig Shared(AwsService service)
    {
        ClientConfig config = new AmazonSecurityTokenServiceConfig();
        config.ServiceId = service.Id;
        return config;
    }

    // The names are those of the endpoint rules in AWS's SDKs.
    private static Uri Own(AwsService service, string region, bool useFips)
    {
        var partition = RegionEndpoint.GetBySystemName(region);
        var fips = useFips && !(service.IsGovFips && partition.PartitionName == "aws-us-gov") ? "-fips" : "";
        return new($"https://{service.HostPrefix}{service.SigningName}{fips}.{region}.{partition.PartitionDnsSuffix}/");
    }

    private static Uri? Parse(AwsService service, string? value, string holder)
    {
        if (string.IsNullOrEmpty(value))
            return null;
        return Uri.TryCreate(value, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
            ? uri
            : throw new AwsException(service.Id, null, "Endpoint", $"{holder} is no http or https address");
    }

    private static bool IsTrue(Func<string, string?> environment, string name) =>
        string.Equals(environment(name), "true", StringComparison.OrdinalIgnoreCase);
}
