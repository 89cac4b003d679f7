using System.Collections.Immutable;
using PipelineExporter.Metrics;
using PipelineExporter.Sources;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Aws;

/// <param name="CreatedAt">Null when S3 does not tell.</param>
/// <param name="FilterIds">Of its request metrics, none when it has none; default when they are unknown.</param>
/// <param name="Rules">Default when they are unknown.</param>
internal sealed record WatchedBucket(string Name, DateTimeOffset? CreatedAt, ImmutableArray<string> FilterIds, ImmutableArray<S3LifecycleRule> Rules);

/// <param name="Denied">Operations that IAM denies.</param>
/// <param name="Failure">Why of some buckets something is unknown; null when of none.</param>
internal sealed record S3BucketsSnapshot(ImmutableArray<WatchedBucket> Buckets, ImmutableSortedSet<string> Denied, SourceIncompleteException? Failure = null);

/// <summary>What S3 tells of buckets: age, request metrics, lifecycle rules. Sizes and requests come from CloudWatch.</summary>
internal sealed class S3Buckets(AwsSource source, S3BucketCatalog catalog, TimeSpan interval, ILogger log) : Collector<S3BucketsSnapshot>, IPlannedCollector
{
    private const string Current = "current";
    private const string Noncurrent = "noncurrent";

    private static readonly MetricDesc Created = MetricDesc.Gauge(
        "aws_s3_bucket_created_timestamp_seconds", "When the bucket was created.", "bucket");

    private static readonly MetricDesc RequestMetrics = MetricDesc.Gauge(
        "aws_s3_request_metrics_enabled", "Whether S3 sends metrics of the bucket's requests to CloudWatch (1) or not (0).", "bucket");

    private static readonly MetricDesc Rules = MetricDesc.Gauge(
        "aws_s3_lifecycle_rules", "Enabled lifecycle rules of the bucket.", "bucket");

    private static readonly MetricDesc RuleInfo = MetricDesc.Gauge(
        "aws_s3_lifecycle_rule_info", "A lifecycle rule of the bucket, Enabled or Disabled.", "bucket", "rule_id", "status");

    private static readonly MetricDesc Transition = MetricDesc.Gauge(
        "aws_s3_lifecycle_transition_seconds",
        "Age at which an enabled rule moves objects to the storage class; of noncurrent versions, since they were superseded.", "bucket", "rule_id", "versions", "storage_class");

    private static readonly MetricDesc TransitionDate = MetricDesc.Gauge(
        "aws_s3_lifecycle_transition_timestamp_seconds", "When an enabled rule that goes by the date moves objects to the storage class.", "bucket", "rule_id", "storage_class");

    private static readonly MetricDesc Expiration = MetricDesc.Gauge(
        "aws_s3_lifecycle_expiration_seconds",
        "Age at which an enabled rule deletes objects; of noncurrent versions, since they were superseded.", "bucket", "rule_id", "versions");

    private static readonly MetricDesc ExpirationDate = MetricDesc.Gauge(
        "aws_s3_lifecycle_expiration_timestamp_seconds", "When an enabled rule that goes by the date deletes objects.", "bucket", "rule_id");

    private static readonly MetricDesc AbortUpload = MetricDesc.Gauge(
        "aws_s3_lifecycle_abort_upload_seconds", "Age at which an enabled rule aborts a multipart upload that was not completed.", "bucket", "rule_id");

    private readonly AccessDenials denials = new(source.Name, log);
    private (string Bucket, string Filter)[] filters = [];
    private S3BucketsSnapshot? last;

    public override string Name => "s3_buckets";

    public override string Asks => "1 request for each 1,000 buckets: `ListBuckets`; and 2 for each bucket of the region: `ListBucketMetricsConfigurations`, `GetBucketLifecycleConfiguration`. A server that does not list where buckets are is asked 1 more for each: `GetBucketLocation`.";

    public override string Source => source.Name;

    public override SourceIdentity? Identity => source.Identity;

    public override IReadOnlyList<MetricDesc> Metrics { get; } =
    [
        Created, RequestMetrics, Rules, RuleInfo, Transition, TransitionDate, Expiration, ExpirationDate, AbortUpload, AccessDenials.Denied,
    ];

    public override TimeSpan Interval => interval;

    /// <summary>Whether nothing may be asked that is billed, as all of this is. What is known stays; without anything it is asked for all the same.</summary>
    public Func<bool> IsExhausted { get; init; } = () => false;

    /// <summary>Every configuration of request metrics, as it was read last.</summary>
    public IReadOnlyList<(string Bucket, string Filter)> Filters => Volatile.Read(ref filters);

    protected internal override Exception? FailureIn(S3BucketsSnapshot snapshot) => snapshot.Failure;

    public async Task<IReadOnlyList<PlannedRequests>> PlanAsync(CancellationToken cancellationToken)
    {
        await catalog.GetAsync(cancellationToken);
        var buckets = catalog.Watched().Known.Count();
        return
        [
            PlannedRequests.Every(AwsService.S3, "ListBuckets", PlannedRequests.Pages(buckets, 1000), Interval),
            PlannedRequests.Every(AwsService.S3, "ListBucketMetricsConfigurations", buckets, Interval),
            PlannedRequests.Every(AwsService.S3, "GetBucketLifecycleConfiguration", buckets, Interval),
        ];
    }

    protected internal override async Task<S3BucketsSnapshot> CollectAsync(CancellationToken cancellationToken)
    {
        await source.GetIdentityAsync(cancellationToken);
        if (last is not null && IsExhausted())
            return last with { Failure = null };
        var list = await catalog.RefreshAsync(cancellationToken);
        var names = list.Buckets.Keys.ToList();
        var metrics = await EachResource.AskAsync(names, FilterIdsAsync, cancellationToken);
        var rules = await EachResource.AskAsync(names, source.S3.GetBucketLifecycleConfigurationAsync, cancellationToken);
        Volatile.Write(ref filters, FiltersOf(list, metrics));
        return last = new(
            [
                .. list.Buckets.Values.Where(bucket => !metrics.Gone.Contains(bucket.Name) && !rules.Gone.Contains(bucket.Name)).Select(bucket =>
                    new WatchedBucket(bucket.Name, bucket.CreatedAt, metrics.Given.GetValueOrDefault(bucket.Name), rules.Given.GetValueOrDefault(bucket.Name))),
            ],
            denials.Settle(list.Refusal, metrics.Denied, rules.Denied), list.Failure ?? metrics.Failure ?? rules.Failure);
    }

    protected internal override void Write(S3BucketsSnapshot snapshot, MetricSink sink)
    {
        foreach (var bucket in snapshot.Buckets)
        {
            if (bucket.CreatedAt is { } created)
                sink.Set(Created, created.ToUnixSeconds(), bucket.Name);
            if (!bucket.FilterIds.IsDefault)
                sink.Set(RequestMetrics, bucket.FilterIds.IsEmpty ? 0 : 1, bucket.Name);
            if (!bucket.Rules.IsDefault)
                Write(bucket.Name, bucket.Rules, sink);
        }

        AccessDenials.Write(snapshot.Denied, sink);
    }

    // Of a bucket that could not be told of this time, they are as they were.
    private (string Bucket, string Filter)[] FiltersOf(S3BucketList list, EachResource<ImmutableArray<string>> told) =>
    [
        .. told.Given.SelectMany(bucket => bucket.Value.Select(id => (bucket.Key, id))),
        .. filters.Where(one => list.Buckets.ContainsKey(one.Bucket) && !told.Given.ContainsKey(one.Bucket) && !told.Gone.Contains(one.Bucket)),
    ];

    private async Task<ImmutableArray<string>> FilterIdsAsync(string bucket, CancellationToken cancellationToken)
    {
        var ids = ImmutableSortedSet.CreateBuilder<string>(StringComparer.Ordinal);
        var pages = new AwsPages(AwsService.S3, "ListBucketMetricsConfigurations");
        do
        {
            var page = await source.S3.ListBucketMetricsConfigurationsAsync(bucket, pages.NextToken, cancellationToken);
            ids.UnionWith(page.Ids);
            pages.Read(page.ContinuationToken);
        }
        while (pages.More);
        return [.. ids];
    }

    private static void Write(string bucket, ImmutableArray<S3LifecycleRule> rules, MetricSink sink)
    {
        sink.Set(Rules, rules.Count(IsEnabled), bucket);
        // S3 names a rule that its author did not, and lets no two have one name; a stand-in may do neither.
        foreach (var (id, rule) in rules.Select((rule, i) => (Id: AwsName.IsSound(rule.Id) ? rule.Id! : $"#{i + 1}", Rule: rule)).DistinctBy(named => named.Id))
        {
            sink.Set(RuleInfo, 1, bucket, id, AwsName.Word(rule.Status));
            if (!IsEnabled(rule))
                continue;
            WriteTransitions(rule.Transitions, bucket, id, Current, sink);
            WriteTransitions(rule.NoncurrentTransitions, bucket, id, Noncurrent, sink);
            if (rule.Expiration?.Date is { } date)
                sink.Set(ExpirationDate, date.ToUnixSeconds(), bucket, id);
            SetDays(Expiration, rule.Expiration?.Days, sink, bucket, id, Current);
            SetDays(Expiration, rule.NoncurrentExpirationDays, sink, bucket, id, Noncurrent);
            SetDays(AbortUpload, rule.AbortUploadDays, sink, bucket, id);
        }
    }

    private static void WriteTransitions(ImmutableArray<S3Transition> transitions, string bucket, string rule, string versions, MetricSink sink)
    {
        foreach (var (storageClass, due) in transitions.Select(transition => (AwsName.Word(transition.StorageClass), transition.Due)).DistinctBy(named => named.Item1))
        {
            if (due.Date is { } date)
                sink.Set(TransitionDate, date.ToUnixSeconds(), bucket, rule, storageClass);
            SetDays(Transition, due.Days, sink, bucket, rule, versions, storageClass);
        }
    }

    private static void SetDays(MetricDesc gauge, int? days, MetricSink sink, params ReadOnlySpan<string> labels)
    {
        if (days >= 0)
            sink.Set(gauge, TimeSpan.FromDays(days.Value).TotalSeconds, labels);
    }

    private static bool IsEnabled(S3LifecycleRule rule) => rule.Status == "Enabled";
}
