using System.Security.Cryptography;
using System.Text;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Aws;

/// <summary>DynamoDB's tables, of the caller's account.</summary>
internal sealed class DynamoDbService(AwsAccounts accounts)
{
    const int MaxTablesPage = 100;
    const string Key = "id";

    public AwsService Describe() => new AwsService
    {
        Name = "dynamodb",
        SigningName = "dynamodb",
        TargetPrefix = "DynamoDB_20120810",
        JsonVersion = "1.0",
        ErrorNamespace = "com.amazonaws.dynamodb.v20120810",
        FailureCode = "InternalServerError",
        ThrottlingMessage = "Rate of requests exceeds the allowed throughput.",
    }
    .Json("ListTables", DynamoDbJson.Default.ListTablesInput, DynamoDbJson.Default.ListTablesOutput, ListTables)
    .Json("DescribeTable", DynamoDbJson.Default.DescribeTableInput, DynamoDbJson.Default.DescribeTableOutput, DescribeTable);

    ListTablesOutput ListTables(ListTablesInput input, AwsCall call)
    {
        var limit = input.Limit ?? MaxTablesPage;
        if (limit < 1)
            throw Invalid(limit, "limit", "Member must have value greater than or equal to 1");
        if (limit > MaxTablesPage)
            throw Invalid(limit, "limit", $"Member must have value less than or equal to {MaxTablesPage}");
        var tables = accounts.In(call)?.Tables ?? [];
        // The start need not be a table, or not any more.
        var page = tables
            .Select(table => table.Name)
            .Where(name => string.CompareOrdinal(name, input.ExclusiveStartTableName) > 0)
            .Order(StringComparer.Ordinal)
            .Take(limit + 1)
            .ToList();
        return page.Count <= limit ? new(page, null) : new(page[..limit], page[limit - 1]);
    }

    DescribeTableOutput DescribeTable(DescribeTableInput input, AwsCall call)
    {
        if (input.TableName is null)
            throw Invalid(null, "tableName", "Member must not be null");
        if (accounts.In(call) is not { } account || account.Table(input.TableName) is not { } table)
            throw new AwsException("ResourceNotFoundException", $"Requested resource not found: Table: {input.TableName} not found");
        return new(Shape(table, account, call.Now));
    }

    static TableDescription Shape(TableDefinition table, AwsAccount account, DateTimeOffset now)
    {
        var arn = $"arn:aws:dynamodb:{AwsCredentials.Region}:{account.Id}:table/{table.Name}";
        var units = new ProvisionedThroughputDescription(0, table.ReadUnits ?? 0, table.WriteUnits ?? 0);
        return new TableDescription
        {
            AttributeDefinitions =
                [.. table.GlobalIndexes.Concat(table.LocalIndexes).Select(KeyOf).Append(Key).Order(StringComparer.Ordinal).Select(name => new AttributeDefinition(name, "S"))],
            TableName = table.Name,
            KeySchema = [new(Key, "HASH")],
            TableStatus = "ACTIVE",
            CreationDateTime = table.CreatedOn,
            ProvisionedThroughput = units,
            TableSizeBytes = table.BytesAt(now),
            ItemCount = table.ItemsAt(now),
            TableArn = arn,
            TableId = new Guid(SHA256.HashData(Encoding.UTF8.GetBytes(arn)).AsSpan(0, 16)).ToString(),
            BillingModeSummary = table.ReadUnits is null ? new("PAY_PER_REQUEST") : null,
            LocalSecondaryIndexes = table.LocalIndexes.IsEmpty ? null
                : [.. table.LocalIndexes.Select(name => Index(name, [new(Key, "HASH"), new(KeyOf(name), "RANGE")]))],
            GlobalSecondaryIndexes = table.GlobalIndexes.IsEmpty ? null
                : [.. table.GlobalIndexes.Select(name => Index(name, [new(KeyOf(name), "HASH")]) with { IndexStatus = "ACTIVE", ProvisionedThroughput = units })],
            TableClassSummary = table.IsInfrequentlyAccessed ? new("STANDARD_INFREQUENT_ACCESS") : null,
        };

        static string KeyOf(string index) => $"{index}_key";

        SecondaryIndexDescription Index(string name, IReadOnlyList<KeySchemaElement> keys) => new()
        {
            IndexName = name,
            KeySchema = keys,
            Projection = new("ALL"),
            IndexSizeBytes = table.BytesAt(now) / 3,
            ItemCount = table.ItemsAt(now),
            IndexArn = $"{arn}/index/{name}",
        };
    }

    static AwsException Invalid(object? value, string member, string constraint) =>
        AwsException.Constraint("ValidationException", value, member, constraint);
}
