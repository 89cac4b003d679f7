using System.Globalization;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Collectors.Aws;
using PipelineExporter.Collectors.Aws.CloudWatch;
using PipelineExporter.Metrics;

namespace PipelineExporter.Tests.Collectors.Aws.CloudWatch;

/// <summary>Each metric that the exporter makes of CloudWatch: of which of AWS's, of which statistic, and in which unit.</summary>
public sealed class ShippedMetricsTests
{
    private const double Milliseconds = 1e-3;
    private const double Mebibytes = 1 << 20;

    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private static readonly string[] S3Operations = ["Get", "Put", "Delete", "Head", "Post", "List"];

    // Statistics and units by the pages of AWS: "Monitoring with Amazon CloudWatch metrics" of Glue, "Metrics and dimensions" of S3 and DynamoDB.
    private static readonly Row[] Rows =
    [
        Job("aws_glue_read_bytes_total(etl)", "driver.aggregate.bytesRead", "Sum", "count"),
        Job("aws_glue_read_records_total(etl)", "driver.aggregate.recordsRead", "Sum", "count"),
        Job("aws_glue_completed_stages_total(etl)", "driver.aggregate.numCompletedStages", "Sum", "count"),
        Job("aws_glue_completed_tasks_total(etl)", "driver.aggregate.numCompletedTasks", "Sum", "count"),
        Job("aws_glue_failed_tasks_total(etl)", "driver.aggregate.numFailedTasks", "Sum", "count"),
        Job("aws_glue_killed_tasks_total(etl)", "driver.aggregate.numKilledTasks", "Sum", "count"),
        Job("aws_glue_shuffle_written_bytes_total(etl)", "driver.aggregate.shuffleBytesWritten", "Sum", "count"),
        Job("aws_glue_shuffle_local_read_bytes_total(etl)", "driver.aggregate.shuffleLocalBytesRead", "Sum", "count"),
        Job("aws_glue_s3_read_bytes_total(etl)", "ALL.s3.filesystem.read_bytes", "Sum", "gauge"),
        Job("aws_glue_s3_written_bytes_total(etl)", "ALL.s3.filesystem.write_bytes", "Sum", "gauge"),
        Job("aws_glue_driver_elapsed_time_average_seconds(etl)", "driver.aggregate.elapsedTime", "Average", "count", Milliseconds) with { Minutes = 5 },
        Job("aws_glue_executors(etl)", "driver.ExecutorAllocationManager.executors.numberAllExecutors", "Average", "gauge"),
        Job("aws_glue_executors_needed(etl)", "driver.ExecutorAllocationManager.executors.numberMaxNeededExecutors", "Maximum", "gauge"),
        Job("aws_glue_disk_used_bytes(etl)", "driver.BlockManager.disk.diskSpaceUsed_MB", "Average", "gauge", Mebibytes),
        .. new[] { ("driver", "driver"), ("ALL", "all"), ("17", "17") }.SelectMany(role => new[]
        {
            Job($"aws_glue_jvm_heap_usage_ratio(etl,{role.Item2})", $"{role.Item1}.jvm.heap.usage", "Average", "gauge"),
            Job($"aws_glue_jvm_heap_used_bytes(etl,{role.Item2})", $"{role.Item1}.jvm.heap.used", "Average", "gauge"),
            Job($"aws_glue_cpu_load_ratio(etl,{role.Item2})", $"{role.Item1}.system.cpuSystemLoad", "Average", "gauge"),
        }),
        Observed("aws_glue_worker_utilization_ratio(etl)", "driver.workerUtilization", "Average"),
        Observed("aws_glue_skewness_ratio(etl,stage)", "driver.skewness.stage", "Maximum"),
        Observed("aws_glue_skewness_ratio(etl,job)", "driver.skewness.job", "Maximum"),

        new("aws_s3_bucket_size_bytes(raw,StandardStorage)", "AWS/S3", "BucketSizeBytes", "Average", ("BucketName", "raw"), ("StorageType", "StandardStorage")) { IsDaily = true },
        new("aws_s3_bucket_objects(raw)", "AWS/S3", "NumberOfObjects", "Average", ("BucketName", "raw"), ("StorageType", "AllStorageTypes")) { IsDaily = true },
        .. S3Operations.Select(operation => Bucket($"aws_s3_requests_total(raw,all,{operation.ToLowerInvariant()})", $"{operation}Requests", "Sum")),
        Bucket("aws_s3_all_requests_total(raw,all)", "AllRequests", "Sum"),
        Bucket("aws_s3_downloaded_bytes_total(raw,all)", "BytesDownloaded", "Sum"),
        Bucket("aws_s3_uploaded_bytes_total(raw,all)", "BytesUploaded", "Sum"),
        Bucket("aws_s3_errors_total(raw,all,4xx)", "4xxErrors", "Sum"),
        Bucket("aws_s3_errors_total(raw,all,5xx)", "5xxErrors", "Sum"),
        .. new[] { "Average", "p50", "p99" }.SelectMany(statistic => new[]
        {
            Bucket($"aws_s3_first_byte_latency_seconds(raw,all,{statistic.ToLowerInvariant()})", "FirstByteLatency", statistic, Milliseconds),
            Bucket($"aws_s3_total_request_latency_seconds(raw,all,{statistic.ToLowerInvariant()})", "TotalRequestLatency", statistic, Milliseconds),
        }),

        Table("aws_dynamodb_consumed_read_capacity_units_total(kpi,)", "ConsumedReadCapacityUnits", "Sum"),
        Table("aws_dynamodb_consumed_read_capacity_units_total(kpi,by_day)", "ConsumedReadCapacityUnits", "Sum", index: "by_day"),
        Table("aws_dynamodb_consumed_write_capacity_units_total(kpi,)", "ConsumedWriteCapacityUnits", "Sum"),
        Table("aws_dynamodb_consumed_write_capacity_units_total(kpi,by_day)", "ConsumedWriteCapacityUnits", "Sum", index: "by_day"),
        Table("aws_dynamodb_read_throttle_events_total(kpi,)", "ReadThrottleEvents", "Sum"),
        Table("aws_dynamodb_read_throttle_events_total(kpi,by_day)", "ReadThrottleEvents", "Sum", index: "by_day"),
        Table("aws_dynamodb_write_throttle_events_total(kpi,)", "WriteThrottleEvents", "Sum"),
        Table("aws_dynamodb_write_throttle_events_total(kpi,by_day)", "WriteThrottleEvents", "Sum", index: "by_day"),
        Table("aws_dynamodb_throttled_requests_total(kpi,GetItem)", "ThrottledRequests", "Sum", operation: "GetItem"),
        Table("aws_dynamodb_system_errors_total(kpi,GetItem)", "SystemErrors", "Sum", operation: "GetItem"),
        new("aws_dynamodb_user_errors_total()", "AWS/DynamoDB", "UserErrors", "Sum"),
        Table("aws_dynamodb_requests_total(kpi,GetItem)", "SuccessfulRequestLatency", "SampleCount", operation: "GetItem"),
        Table("aws_dynamodb_request_latency_seconds(kpi,GetItem,average)", "SuccessfulRequestLatency", "Average", Milliseconds, operation: "GetItem"),
        Table("aws_dynamodb_request_latency_seconds(kpi,GetItem,p99)", "SuccessfulRequestLatency", "p99", Milliseconds, operation: "GetItem"),
        Table("aws_dynamodb_returned_items_total(kpi,Query)", "ReturnedItemCount", "Sum", operation: "Query"),
        Table("aws_dynamodb_conditional_check_failed_requests_total(kpi)", "ConditionalCheckFailedRequests", "Sum"),
        Table("aws_dynamodb_transaction_conflicts_total(kpi)", "TransactionConflict", "Sum"),
    ];

    private static readonly (string Window, string Counter)[] Windows =
    [
        ("aws_s3_all_requests_last_5m(raw,all)", "aws_s3_all_requests_total(raw,all)"),
        ("aws_s3_errors_last_5m(raw,all,4xx)", "aws_s3_errors_total(raw,all,4xx)"),
        ("aws_s3_errors_last_5m(raw,all,5xx)", "aws_s3_errors_total(raw,all,5xx)"),
        ("aws_dynamodb_throttled_requests_last_5m(kpi)", "aws_dynamodb_throttled_requests_total(kpi,GetItem)"),
        ("aws_dynamodb_system_errors_last_5m(kpi)", "aws_dynamodb_system_errors_total(kpi,GetItem)"),
        ("aws_dynamodb_user_errors_last_5m()", "aws_dynamodb_user_errors_total()"),
    ];

    private static readonly string[] Timestamps =
    [
        "aws_glue_metrics_timestamp_seconds(etl)", "aws_s3_storage_timestamp_seconds(raw)", "aws_s3_request_metrics_timestamp_seconds(raw,all)",
        "aws_dynamodb_metrics_timestamp_seconds(kpi)",
    ];

    [Fact]
    public async Task Each_is_of_the_metric_statistic_and_unit_that_AWS_documents()
    {
        using var glue = new FakeGlue(new FakeTimeProvider());
        glue.Jobs.Add(new("etl", DateTimeOffset.UnixEpoch, 0));
        using var catalog = new GlueJobCatalog(glue.Source(), _ => true, new FakeTimeProvider());
        using var rig = new CloudWatchRig(() => Groups(catalog));
        rig.CloudWatch.FactorOf = FactorOf;
        var value = 0;
        foreach (var metric in Rows.GroupBy(row => (row.Space, row.Metric, Dimensions: string.Join(',', row.Dimensions)), row => row))
            Publish(rig, metric.First(), value += 10);
        await rig.DiscoverAsync();

        var found = await rig.RunAsync(10 * Minute);

        var groups = rig.Plan.Groups.SelectMany(group => group.Metrics).ToList();
        foreach (var counter in groups.Where(metric => metric.Type == MetricType.Counter))
        {
            foreach (var (labels, counted) in rig.All(counter))
                found.Add($"{counter.Name}({string.Join(',', labels)})", counted);
        }

        var expected = Rows.ToDictionary(row => row.Series, row => Expected(rig, row));
        foreach (var (window, counter) in Windows)
            expected.Add(window, expected[counter] / Counted * 5);
        Assert.Equal(
            expected.OrderBy(series => series.Key, StringComparer.Ordinal).Select(Text),
            found.Where(series => series.Key.StartsWith("aws_", StringComparison.Ordinal) && !Timestamps.Contains(series.Key)).OrderBy(series => series.Key, StringComparer.Ordinal).Select(Text));
        Assert.All(Timestamps, timestamp => Assert.InRange(found[timestamp], rig.Now.AddDays(-2).ToUnixTimeSeconds(), rig.Now.ToUnixTimeSeconds()));
        // Whatever a group declares is in one of the lists above.
        Assert.Equal(
            groups.Select(metric => metric.Name).Order(StringComparer.Ordinal),
            expected.Keys.Concat(Timestamps).Select(series => series[..series.IndexOf('(', StringComparison.Ordinal)]).Distinct().Order(StringComparer.Ordinal));
    }

    /// <summary>When money runs out, what the guide's own alert of CloudWatch is made of is slowed down last, and what is only drawn first.</summary>
    [Fact]
    public void Alerts_are_the_last_to_suffer()
    {
        using var glue = new FakeGlue(new FakeTimeProvider());
        using var catalog = new GlueJobCatalog(glue.Source(), _ => true, new FakeTimeProvider());
        Assert.Equal(
            [
                ("dynamodb_throttles", CloudWatchImportance.GuideAlerts),
                ("glue_metrics", CloudWatchImportance.Alerts), ("s3_requests", CloudWatchImportance.Alerts), ("dynamodb_operations", CloudWatchImportance.Alerts),
                ("s3_storage", CloudWatchImportance.Charts), ("dynamodb_capacity", CloudWatchImportance.Charts),
            ],
            Groups(catalog).OrderByDescending(group => group.Importance).Select(group => (group.Name, group.Importance)));
    }

    private const int Counted = 8; // minutes that have settled, of ten

    private static CloudWatchGroup[] Groups(GlueJobCatalog catalog)
    {
        var everything = new WatchedNames(_ => true, null);
        return
        [
            new GlueMetricsGroup(catalog, Minute, executors: true), new S3StorageGroup(() => everything, TimeSpan.FromDays(1)),
            new S3RequestsGroup(() => everything, () => [], Minute), new DynamoDbCapacityGroup(() => everything, Minute),
            new DynamoDbThrottlesGroup(() => everything, Minute), new DynamoDbOperationsGroup(() => everything, Minute),
        ];
    }

    private static double FactorOf(string statistic) => statistic switch
    {
        "Sum" => 1,
        "Average" => 2,
        "Maximum" => 3,
        "SampleCount" => 5,
        "p50" => 7,
        "p99" => 11,
        _ => throw new ArgumentOutOfRangeException(nameof(statistic), statistic, "no row has it"),
    };

    private static void Publish(CloudWatchRig rig, Row row, double value)
    {
        var metric = rig.CloudWatch.Add(row.Space, row.Metric, row.Dimensions);
        if (row.IsDaily)
        {
            metric.Publish(CloudWatchCadence.FloorTo(rig.Now, TimeSpan.FromDays(1)).AddDays(-2), value, rig.Now);
            return;
        }

        var start = CloudWatchCadence.FloorTo(rig.Now, Minute);
        for (var i = -10; i < 20; i++)
            metric.Publish(start + i * Minute, value, start + (i + 2) * Minute);
    }

    private static double Expected(CloudWatchRig rig, Row row)
    {
        var metric = rig.CloudWatch.Metrics.Single(one => one.Space == row.Space && one.Name == row.Metric && one.Dimensions.SequenceEqual(row.Dimensions));
        var periods = row.Series.Contains("_total(", StringComparison.Ordinal) ? Counted : row.Minutes;
        return metric.Datapoints.First().Value[0].Value * FactorOf(row.Statistic) * row.Unit * periods;
    }

    private static string Text(KeyValuePair<string, double> series) => string.Create(CultureInfo.InvariantCulture, $"{series.Key} {series.Value:G9}");

    private static Row Job(string series, string metric, string statistic, string type, double unit = 1) =>
        new(series, "Glue", $"glue.{metric}", statistic, ("JobName", "etl"), ("JobRunId", "ALL"), ("Type", type)) { Unit = unit };

    private static Row Observed(string series, string metric, string statistic) => new(
        series, "Glue", $"glue.{metric}", statistic, ("JobName", "etl"), ("JobRunId", "ALL"), ("Type", "gauge"), ("ObservabilityGroup", "resource_utilization"));

    private static Row Bucket(string series, string metric, string statistic, double unit = 1) =>
        new(series, "AWS/S3", metric, statistic, ("BucketName", "raw"), ("FilterId", "all")) { Unit = unit };

    private static Row Table(string series, string metric, string statistic, double unit = 1, string? index = null, string? operation = null) => new(
        series, "AWS/DynamoDB", metric, statistic,
        [("TableName", "kpi"), .. index is null ? [] : new[] { ("GlobalSecondaryIndexName", index) }, .. operation is null ? [] : new[] { ("Operation", operation) }])
    {
        Unit = unit,
    };

    /// <param name="Series">Name and label values.</param>
    private sealed record Row(string Series, string Space, string Metric, string Statistic, params (string Name, string Value)[] Dimensions)
    {
        /// <summary>One of CloudWatch's, in the unit of the series.</summary>
        public double Unit { get; init; } = 1;

        /// <summary>How many minutes a gauge's period holds.</summary>
        public int Minutes { get; init; } = 1;

        public bool IsDaily { get; init; }
    }
}
