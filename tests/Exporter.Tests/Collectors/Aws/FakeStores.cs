using System.Collections.Concurrent;
using System.Globalization;
using System.Security;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Collectors.Aws;
using PipelineExporter.Sources.Aws;
using PipelineExporter.Tests.Sources.Aws;

namespace PipelineExporter.Tests.Collectors.Aws;

/// <summary>A bucket of <see cref="FakeStores"/>.</summary>
/// <param name="Lifecycle">The rules' XML; null for a bucket without.</param>
internal sealed record FakeBucket(string Name, string? Region = "eu-west-1", string[]? FilterIds = null, string? Lifecycle = null);

/// <summary>S3 and DynamoDB on a web server of the loopback, and the exporter's side of them.</summary>
internal sealed class FakeStores : IAsyncDisposable
{
    public const string Created = "2024-01-02T03:04:05.000Z";

    private readonly FakeAws aws;

    private FakeStores(FakeAws aws, AwsSource source) => (this.aws, Source) = (aws, source);

    /// <summary>The clock of the catalogs.</summary>
    public FakeTimeProvider Time { get; } = new(new DateTimeOffset(2026, 11, 23, 6, 0, 0, TimeSpan.Zero));

    public AwsSource Source { get; }

    public List<FakeBucket> Buckets { get; } = [];

    /// <summary>What DescribeTable tells, by name.</summary>
    public SortedDictionary<string, JsonObject> Tables { get; } = new(StringComparer.Ordinal);

    /// <summary>Every request, as operation and resource.</summary>
    public ConcurrentQueue<string> Asked { get; } = [];

    public ConcurrentQueue<string> Outcomes { get; } = [];

    /// <summary>Gives the answer (status, body) to an operation on a resource instead of the true one; null for the true one.</summary>
    public Func<string, string, (int Status, string Body)?> Interfere { get; set; } = (_, _) => null;

    /// <summary>Of the answers to come; null: as AWS has it.</summary>
    public string? ContentType { get; set; }

    public int PageSize { get; set; } = 2;

    /// <summary>Whether ListBuckets takes its parameters and tells regions; a plain old server does neither.</summary>
    public bool IsModern { get; set; } = true;

    public IReadOnlyDictionary<string, string> LastHeaders { get; private set; } = new Dictionary<string, string>();

    public static async Task<FakeStores> StartAsync(AwsResilience? resilience = null)
    {
        var server = await FakeAws.StartAsync();
        FakeStores? stores = null;
        var source = server.Source(
            observe: outcome => stores!.Outcomes.Enqueue(outcome), resilience: resilience ?? new() { Retries = 1, Delay = TimeSpan.Zero, FailuresBeforeBreak = 1000 });
        stores = new(server, source);
        server.Answer = stores.AnswerAsync;
        return stores;
    }

    public S3BucketCatalog BucketCatalog(Func<string, bool>? isSelected = null) => new(Source, isSelected ?? (_ => true), TimeSpan.FromMinutes(15), Time);

    public DynamoDbTableCatalog TableCatalog(Func<string, bool>? isSelected = null) => new(Source, isSelected ?? (_ => true), TimeSpan.FromMinutes(5), Time);

    public static JsonObject Table(string name, Action<JsonObject>? change = null)
    {
        var table = new JsonObject
        {
            ["TableName"] = name, ["TableStatus"] = "ACTIVE", ["CreationDateTime"] = 1_700_000_000.5, ["TableSizeBytes"] = 1000, ["ItemCount"] = 10,
            ["ProvisionedThroughput"] = Capacity(5, 6),
            ["AttributeDefinitions"] = new JsonArray(new JsonObject { ["AttributeName"] = "hunter2", ["AttributeType"] = "S" }),
        };
        change?.Invoke(table);
        return table;
    }

    public static JsonObject Capacity(int read, int write) => new() { ["ReadCapacityUnits"] = read, ["WriteCapacityUnits"] = write, ["NumberOfDecreasesToday"] = 0 };

    public static JsonObject Index(string name, JsonObject? capacity = null)
    {
        var index = new JsonObject { ["IndexName"] = name, ["IndexSizeBytes"] = 300, ["ItemCount"] = 3, ["IndexStatus"] = "ACTIVE" };
        if (capacity is not null)
            index["ProvisionedThroughput"] = capacity;
        return index;
    }

    public static (int, string) S3Error(int status, string code, string message = "as the test wants it") =>
        (status, $"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{SecurityElement.Escape(message)}</Message><RequestId>1</RequestId></Error>");

    public static (int, string) DynamoDbError(int status, string code) =>
        (status, $$"""{"__type":"com.amazonaws.dynamodb.v20120810#{{code}}","message":"as the test wants it"}""");

    public int Count(string operation) => Asked.Count(asked => asked.Split(' ')[0] == operation);

    public async ValueTask DisposeAsync()
    {
        Source.Dispose();
        await aws.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext context, FakeRequest request)
    {
        LastHeaders = request.Headers;
        var (operation, resource) = (request.Operation, Resource(request));
        Asked.Enqueue($"{operation} {resource}");
        var (status, body) = Interfere(operation, resource) ?? operation switch
        {
            "ListBuckets" => (200, ListBuckets(context.Request.Query)),
            "GetBucketLocation" => (200, GetBucketLocation(resource)),
            "ListBucketMetricsConfigurations" => (200, ListMetricsConfigurations(resource, context.Request.Query["continuation-token"])),
            "GetBucketLifecycleConfiguration" => Bucket(resource).Lifecycle is { } rules
                ? (200, $"<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{rules}</LifecycleConfiguration>")
                : S3Error(404, "NoSuchLifecycleConfiguration"),
            "ListTables" => (200, ListTables(JsonNode.Parse(request.Body)!)),
            "DescribeTable" => Tables.TryGetValue(resource, out var table)
                ? (200, new JsonObject { ["Table"] = table.DeepClone() }.ToJsonString())
                : DynamoDbError(400, "ResourceNotFoundException"),
            _ => throw new InvalidOperationException(operation),
        };
        context.Response.StatusCode = status;
        context.Response.ContentType = ContentType ?? (request.Target is null ? "application/xml" : "application/x-amz-json-1.0");
        await context.Response.WriteAsync(body);
    }

    private static string Resource(FakeRequest request) => request.Target is null
        ? request.Path.Split('?')[0].Trim('/')
        : (string?)JsonNode.Parse(request.Body)!["TableName"] ?? "";

    private FakeBucket Bucket(string name) => Buckets.Single(bucket => bucket.Name == name);

    private string ListBuckets(IQueryCollection query)
    {
        var from = int.Parse((string?)query["continuation-token"] ?? "0", CultureInfo.InvariantCulture);
        var text = new StringBuilder("<ListAllMyBucketsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Owner><ID>1</ID></Owner><Buckets>");
        foreach (var bucket in IsModern ? Buckets.Skip(from).Take(PageSize) : Buckets)
        {
            text.Append("<Bucket><Name>").Append(bucket.Name).Append("</Name><CreationDate>").Append(Created).Append("</CreationDate>");
            if (IsModern)
                text.Append("<BucketRegion>").Append(bucket.Region).Append("</BucketRegion>");
            text.Append("</Bucket>");
        }

        text.Append("</Buckets>");
        if (IsModern && from + PageSize < Buckets.Count)
            text.Append("<ContinuationToken>").Append(from + PageSize).Append("</ContinuationToken>");
        return text.Append("</ListAllMyBucketsResult>").ToString();
    }

    private string GetBucketLocation(string bucket) =>
        $"<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{Bucket(bucket).Region}</LocationConstraint>";

    private string ListMetricsConfigurations(string bucket, string? token)
    {
        var from = int.Parse(token ?? "0", CultureInfo.InvariantCulture);
        var ids = Bucket(bucket).FilterIds ?? [];
        var more = from + PageSize < ids.Length;
        return $"<ListMetricsConfigurationsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
            + string.Concat(ids.Skip(from).Take(PageSize).Select(id => $"<MetricsConfiguration><Id>{id}</Id></MetricsConfiguration>"))
            + $"<IsTruncated>{(more ? "true" : "false")}</IsTruncated>"
            + (more ? $"<NextContinuationToken>{from + PageSize}</NextContinuationToken>" : "")
            + "</ListMetricsConfigurationsResult>";
    }

    private string ListTables(JsonNode body)
    {
        var rest = Tables.Keys.SkipWhile(name => string.CompareOrdinal(name, (string?)body["ExclusiveStartTableName"] ?? "") <= 0).ToList();
        var page = new JsonObject { ["TableNames"] = new JsonArray([.. rest.Take(PageSize).Select(name => (JsonNode)name)]) };
        if (rest.Count > PageSize)
            page["LastEvaluatedTableName"] = rest[PageSize - 1];
        return page.ToJsonString();
    }
}
