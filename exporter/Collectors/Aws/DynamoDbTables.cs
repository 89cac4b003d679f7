using System.Collections.Immutable;
using PipelineExporter.Metrics;
using PipelineExporter.Sources;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Aws;

/// <param name="Names">Of all tables that are listed and watched.</param>
/// <param name="Tables">Those that could be described.</param>
/// <param name="Denied">Operations that IAM denies.</param>
/// <param name="Failure">Why some tables are missing; null when none is.</param>
internal sealed record DynamoDbTablesSnapshot(
    ImmutableArray<string> Names, ImmutableArray<DynamoDbTable> Tables, ImmutableSortedSet<string> Denied, SourceIncompleteException? Failure = null);

/// <summary>What DynamoDB tells of tables and their indexes: sizes, items, provisioned capacity. Requests come from CloudWatch.</summary>
internal sealed class DynamoDbTables(AwsSource source, DynamoDbTableCatalog catalog, TimeSpan interval, ILogger log) : Collector<DynamoDbTablesSnapshot>, IPlannedCollector
{
    private static readonly MetricDesc TableSize = MetricDesc.Gauge(
        "aws_dynamodb_table_size_bytes", "Size of the table without its indexes; DynamoDB works it out every six hours or so.", "table");

    private static readonly MetricDesc TableItems = MetricDesc.Gauge(
        "aws_dynamodb_table_items", "Items in the table; DynamoDB counts them every six hours or so.", "table");

    private static readonly MetricDesc IndexSize = MetricDesc.Gauge(
        "aws_dynamodb_index_size_bytes", "Size of the index, global (gsi) or local (lsi); DynamoDB works it out every six hours or so.", "table", "index", "type");

    private static readonly MetricDesc IndexItems = MetricDesc.Gauge(
        "aws_dynamodb_index_items", "Items in the index, global (gsi) or local (lsi); DynamoDB counts them every six hours or so.", "table", "index", "type");

    private static readonly MetricDesc Info = MetricDesc.Gauge(
        "aws_dynamodb_table_info", "A table: provisioned or on_demand, its status and storage class.", "table", "billing_mode", "status", "table_class");

    private static readonly MetricDesc ReadCapacity = MetricDesc.Gauge(
        "aws_dynamodb_provisioned_read_capacity_units", "Provisioned reads a second, of the table (an empty index) or a global index; absent when on demand.", "table", "index");

    private static readonly MetricDesc WriteCapacity = MetricDesc.Gauge(
        "aws_dynamodb_provisioned_write_capacity_units", "Provisioned writes a second, of the table (an empty index) or a global index; absent when on demand.", "table", "index");

    private static readonly MetricDesc Created = MetricDesc.Gauge(
        "aws_dynamodb_table_created_timestamp_seconds", "When the table was created.", "table");

    private static readonly MetricDesc Threshold = MetricDesc.Gauge(
        "aws_dynamodb_throttled_requests_threshold",
        "How many requests to the table may be throttled in five minutes, as configured (thresholds.dynamodb_throttled_requests); +Inf: any number.", "table");

    private readonly AccessDenials denials = new(source.Name, log);

    public override string Name => "dynamodb_tables";

    public override string Asks => "1 request for each 100 tables: `ListTables`; and 1 for each table: `DescribeTable`.";

    public override string Source => source.Name;

    public override SourceIdentity? Identity => source.Identity;

    public override IReadOnlyList<MetricDesc> Metrics { get; } =
    [
        TableSize, TableItems, IndexSize, IndexItems, Info, ReadCapacity, WriteCapacity, Created, Threshold, AccessDenials.Denied,
    ];

    public override TimeSpan Interval => interval;

    /// <summary>How many requests to a table may be throttled in five minutes.</summary>
    public Func<string, double> ThrottledThreshold { get; init; } = _ => double.PositiveInfinity;

    protected internal override Exception? FailureIn(DynamoDbTablesSnapshot snapshot) => snapshot.Failure;

    public async Task<IReadOnlyList<PlannedRequests>> PlanAsync(CancellationToken cancellationToken)
    {
        await catalog.GetAsync(cancellationToken);
        var tables = catalog.Watched().Known.Count();
        return
        [
            PlannedRequests.Every(AwsService.DynamoDb, "ListTables", PlannedRequests.Pages(tables, 100), Interval),
            PlannedRequests.Every(AwsService.DynamoDb, "DescribeTable", tables, Interval),
        ];
    }

    protected internal override async Task<DynamoDbTablesSnapshot> CollectAsync(CancellationToken cancellationToken)
    {
        await source.GetIdentityAsync(cancellationToken);
        var names = await catalog.RefreshAsync(cancellationToken);
        var tables = await EachResource.AskAsync(names, source.DynamoDb.DescribeTableAsync, cancellationToken);
        return new(
            [.. names.Except(tables.Gone).Order(StringComparer.Ordinal)],
            [.. tables.Given.Values.OrderBy(table => table.Name, StringComparer.Ordinal)], denials.Settle(tables.Denied), tables.Failure);
    }

    protected internal override void Write(DynamoDbTablesSnapshot snapshot, MetricSink sink)
    {
        foreach (var table in snapshot.Names)
            sink.Set(Threshold, ThrottledThreshold(table), table);
        foreach (var table in snapshot.Tables)
        {
            sink.Set(Info, 1, table.Name, BillingMode(table.BillingMode), AwsName.Word(table.Status), AwsName.Word(table.TableClass));
            if (table.CreatedAt is { } created)
                sink.Set(Created, created.ToUnixSeconds(), table.Name);
            Set(TableSize, table.SizeBytes, sink, table.Name);
            Set(TableItems, table.Items, sink, table.Name);
            var isProvisioned = table.BillingMode == DynamoDbTable.IsProvisioned;
            if (isProvisioned)
                Set(table.Provisioned, sink, table.Name, "");
            foreach (var index in table.Indexes.DistinctBy(index => index.Name))
            {
                var type = index.IsGlobal ? "gsi" : "lsi";
                Set(IndexSize, index.SizeBytes, sink, table.Name, index.Name, type);
                Set(IndexItems, index.Items, sink, table.Name, index.Name, type);
                if (isProvisioned)
                    Set(index.Provisioned, sink, table.Name, index.Name);
            }
        }

        AccessDenials.Write(snapshot.Denied, sink);
    }

    private static void Set(DynamoDbCapacity? capacity, MetricSink sink, string table, string index)
    {
        Set(ReadCapacity, capacity?.Read, sink, table, index);
        Set(WriteCapacity, capacity?.Write, sink, table, index);
    }

    private static void Set(MetricDesc gauge, long? number, MetricSink sink, params ReadOnlySpan<string> labels)
    {
        if (number >= 0)
            sink.Set(gauge, number.Value, labels);
    }

    private static string BillingMode(string mode) => mode switch
    {
        DynamoDbTable.IsProvisioned => "provisioned",
        DynamoDbTable.OnDemand => "on_demand",
        _ => AwsName.Word(mode),
    };
}
