using System.Collections.Immutable;
using PipelineExporter.Sources;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Aws;

/// <param name="Buckets">By name.</param>
/// <param name="Refusal">What IAM denied while they were read; null: nothing.</param>
/// <param name="Failure">Why the regions of some, which are left out, are unknown; null when none is.</param>
internal sealed record S3BucketList(ImmutableSortedDictionary<string, S3Bucket> Buckets, AwsException? Refusal, SourceIncompleteException? Failure);

/// <summary>The buckets of the source's region that the configuration selects.</summary>
internal sealed class S3BucketCatalog(AwsSource source, Func<string, bool> isSelected, TimeSpan interval, TimeProvider time)
    : AwsCatalog<S3BucketList>(isSelected, time, interval)
{
    private const int PageSize = 1000;

    private readonly S3Api s3 = source.S3;

    protected override IReadOnlySet<string> NamesOf(S3BucketList read) => read.Buckets.Keys.ToHashSet(StringComparer.Ordinal);

    protected override async Task<S3BucketList> ReadAsync(CancellationToken cancellationToken)
    {
        var listed = await ListAsync(cancellationToken);
        var silent = listed.Values.Where(bucket => string.IsNullOrEmpty(bucket.Region)).Select(bucket => bucket.Name).ToList();
        var located = await EachResource.AskAsync(silent, s3.GetBucketLocationAsync, cancellationToken);
        return new(
            listed.Values
                .Where(bucket => (located.Given.GetValueOrDefault(bucket.Name) ?? bucket.Region) == source.Region)
                .ToImmutableSortedDictionary(bucket => bucket.Name, bucket => bucket, StringComparer.Ordinal),
            located.Denied, located.Failure);
    }

    private async Task<Dictionary<string, S3Bucket>> ListAsync(CancellationToken cancellationToken)
    {
        var buckets = new Dictionary<string, S3Bucket>(StringComparer.Ordinal);
        var pages = new AwsPages(AwsService.S3, "ListBuckets");
        do
        {
            var page = await s3.ListBucketsAsync(source.Region, pages.NextToken, PageSize, cancellationToken);
            foreach (var bucket in page.Buckets)
            {
                if (!AwsName.IsSound(bucket.Name))
                    throw AwsException.Malformed(AwsService.S3, "ListBuckets", "a bucket has no name");
                if (IsSelected(bucket.Name))
                    buckets[bucket.Name] = bucket;
            }

            pages.Read(page.ContinuationToken);
        }
        while (pages.More);
        return buckets;
    }
}
