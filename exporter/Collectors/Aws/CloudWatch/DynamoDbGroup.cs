using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Aws.CloudWatch;

/// <summary>The tables, their global secondary indexes and operations that CloudWatch lists, as far as they are watched.</summary>
internal abstract class DynamoDbGroup(Func<WatchedNames> tables, TimeSpan interval) : CloudWatchGroup(interval)
{
    protected const string Space = "AWS/DynamoDB";
    protected const string Table = "TableName";
    protected const string Index = "GlobalSecondaryIndexName";
    protected const string Operation = "Operation";

    public override bool KnowsWhatExists => tables().Existing is not null;

    protected WatchedNames Tables() => tables();

    /// <summary>A metric of tables and one of their indexes: labels table and index, which is empty for the table itself.</summary>
    protected static async Task<IEnumerable<(string Table, string Index, CloudWatchMetric Metric)>> ListWithIndexesAsync(
        CloudWatchListing listing, string name, WatchedNames tables)
    {
        var ofTables = listing.ListAsync(Space, name, [Table]);
        var ofIndexes = await listing.ListAsync(Space, name, [Table, Index]);
        return (await ofTables).Concat(ofIndexes)
            .Where(metric => tables.Contains(metric.Dimensions[0].Value))
            .Select(metric => (metric.Dimensions[0].Value, metric.Dimensions.Count > 1 ? metric.Dimensions[1].Value : "", metric));
    }

    /// <summary>A metric of tables, or of a table's operations.</summary>
    protected static async Task<IEnumerable<(string[] Labels, CloudWatchMetric Metric)>> ListAsync(
        CloudWatchListing listing, string name, WatchedNames tables, params string[] dimensions) =>
        (await listing.ListAsync(Space, name, [Table, .. dimensions]))
            .Where(metric => tables.Contains(metric.Dimensions[0].Value))
            .Select(metric => (metric.Dimensions.Select(dimension => dimension.Value).ToArray(), metric));
}
