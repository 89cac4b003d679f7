using System.Collections.Immutable;
using PipelineExporter.Metrics;
using PipelineExporter.Sources;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Aws;

/// <param name="DriverElapsedSeconds">By job, for jobs that reported lately.</param>
internal sealed record GlueMetricsSnapshot(ImmutableSortedDictionary<string, double> DriverElapsedSeconds);

/// <summary>What Spark drivers report to CloudWatch: one GetMetricData call when a new datapoint can have settled.</summary>
internal sealed class GlueMetrics(AwsSource source, GlueJobCatalog catalog, TimeSpan interval) : Collector<GlueMetricsSnapshot>
{
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(5);

    // Five-minute metrics are published five minutes late and more; until then a value may still change.
    private static readonly TimeSpan Settling = TimeSpan.FromMinutes(5);

    // A datapoint may come later still: the newest of three periods is taken.
    private const int Periods = 3;

    private static readonly MetricDesc DriverElapsed = MetricDesc.Gauge(
        "aws_glue_driver_elapsed_time_average_seconds",
        "CloudWatch's glue.driver.aggregate.elapsedTime, Average over 300 s: the mean of what the driver reported in them, not a duration.", "job_name");

    private (DateTimeOffset Until, string[] Jobs, GlueMetricsSnapshot Snapshot)? last;

    public override string Name => "glue_metrics";

    public override string Asks => "1 request for each 500 jobs: `GetMetricData`, for 1 metric of each job, which CloudWatch bills.";

    public override string Source => source.Name;

    public override SourceIdentity? Identity => source.Identity;

    public override IReadOnlyList<MetricDesc> Metrics { get; } = [DriverElapsed];

    public override TimeSpan Interval => interval;

    protected internal override async Task<GlueMetricsSnapshot> CollectAsync(CancellationToken cancellationToken)
    {
        await source.GetIdentityAsync(cancellationToken);
        var list = await catalog.GetAsync(cancellationToken);
        var settled = source.Clock.UtcNow - Settling;
        var until = settled.AddTicks(-(settled.UtcTicks % Period.Ticks));
        // Each query is billed: what cannot have changed is not asked for.
        var jobs = list.Jobs.Keys.ToArray();
        if (last is { } known && known.Until >= until && known.Jobs.AsSpan().SequenceEqual(jobs))
            return known.Snapshot;

        var queries = jobs.Select((job, i) => new MetricDataQuery($"q{i}", new(
            new("Glue", "glue.driver.aggregate.elapsedTime", [new("JobName", job), new("JobRunId", "ALL"), new("Type", "count")]),
            (int)Period.TotalSeconds, "Average")));
        var newest = await CloudWatchNewest.ReadAsync(source.CloudWatch, queries, until - Periods * Period, until, cancellationToken);
        var elapsed = ImmutableSortedDictionary.CreateBuilder<string, double>(StringComparer.Ordinal);
        for (var i = 0; i < jobs.Length; i++)
        {
            if (newest.TryGetValue($"q{i}", out var milliseconds))
                elapsed[jobs[i]] = milliseconds / 1000;
        }

        var snapshot = new GlueMetricsSnapshot(elapsed.ToImmutable());
        last = (until, jobs, snapshot);
        return snapshot;
    }

    protected internal override void Write(GlueMetricsSnapshot snapshot, MetricSink sink)
    {
        foreach (var (job, seconds) in snapshot.DriverElapsedSeconds)
            sink.Set(DriverElapsed, seconds, job);
    }
}
