using PipelineExporter.Metrics;

namespace PipelineExporter.Collectors.Aws.CloudWatch;

/// <summary>Capacity that tables and their indexes consumed.</summary>
internal sealed class DynamoDbCapacityGroup(Func<WatchedNames> tables, TimeSpan interval) : DynamoDbGroup(tables, interval)
{
    private static readonly MetricDesc Read = MetricDesc.Counter(
        "aws_dynamodb_consumed_read_capacity_units_total", "Read capacity units consumed; index is empty for the table itself.", "table", "index");

    private static readonly MetricDesc Write = MetricDesc.Counter(
        "aws_dynamodb_consumed_write_capacity_units_total", "Write capacity units consumed; index is empty for the table itself.", "table", "index");

    public override string Name => "dynamodb_capacity";

    public override string Setting => "dynamodb.capacity_interval";

    public override CloudWatchImportance Importance => CloudWatchImportance.Charts;

    public override IReadOnlyList<MetricDesc> Metrics { get; } = [Read, Write];

    public override async Task<IReadOnlyList<CloudWatchQuery>> DiscoverAsync(CloudWatchListing listing, CancellationToken cancellationToken)
    {
        var watched = Tables();
        var reads = ListWithIndexesAsync(listing, "ConsumedReadCapacityUnits", watched);
        var writes = await ListWithIndexesAsync(listing, "ConsumedWriteCapacityUnits", watched);
        return
        [
            .. from one in (await reads).Select(one => (one, Target: Read)).Concat(writes.Select(one => (one, Target: Write)))
               select new CloudWatchQuery(one.Target, [one.one.Table, one.one.Index], one.one.Metric, "Sum", CloudWatchCadence.Minute),
        ];
    }
}
