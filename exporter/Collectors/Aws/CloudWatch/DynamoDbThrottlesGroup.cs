using System.Collections.Concurrent;
using System.Collections.Immutable;
using PipelineExporter.Metrics;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Aws.CloudWatch;

/// <summary>
/// Throttled requests and errors: none of it has a datapoint before it happens, and CloudWatch lists it a quarter of an hour
/// later, so it is asked for by the names of the tables and of the operations that they are known to serve. An operation that was
/// throttled from its first request on is not known of yet: where no known one explains a table's throttle events, all that can
/// have caused them are asked for.
/// </summary>
internal sealed class DynamoDbThrottlesGroup(Func<WatchedNames> tables, TimeSpan interval) : DynamoDbGroup(tables, interval)
{
    private static readonly TimeSpan FiveMinutes = TimeSpan.FromMinutes(5);

    // A batch that was throttled in part has throttle events, and is no throttled request: nothing ever explains them.
    private static readonly TimeSpan NotAgainFor = TimeSpan.FromHours(1);

    // CloudWatch lists an operation that was throttled for the first time a quarter of an hour later, and is asked for its list as seldom.
    private static readonly TimeSpan UntilListed = TimeSpan.FromMinutes(35);

    // The values that the dimension Operation can have, of those that read and of those that write; PartiQL's do either.
    private static readonly string[] PartiQl = ["ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"];
    private static readonly string[] Reading = ["GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems", .. PartiQl];
    private static readonly string[] Writing = ["PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems", .. PartiQl];

    private static readonly MetricDesc Throttled = MetricDesc.Counter(
        "aws_dynamodb_throttled_requests_total", "Requests that were throttled in whole or in part.", "table", "operation");

    private static readonly MetricDesc ThrottledLately = MetricDesc.Gauge(
        "aws_dynamodb_throttled_requests_last_5m", "Requests to the table that were throttled in five minutes: the highest sum of those that have ended since the last question.", "table");

    private static readonly MetricDesc ReadEvents = MetricDesc.Counter(
        "aws_dynamodb_read_throttle_events_total", "Reads that exceeded the capacity; index is empty for the table itself.", "table", "index");

    private static readonly MetricDesc WriteEvents = MetricDesc.Counter(
        "aws_dynamodb_write_throttle_events_total", "Writes that exceeded the capacity; index is empty for the table itself.", "table", "index");

    private static readonly MetricDesc SystemErrors = MetricDesc.Counter(
        "aws_dynamodb_system_errors_total", "Requests that DynamoDB answered with status 500.", "table", "operation");

    private static readonly MetricDesc SystemErrorsLately = MetricDesc.Gauge(
        "aws_dynamodb_system_errors_last_5m", "Requests to the table that DynamoDB answered with status 500 in five minutes: the highest sum of those that have ended since the last question.", "table");

    private static readonly MetricDesc UserErrors = MetricDesc.Counter(
        "aws_dynamodb_user_errors_total", "Requests that DynamoDB answered with status 400, of the account and region; it does not tell the table.");

    private static readonly MetricDesc UserErrorsLately = MetricDesc.Gauge(
        "aws_dynamodb_user_errors_last_5m", "Requests that DynamoDB answered with status 400 in five minutes, of the account and region: the highest sum of those that have ended since the last question.");

    // By table, when all its operations came to be asked for, and which; read by discovery while the collection of data writes it.
    private readonly ConcurrentDictionary<string, (DateTimeOffset At, ImmutableArray<string[]> Operations)> followed = new();

    public override string Name => "dynamodb_throttles";

    public override string Setting => "dynamodb.throttles_interval";

    public override CloudWatchImportance Importance => CloudWatchImportance.GuideAlerts;

    public override IReadOnlyList<MetricDesc> Metrics { get; } =
        [Throttled, ThrottledLately, ReadEvents, WriteEvents, SystemErrors, SystemErrorsLately, UserErrors, UserErrorsLately];

    public override IReadOnlyList<CloudWatchWindow> Windows { get; } =
    [
        new(ThrottledLately, Throttled, FiveMinutes),
        new(SystemErrorsLately, SystemErrors, FiveMinutes),
        new(UserErrorsLately, UserErrors, FiveMinutes),
    ];

    public override async Task<IReadOnlyList<CloudWatchQuery>> DiscoverAsync(CloudWatchListing listing, CancellationToken cancellationToken)
    {
        var watched = Tables();
        var reads = ListWithIndexesAsync(listing, "ConsumedReadCapacityUnits", watched);
        var writes = ListWithIndexesAsync(listing, "ConsumedWriteCapacityUnits", watched);
        var throttled = ListAsync(listing, "ThrottledRequests", watched, Operation);
        var served = await ListAsync(listing, "SuccessfulRequestLatency", watched, Operation);
        var operations = served.Concat(await throttled).Select(one => one.Labels).Distinct(LabelValues.Comparer).ToList();
        var places = (await reads).Concat(await writes).Select(one => new[] { one.Table, one.Index })
            .Concat(watched.Known.Concat(operations.Select(operation => operation[0])).Select(table => new[] { table, "" }))
            .Distinct(LabelValues.Comparer);
        return
        [
            .. places.SelectMany(place => new[] { Event(ReadEvents, "ReadThrottleEvents", place), Event(WriteEvents, "WriteThrottleEvents", place) }),
            .. operations.SelectMany(operation => new[] { OfOperation(Throttled, "ThrottledRequests", operation), OfOperation(SystemErrors, "SystemErrors", operation) }),
            .. followed.Values.SelectMany(one => one.Operations).Where(operation => watched.Contains(operation[0])).Except(operations, LabelValues.Comparer)
                .Select(operation => OfOperation(Throttled, "ThrottledRequests", operation)),
            Sparse(UserErrors, [], "UserErrors"),
        ];
    }

    public override IEnumerable<(CloudWatchQuery Query, DateTimeOffset Since)> ImpliedBy(
        IReadOnlyList<TrackedMetric> metrics, Func<TrackedMetric, DateTimeOffset?> rose, DateTimeOffset now)
    {
        foreach (var (table, one) in followed.Where(one => now >= one.Value.At + UntilListed))
            followed[table] = one with { Operations = [] };
        var events = metrics.Where(metric => (metric.Query.Target == ReadEvents || metric.Query.Target == WriteEvents) && rose(metric) is not null).ToList();
        if (events.Count == 0)
            return [];
        // What was not answered may explain them.
        var explained = metrics.Where(metric => metric.Query.Target == Throttled && (metric.HasFailed || rose(metric) is not null)).Select(TableOf).ToHashSet();
        var unexplained = events.Where(metric => !explained.Contains(TableOf(metric)) && !(now < followed.GetValueOrDefault(TableOf(metric)).At + NotAgainFor)).ToList();
        var implied = unexplained.SelectMany(metric => (metric.Query.Target == ReadEvents ? Reading : Writing)
            .Select(operation => (Labels: new[] { TableOf(metric), operation }, Since: rose(metric)!.Value))).ToList();
        foreach (var table in implied.GroupBy(one => one.Labels[0], one => one.Labels))
            followed[table.Key] = (now, [.. table.Distinct(LabelValues.Comparer)]);
        return implied.Select(one => (OfOperation(Throttled, "ThrottledRequests", one.Labels), one.Since));

        static string TableOf(TrackedMetric metric) => metric.Query.Labels[0];
    }

    private static CloudWatchQuery Event(MetricDesc target, string name, string[] place) => place[1].Length == 0
        ? Sparse(target, place, name, new CloudWatchDimension(Table, place[0]))
        : Sparse(target, place, name, new(Table, place[0]), new(Index, place[1]));

    private static CloudWatchQuery OfOperation(MetricDesc target, string name, string[] operation) =>
        Sparse(target, operation, name, new(Table, operation[0]), new(Operation, operation[1]));

    private static CloudWatchQuery Sparse(MetricDesc target, string[] labels, string name, params CloudWatchDimension[] dimensions) =>
        new(target, labels, new(Space, name, dimensions), "Sum", CloudWatchCadence.Minute) { IsSparse = true };
}
