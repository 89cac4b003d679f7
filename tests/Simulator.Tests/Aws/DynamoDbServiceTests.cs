using PipelineExporter.Simulator.Aws;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Tests.Aws;

public sealed class DynamoDbServiceTests
{
    static readonly AwsService DynamoDb = new DynamoDbService(ServiceCall.Accounts).Describe();

    [Theory]
    [InlineData(null, 3)]
    [InlineData(7, 36)]
    [InlineData(100, 3)]
    public void Tables_come_in_pages_of_a_hundred_at_most(int? limit, int expected)
    {
        var model = new PipelineModel(1, new IncidentLog(TimeProvider.System), tables: 247);
        var service = new DynamoDbService(new AwsAccounts(model, TimeProvider.System)).Describe();
        List<string> names = [];
        var (pages, more) = (0, "");
        for (; more is not null; pages++)
        {
            var size = limit is null ? "" : $"\"Limit\": {limit}";
            var answer = ServiceCall.Json(service, "ListTables", $$"""{{{string.Join(',', new[] { size, more }.Where(part => part.Length > 0))}}}""");
            names.AddRange(answer["TableNames"]!.AsArray().Select(name => (string)name!));
            more = answer["LastEvaluatedTableName"] is { } last ? $"\"ExclusiveStartTableName\": \"{last}\"" : null;
        }

        Assert.Equal(model.Tables.Select(table => table.Name).Order(StringComparer.Ordinal), names);
        Assert.Equal(expected, pages);
    }

    [Theory]
    [InlineData("ListTables", """{"Limit": 0}""", "ValidationException")]
    [InlineData("ListTables", """{"Limit": 101}""", "ValidationException")]
    [InlineData("DescribeTable", "{}", "ValidationException")]
    [InlineData("DescribeTable", """{"TableName": "nobody"}""", "ResourceNotFoundException")]
    public void Refuses_what_is_wrong(string operation, string input, string code) => Assert.Equal(code, ServiceCall.Refused(DynamoDb, operation, input).Code);

    [Fact]
    public void A_provisioned_table_says_nothing_of_billing_and_counts_every_six_hours()
    {
        var sessions = ServiceCall.Json(DynamoDb, "DescribeTable", """{"TableName": "music_streaming_sessions"}""", ServiceCall.Now)["Table"]!;
        var later = ServiceCall.Json(DynamoDb, "DescribeTable", """{"TableName": "music_streaming_sessions"}""", ServiceCall.Now.AddHours(1))["Table"]!;
        var catalog = ServiceCall.Json(DynamoDb, "DescribeTable", """{"TableName": "music_streaming_catalog"}""")["Table"]!;
        var kpi = ServiceCall.Json(DynamoDb, "DescribeTable", """{"TableName": "music_streaming_kpi"}""")["Table"]!;

        Assert.Null(sessions["BillingModeSummary"]);
        Assert.Equal("PAY_PER_REQUEST", (string)kpi["BillingModeSummary"]!["BillingMode"]!);
        Assert.Null(kpi["TableClassSummary"]);
        Assert.Equal("STANDARD_INFREQUENT_ACCESS", (string)catalog["TableClassSummary"]!["TableClass"]!);
        Assert.Equal((long)sessions["ItemCount"]!, (long)later["ItemCount"]!);
        Assert.Equal("arn:aws:dynamodb:eu-west-1:123456789012:table/music_streaming_sessions/index/by_user", (string)sessions["GlobalSecondaryIndexes"]![0]!["IndexArn"]!);
    }

    [Fact]
    public void Each_account_has_its_own_tables_and_another_region_none()
    {
        Assert.Equal(
            """["music_streaming_kpi"]""", ServiceCall.Json(DynamoDb, "ListTables", "{}", account: "210987654321")["TableNames"]!.ToJsonString());
        Assert.Empty(ServiceCall.Json(DynamoDb, "ListTables", "{}", region: "us-east-1")["TableNames"]!.AsArray());
    }
}
