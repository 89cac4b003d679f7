using System.Text.Json.Serialization;

namespace PipelineExporter.Simulator.Aws;

// The shapes of DynamoDB's service model, as far as the simulator sends and reads them. Null members are not sent.

internal sealed record ListTablesInput(string? ExclusiveStartTableName, int? Limit);

internal sealed record ListTablesOutput(IReadOnlyList<string> TableNames, string? LastEvaluatedTableName);

internal sealed record DescribeTableInput(string? TableName);

internal sealed record DescribeTableOutput(TableDescription Table);

internal sealed record TableDescription
{
    public required IReadOnlyList<AttributeDefinition> AttributeDefinitions { get; init; }
    public required string TableName { get; init; }
    public required IReadOnlyList<KeySchemaElement> KeySchema { get; init; }
    public required string TableStatus { get; init; }
    public required DateTimeOffset CreationDateTime { get; init; }
    public required ProvisionedThroughputDescription ProvisionedThroughput { get; init; }
    public required long TableSizeBytes { get; init; }
    public required long ItemCount { get; init; }
    public required string TableArn { get; init; }
    public required string TableId { get; init; }

    /// <summary>Absent of a table that has been provisioned ever since.</summary>
    public BillingModeSummary? BillingModeSummary { get; init; }
    public IReadOnlyList<SecondaryIndexDescription>? LocalSecondaryIndexes { get; init; }
    public IReadOnlyList<SecondaryIndexDescription>? GlobalSecondaryIndexes { get; init; }

    /// <summary>Absent of the standard class.</summary>
    public TableClassSummary? TableClassSummary { get; init; }
    public bool DeletionProtectionEnabled { get; init; }
}

internal sealed record AttributeDefinition(string AttributeName, string AttributeType);

internal sealed record KeySchemaElement(string AttributeName, string KeyType);

internal sealed record ProvisionedThroughputDescription(long NumberOfDecreasesToday, long ReadCapacityUnits, long WriteCapacityUnits);

internal sealed record BillingModeSummary(string BillingMode);

internal sealed record TableClassSummary(string TableClass);

internal sealed record Projection(string ProjectionType);

/// <summary>Of either kind; a local one has the capacity of its table.</summary>
internal sealed record SecondaryIndexDescription
{
    public required string IndexName { get; init; }
    public required IReadOnlyList<KeySchemaElement> KeySchema { get; init; }
    public required Projection Projection { get; init; }
    public string? IndexStatus { get; init; }
    public ProvisionedThroughputDescription? ProvisionedThroughput { get; init; }
    public required long IndexSizeBytes { get; init; }
    public required long ItemCount { get; init; }
    public required string IndexArn { get; init; }
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Converters = [typeof(EpochSeconds)])]
[JsonSerializable(typeof(ListTablesInput))]
[JsonSerializable(typeof(ListTablesOutput))]
[JsonSerializable(typeof(DescribeTableInput))]
[JsonSerializable(typeof(DescribeTableOutput))]
internal sealed partial class DynamoDbJson : JsonSerializerContext;
