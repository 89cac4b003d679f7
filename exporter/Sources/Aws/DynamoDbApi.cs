using System.Collections.Immutable;
using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;

namespace PipelineExporter.Sources.Aws;

internal sealed record DynamoDbTablePage(ImmutableArray<string> Names, string? LastEvaluatedTableName);

/// <summary>A table as DescribeTable has it; sizes and counts are some hours old. Keys and attributes have no place here.</summary>
/// <param name="BillingMode">PROVISIONED or PAY_PER_REQUEST.</param>
/// <param name="TableClass">STANDARD or STANDARD_INFREQUENT_ACCESS.</param>
internal sealed record DynamoDbTable(
    string Name, DateTimeOffset? CreatedAt, string? Status, string BillingMode, string TableClass, long? SizeBytes, long? Items,
    DynamoDbCapacity? Provisioned, ImmutableArray<DynamoDbIndex> Indexes)
{
    public const string IsProvisioned = "PROVISIONED";
    public const string OnDemand = "PAY_PER_REQUEST";
}

/// <param name="IsGlobal">A local one shares the table's capacity.</param>
/// <param name="Provisioned">Null for a local one.</param>
internal sealed record DynamoDbIndex(string Name, bool IsGlobal, long? SizeBytes, long? Items, DynamoDbCapacity? Provisioned);

/// <summary>Units a second.</summary>
internal sealed record DynamoDbCapacity(long? Read, long? Write);

/// <summary>Amazon DynamoDB through its SDK client. Operations carry AWS's own names; what is not read has no place here.</summary>
internal sealed class DynamoDbApi(AmazonDynamoDBClient client) : IDisposable
{
    public const string NotFound = "ResourceNotFoundException";

    /// <summary>100 at a time.</summary>
    public async Task<DynamoDbTablePage> ListTablesAsync(string? exclusiveStartTableName, CancellationToken cancellationToken)
    {
        var answer = await CallAsync("ListTables", () => client.ListTablesAsync(
            new ListTablesRequest { ExclusiveStartTableName = exclusiveStartTableName }, cancellationToken));
        return answer.TableNames is { } names
            ? new([.. names], answer.LastEvaluatedTableName)
            : throw AwsException.Malformed(AwsService.DynamoDb, "ListTables", "the answer has no list of tables: check endpoint_url");
    }

    public async Task<DynamoDbTable> DescribeTableAsync(string table, CancellationToken cancellationToken)
    {
        var answer = await CallAsync("DescribeTable", () => client.DescribeTableAsync(new DescribeTableRequest { TableName = table }, cancellationToken));
        if (answer.Table is not { } described || described.TableName != table)
            throw AwsException.Malformed(AwsService.DynamoDb, "DescribeTable", "the answer is of another table");
        return new(
            table, described.CreationDateTime is { } created ? new DateTimeOffset(created.ToUniversalTime()) : null,
            described.TableStatus?.Value,
            described.BillingModeSummary?.BillingMode?.Value ?? DynamoDbTable.IsProvisioned, // Absent of tables that never were anything else.
            described.TableClassSummary?.TableClass?.Value ?? "STANDARD",
            described.TableSizeBytes, described.ItemCount, Capacity(described.ProvisionedThroughput),
            [
                .. (described.GlobalSecondaryIndexes ?? []).Where(index => AwsName.IsSound(index?.IndexName)).Select(index =>
                    new DynamoDbIndex(index.IndexName, IsGlobal: true, index.IndexSizeBytes, index.ItemCount, Capacity(index.ProvisionedThroughput))),
                .. (described.LocalSecondaryIndexes ?? []).Where(index => AwsName.IsSound(index?.IndexName)).Select(index =>
                    new DynamoDbIndex(index.IndexName, IsGlobal: false, index.IndexSizeBytes, index.ItemCount, null)),
            ]);
    }

    public void Dispose() => client.Dispose();

    private static Task<T> CallAsync<T>(string operation, Func<Task<T>> call) => AwsSdk.CallAsync(AwsService.DynamoDb, operation, call);

    private static DynamoDbCapacity? Capacity(ProvisionedThroughputDescription? throughput) =>
        throughput is null ? null : new(throughput.ReadCapacityUnits, throughput.WriteCapacityUnits);
}
