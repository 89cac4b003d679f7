using System.Collections.Concurrent;
using PipelineExporter.Simulator.Aws;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Tests.Control;

/// <summary>
/// The rules of Glue, S3 and DynamoDB, with their thresholds, windows and labels, over what AWS tells at one instant. Left out is for how long
/// a condition has to hold.
/// </summary>
internal sealed class AwsConditions(PipelineModel model, DateTimeOffset now)
{
    static readonly TimeSpan Minute = TimeSpan.FromMinutes(1), Hour = TimeSpan.FromHours(1);

    /// <summary>Of latencies and heaps the last known one counts, of sums the highest that is remembered.</summary>
    static readonly TimeSpan LastKnown = TimeSpan.FromMinutes(5), Window = TimeSpan.FromMinutes(5), Remembered = TimeSpan.FromMinutes(10);

    static readonly string[] SingleItems = ["GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"];

    static readonly ConcurrentDictionary<(int Seed, string Job, DateTime Day), TimeSpan> Thresholds = [];

    readonly MetricCatalog catalog = new(model);

    /// <summary>Each as the alert's name and what its labels tell of the resource.</summary>
    public IEnumerable<string> Holding() => model.GlueJobs.SelectMany(Glue).Concat(model.Buckets.SelectMany(S3)).Concat(model.Tables.SelectMany(DynamoDb));

    IEnumerable<string> Glue(GlueJob job)
    {
        var runs = model.GlueJobRuns(job.Name, now - Hour, now).ToList();
        var failed = runs.Where(run => run.StateAt(now) == GlueRunState.FAILED && !runs.Exists(next => next.PreviousRunId == run.Id))
            .Any(run => run.Attempt >= job.MaxRetries || now >= run.CompletedOn.AddMinutes(5));
        if (failed)
            yield return $"GlueJobFailed {job.Name}";
        if (job.Command != "gluestreaming" && runs.Exists(run => IsSlow(run, Threshold(job))))
            yield return $"GlueJobSlow {job.Name}";
        if (runs.Exists(run => run.StateAt(now) == GlueRunState.WAITING && now - run.StartedOn > TimeSpan.FromSeconds(1800)))
            yield return $"GlueQueueWait {job.Name}";
        if (!job.HasMetrics || !runs.Exists(run => run.StateAt(now) == GlueRunState.RUNNING))
            yield break;
        foreach (var role in new[] { "driver", "ALL" })
        {
            if (Last(Spark($"glue.{role}.jvm.heap.usage"), "Average") > 0.9)
                yield return $"GlueHeapHigh {job.Name} {role}";
        }
        const string executors = "glue.driver.ExecutorAllocationManager.executors.";
        if (Last(Spark(executors + "numberMaxNeededExecutors"), "Maximum") > 2 * Last(Spark(executors + "numberAllExecutors"), "Average"))
            yield return $"GlueExecutorsStarved {job.Name}";

        MetricSeries Spark(string name) => catalog.Find(new("Glue", name, [new("JobName", job.Name), new("JobRunId", "ALL"), new("Type", "gauge")]))!;
    }

    /// <summary>While it runs by its start, which of one that waited is the end of that; afterwards by what it used.</summary>
    bool IsSlow(GlueJobRun run, TimeSpan threshold) => run.StateAt(now) switch
    {
        GlueRunState.STARTING or GlueRunState.RUNNING => now - (run.WaitedUntil ?? run.StartedOn) > threshold,
        GlueRunState.WAITING => false,
        _ => TimeSpan.FromSeconds(run.ExecutionTimeAt(now)) > threshold,
    };

    /// <summary>120 % of the usual duration, and a minute above it at least. Two undisturbed days stand for the thirty of the exporter.</summary>
    TimeSpan Threshold(GlueJob job) => Thresholds.GetOrAdd((model.Seed, job.Name, now.Date), key =>
    {
        var today = new DateTimeOffset(key.Day, TimeSpan.Zero);
        var seconds = new PipelineModel(key.Seed, new IncidentLog(TimeProvider.System)).GlueJobRuns(key.Job, today.AddDays(-2), today)
            .Where(run => run.StateAt(today) == GlueRunState.SUCCEEDED).Select(run => (double)run.ExecutionTimeAt(today)).Order().ToList();
        var median = seconds[seconds.Count / 2];
        return TimeSpan.FromSeconds(Math.Max(1.2 * median, median + 60));
    });

    IEnumerable<string> S3(BucketDefinition bucket)
    {
        foreach (var filter in bucket.MetricsFilters)
        {
            var requests = Highest(Of("AllRequests"));
            if (requests < 50)
                continue;
            foreach (var (status, share) in new[] { ("5xx", 0.01), ("4xx", 0.2) })
            {
                if (Highest(Of(status + "Errors")) > share * requests)
                    yield return $"S3ErrorRate {bucket.Name} {filter} {status}";
            }
            if (Last(Of("FirstByteLatency"), "Average") > 1000)
                yield return $"S3Latency {bucket.Name} {filter}";

            MetricSeries Of(string name) => catalog.Find(new("AWS/S3", name, [new("BucketName", bucket.Name), new("FilterId", filter)]))!;
        }
    }

    IEnumerable<string> DynamoDb(TableDefinition table)
    {
        if (Highest(Each("ThrottledRequests")) > 10)
            yield return $"DynamoDBThrottling {table.Name}";
        if (Highest(Each("SystemErrors")) > 10)
            yield return $"DynamoDBErrors {table.Name}";
        foreach (var latency in Each("SuccessfulRequestLatency"))
        {
            var operation = latency.Dimensions[1].Value;
            if (SingleItems.Contains(operation) && Last(latency, "Average") > 100 && Read(latency, "SampleCount", Hour).Sum(point => point.Value) >= 10)
                yield return $"DynamoDBLatency {table.Name} {operation}";
        }

        MetricSeries[] Each(string name) => [.. catalog.Named("AWS/DynamoDB", name).Where(series => series.Dimensions[0].Value == table.Name)];
    }

    /// <summary>The value of the last minute that is told as a whole; null when that is too long ago.</summary>
    double? Last(MetricSeries series, string stat) => Read(series, stat, LastKnown) is [.., var last] ? last.Value : null;

    /// <summary>The highest of the sums of five minutes that have ended lately, all series together.</summary>
    double Highest(params ReadOnlySpan<MetricSeries> series)
    {
        var sums = new Dictionary<long, double>();
        foreach (var one in series)
        {
            foreach (var point in Read(one, "Sum", Remembered + Window))
                sums[point.At] = sums.GetValueOrDefault(point.At) + point.Value;
        }
        return sums.Keys.Select(last => sums.Where(sum => sum.Key > last - Window.TotalSeconds && sum.Key <= last).Sum(sum => sum.Value)).DefaultIfEmpty().Max();
    }

    /// <summary>Whole minutes, oldest first, as they can be read.</summary>
    Datapoint[] Read(MetricSeries series, string stat, TimeSpan back)
    {
        var told = now - series.PublishDelay;
        var end = told.AddTicks(-(told.Ticks % Minute.Ticks));
        var reader = new DatapointReader(catalog, new GetMetricDataInput([], end - back, end, null, "TimestampAscending", null), now, []);
        return reader.Read(new MetricStat(new(series.Namespace, series.Name, series.Dimensions), (int)Minute.TotalSeconds, stat, null)).Points;
    }
}
