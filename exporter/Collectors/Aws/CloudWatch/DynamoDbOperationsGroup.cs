using PipelineExporter.Metrics;

namespace PipelineExporter.Collectors.Aws.CloudWatch;

/// <summary>Requests and latencies by operation, and what was returned or refused.</summary>
internal sealed class DynamoDbOperationsGroup(Func<WatchedNames> tables, TimeSpan interval) : DynamoDbGroup(tables, interval)
{
    private const double MillisecondsOfSecond = 1000;

    private static readonly MetricDesc Requests = MetricDesc.Counter(
        "aws_dynamodb_requests_total", "Requests that succeeded.", "table", "operation");

    private static readonly MetricDesc Latency = MetricDesc.Gauge(
        "aws_dynamodb_request_latency_seconds", "Time that DynamoDB took for requests that succeeded, over a minute.", "table", "operation", "statistic");

    private static readonly MetricDesc Returned = MetricDesc.Counter(
        "aws_dynamodb_returned_items_total", "Items that queries and scans returned.", "table", "operation");

    private static readonly MetricDesc ConditionFailed = MetricDesc.Counter(
        "aws_dynamodb_conditional_check_failed_requests_total", "Writes whose condition did not hold.", "table");

    private static readonly MetricDesc Conflicts = MetricDesc.Counter(
        "aws_dynamodb_transaction_conflicts_total", "Items of requests that were refused because of a transaction under way.", "table");

    private static readonly MetricDesc LastPeriod = MetricDesc.Gauge(
        "aws_dynamodb_metrics_timestamp_seconds", "End of the oldest of the periods that the table's latencies show.", "table");

    public override string Name => "dynamodb_operations";

    public override string Setting => "dynamodb.operations_interval";

    public override CloudWatchImportance Importance => CloudWatchImportance.Alerts;

    public override IReadOnlyList<MetricDesc> Metrics { get; } = [Requests, Latency, Returned, ConditionFailed, Conflicts, LastPeriod];

    public override MetricDesc Timestamp => LastPeriod;

    public override async Task<IReadOnlyList<CloudWatchQuery>> DiscoverAsync(CloudWatchListing listing, CancellationToken cancellationToken)
    {
        var watched = Tables();
        var returned = ListAsync(listing, "ReturnedItemCount", watched, Operation);
        var failed = ListAsync(listing, "ConditionalCheckFailedRequests", watched);
        var conflicts = ListAsync(listing, "TransactionConflict", watched);
        var latencies = await ListAsync(listing, "SuccessfulRequestLatency", watched, Operation);
        return
        [
            .. latencies.SelectMany(one => new[]
            {
                new CloudWatchQuery(Requests, one.Labels, one.Metric, "SampleCount", CloudWatchCadence.Minute),
                new(Latency, [.. one.Labels, "average"], one.Metric, "Average", CloudWatchCadence.Minute) { Divisor = MillisecondsOfSecond },
                new(Latency, [.. one.Labels, "p99"], one.Metric, "p99", CloudWatchCadence.Minute) { Divisor = MillisecondsOfSecond },
            }),
            .. (await returned).Select(one => new CloudWatchQuery(Returned, one.Labels, one.Metric, "Sum", CloudWatchCadence.Minute)),
            .. (await failed).Select(one => new CloudWatchQuery(ConditionFailed, one.Labels, one.Metric, "Sum", CloudWatchCadence.Minute) { IsSparse = true }),
            .. (await conflicts).Select(one => new CloudWatchQuery(Conflicts, one.Labels, one.Metric, "Sum", CloudWatchCadence.Minute) { IsSparse = true }),
        ];
    }
}
