using System.Collections.Immutable;
using PipelineExporter.Metrics;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Aws.CloudWatch;

/// <summary>
/// Requests, bytes, errors and latencies of buckets that measure them, by the filters of their configurations. Errors, which
/// alerts are made of, are asked for whether CloudWatch lists them or not.
/// </summary>
/// <param name="filters">By bucket the filters that are configured.</param>
internal sealed class S3RequestsGroup(
    Func<WatchedNames> buckets, Func<IReadOnlyList<(string Bucket, string Filter)>> filters, TimeSpan interval)
    : CloudWatchGroup(interval)
{
    private const string Space = "AWS/S3";
    private const double MillisecondsOfSecond = 1000;

    private static readonly TimeSpan FiveMinutes = TimeSpan.FromMinutes(5);

    private static readonly MetricDesc Requests = MetricDesc.Counter(
        "aws_s3_requests_total", "Requests to the bucket, by the kind of operation.", "bucket", "filter_id", "operation");

    private static readonly MetricDesc AllRequests = MetricDesc.Counter(
        "aws_s3_all_requests_total", "Requests to the bucket, of every kind.", "bucket", "filter_id");

    private static readonly MetricDesc AllRequestsLately = MetricDesc.Gauge(
        "aws_s3_all_requests_last_5m", "Requests to the bucket in five minutes: the highest sum of those that have ended since the last question.", "bucket", "filter_id");

    private static readonly MetricDesc Downloaded = MetricDesc.Counter(
        "aws_s3_downloaded_bytes_total", "Bytes in answers of the bucket.", "bucket", "filter_id");

    private static readonly MetricDesc Uploaded = MetricDesc.Counter(
        "aws_s3_uploaded_bytes_total", "Bytes in requests to the bucket.", "bucket", "filter_id");

    private static readonly MetricDesc Errors = MetricDesc.Counter(
        "aws_s3_errors_total", "Requests to the bucket that were answered with an error, by the class of the status.", "bucket", "filter_id", "class");

    private static readonly MetricDesc ErrorsLately = MetricDesc.Gauge(
        "aws_s3_errors_last_5m", "Requests to the bucket that were answered with an error in five minutes: the highest sum of those that have ended since the last question.",
        "bucket", "filter_id", "class");

    private static readonly MetricDesc FirstByte = MetricDesc.Gauge(
        "aws_s3_first_byte_latency_seconds", "Time from the whole request to the first byte of the answer, over a minute.", "bucket", "filter_id", "statistic");

    private static readonly MetricDesc Total = MetricDesc.Gauge(
        "aws_s3_total_request_latency_seconds", "Time from the first byte of the request to the last of the answer, over a minute.", "bucket", "filter_id", "statistic");

    private static readonly MetricDesc LastPeriod = MetricDesc.Gauge(
        "aws_s3_request_metrics_timestamp_seconds", "End of the oldest of the periods that the bucket's latencies show.", "bucket", "filter_id");

    private static readonly ImmutableArray<(string Name, string Operation)> Operations =
    [
        ("GetRequests", "get"), ("PutRequests", "put"), ("DeleteRequests", "delete"), ("HeadRequests", "head"), ("PostRequests", "post"), ("ListRequests", "list"),
    ];

    public override bool KnowsWhatExists => buckets().Existing is not null;

    public override string Name => "s3_requests";

    public override string Setting => "s3.requests_interval";

    public override CloudWatchImportance Importance => CloudWatchImportance.Alerts;

    public override IReadOnlyList<MetricDesc> Metrics { get; } =
        [Requests, AllRequests, AllRequestsLately, Downloaded, Uploaded, Errors, ErrorsLately, FirstByte, Total, LastPeriod];

    public override IReadOnlyList<CloudWatchWindow> Windows { get; } = [new(ErrorsLately, Errors, FiveMinutes), new(AllRequestsLately, AllRequests, FiveMinutes)];

    public override MetricDesc Timestamp => LastPeriod;

    public override async Task<IReadOnlyList<CloudWatchQuery>> DiscoverAsync(CloudWatchListing listing, CancellationToken cancellationToken)
    {
        var watched = buckets();
        var kinds = Operations.Select(async kind => (kind.Operation, Metrics: await ListAsync(listing, kind.Name, watched))).ToList();
        var downloads = ListAsync(listing, "BytesDownloaded", watched);
        var uploads = ListAsync(listing, "BytesUploaded", watched);
        var measured = (await ListAsync(listing, "AllRequests", watched)).Select(metric => Labels(metric))
            .Concat(filters().Where(one => watched.Contains(one.Bucket)).Select(one => new[] { one.Bucket, one.Filter }))
            .Distinct(LabelValues.Comparer).ToList();
        var queries = new List<CloudWatchQuery>();
        foreach (var (operation, metrics) in await Task.WhenAll(kinds))
            queries.AddRange(metrics.Select(metric => Sum(Requests, [.. Labels(metric), operation], metric)));
        queries.AddRange((await downloads).Select(metric => Sum(Downloaded, Labels(metric), metric)));
        queries.AddRange((await uploads).Select(metric => Sum(Uploaded, Labels(metric), metric)));
        foreach (var labels in measured)
        {
            queries.Add(Sum(AllRequests, labels, Metric("AllRequests", labels)));
            queries.Add(Sum(Errors, [.. labels, "4xx"], Metric("4xxErrors", labels)));
            queries.Add(Sum(Errors, [.. labels, "5xx"], Metric("5xxErrors", labels)));
            queries.AddRange(Latencies(FirstByte, labels, Metric("FirstByteLatency", labels)));
            queries.AddRange(Latencies(Total, labels, Metric("TotalRequestLatency", labels)));
        }

        return queries;
    }

    private static async Task<IEnumerable<CloudWatchMetric>> ListAsync(CloudWatchListing listing, string name, WatchedNames watched) =>
        (await listing.ListAsync(Space, name, ["BucketName", "FilterId"])).Where(metric => watched.Contains(metric.Dimensions[0].Value));

    private static string[] Labels(CloudWatchMetric metric) => [metric.Dimensions[0].Value, metric.Dimensions[1].Value];

    private static CloudWatchMetric Metric(string name, string[] labels) => new(Space, name, [new("BucketName", labels[0]), new("FilterId", labels[1])]);

    // Nobody asks a bucket at all times: that nothing was asked is nothing to wait for.
    private static CloudWatchQuery Sum(MetricDesc target, string[] labels, CloudWatchMetric metric) =>
        new(target, labels, metric, "Sum", CloudWatchCadence.Minute) { IsSparse = target == Errors || target == AllRequests };

    private static IEnumerable<CloudWatchQuery> Latencies(MetricDesc target, string[] labels, CloudWatchMetric metric) =>
        new[] { ("average", "Average"), ("p50", "p50"), ("p99", "p99") }.Select(statistic =>
            new CloudWatchQuery(target, [.. labels, statistic.Item1], metric, statistic.Item2, CloudWatchCadence.Minute) { Divisor = MillisecondsOfSecond });
}
