using System.Diagnostics;
using System.Text.Json.Nodes;
using PipelineExporter.Collectors.Aws;
using PipelineExporter.Sources;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Tests.Collectors.Aws;

public sealed class DynamoDbTablesTests : IAsyncLifetime
{
    private readonly LogLines log = new();
    private FakeStores stores = null!;

    public async ValueTask InitializeAsync() => stores = await FakeStores.StartAsync();

    public ValueTask DisposeAsync() => stores.DisposeAsync();

    [Fact]
    public async Task Tables_are_published_with_their_indexes_and_capacity()
    {
        Add("sessions", table =>
        {
            table["GlobalSecondaryIndexes"] = new JsonArray(FakeStores.Index("by_user", FakeStores.Capacity(7, 8)));
            table["LocalSecondaryIndexes"] = new JsonArray(FakeStores.Index("by_day"));
            table["TableClassSummary"] = new JsonObject { ["TableClass"] = "STANDARD_INFREQUENT_ACCESS" };
        });
        Add("kpi", table =>
        {
            table["BillingModeSummary"] = new JsonObject { ["BillingMode"] = "PAY_PER_REQUEST" };
            table["ProvisionedThroughput"] = FakeStores.Capacity(0, 0);
            table["GlobalSecondaryIndexes"] = new JsonArray(FakeStores.Index("by_genre", FakeStores.Capacity(0, 0)));
            table["TableSizeBytes"] = 9007199254740992;
        });

        Assert.Equal(
            new Dictionary<string, double>
            {
                ["aws_dynamodb_throttled_requests_threshold{kpi}"] = double.PositiveInfinity,
                ["aws_dynamodb_throttled_requests_threshold{sessions}"] = 10,
                ["aws_dynamodb_table_info{kpi,on_demand,ACTIVE,STANDARD}"] = 1,
                ["aws_dynamodb_table_created_timestamp_seconds{kpi}"] = 1_700_000_000.5,
                ["aws_dynamodb_table_size_bytes{kpi}"] = 9007199254740992,
                ["aws_dynamodb_table_items{kpi}"] = 10,
                ["aws_dynamodb_index_size_bytes{kpi,by_genre,gsi}"] = 300,
                ["aws_dynamodb_index_items{kpi,by_genre,gsi}"] = 3,
                ["aws_dynamodb_table_info{sessions,provisioned,ACTIVE,STANDARD_INFREQUENT_ACCESS}"] = 1,
                ["aws_dynamodb_table_created_timestamp_seconds{sessions}"] = 1_700_000_000.5,
                ["aws_dynamodb_table_size_bytes{sessions}"] = 1000,
                ["aws_dynamodb_table_items{sessions}"] = 10,
                ["aws_dynamodb_provisioned_read_capacity_units{sessions,}"] = 5,
                ["aws_dynamodb_provisioned_write_capacity_units{sessions,}"] = 6,
                ["aws_dynamodb_provisioned_read_capacity_units{sessions,by_user}"] = 7,
                ["aws_dynamodb_provisioned_write_capacity_units{sessions,by_user}"] = 8,
                ["aws_dynamodb_index_size_bytes{sessions,by_user,gsi}"] = 300,
                ["aws_dynamodb_index_items{sessions,by_user,gsi}"] = 3,
                ["aws_dynamodb_index_size_bytes{sessions,by_day,lsi}"] = 300,
                ["aws_dynamodb_index_items{sessions,by_day,lsi}"] = 3,
            }.OrderBy(sample => sample.Key),
            (await PublishedAsync()).OrderBy(sample => sample.Key));
        Assert.All(stores.Outcomes, outcome => Assert.Equal(RequestOutcome.Ok, outcome));
    }

    [Fact]
    public async Task What_AWS_would_not_say_of_a_table_is_taken_for_what_it_is_worth()
    {
        Add("odd", table =>
        {
            table["TableStatus"] = "UNDER SIEGE";
            table["BillingModeSummary"] = new JsonObject { ["BillingMode"] = "PAY_PER_VIEW" };
            table["TableClassSummary"] = new JsonObject { ["TableClass"] = new string('A', 65) };
            table["TableSizeBytes"] = -1;
            table["ItemCount"] = null;
            table.Remove("CreationDateTime");
            table["GlobalSecondaryIndexes"] = new JsonArray(null, new JsonObject { ["IndexSizeBytes"] = 1 }, FakeStores.Index("twice"));
            table["LocalSecondaryIndexes"] = new JsonArray(FakeStores.Index("twice"));
        });

        Assert.Equal(
            ["aws_dynamodb_index_items{odd,twice,gsi}", "aws_dynamodb_index_size_bytes{odd,twice,gsi}", "aws_dynamodb_table_info{odd,PAY_PER_VIEW,other,other}", "aws_dynamodb_throttled_requests_threshold{odd}"],
            (await PublishedAsync()).Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Tables_are_listed_to_the_last_page_and_selected()
    {
        foreach (var name in (string[])["a", "b", "c", "d", "e"])
            Add(name);

        Assert.Equal(["a", "b", "d", "e"], [.. await stores.TableCatalog(name => name != "c").GetAsync(CancellationToken.None)]);
        Assert.Equal(3, stores.Count("ListTables"));
    }

    [Fact]
    public async Task A_thousand_tables_take_seconds()
    {
        stores.PageSize = 100;
        for (var i = 0; i < 1250; i++)
            Add($"table-{i:0000}");
        var started = Stopwatch.GetTimestamp();

        Assert.Equal(1250, (await Collector().CollectAsync(CancellationToken.None)).Tables.Length);

        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(15));
        Assert.Equal((13, 1250), (stores.Count("ListTables"), stores.Count("DescribeTable")));
    }

    [Fact]
    public async Task A_table_that_may_not_be_described_is_left_out_shown_and_logged_once()
    {
        Add("open");
        Add("secret");
        stores.Interfere = (operation, table) => table == "secret" ? FakeStores.DynamoDbError(400, "AccessDeniedException") : null;
        var collector = Collector();

        for (var poll = 0; poll < 2; poll++)
        {
            var published = await PublishedAsync(collector);
            Assert.Equal(1, published["pipeline_exporter_aws_access_denied{DescribeTable}"]);
            Assert.Contains("aws_dynamodb_table_items{open}", published);
            Assert.Equal("aws_dynamodb_throttled_requests_threshold{secret}", Assert.Single(published.Keys, key => key.Contains("secret", StringComparison.Ordinal)));
            stores.Time.Advance(TimeSpan.FromMinutes(5));
        }

        Assert.Contains("Allow dynamodb:DescribeTable in the IAM policy of the exporter's role.", Assert.Single(log.All), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_the_list_there_is_nothing_and_the_action_is_named()
    {
        stores.Interfere = (_, _) => FakeStores.DynamoDbError(400, "AccessDeniedException");

        var error = await Assert.ThrowsAsync<AwsException>(() => PublishedAsync());

        Assert.EndsWith("Allow dynamodb:ListTables in the IAM policy of the exporter's role.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_table_that_is_gone_meanwhile_drops_out()
    {
        Add("gone");
        Add("stays");
        stores.Interfere = (operation, table) => table == "gone" ? FakeStores.DynamoDbError(400, "ResourceNotFoundException") : null;

        var snapshot = await Collector().CollectAsync(CancellationToken.None);

        Assert.Equal("stays", Assert.Single(snapshot.Tables).Name);
        Assert.Null(snapshot.Failure);
    }

    [Theory]
    [InlineData(400, "ThrottlingException")]
    [InlineData(400, "ProvisionedThroughputExceededException")]
    [InlineData(500, "InternalServerError")]
    public async Task What_may_pass_is_asked_again(int status, string code)
    {
        Add("a");
        var refusals = 1;
        stores.Interfere = (operation, _) => operation == "DescribeTable" && refusals-- > 0 ? FakeStores.DynamoDbError(status, code) : null;

        Assert.Contains("aws_dynamodb_table_items{a}", await PublishedAsync());
        Assert.Equal([RequestOutcome.Ok, status == 400 ? RequestOutcome.Throttled : RequestOutcome.Error, RequestOutcome.Ok], stores.Outcomes);
    }

    [Fact]
    public async Task A_service_that_stays_away_fails_the_collection()
    {
        Add("a");
        Add("b");
        stores.Interfere = (operation, _) => operation == "DescribeTable" ? FakeStores.DynamoDbError(500, "InternalServerError") : null;

        var error = await Assert.ThrowsAsync<AwsException>(() => Collector().CollectAsync(CancellationToken.None));

        Assert.Equal("DynamoDB DescribeTable answered 500 InternalServerError: as the test wants it", error.Message);
    }

    [Fact]
    public async Task A_table_that_cannot_be_read_is_missing_and_told()
    {
        Add("a");
        Add("b");
        stores.Interfere = (_, table) => table == "a" ? (200, """{"Table":{"TableName":"a","ItemCount":"hunter2"}}""") : null;
        var collector = Collector();

        var snapshot = await collector.CollectAsync(CancellationToken.None);

        Assert.Equal("b", Assert.Single(snapshot.Tables).Name);
        Assert.StartsWith("1 of 2 could not be told of, the first: DynamoDB DescribeTable: the answer is not what AWS sends", collector.FailureIn(snapshot)?.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", collector.FailureIn(snapshot)!.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ListTables", "{}")]
    [InlineData("ListTables", "null")]
    [InlineData("ListTables", """{"TableNames":["a",null]}""")]
    [InlineData("ListTables", """{"TableNames":{"hunter2":1}}""")]
    [InlineData("ListTables", """{"TableNames":["a"],"LastEvaluatedTableName":"hunter2"}""")]
    [InlineData("ListTables", "<html>hunter2</html>")]
    [InlineData("DescribeTable", "{}")]
    [InlineData("DescribeTable", """{"Table":{"TableName":"hunter2"}}""")]
    [InlineData("DescribeTable", """{"Table":{"TableName":"a","ItemCount":"hunter2"}}""")]
    [InlineData("DescribeTable", """{"Table":{"TableName":"a","ItemCount":1e300}}""")]
    [InlineData("DescribeTable", """{"Table":{"TableName":"a","ItemCount":NaN}}""")]
    [InlineData("DescribeTable", """{"Table":{"TableName":"a","CreationDateTime":1e300}}""")]
    [InlineData("DescribeTable", """{"Table":{"TableName":"a","TableStatus":"hunter2""")]
    public async Task A_lying_server_is_told_from_the_answer_without_its_content(string operation, string body)
    {
        Add("a");
        stores.Interfere = (asked, _) => asked == operation ? (200, body) : null;

        var error = await Assert.ThrowsAsync<AwsException>(() => PublishedAsync());

        Assert.Equal(("DynamoDB", operation, "Malformed"), (error.Service, error.Operation, error.Code));
        Assert.DoesNotContain("hunter2", error.ToString(), StringComparison.Ordinal);
    }

    private DynamoDbTables Collector() => new(stores.Source, stores.TableCatalog(), TimeSpan.FromMinutes(5), log) { ThrottledThreshold = table => table == "kpi" ? double.PositiveInfinity : 10 };

    private void Add(string name, Action<JsonObject>? change = null) => stores.Tables[name] = FakeStores.Table(name, change);

    private async Task<IReadOnlyDictionary<string, double>> PublishedAsync(DynamoDbTables? collector = null)
    {
        collector ??= Collector();
        return GlueRig.Written(collector, await collector.CollectAsync(CancellationToken.None));
    }
}
