using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Simulator.Aws;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Tests.Aws;

public sealed class DynamoDbMetricsTests
{
    static readonly DateTimeOffset From = new(2026, 11, 20, 10, 0, 0, TimeSpan.Zero), To = From.AddHours(2);

    readonly FakeTimeProvider time = new(From.AddMinutes(30));
    readonly IncidentLog incidents;
    readonly PipelineModel model;

    public DynamoDbMetricsTests()
    {
        incidents = new(time);
        model = new(1, incidents, tables: 2);
    }

    public static TheoryData<string> TableNames => [.. Tables.All.Select(table => table.Name)];

    [Theory]
    [MemberData(nameof(TableNames))]
    public void The_table_and_each_global_index_tell_each_minute_what_was_consumed(string name)
    {
        foreach (var index in Table(name).GlobalIndexes.Prepend(null))
        {
            foreach (var (metric, low, high) in new[] { ("ConsumedReadCapacityUnits", 20, 90), ("ConsumedWriteCapacityUnits", 5, 40) })
            {
                var minutes = Minutes(Series(name, metric, index));
                Assert.Equal(120, minutes.Count);
                Assert.All(minutes.Values, units => Assert.InRange(units, low, high));
            }
        }

        Assert.DoesNotContain(Of(name), series => Table(name).LocalIndexes.Any(series.Has));
    }

    [Theory]
    [MemberData(nameof(TableNames))]
    public void Capacity_is_provisioned_every_five_minutes_of_what_has_any(string name)
    {
        var table = Table(name);
        foreach (var (metric, units) in new[] { ("ProvisionedReadCapacityUnits", table.ReadUnits), ("ProvisionedWriteCapacityUnits", table.WriteUnits) })
        {
            var provisioned = Of(name).Where(series => series.Name == metric).ToList();
            Assert.Equal(units is null ? 0 : 1 + table.GlobalIndexes.Length, provisioned.Count);
            Assert.All(provisioned, series => Assert.Equal(
                Enumerable.Range(0, 24).Select(i => new MetricSample(From.AddMinutes(5 * i), units!.Value)), series.Samples(From, To)));
        }
    }

    [Theory]
    [MemberData(nameof(TableNames))]
    public void Each_operation_has_as_many_latencies_as_requests_and_percentiles_between_the_least_and_the_most(string name)
    {
        foreach (var (operation, aMinute) in Table(name).Operations)
        {
            var latency = Series(name, "SuccessfulRequestLatency", operation);
            var counts = latency.Samples(From, To).CountBy(sample => Minute(sample.At)).ToDictionary();
            Assert.All(counts.Values, count => Assert.InRange(count, aMinute / 2, aMinute));
            Assert.True(counts.Values.Sum() >= aMinute / 2 * 120);

            var stats = new[] { "Minimum", "p0", "p50", "p90", "p99", "p100", "Maximum" }.Select(stat => Read(latency, stat)).ToList();
            foreach (var (lower, higher) in stats.Zip(stats.Skip(1)))
                Assert.All(lower.Zip(higher), pair => Assert.True(pair.First.At == pair.Second.At && pair.First.Value <= pair.Second.Value));
            Assert.Equal(stats[0], stats[1]);
            Assert.Equal(stats[^1], stats[^2]);
            Assert.All(Read(latency, "Average").Zip(stats[0], stats[^1]), point => Assert.InRange(point.First.Value, point.Second.Value, point.Third.Value));
            Assert.InRange(stats[^1].Max(point => point.Value), 2, 7);
        }
    }

    [Fact]
    public void Only_what_returns_many_items_says_how_many() => Assert.Equal(
        Tables.All.SelectMany(table => table.Operations.Where(operation => operation.Name is "Query" or "Scan").Select(operation => $"{table.Name} {operation.Name}")).Order(),
        Tables.All.SelectMany(table => Of(table.Name)).Where(series => series.Name == "ReturnedItemCount").Select(series => $"{series.Dimensions[0].Value} {series.Dimensions[1].Value}").Order());

    [Fact]
    public void What_is_sparse_has_no_sample_until_it_happens_and_never_a_zero()
    {
        var sparse = Tables.All.SelectMany(table => Of(table.Name)).Append(DynamoDbMetrics.UserErrors(model))
            .Where(series => series.Name is "ThrottledRequests" or "WriteThrottleEvents" or "SystemErrors" or "ConditionalCheckFailedRequests" or "TransactionConflict" or "UserErrors").ToList();

        Assert.Equal(["ConditionalCheckFailedRequests", "SystemErrors", "ThrottledRequests", "TransactionConflict", "UserErrors", "WriteThrottleEvents"], sparse.Select(series => series.Name).Distinct().Order());
        foreach (var series in sparse)
        {
            var samples = series.Samples(From.AddDays(-7), From).ToList();
            Assert.All(samples, sample => Assert.Equal(1, sample.Value));
            var happens = series.Name is "ConditionalCheckFailedRequests" or "TransactionConflict" or "UserErrors";
            Assert.InRange(samples.Count, happens ? 1 : 0, !happens ? 0 : series.Name == "UserErrors" ? 50 : 300);
        }
        Assert.Empty(sparse.Single(series => series.Name == "UserErrors").Dimensions);
        Assert.All(sparse.Where(series => series.Name is "ConditionalCheckFailedRequests" or "TransactionConflict"), series => Assert.Contains(Table(series.Dimensions[0].Value).Operations, operation =>
            operation.Name is "PutItem" or "UpdateItem" or "BatchWriteItem"));
    }

    [Fact]
    public void Throttled_requests_are_the_same_by_table_and_by_operation()
    {
        incidents.Start(IncidentKind.DynamoDbThrottling);
        time.Advance(TimeSpan.FromMinutes(30));
        incidents.End(IncidentKind.DynamoDbThrottling);
        var requests = Series(Tables.Sessions, "ThrottledRequests", "PutItem").Samples(From, To).ToList();

        Assert.Equal(Enumerable.Range(30, 30).Select(i => From.AddMinutes(i)), requests.Select(sample => sample.At));
        Assert.All(requests, sample => Assert.InRange(sample.Value, 25, 35));
        Assert.Equal(requests, Series(Tables.Sessions, "WriteThrottleEvents", null).Samples(From, To));
    }

    [Fact]
    public void Errors_and_latency_of_an_incident_are_those_of_one_operation()
    {
        incidents.Start(IncidentKind.DynamoDbErrors);
        incidents.Start(IncidentKind.DynamoDbLatency);
        time.Advance(TimeSpan.FromMinutes(30));
        incidents.End(IncidentKind.DynamoDbErrors);
        incidents.End(IncidentKind.DynamoDbLatency);

        Assert.Equal(30, Series(Tables.Kpi, "SystemErrors", "GetItem").Samples(From, To).Count(sample => sample.Value is >= 4 and <= 8));
        Assert.Equal(
            Enumerable.Range(30, 30).Select(i => From.AddMinutes(i)),
            Series(Tables.Kpi, "SuccessfulRequestLatency", "GetItem").Samples(From, To).Where(sample => sample.Value is >= 230 and <= 270).Select(sample => Minute(sample.At)).Distinct());
        Assert.All(Series(Tables.Kpi, "SuccessfulRequestLatency", "Query").Samples(From, To), sample => Assert.InRange(sample.Value, 2, 7));
    }

    [Fact]
    public void A_table_of_the_load_has_eight_metrics_with_a_sample_a_minute()
    {
        var load = DynamoDbMetrics.Of(model, model.Tables[^1]).ToList();

        Assert.Equal(8, load.Count);
        Assert.All(load, series => Assert.Equal(Enumerable.Range(0, 120).Select(i => From.AddMinutes(i)), series.Samples(From, To).Select(sample => sample.At)));
    }

    /// <summary>By minutes, as they are when nothing is late any more.</summary>
    List<Datapoint> Read(MetricSeries series, string stat) => [.. new DatapointReader(
        new MetricCatalog(model, [series]), new GetMetricDataInput([], From, To, null, "TimestampAscending", null), To.AddHours(1), [])
        .Read(new MetricStat(new(series.Namespace, series.Name, series.Dimensions), 60, stat, null)).Points];

    static Dictionary<DateTimeOffset, double> Minutes(MetricSeries series) =>
        series.Samples(From, To).GroupBy(sample => Minute(sample.At)).ToDictionary(samples => samples.Key, samples => samples.Sum(sample => sample.Value));

    static DateTimeOffset Minute(DateTimeOffset at) => at.AddTicks(-(at.Ticks % TimeSpan.TicksPerMinute));

    /// <param name="of">An operation, or an index; null of the table as a whole.</param>
    MetricSeries Series(string table, string name, string? of) =>
        Assert.Single(Of(table), series => series.Name == name && series.Dimensions.Length == (of is null ? 1 : 2) && series.Dimensions[^1].Value == (of ?? table));

    List<MetricSeries> Of(string table) => [.. DynamoDbMetrics.Of(model, Table(table))];

    TableDefinition Table(string name) => model.Tables.Single(table => table.Name == name);
}
