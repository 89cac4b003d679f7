using System.Collections.Immutable;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Aws;

/// <summary>
/// What Spark sends to the namespace Glue every 30 s while a run is running, and at no other time: absence is not zero. It sends each
/// value twice: as the run's own, and as that of all runs of the job.
/// </summary>
internal static class SparkMetrics
{
    public const string JobName = "JobName", JobRunId = "JobRunId", AllRuns = "ALL";

    const string Count = "count", Gauge = "gauge";

    const double Gigabyte = 1e9;

    public static IEnumerable<MetricSeries> Of(PipelineModel model) => model.GlueJobs.Where(job => job.HasMetrics).SelectMany(job => Of(model, job));

    public static IEnumerable<MetricSeries> Of(PipelineModel model, GlueJob job)
    {
        yield return Sent("driver.aggregate.elapsedTime", Count, "Milliseconds", TimeSpan.Zero, delta => delta.Milliseconds);
        yield return Series("driver.aggregate.bytesRead", Count, "Bytes", 40e6, 60e6);
        yield return Series("driver.aggregate.recordsRead", Count, "Count", 90_000, 150_000);
        yield return Series("driver.aggregate.numCompletedStages", Count, "Count", 1, 3);
        yield return Series("driver.aggregate.numCompletedTasks", Count, "Count", 20, 60);
        yield return Series("driver.aggregate.numFailedTasks", Count, "Count", 0, 0);
        yield return Series("driver.aggregate.numKilledTasks", Count, "Count", 0, 0);
        yield return Series("driver.aggregate.shuffleBytesWritten", Count, "Bytes", 5e6, 9e6);
        yield return Series("driver.aggregate.shuffleLocalBytesRead", Count, "Bytes", 2e6, 4e6);
        yield return Series("ALL.s3.filesystem.read_bytes", Gauge, "Bytes", 40e6, 60e6);
        yield return Series("ALL.s3.filesystem.write_bytes", Gauge, "Bytes", 8e6, 12e6);
        yield return Series("driver.BlockManager.disk.diskSpaceUsed_MB", Gauge, "Megabytes", 800, 1200);
        yield return Series("driver.ExecutorAllocationManager.executors.numberAllExecutors", Gauge, "Count", job.NumberOfWorkers - 1, job.NumberOfWorkers - 1, (2, 2), IncidentKind.ExecutorsStarved);
        yield return Series("driver.ExecutorAllocationManager.executors.numberMaxNeededExecutors", Gauge, "Count", 1, job.NumberOfWorkers - 1, (20, 20), IncidentKind.ExecutorsStarved);
        foreach (var (role, low, high) in new[] { ("driver", 0.35, 0.6), ("ALL", 0.4, 0.65), ("1", 0.4, 0.7), ("2", 0.4, 0.7) })
        {
            var heap = role == "driver" ? IncidentKind.GlueHeap : null;
            yield return Series($"{role}.jvm.heap.usage", Gauge, "None", low, high, (0.95, 0.98), heap);
            yield return Series($"{role}.jvm.heap.used", Gauge, "Bytes", low * 10 * Gigabyte, high * 10 * Gigabyte, (9.5 * Gigabyte, 9.8 * Gigabyte), heap);
            yield return Series($"{role}.system.cpuSystemLoad", Gauge, "None", 0.3, 0.75);
        }

        yield return Series("driver.workerUtilization", Gauge, "None", 0.4, 0.8, group: "resource_utilization");
        yield return Series("driver.skewness.stage", Gauge, "None", 1, 2.5, group: "job_performance");
        yield return Series("driver.skewness.job", Gauge, "None", 1, 2.5, group: "job_performance");

        MetricSeries Series(
            string name, string type, string unit, double low, double high, (double Low, double High) burdened = default, string? incident = null, string? group = null) => Sent(
                name, type, unit, type == Count ? TimeSpan.FromMinutes(2) : TimeSpan.Zero,
                delta =>
                {
                    var dice = new Dice(model.Seed, $"{job.Name} {name}", delta.At.UtcTicks);
                    var isBurdened = incident is not null && job == TriggeredJobs.Stream && model.Incidents.At(incident, delta.At) is not null;
                    var value = isBurdened ? dice.Between(burdened.Low, burdened.High) : dice.Between(low, high);
                    return unit is "Count" or "Bytes" ? Math.Round(value) : value;
                },
                group);

        MetricSeries Sent(string name, string type, string unit, TimeSpan lateness, Func<ElapsedTimeDelta, double> value, string? group = null)
        {
            return Of(AllRuns, null) with { OfRun = id => Of(id, id) };

            MetricSeries Of(string dimension, string? runId) => new(
                "Glue", $"glue.{name}", Dimensions(job, dimension, type, group), unit,
                (from, to) => model.ElapsedTime(job.Name, from, to, runId).Select(delta => new MetricSample(delta.At, value(delta)))) { Lateness = lateness };
        }
    }

    static ImmutableArray<MetricDimension> Dimensions(GlueJob job, string run, string type, string? group) =>
    [
        new(JobName, job.Name), new(JobRunId, run), new("Type", type), .. group is null ? [] : new[] { new MetricDimension("ObservabilityGroup", group) },
    ];
}
