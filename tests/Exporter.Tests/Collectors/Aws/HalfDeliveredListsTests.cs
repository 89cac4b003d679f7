using PipelineExporter.Collectors;
using PipelineExporter.Collectors.Aws;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Tests.Collectors.Aws;

/// <summary>A list whose second page does not come: what was known before is known on, and nothing is counted twice when the page is there again.</summary>
public sealed class HalfDeliveredListsTests : IAsyncLifetime
{
    private static readonly DateTimeOffset Start = new(2026, 11, 23, 6, 0, 0, TimeSpan.Zero);

    private readonly GlueRig rig = new(Start);
    private readonly LogLines log = new();
    private FakeStores stores = null!;

    public async ValueTask InitializeAsync() => stores = await FakeStores.StartAsync();

    public async ValueTask DisposeAsync()
    {
        rig.Dispose();
        await stores.DisposeAsync();
    }

    [Theory]
    [InlineData("denied", "Allow glue:GetJobs")]
    [InlineData("failing", "Glue GetJobs answered 500 InternalServiceException")]
    [InlineData("truncated", "Glue GetJobs answered 200 Malformed")]
    [InlineData("nameless", "Glue GetJobs: a job has no name")]
    [InlineData("endless", "Glue GetJobs: its pages do not end")]
    public async Task Of_jobs(string how, string told)
    {
        rig.Glue.LargestPageOfJobs = 2;
        AddJobs("a", "b", "c");
        await rig.PollAsync();
        foreach (var job in (string[])["a", "b", "c"])
            Add(job, "1", 1);
        rig.Glue.Interfere = (target, body) => target == "AWSGlue.GetJobs" && body["NextToken"] is not null ? GlueAnswer(how, """{"Jobs":[{}]}""", """{"Jobs":[],"NextToken":"2"}""") : null;

        var snapshot = await PollAtAsync(6);

        Assert.Contains(told, rig.Jobs.FailureIn(snapshot)!.Message, StringComparison.Ordinal);
        var shown = rig.Jobs.Shown()!;
        Assert.All(["a", "b", "c"], job => Assert.True(shown(Family("aws_glue_job_runs_total"), [job, "SUCCEEDED"])));
        Assert.Equal((1, 1, 1), Counts());
        rig.Glue.Interfere = (_, _) => null;
        Assert.Null(rig.Jobs.FailureIn(await PollAtAsync(7)));
        Assert.Equal((1, 1, 1), Counts());
        await PollAtAsync(8);
        Assert.Equal((1, 1, 1), Counts());
    }

    [Theory]
    [InlineData("denied", "Allow glue:GetJobRuns")]
    [InlineData("failing", "Glue GetJobRuns answered 500 InternalServiceException")]
    [InlineData("truncated", "Glue GetJobRuns answered 200 Malformed")]
    [InlineData("nameless", "Glue GetJobRuns: a run has no id or no state")]
    [InlineData("endless", "Glue GetJobRuns: its pages do not end")]
    public async Task Of_runs(string how, string told)
    {
        rig.Glue.LargestPage = 2;
        AddJobs("a", "b", "c");
        await rig.PollAsync();
        foreach (var id in (string[])["1", "2", "3", "4", "5"])
        {
            foreach (var job in (string[])["a", "b", "c"])
                Add(job, id, double.Parse(id) / 2);
        }

        rig.Glue.Interfere = (_, body) => (string?)body["JobName"] == "b" && body["NextToken"] is not null ? GlueAnswer(how, """{"JobRuns":[{}]}""", """{"JobRuns":[],"NextToken":"2"}""") : null;

        var snapshot = await PollAtAsync(4);

        Assert.StartsWith("the runs of 1 of 3 jobs could not be read; of b: ", snapshot.Failure!.Message, StringComparison.Ordinal);
        Assert.Contains(told, snapshot.Failure.Message, StringComparison.Ordinal);
        Assert.Equal((5, 0, 5), Counts());
        rig.Restart();
        await PollAtAsync(5);
        Assert.Equal((5, 0, 5), Counts());
        rig.Glue.Interfere = (_, _) => null;
        Assert.Null((await PollAtAsync(6)).Failure);
        Assert.Equal((5, 5, 5), Counts());
    }

    [Theory]
    [InlineData(403, "<Error><Code>AccessDenied</Code></Error>", "Allow s3:ListAllMyBuckets")]
    [InlineData(500, "<Error><Code>InternalError</Code></Error>", "S3 ListBuckets answered 500 InternalError")]
    [InlineData(200, "<ListAllMyBucketsResult><Buckets><Bucket><Name>hunter2", "S3 ListBuckets: the answer is not what AWS sends")]
    [InlineData(200, "<ListAllMyBucketsResult><Owner><ID>1</ID></Owner><Buckets/><ContinuationToken>2</ContinuationToken></ListAllMyBucketsResult>", "S3 ListBuckets: its pages do not end")]
    public async Task Of_buckets(int status, string body, string told)
    {
        stores.Buckets.AddRange([new("a", FilterIds: ["f"]), new("b", FilterIds: ["f"]), new("c", FilterIds: ["f"])]);
        var catalog = stores.BucketCatalog();
        var collector = new S3Buckets(stores.Source, catalog, TimeSpan.FromMinutes(15), log);
        var before = GlueRig.Written(collector, await collector.CollectAsync(CancellationToken.None));
        var page = 0;
        stores.Interfere = (operation, _) => operation == "ListBuckets" && ++page > 1 ? (status, body) : null;
        stores.Time.Advance(TimeSpan.FromMinutes(15));

        var error = await Assert.ThrowsAsync<AwsException>(() => collector.CollectAsync(CancellationToken.None));

        Assert.Contains(told, error.Message, StringComparison.Ordinal);
        Assert.Equal(["a", "b", "c"], catalog.Watched().Known.Order());
        Assert.Equal(3, collector.Filters.Count);
        stores.Interfere = (_, _) => null;
        Assert.Equal(before, GlueRig.Written(collector, await collector.CollectAsync(CancellationToken.None)));
    }

    [Fact]
    public async Task Of_filters()
    {
        stores.Buckets.AddRange([new("a", FilterIds: ["f", "g", "h"]), new("b", FilterIds: ["f"])]);
        var collector = new S3Buckets(stores.Source, stores.BucketCatalog(), TimeSpan.FromMinutes(15), log);
        var before = GlueRig.Written(collector, await collector.CollectAsync(CancellationToken.None));
        var asked = 0;
        stores.Interfere = (operation, bucket) => (operation, bucket) is ("ListBucketMetricsConfigurations", "a") && ++asked > 1 ? FakeStores.S3Error(500, "InternalError") : null;

        var snapshot = await collector.CollectAsync(CancellationToken.None);

        Assert.Contains("S3 ListBucketMetricsConfigurations answered 500 InternalError", snapshot.Failure!.Message, StringComparison.Ordinal);
        Assert.Equal([("a", "f"), ("a", "g"), ("a", "h"), ("b", "f")], collector.Filters.Order());
        stores.Interfere = (_, _) => null;
        Assert.Equal(before, GlueRig.Written(collector, await collector.CollectAsync(CancellationToken.None)));
    }

    [Theory]
    [InlineData(400, """{"__type":"AccessDeniedException"}""", "Allow dynamodb:ListTables")]
    [InlineData(500, """{"__type":"InternalServerError"}""", "DynamoDB ListTables answered 500 InternalServerError")]
    [InlineData(200, """{"TableNames":["hunter2""", "DynamoDB ListTables: the answer is not what AWS sends")]
    [InlineData(200, """{"TableNames":[],"LastEvaluatedTableName":"b"}""", "DynamoDB ListTables: its pages do not end")]
    public async Task Of_tables(int status, string body, string told)
    {
        foreach (var name in (string[])["a", "b", "c"])
            stores.Tables[name] = FakeStores.Table(name);
        var catalog = stores.TableCatalog();
        var collector = new DynamoDbTables(stores.Source, catalog, TimeSpan.FromMinutes(5), log);
        var before = GlueRig.Written(collector, await collector.CollectAsync(CancellationToken.None));
        var page = 0;
        stores.Interfere = (operation, _) => operation == "ListTables" && ++page > 1 ? (status, body) : null;
        stores.Time.Advance(TimeSpan.FromMinutes(5));

        var error = await Assert.ThrowsAsync<AwsException>(() => collector.CollectAsync(CancellationToken.None));

        Assert.Contains(told, error.Message, StringComparison.Ordinal);
        Assert.Equal(["a", "b", "c"], catalog.Watched().Known);
        stores.Interfere = (_, _) => null;
        Assert.Equal(before, GlueRig.Written(collector, await collector.CollectAsync(CancellationToken.None)));
    }

    /// <summary>Of many tables some are described: the others are told of as missing, and are there when they are described again.</summary>
    [Fact]
    public async Task Of_descriptions()
    {
        foreach (var name in (string[])["a", "b", "c"])
            stores.Tables[name] = FakeStores.Table(name);
        var collector = new DynamoDbTables(stores.Source, stores.TableCatalog(), TimeSpan.FromMinutes(5), log);
        var before = GlueRig.Written(collector, await collector.CollectAsync(CancellationToken.None));
        stores.Interfere = (operation, table) => operation == "DescribeTable" && table != "a" ? FakeStores.DynamoDbError(500, "InternalServerError") : null;

        var snapshot = await collector.CollectAsync(CancellationToken.None);

        Assert.StartsWith("2 of 3 could not be told of, the first: DynamoDB DescribeTable answered 500", snapshot.Failure!.Message, StringComparison.Ordinal);
        Assert.Equal(before.Where(sample => sample.Key.Contains("{a", StringComparison.Ordinal) || sample.Key.Contains("threshold", StringComparison.Ordinal)).OrderBy(sample => sample.Key), GlueRig.Written(collector, snapshot).OrderBy(sample => sample.Key));
        stores.Interfere = (_, _) => null;
        Assert.Equal(before, GlueRig.Written(collector, await collector.CollectAsync(CancellationToken.None)));
    }

    private static HttpResponseMessage GlueAnswer(string how, string nameless, string endless) => how switch
    {
        "denied" => FakeGlue.Error(400, "AccessDeniedException"),
        "failing" => FakeGlue.Error(500, "InternalServiceException"),
        "truncated" => FakeGlue.Json(nameless[..^3]),
        "nameless" => FakeGlue.Json(nameless),
        "endless" => FakeGlue.Json(endless),
        _ => throw new ArgumentException(how, nameof(how)),
    };

    private PipelineExporter.Metrics.MetricDesc Family(string name) => ((ICollector)rig.Jobs).Metrics.Single(metric => metric.Name == name);

    private (double?, double?, double?) Counts() =>
        (rig.Counted("aws_glue_job_runs_total", "a", "SUCCEEDED"), rig.Counted("aws_glue_job_runs_total", "b", "SUCCEEDED"), rig.Counted("aws_glue_job_runs_total", "c", "SUCCEEDED"));

    private void AddJobs(params string[] names) => rig.Glue.Jobs.AddRange(names.Select(name => new FakeJob(name, Start.AddDays(-90), 0)));

    private void Add(string job, string id, double starts) => rig.Glue.Runs.Add(new(job, id, Start.AddMinutes(starts), Start.AddMinutes(starts + 1)));

    private Task<GlueJobsSnapshot> PollAtAsync(double minute)
    {
        rig.Time.SetUtcNow(Start.AddMinutes(minute));
        return rig.PollAsync();
    }
}
