using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Collectors.Aws;
using PipelineExporter.Collectors.Aws.CloudWatch;
using PipelineExporter.Metrics;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Tests.Collectors.Aws.CloudWatch;

/// <summary>What each group makes of what CloudWatch lists and answers.</summary>
public sealed class GroupTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private static readonly WatchedNames Everything = new(_ => true, null);

    [Fact]
    public async Task Capacity_is_told_by_table_and_index()
    {
        using var rig = new CloudWatchRig(() => [new DynamoDbCapacityGroup(() => Everything, Minute)]);
        Publish(rig, 2, rig.CloudWatch.Add("AWS/DynamoDB", "ConsumedReadCapacityUnits", ("TableName", "kpi")));
        Publish(rig, 3, rig.CloudWatch.Add("AWS/DynamoDB", "ConsumedReadCapacityUnits", ("TableName", "kpi"), ("GlobalSecondaryIndexName", "by_genre")));
        Publish(rig, 4, rig.CloudWatch.Add("AWS/DynamoDB", "ConsumedWriteCapacityUnits", ("TableName", "kpi")));

        await rig.DiscoverAsync();
        await rig.RunAsync(10 * Minute);

        Assert.Equal(16, Counted(rig, "aws_dynamodb_consumed_read_capacity_units_total", "kpi", ""));
        Assert.Equal(24, Counted(rig, "aws_dynamodb_consumed_read_capacity_units_total", "kpi", "by_genre"));
        Assert.Equal(32, Counted(rig, "aws_dynamodb_consumed_write_capacity_units_total", "kpi", ""));
    }

    [Fact]
    public async Task Names_are_listed_side_by_side_over_all_groups()
    {
        using var rig = new CloudWatchRig(() => [new DynamoDbCapacityGroup(() => Everything, Minute), new DynamoDbOperationsGroup(() => Everything, Minute)]);
        rig.CloudWatch.Latency = TimeSpan.FromMilliseconds(200);

        await rig.DiscoverAsync();

        // Two names of the one, with and without an index, and four of the other.
        Assert.Equal((8, 8), (rig.CloudWatch.Count("ListMetrics"), rig.CloudWatch.MostInFlight));
    }

    [Fact]
    public async Task What_is_listed_again_is_not_kept_twice()
    {
        var looks = new List<IReadOnlyList<CloudWatchMetric>>();
        using var rig = new CloudWatchRig(() => [new ListingGroup(looks)]);
        rig.CloudWatch.Add("AWS/DynamoDB", "UserErrors", ("TableName", "kpi"));
        await rig.DiscoverAsync();
        rig.CloudWatch.Add("AWS/DynamoDB", "UserErrors", ("TableName", "new"));
        await rig.DiscoverAsync();

        Assert.Equal(["kpi", "new"], looks[1].Select(metric => metric.Dimensions[0].Value).Order(StringComparer.Ordinal));
        Assert.Same(looks[0].Single(), looks[1].Single(metric => metric.Dimensions[0].Value == "kpi"));
    }

    [Fact]
    public async Task Throttles_are_asked_for_before_CloudWatch_lists_them()
    {
        using var rig = ThrottlesRig();
        rig.CloudWatch.Add("AWS/DynamoDB", "SuccessfulRequestLatency", ("TableName", "kpi"), ("Operation", "PutItem"));
        rig.CloudWatch.Add("AWS/DynamoDB", "SuccessfulRequestLatency", ("TableName", "deleted"), ("Operation", "PutItem"));
        rig.CloudWatch.Add("AWS/DynamoDB", "ConsumedReadCapacityUnits", ("TableName", "kpi"), ("GlobalSecondaryIndexName", "by_genre"));
        rig.CloudWatch.Add("AWS/DynamoDB", "ConsumedWriteCapacityUnits", ("TableName", "kpi"), ("GlobalSecondaryIndexName", "only_written"));
        var throttled = Unlisted(rig, "ThrottledRequests", ("TableName", "kpi"), ("Operation", "PutItem"));
        var events = Unlisted(rig, "WriteThrottleEvents", ("TableName", "idle"));
        var userErrors = Unlisted(rig, "UserErrors");
        await rig.DiscoverAsync();
        await rig.RunAsync(5 * Minute);

        throttled.Publish(CloudWatchCadence.FloorTo(rig.Now, Minute), 11, rig.Now);
        events.Publish(CloudWatchCadence.FloorTo(rig.Now, Minute), 5, rig.Now);
        userErrors.Publish(CloudWatchCadence.FloorTo(rig.Now, Minute), 3, rig.Now);
        var gauges = await rig.RunAsync(4 * Minute);

        Assert.Equal(11, Counted(rig, "aws_dynamodb_throttled_requests_total", "kpi", "PutItem"));
        Assert.Equal(11, gauges["aws_dynamodb_throttled_requests_last_5m(kpi)"]);
        Assert.Equal(0, gauges["aws_dynamodb_system_errors_last_5m(kpi)"]);
        Assert.Equal(3, gauges["aws_dynamodb_user_errors_last_5m()"]);
        Assert.Equal(5, Counted(rig, "aws_dynamodb_write_throttle_events_total", "idle", ""));
        Assert.Equal(0, Counted(rig, "aws_dynamodb_read_throttle_events_total", "kpi", "by_genre"));
        Assert.Equal(0, Counted(rig, "aws_dynamodb_write_throttle_events_total", "kpi", "only_written"));
        Assert.Null(Counted(rig, "aws_dynamodb_throttled_requests_total", "deleted", "PutItem"));
        gauges = await rig.RunAsync(6 * Minute);
        Assert.Equal(0, gauges["aws_dynamodb_throttled_requests_last_5m(kpi)"]);
    }

    [Fact]
    public async Task An_operation_that_is_throttled_from_its_first_request_on_is_counted_at_once()
    {
        using var rig = ThrottlesRig();
        var throttled = Unlisted(rig, "ThrottledRequests", ("TableName", "kpi"), ("Operation", "Query"));
        var events = Unlisted(rig, "ReadThrottleEvents", ("TableName", "kpi"));
        await rig.DiscoverAsync();
        await rig.RunAsync(5 * Minute);

        var start = CloudWatchCadence.FloorTo(rig.Now, Minute);
        foreach (var metric in new[] { throttled, events })
        {
            metric.Publish(start - 8 * Minute, 100, start - 6 * Minute); // before anybody asked
            metric.Publish(start, 7, start + 2 * Minute);
            metric.Publish(start + Minute, 5, start + 3 * Minute);
        }

        var gauges = await rig.RunAsync(4 * Minute + TimeSpan.FromSeconds(30));

        Assert.Equal(12, gauges["aws_dynamodb_throttled_requests_last_5m(kpi)"]);
        Assert.Equal(12, Counted(rig, "aws_dynamodb_throttled_requests_total", "kpi", "Query"));
        Assert.Equal(0, Counted(rig, "aws_dynamodb_throttled_requests_total", "kpi", "Scan"));
        Assert.Null(Counted(rig, "aws_dynamodb_throttled_requests_total", "kpi", "PutItem"));
        // A look at what CloudWatch lists comes before that has it: the operation is asked for on, and the window tells of it.
        await rig.DiscoverAsync();
        throttled.Publish(start + 5 * Minute, 10, rig.Now);
        gauges = await rig.RunAsync(4 * Minute);
        Assert.Equal(10, gauges["aws_dynamodb_throttled_requests_last_5m(kpi)"]);
        Assert.Equal(22, Counted(rig, "aws_dynamodb_throttled_requests_total", "kpi", "Query"));
        // Until CloudWatch lists those that there are; nothing is counted twice.
        throttled.IsListed = true;
        await rig.DiscoverAsync();
        await rig.RunAsync(35 * Minute);
        await rig.DiscoverAsync();
        await rig.RunAsync(5 * Minute);
        Assert.Equal(22, Counted(rig, "aws_dynamodb_throttled_requests_total", "kpi", "Query"));
        Assert.False(rig.Plan.Shows(rig.Collector.Metrics.Single(metric => metric.Name == "aws_dynamodb_throttled_requests_total"), ["kpi", "Scan"]));
    }

    [Theory]
    [InlineData(3, 0)] // the operation that is known explains them
    [InlineData(0, 7)] // a batch that was throttled in part, which is no throttled request: as many other operations read
    public async Task All_operations_are_asked_for_once_an_hour_where_no_known_one_explains_the_throttle_events(int requests, int asked)
    {
        using var rig = ThrottlesRig();
        rig.CloudWatch.Add("AWS/DynamoDB", "SuccessfulRequestLatency", ("TableName", "kpi"), ("Operation", "GetItem"));
        var throttled = Unlisted(rig, "ThrottledRequests", ("TableName", "kpi"), ("Operation", "GetItem"));
        var events = Unlisted(rig, "ReadThrottleEvents", ("TableName", "kpi"));
        await rig.DiscoverAsync();
        await rig.RunAsync(5 * Minute);
        for (var at = CloudWatchCadence.FloorTo(rig.Now, Minute); at < rig.Now + 90 * Minute; at += Minute)
        {
            events.Publish(at, 3, at + 2 * Minute);
            if (requests > 0)
                throttled.Publish(at, requests, at + 2 * Minute);
        }

        // Read and write events of two tables, throttled requests and errors of GetItem, and the account's errors.
        Assert.Equal(7, Planned());
        await rig.RunAsync(10 * Minute);
        Assert.Equal(7 + asked, Planned());
        await rig.DiscoverAsync();
        await rig.RunAsync(15 * Minute);
        Assert.Equal(7 + asked, Planned());
        await rig.RunAsync(20 * Minute);
        await rig.DiscoverAsync();
        await rig.RunAsync(5 * Minute);
        Assert.Equal(7, Planned());
        await rig.RunAsync(20 * Minute);
        Assert.Equal(7 + asked, Planned());

        int Planned() => rig.Plan[rig.Plan.Groups[0]].Length;
    }

    private static CloudWatchRig ThrottlesRig() => new(() => [new DynamoDbThrottlesGroup(() => new WatchedNames(_ => true, new HashSet<string> { "kpi", "idle" }), Minute)]);

    [Fact]
    public async Task Three_statistics_of_a_latency_are_billed_as_one_metric()
    {
        using var rig = new CloudWatchRig(() => [new DynamoDbOperationsGroup(() => Everything, Minute)]);
        Publish(rig, 4, rig.CloudWatch.Add("AWS/DynamoDB", "SuccessfulRequestLatency", ("TableName", "kpi"), ("Operation", "GetItem")));
        await rig.DiscoverAsync();

        var gauges = await rig.RunAsync(10 * Minute);

        Assert.Equal(0.004, gauges["aws_dynamodb_request_latency_seconds(kpi,GetItem,average)"]);
        Assert.Equal(0.004, gauges["aws_dynamodb_request_latency_seconds(kpi,GetItem,p99)"]);
        Assert.True(gauges.ContainsKey("aws_dynamodb_metrics_timestamp_seconds(kpi)"));
        Assert.Equal(rig.CloudWatch.Count("GetMetricData"), rig.Own("pipeline_exporter_cloudwatch_billed_metrics_total", "dynamodb_operations"));
        // Until the first minute has settled there is nothing to count.
        Assert.InRange(rig.CloudWatch.Asked, 3 * rig.CloudWatch.Count("GetMetricData") - 3, 3 * rig.CloudWatch.Count("GetMetricData") - 1);
    }

    [Fact]
    public async Task They_are_so_at_longer_intervals_too_though_sums_begin_later_than_gauges()
    {
        using var rig = new CloudWatchRig(() => [new DynamoDbOperationsGroup(() => Everything, 5 * Minute)]);
        Publish(rig, 4, rig.CloudWatch.Add("AWS/DynamoDB", "SuccessfulRequestLatency", ("TableName", "kpi"), ("Operation", "GetItem")));
        await rig.DiscoverAsync();
        await rig.RunAsync(10 * Minute);
        var billed = rig.Own("pipeline_exporter_cloudwatch_billed_metrics_total", "dynamodb_operations");

        await rig.RunAsync(60 * Minute);

        Assert.Equal(12, rig.Own("pipeline_exporter_cloudwatch_billed_metrics_total", "dynamodb_operations") - billed);
    }

    [Fact]
    public async Task Storage_is_told_by_class_once_a_day()
    {
        using var rig = new CloudWatchRig(() => [new S3StorageGroup(() => new WatchedNames(name => name != "other", null), TimeSpan.FromDays(1))]);
        var day = CloudWatchCadence.FloorTo(rig.Now, TimeSpan.FromDays(1)).AddDays(-2);
        foreach (var (bucket, type, value) in new[] { ("raw", "StandardStorage", 700.0), ("raw", "GlacierStorage", 300), ("other", "StandardStorage", 1) })
            rig.CloudWatch.Add("AWS/S3", "BucketSizeBytes", ("BucketName", bucket), ("StorageType", type)).Publish(day, value, day);
        rig.CloudWatch.Add("AWS/S3", "NumberOfObjects", ("BucketName", "raw"), ("StorageType", "AllStorageTypes")).Publish(day, 42, day);
        await rig.DiscoverAsync();

        var gauges = await rig.CollectAsync();

        Assert.Equal(700, gauges["aws_s3_bucket_size_bytes(raw,StandardStorage)"]);
        Assert.Equal(300, gauges["aws_s3_bucket_size_bytes(raw,GlacierStorage)"]);
        Assert.Equal(42, gauges["aws_s3_bucket_objects(raw)"]);
        Assert.Equal(day.AddDays(1).ToUnixTimeSeconds(), gauges["aws_s3_storage_timestamp_seconds(raw)"]);
        Assert.DoesNotContain("aws_s3_bucket_size_bytes(other,StandardStorage)", gauges.Keys);
    }

    /// <summary>What a lifecycle rule has moved is not to be in both classes, and what comes late is not to vanish with it.</summary>
    [Fact]
    public async Task A_storage_class_without_a_datapoint_of_the_newest_day_is_empty()
    {
        using var rig = new CloudWatchRig(() => [new S3StorageGroup(() => Everything, TimeSpan.FromDays(1))]);
        var day = CloudWatchCadence.FloorTo(rig.Now, TimeSpan.FromDays(1));
        FakeMetric Size(string bucket, string type) => rig.CloudWatch.Add("AWS/S3", "BucketSizeBytes", ("BucketName", bucket), ("StorageType", type));
        var (standard, glacier, other) = (Size("raw", "StandardStorage"), Size("raw", "GlacierStorage"), Size("silent", "StandardStorage"));
        standard.Publish(day.AddDays(-1), 400, day.AddHours(10));
        glacier.Publish(day.AddDays(-1), 100, day.AddHours(10));
        glacier.Publish(day, 500, day.AddHours(34));
        other.Publish(day.AddDays(-1), 7, day.AddHours(10));
        await rig.DiscoverAsync();

        var gauges = await rig.RunAsync(TimeSpan.FromHours(6));
        Assert.Equal((400, 100), (gauges["aws_s3_bucket_size_bytes(raw,StandardStorage)"], gauges["aws_s3_bucket_size_bytes(raw,GlacierStorage)"]));
        gauges = await rig.RunAsync(TimeSpan.FromHours(24));

        Assert.Equal(500, gauges["aws_s3_bucket_size_bytes(raw,GlacierStorage)"]);
        Assert.DoesNotContain("aws_s3_bucket_size_bytes(raw,StandardStorage)", gauges.Keys);
        Assert.Equal(7, gauges["aws_s3_bucket_size_bytes(silent,StandardStorage)"]); // of this one nothing newer is known
        standard.Publish(day, 1, rig.Now);
        gauges = await rig.RunAsync(TimeSpan.FromHours(13));
        Assert.Equal(1, gauges["aws_s3_bucket_size_bytes(raw,StandardStorage)"]);
    }

    [Fact]
    public async Task Errors_of_a_bucket_are_asked_for_as_soon_as_it_measures_requests()
    {
        using var rig = new CloudWatchRig(() => [new S3RequestsGroup(
            () => Everything, () => [("raw", "EntireBucket")], Minute)]);
        (string, string)[] dimensions = [("BucketName", "raw"), ("FilterId", "EntireBucket")];
        Publish(rig, 6, rig.CloudWatch.Add("AWS/S3", "GetRequests", dimensions));
        Publish(rig, 2000, rig.CloudWatch.Add("AWS/S3", "FirstByteLatency", dimensions));
        var errors = rig.CloudWatch.Add("AWS/S3", "5xxErrors", dimensions);
        errors.IsListed = false;
        errors.Publish(CloudWatchCadence.FloorTo(rig.Now, Minute), 7, rig.Now);
        await rig.DiscoverAsync();

        var gauges = await rig.RunAsync(6 * Minute);

        Assert.Equal(7, Counted(rig, "aws_s3_errors_total", "raw", "EntireBucket", "5xx"));
        Assert.Equal(0, Counted(rig, "aws_s3_errors_total", "raw", "EntireBucket", "4xx"));
        Assert.Equal(7, gauges["aws_s3_errors_last_5m(raw,EntireBucket,5xx)"]);
        Assert.Equal(2, gauges["aws_s3_first_byte_latency_seconds(raw,EntireBucket,p99)"]);
        Assert.Equal(4 * 6, Counted(rig, "aws_s3_requests_total", "raw", "EntireBucket", "get"));
    }

    [Fact]
    public async Task Heap_and_executors_of_a_job_are_asked_for_as_soon_as_it_runs()
    {
        using var glue = new FakeGlue(new FakeTimeProvider());
        glue.Jobs.Add(new("new", DateTimeOffset.UnixEpoch, 0));
        using var catalog = new GlueJobCatalog(glue.Source(), _ => true, new FakeTimeProvider());
        var group = new GlueMetricsGroup(catalog, Minute, executors: false);
        using var rig = new CloudWatchRig(() => [group]);
        (string, string)[] dimensions = [("JobName", "new"), ("JobRunId", "ALL"), ("Type", "gauge")];
        var heap = rig.CloudWatch.Add("Glue", "glue.driver.jvm.heap.usage", dimensions);
        var needed = rig.CloudWatch.Add("Glue", "glue.driver.ExecutorAllocationManager.executors.numberMaxNeededExecutors", dimensions);
        (heap.IsListed, needed.IsListed) = (false, false);
        Publish(rig, 0.95, heap);
        Publish(rig, 7, needed);
        await rig.DiscoverAsync();
        Assert.DoesNotContain("aws_glue_jvm_heap_usage_ratio(new,driver)", (await rig.RunAsync(2 * Minute)).Keys);

        group.Report(["new"], rig.Plan);

        var gauges = await rig.CollectAsync();
        Assert.Equal((0.95, 7), (gauges["aws_glue_jvm_heap_usage_ratio(new,driver)"], gauges["aws_glue_executors_needed(new)"]));
        Assert.Equal(4, rig.Plan[group].Length);
        heap.IsListed = true;
        await rig.DiscoverAsync(); // it is still asked for once, listed or not
        Assert.Equal(4, rig.Plan[group].Length);
        group.Report([], rig.Plan);
        await rig.DiscoverAsync();
        Assert.Equal(["aws_glue_jvm_heap_usage_ratio"], rig.Plan[group].Select(metric => metric.Query.Target.Name));
    }

    /// <summary>CloudWatch lists the metrics of a deleted job for two weeks.</summary>
    [Fact]
    public async Task Of_a_job_that_Glue_does_not_have_nothing_is_asked()
    {
        using var glue = new FakeGlue(new FakeTimeProvider());
        glue.Jobs.Add(new("there", DateTimeOffset.UnixEpoch, 0));
        using var catalog = new GlueJobCatalog(glue.Source(), _ => true, new FakeTimeProvider());
        using var rig = new CloudWatchRig(() => [new GlueMetricsGroup(catalog, Minute, executors: false)]);
        foreach (var job in new[] { "there", "deleted" })
            rig.CloudWatch.Add("Glue", "glue.driver.jvm.heap.usage", ("JobName", job), ("JobRunId", "ALL"), ("Type", "gauge"));

        await rig.DiscoverAsync();

        Assert.Equal(["there"], rig.Plan[rig.Plan.Groups[0]].Select(metric => metric.Query.Labels[0]));
    }

    private static void Publish(CloudWatchRig rig, double value, FakeMetric metric)
    {
        var start = CloudWatchCadence.FloorTo(rig.Now, Minute);
        for (var i = -5; i < 80; i++)
            metric.Publish(start + i * Minute, value, start + (i + 2) * Minute);
    }

    private static FakeMetric Unlisted(CloudWatchRig rig, string name, params (string, string)[] dimensions)
    {
        var metric = rig.CloudWatch.Add("AWS/DynamoDB", name, dimensions);
        metric.IsListed = false;
        return metric;
    }

    private static double? Counted(CloudWatchRig rig, string name, params string[] labels) =>
        rig.Counted(rig.Collector.Metrics.Single((MetricDesc metric) => metric.Name == name), labels);

    /// <summary>Notes what it is listed, and asks for nothing.</summary>
    private sealed class ListingGroup(List<IReadOnlyList<CloudWatchMetric>> looks) : CloudWatchGroup(Minute)
    {
        public override string Name => "listing";

        public override string Setting => "listing.interval";

        public override CloudWatchImportance Importance => CloudWatchImportance.Charts;

        public override IReadOnlyList<MetricDesc> Metrics => [];

        public override async Task<IReadOnlyList<CloudWatchQuery>> DiscoverAsync(CloudWatchListing listing, CancellationToken cancellationToken)
        {
            looks.Add(await listing.ListAsync("AWS/DynamoDB", "UserErrors", ["TableName"]));
            return [];
        }
    }
}
