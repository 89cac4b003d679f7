using System.Collections.Immutable;
using System.Text.RegularExpressions;
using PipelineExporter.Metrics;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Aws.CloudWatch;

/// <summary>
/// What Spark reports of Glue jobs to CloudWatch while their runs are in progress, all runs of a job together (JobRunId=ALL): a
/// run's own series would grow without end, and add up to the same. Names differ between versions of Glue: what is listed is asked for.
/// What alerts are made of does not wait for the list, which tells of a run half an hour late when the job never ran, or not for two weeks.
/// </summary>
internal sealed partial class GlueMetricsGroup(GlueJobCatalog catalog, TimeSpan interval, bool executors) : CloudWatchGroup(interval)
{
    private const string Space = "Glue";
    private const double MegabytesOfByte = 1.0 / (1024 * 1024);
    private const double MillisecondsOfSecond = 1000;

    private static readonly CloudWatchDimension AllRuns = new("JobRunId", "ALL");

    private static readonly MetricDesc ElapsedTime = MetricDesc.Gauge(
        "aws_glue_driver_elapsed_time_average_seconds",
        "CloudWatch's glue.driver.aggregate.elapsedTime, Average over 300 s: the mean of what the driver reported in them, not a duration.", "job_name");

    private static readonly MetricDesc HeapUsage = MetricDesc.Gauge(
        "aws_glue_jvm_heap_usage_ratio", "Share of the JVM heap in use (0 to 1), mean of a minute: of the driver, of all executors, or of one.", "job_name", "role");

    private static readonly MetricDesc HeapUsed = MetricDesc.Gauge(
        "aws_glue_jvm_heap_used_bytes", "JVM heap in use, mean of a minute: of the driver, of all executors, or of one.", "job_name", "role");

    private static readonly MetricDesc CpuLoad = MetricDesc.Gauge(
        "aws_glue_cpu_load_ratio", "CPU in use (0 to 1), mean of a minute: of the driver, of all executors, or of one.", "job_name", "role");

    private static readonly MetricDesc Skewness = MetricDesc.Gauge(
        "aws_glue_skewness_ratio", "How unevenly the work is spread over tasks, the highest of a minute: of stages, or of the job.", "job_name", "level");

    // Statistic and unit are those that the documentation of Glue gives for each.
    private static readonly ImmutableArray<Spark> OfJobs =
    [
        Counter("driver.aggregate.bytesRead", "aws_glue_read_bytes_total", "Bytes that runs of the job read from all sources."),
        Counter("driver.aggregate.recordsRead", "aws_glue_read_records_total", "Records that runs of the job read from all sources."),
        Counter("driver.aggregate.numCompletedStages", "aws_glue_completed_stages_total", "Spark stages that runs of the job completed."),
        Counter("driver.aggregate.numCompletedTasks", "aws_glue_completed_tasks_total", "Spark tasks that runs of the job completed."),
        Counter("driver.aggregate.numFailedTasks", "aws_glue_failed_tasks_total", "Spark tasks of runs of the job that failed."),
        Counter("driver.aggregate.numKilledTasks", "aws_glue_killed_tasks_total", "Spark tasks of runs of the job that were killed."),
        Counter("driver.aggregate.shuffleBytesWritten", "aws_glue_shuffle_written_bytes_total", "Bytes that executors wrote to shuffle data between them."),
        Counter("driver.aggregate.shuffleLocalBytesRead", "aws_glue_shuffle_local_read_bytes_total", "Bytes of shuffled data that executors read on their own machine."),
        Counter("ALL.s3.filesystem.read_bytes", "aws_glue_s3_read_bytes_total", "Bytes that runs of the job read from S3.", type: "gauge"),
        Counter("ALL.s3.filesystem.write_bytes", "aws_glue_s3_written_bytes_total", "Bytes that runs of the job wrote to S3.", type: "gauge"),
        new("driver.aggregate.elapsedTime", "count", "Average", ElapsedTime, null, MillisecondsOfSecond) { Cadence = CloudWatchCadence.FiveMinutes },
        Gauge("driver.ExecutorAllocationManager.executors.numberAllExecutors", "Average", "aws_glue_executors", "Executors that run, mean of a minute.", 1) with { IsOfAlerts = true },
        Gauge("driver.ExecutorAllocationManager.executors.numberMaxNeededExecutors", "Maximum", "aws_glue_executors_needed",
            "Executors that the work at hand could use, the highest of a minute.", 1) with { IsOfAlerts = true },
        Gauge("driver.BlockManager.disk.diskSpaceUsed_MB", "Average", "aws_glue_disk_used_bytes", "Disk in use by all executors, mean of a minute.", MegabytesOfByte),
        new("driver.jvm.heap.usage", "gauge", "Average", HeapUsage, "driver", 1) { IsOfAlerts = true },
        new("ALL.jvm.heap.usage", "gauge", "Average", HeapUsage, "all", 1) { IsOfAlerts = true },
        new("driver.jvm.heap.used", "gauge", "Average", HeapUsed, "driver", 1),
        new("ALL.jvm.heap.used", "gauge", "Average", HeapUsed, "all", 1),
        new("driver.system.cpuSystemLoad", "gauge", "Average", CpuLoad, "driver", 1),
        new("ALL.system.cpuSystemLoad", "gauge", "Average", CpuLoad, "all", 1),
        Gauge("driver.workerUtilization", "Average", "aws_glue_worker_utilization_ratio", "Share of the workers that do work (0 to 1), mean of a minute.", 1, observability: true),
        new("driver.skewness.stage", "gauge", "Maximum", Skewness, "stage", 1) { IsObservability = true },
        new("driver.skewness.job", "gauge", "Maximum", Skewness, "job", 1) { IsObservability = true },
    ];

    private IReadOnlyCollection<string> running = [];

    public override string Name => "glue_metrics";

    public override string Setting => "glue.metrics_interval";

    public override CloudWatchImportance Importance => CloudWatchImportance.Alerts;

    public override IReadOnlyList<MetricDesc> Metrics { get; } = [.. OfJobs.Select(spark => spark.Target).Distinct(), LastPeriod];

    public override MetricDesc Timestamp => LastPeriod;

    private static MetricDesc LastPeriod { get; } = MetricDesc.Gauge(
        "aws_glue_metrics_timestamp_seconds", "End of the oldest of the periods that the job's metrics of CloudWatch show.", "job_name");

    public override async Task<IReadOnlyList<CloudWatchQuery>> DiscoverAsync(CloudWatchListing listing, CancellationToken cancellationToken)
    {
        var (jobs, _, failure) = await catalog.GetAsync(cancellationToken);
        if (failure is not null)
            throw failure; // Of a job that the list of before does not have, the counters would begin too late.
        var found = (await Task.WhenAll(OfJobs.Select(async spark =>
            (await ListAsync(listing, spark)).Select(metric => (spark, metric))))).SelectMany(metrics => metrics);
        if (executors)
            found = found.Concat(await ExecutorsAsync(listing));
        var listed =
            from one in found
            let job = one.metric.Dimensions[0].Value
            where jobs.ContainsKey(job) && one.metric.Dimensions[2].Value == one.spark.Type
            select Query(job, one.spark, one.metric);
        return [.. listed.Concat(Declared(Volatile.Read(ref running).Where(jobs.ContainsKey))).DistinctBy(query => (query.Target, string.Join('\n', query.Labels)))];
    }

    /// <summary>Notes which jobs are reporting, and has CloudWatch asked for what alerts are made of now, not only after the next look at its list.</summary>
    /// <param name="jobs">Their runs are in progress, or ended a moment ago.</param>
    public void Report(IReadOnlyCollection<string> jobs, CloudWatchPlan plan)
    {
        Volatile.Write(ref running, jobs);
        if (!plan.Discovered.IsCompleted)
            return;
        plan.Add(this, Declared(jobs));
    }

    private static IEnumerable<CloudWatchQuery> Declared(IEnumerable<string> jobs) =>
        from job in jobs
        from spark in OfJobs
        where spark.IsOfAlerts
        select Query(job, spark, new(Space, $"glue.{spark.Name}", [new("JobName", job), AllRuns, new("Type", spark.Type)]));

    private static CloudWatchQuery Query(string job, Spark spark, CloudWatchMetric metric) =>
        new(spark.Target, spark.Role is { } role ? [job, role] : [job], metric, spark.Stat, spark.Cadence) { Divisor = spark.Divisor };

    private static async Task<IReadOnlyList<CloudWatchMetric>> ListAsync(CloudWatchListing listing, Spark spark)
    {
        var name = $"glue.{spark.Name}";
        return spark.IsObservability
            ? await listing.ListAsync(Space, name, ["JobName", "JobRunId", "Type", "ObservabilityGroup"], AllRuns)
            : await listing.ListAsync(Space, name, ["JobName", "JobRunId", "Type"], AllRuns);
    }

    private static async Task<IEnumerable<(Spark, CloudWatchMetric)>> ExecutorsAsync(CloudWatchListing listing) =>
        from metric in await listing.ListAsync(Space, null, ["JobName", "JobRunId", "Type"], AllRuns)
        let executor = ExecutorMetric().Match(metric.MetricName)
        where executor.Success
        let target = executor.Groups["what"].Value switch
        {
            "jvm.heap.usage" => HeapUsage,
            "jvm.heap.used" => HeapUsed,
            _ => CpuLoad,
        }
        select (new Spark(metric.MetricName, "gauge", "Average", target, executor.Groups["id"].Value, 1), metric);

    private static Spark Counter(string name, string metric, string help, string type = "count") =>
        new(name, type, "Sum", MetricDesc.Counter(metric, help, "job_name"), null, 1);

    private static Spark Gauge(string name, string stat, string metric, string help, double divisor, bool observability = false) =>
        new(name, "gauge", stat, MetricDesc.Gauge(metric, help, "job_name"), null, divisor) { IsObservability = observability };

    [GeneratedRegex(@"^glue\.(?<id>[0-9]{1,6})\.(?<what>jvm\.heap\.usage|jvm\.heap\.used|system\.cpuSystemLoad)$")]
    private static partial Regex ExecutorMetric();

    /// <summary>One of Spark's metrics.</summary>
    /// <param name="Name">Behind "glue.".</param>
    /// <param name="Type">Value of the dimension Type.</param>
    /// <param name="Role">The target's second label; null where it has none.</param>
    private sealed record Spark(string Name, string Type, string Stat, MetricDesc Target, string? Role, double Divisor)
    {
        public CloudWatchCadence Cadence { get; init; } = CloudWatchCadence.Minute;

        /// <summary>It is asked for by name while the job runs, listed or not.</summary>
        public bool IsOfAlerts { get; init; }

        /// <summary>It has the dimension ObservabilityGroup besides.</summary>
        public bool IsObservability { get; init; }
    }
}
