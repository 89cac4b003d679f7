using System.Collections.Immutable;
using Amazon;
using Amazon.S3;
using Amazon.S3.Model;

namespace PipelineExporter.Sources.Aws;

/// <param name="Region">Null from a server that does not tell.</param>
internal sealed record S3Bucket(string Name, DateTimeOffset? CreatedAt, string? Region);

internal sealed record S3BucketPage(ImmutableArray<S3Bucket> Buckets, string? ContinuationToken);

internal sealed record S3MetricsConfigurationPage(ImmutableArray<string> Ids, string? ContinuationToken);

/// <summary>What a rule does to objects when, without the filter that says to which.</summary>
/// <param name="Status">Enabled or Disabled.</param>
/// <param name="Expiration">Null when nothing expires, or only delete markers do.</param>
/// <param name="NoncurrentExpirationDays">Since the version was superseded.</param>
/// <param name="AbortUploadDays">Since an upload was begun.</param>
internal sealed record S3LifecycleRule(
    string? Id, string? Status, ImmutableArray<S3Transition> Transitions, ImmutableArray<S3Transition> NoncurrentTransitions, S3Due? Expiration,
    int? NoncurrentExpirationDays, int? AbortUploadDays);

internal sealed record S3Transition(S3Due Due, string? StorageClass);

/// <summary>So many days after the object was made (or superseded), or on a date.</summary>
internal sealed record S3Due(int? Days, DateTimeOffset? Date);

/// <summary>Amazon S3 through its SDK client. Operations carry AWS's own names; what is not read has no place here.</summary>
internal sealed class S3Api(AmazonS3Client client) : IDisposable
{
    public const string NotFound = "NoSuchBucket";

    /// <summary>The bucket is in another region.</summary>
    public const string Elsewhere = "PermanentRedirect";

    private const string NoLifecycle = "NoSuchLifecycleConfiguration";

    /// <summary>Behind another address than AWS's own, names of buckets are no names of hosts.</summary>
    public static AmazonS3Config Config(AmazonS3Config config, string region)
    {
        config.ForcePathStyle = !new Uri(config.ServiceURL).Host.EndsWith(RegionEndpoint.GetBySystemName(region).PartitionDnsSuffix, StringComparison.Ordinal);
        return config;
    }

    /// <param name="region">Where the buckets are; not every server heeds it.</param>
    /// <param name="size">At most 10,000.</param>
    public async Task<S3BucketPage> ListBucketsAsync(string region, string? continuationToken, int size, CancellationToken cancellationToken)
    {
        var answer = await CallAsync("ListBuckets", () => client.ListBucketsAsync(
            new ListBucketsRequest { BucketRegion = region, ContinuationToken = continuationToken, MaxBuckets = size }, cancellationToken));
        // The SDK gives the same for an empty list and for none; S3 names the owner of either.
        if (answer is { Buckets: null, Owner: null })
            throw AwsException.Malformed(AwsService.S3, "ListBuckets", "the answer has no list of buckets: check endpoint_url");
        return new(
            [.. (answer.Buckets ?? []).Select(bucket => new S3Bucket(bucket.BucketName, Utc(bucket.CreationDate), bucket.BucketRegion))],
            answer.ContinuationToken);
    }

    /// <summary>The bucket's region.</summary>
    public async Task<string> GetBucketLocationAsync(string bucket, CancellationToken cancellationToken)
    {
        var answer = await CallAsync("GetBucketLocation", () => client.GetBucketLocationAsync(new GetBucketLocationRequest { BucketName = bucket }, cancellationToken));
        return answer.Location?.Value switch
        {
            null or "" => "us-east-1",
            "EU" => "eu-west-1", // Of buckets made when Europe had one region.
            var region => region,
        };
    }

    /// <summary>No rules when the bucket has no lifecycle configuration.</summary>
    public async Task<ImmutableArray<S3LifecycleRule>> GetBucketLifecycleConfigurationAsync(string bucket, CancellationToken cancellationToken)
    {
        try
        {
            var answer = await CallAsync("GetBucketLifecycleConfiguration", () => client.GetLifecycleConfigurationAsync(
                new GetLifecycleConfigurationRequest { BucketName = bucket }, cancellationToken));
            return [.. (answer.Configuration?.Rules ?? []).Select(Rule)];
        }
        catch (AwsException e) when (e.Code == NoLifecycle)
        {
            return [];
        }
    }

    /// <summary>Request metrics, which CloudWatch has under the id of a configuration.</summary>
    public async Task<S3MetricsConfigurationPage> ListBucketMetricsConfigurationsAsync(
        string bucket, string? continuationToken, CancellationToken cancellationToken)
    {
        var answer = await CallAsync("ListBucketMetricsConfigurations", () => client.ListBucketMetricsConfigurationsAsync(
            new ListBucketMetricsConfigurationsRequest { BucketName = bucket, ContinuationToken = continuationToken }, cancellationToken));
        return new(
            [.. (answer.MetricsConfigurationList ?? []).Select(configuration => configuration.MetricsId).Where(AwsName.IsSound)],
            answer.IsTruncated == true ? answer.NextToken : null);
    }

    public void Dispose() => client.Dispose();

    private static Task<T> CallAsync<T>(string operation, Func<Task<T>> call) => AwsSdk.CallAsync(AwsService.S3, operation, call);

    private static S3LifecycleRule Rule(LifecycleRule rule) => new(
        rule.Id, rule.Status?.Value,
        [.. (rule.Transitions ?? []).Select(transition => new S3Transition(new(transition.Days, Utc(transition.Date)), transition.StorageClass?.Value))],
        [.. (rule.NoncurrentVersionTransitions ?? []).Select(transition => new S3Transition(new(transition.NoncurrentDays, null), transition.StorageClass?.Value))],
        rule.Expiration is { } expiration ? new(expiration.Days, Utc(expiration.Date)) : null,
        rule.NoncurrentVersionExpiration?.NoncurrentDays, rule.AbortIncompleteMultipartUpload?.DaysAfterInitiation);

    private static DateTimeOffset? Utc(DateTime? time) => time is { } known ? new DateTimeOffset(known.ToUniversalTime()) : null;
}
