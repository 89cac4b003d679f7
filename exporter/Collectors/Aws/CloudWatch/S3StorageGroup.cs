using PipelineExporter.Metrics;

namespace PipelineExporter.Collectors.Aws.CloudWatch;

/// <summary>Sizes and numbers of objects, which S3 measures once a day.</summary>
internal sealed class S3StorageGroup(Func<WatchedNames> buckets, TimeSpan interval) : CloudWatchGroup(interval)
{
    private const string Space = "AWS/S3";

    private static readonly MetricDesc Size = MetricDesc.Gauge(
        "aws_s3_bucket_size_bytes", "Bytes stored in the bucket, by storage class as CloudWatch names them; S3 measures them once a day.", "bucket", "storage_class");

    private static readonly MetricDesc Objects = MetricDesc.Gauge(
        "aws_s3_bucket_objects", "Objects in the bucket, all versions and parts of uploads included; S3 counts them once a day.", "bucket");

    private static readonly MetricDesc LastPeriod = MetricDesc.Gauge(
        "aws_s3_storage_timestamp_seconds", "End of the day that the bucket's size and objects were measured on.", "bucket");

    public override bool KnowsWhatExists => buckets().Existing is not null;

    public override string Name => "s3_storage";

    public override string Setting => "s3.storage_interval";

    public override CloudWatchImportance Importance => CloudWatchImportance.Charts;

    public override IReadOnlyList<MetricDesc> Metrics { get; } = [Size, Objects, LastPeriod];

    public override MetricDesc Timestamp => LastPeriod;

    /// <summary>
    /// S3 measures a bucket as a whole: a storage class that has nothing of the newest day, and was asked for it, is empty. Shown on,
    /// it would double the bytes that a lifecycle rule moved from there.
    /// </summary>
    public override IReadOnlyList<TrackedMetric> Shown(IReadOnlyList<TrackedMetric> fresh)
    {
        var newest = fresh.GroupBy(BucketOf).ToDictionary(bucket => bucket.Key, bucket => bucket.Max(metric => metric.At));
        return [.. fresh.Where(metric => metric.Late == 0 || metric.At >= newest[BucketOf(metric)])];

        static string BucketOf(TrackedMetric metric) => metric.Query.Labels[0];
    }

    public override async Task<IReadOnlyList<CloudWatchQuery>> DiscoverAsync(CloudWatchListing listing, CancellationToken cancellationToken)
    {
        var watched = buckets();
        var objects = listing.ListAsync(Space, "NumberOfObjects", ["BucketName", "StorageType"]);
        var sizes = await listing.ListAsync(Space, "BucketSizeBytes", ["BucketName", "StorageType"]);
        return
        [
            .. from metric in sizes
               where watched.Contains(metric.Dimensions[0].Value)
               select new CloudWatchQuery(Size, [metric.Dimensions[0].Value, metric.Dimensions[1].Value], metric, "Average", CloudWatchCadence.Day),
            .. from metric in await objects
               where watched.Contains(metric.Dimensions[0].Value) && metric.Dimensions[1].Value == "AllStorageTypes"
               select new CloudWatchQuery(Objects, [metric.Dimensions[0].Value], metric, "Average", CloudWatchCadence.Day),
        ];
    }
}
