using System.Collections.Immutable;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Aws;

/// <summary>Namespace AWS/DynamoDB. Throttles and errors have a datapoint only when they happen.</summary>
internal static class DynamoDbMetrics
{
    const string Space = "AWS/DynamoDB";

    static readonly TimeSpan Minute = TimeSpan.FromMinutes(1), FiveMinutes = TimeSpan.FromMinutes(5), Lateness = TimeSpan.FromMinutes(4);

    static readonly string[] Writes = ["PutItem", "UpdateItem", "BatchWriteItem", "DeleteItem"];

    public static IEnumerable<MetricSeries> Of(PipelineModel model, TableDefinition table)
    {
        if (table.Name.StartsWith("load_", StringComparison.Ordinal))
            return Load(model, table);
        return Capacity(model, table).Concat(table.Operations.SelectMany(operation => Operation(model, table, operation.Name, operation.AMinute))).Concat(Sparse(model, table));
    }

    public static MetricSeries UserErrors(PipelineModel model) => new(
        Space, "UserErrors", [], "Count", (from, to) => PeriodicSamples.One(model.Seed, "UserErrors", Minute, from, to, (_, dice) => dice.Chance(0.002) ? 1 : null));

    static IEnumerable<MetricSeries> Capacity(PipelineModel model, TableDefinition table)
    {
        foreach (var index in table.GlobalIndexes.Prepend(null))
        {
            yield return Sum(model, "ConsumedReadCapacityUnits", Dimensions(table, index), (_, dice) => Math.Round(dice.Between(20.0, 90)));
            yield return Sum(model, "ConsumedWriteCapacityUnits", Dimensions(table, index), (_, dice) => Math.Round(dice.Between(5.0, 40)));
            if (table is not { ReadUnits: { } read, WriteUnits: { } write })
                continue;
            yield return Provisioned("ProvisionedReadCapacityUnits", read, index);
            yield return Provisioned("ProvisionedWriteCapacityUnits", write, index);
        }

        MetricSeries Provisioned(string name, int units, string? index) => new(
            Space, name, Dimensions(table, index), "Count",
            (from, to) => PeriodicSamples.One(model.Seed, name, FiveMinutes, from, to, (_, _) => units)) { PublishDelay = FiveMinutes };
    }

    static IEnumerable<MetricSeries> Operation(PipelineModel model, TableDefinition table, string operation, int aMinute)
    {
        var dimensions = Dimensions(table, null).Add(new("Operation", operation));
        yield return new(
            Space, "SuccessfulRequestLatency", dimensions, "Milliseconds",
            (from, to) => PeriodicSamples.Several(
                model.Seed, $"{table.Name} {operation}", Minute, from, to, (_, dice) => dice.Between(aMinute / 2, aMinute),
                (at, dice) => IsOn(model, IncidentKind.DynamoDbLatency, at) && table.Name == Tables.Kpi && operation == "GetItem"
                    ? dice.Between(230.0, 270) : dice.Between(2.0, 7))) { Lateness = Lateness };
        if (operation is "Query" or "Scan")
            yield return Sum(model, "ReturnedItemCount", dimensions, (_, dice) => Math.Round(dice.Between(20.0, 200)));
        if (table.Name == Tables.Sessions && operation == "PutItem")
            yield return During(model, IncidentKind.DynamoDbThrottling, "ThrottledRequests", dimensions, 25, 35);
        if (table.Name == Tables.Kpi && operation == "GetItem")
            yield return During(model, IncidentKind.DynamoDbErrors, "SystemErrors", dimensions, 4, 8);
    }

    static IEnumerable<MetricSeries> Sparse(PipelineModel model, TableDefinition table)
    {
        var dimensions = Dimensions(table, null);
        if (table.Name == Tables.Sessions)
            yield return During(model, IncidentKind.DynamoDbThrottling, "WriteThrottleEvents", dimensions, 25, 35);
        if (table.Operations.Any(operation => Writes.Contains(operation.Name)))
        {
            yield return Seldom("ConditionalCheckFailedRequests", 0.02);
            yield return Seldom("TransactionConflict", 0.01);
        }

        MetricSeries Seldom(string name, double chance) => new(
            Space, name, dimensions, "Count",
            (from, to) => PeriodicSamples.One(model.Seed, $"{table.Name} {name}", Minute, from, to, (_, dice) => dice.Chance(chance) ? 1 : null));
    }

    static IEnumerable<MetricSeries> Load(PipelineModel model, TableDefinition table)
    {
        var ofTable = Dimensions(table, null);
        foreach (var name in new[] { "ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits", "ConditionalCheckFailedRequests", "TransactionConflict" })
            yield return Steady(name, ofTable);
        // Nobody is throttled, but there are as many datapoints.
        foreach (var name in new[] { "ReadThrottleEvents", "WriteThrottleEvents" })
            yield return new(Space, name, ofTable, "Count", (from, to) => PeriodicSamples.One(model.Seed, name, Minute, from, to, (_, _) => 0));
        foreach (var operation in table.Operations)
            yield return Steady("ReturnedItemCount", ofTable.Add(new("Operation", operation.Name)));

        MetricSeries Steady(string name, ImmutableArray<MetricDimension> dimensions) => new(
            Space, name, dimensions, "Count", (from, to) => PeriodicSamples.One(model.Seed, name, Minute, from, to, (_, dice) => dice.Between(1, 9)));
    }

    static MetricSeries Sum(PipelineModel model, string name, ImmutableArray<MetricDimension> dimensions, Func<DateTimeOffset, Dice, double> value) => new(
        Space, name, dimensions, "Count",
        (from, to) => PeriodicSamples.Halves(
            model.Seed, $"{name} {string.Join(' ', dimensions.Select(dimension => dimension.Value))}", Minute, from, to, value)) { Lateness = Lateness };

    /// <summary>
    /// Nothing at all but during an incident, however long the time is that is asked for. What it does to a request is told the same
    /// by table and by operation.
    /// </summary>
    static MetricSeries During(PipelineModel model, string incident, string name, ImmutableArray<MetricDimension> dimensions, int low, int high) => new(
        Space, name, dimensions, "Count",
        (from, to) => model.Incidents.Named(incident).SelectMany(one => PeriodicSamples.One(
            model.Seed, incident, Minute, Latest(from, one.Start), one.End is { } end && end < to ? end : to, (_, dice) => dice.Between(low, high))));

    static bool IsOn(PipelineModel model, string incident, DateTimeOffset at) => model.Incidents.At(incident, at) is not null;

    static DateTimeOffset Latest(DateTimeOffset x, DateTimeOffset y) => x > y ? x : y;

    static ImmutableArray<MetricDimension> Dimensions(TableDefinition table, string? index) =>
        index is null ? [new("TableName", table.Name)] : [new("TableName", table.Name), new("GlobalSecondaryIndexName", index)];
}
