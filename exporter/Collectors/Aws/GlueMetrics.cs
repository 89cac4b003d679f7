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

    private const int QueriesPerCall = 500;

    private static readonly MetricDesc DriverElapsed = MetricDesc.Gauge(
        "aws_glue_driver_elapsed_time_average_seconds",
        "CloudWatch's glue.driver.aggregate.elapsedTime, Average over 300 s: the mean of what the driver reported in them, not a duration.", "job_name");

    private (DateTimeOffset Until, string[] Jobs, GlueMetricsSnapshot Snapshot)? last;

    public override string Name => "glue_metrics";

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

        var elapsed = ImmutableSortedDictionary.CreateBuilder<string, double>(StringComparer.Ordinal);
        foreach (var some in jobs.Chunk(QueriesPerCall))
            await ReadAsync(some, until, elapsed, cancellationToken);
        var snapshot = new GlueMetricsSnapshot(elapsed.ToImmutable());
        last = (until, jobs, snapshot);
        return snapshot;
    }

    protected internal override void Write(GlueMetricsSnapshot snapshot, MetricSink sink)
    {
        foreach (var (job, seconds) in snapshot.DriverElapsedSeconds)
            sink.Set(DriverElapsed, seconds, job);
    }

    private async Task ReadAsync(
        string[] jobs, DateTimeOffset until, ImmutableSortedDictionary<string, double>.Builder elapsed, CancellationToken cancellationToken)
    {
        var queries = jobs.Select((job, i) => new MetricDataQuery($"q{i}", new(
            new("Glue", "glue.driver.aggregate.elapsedTime", [new("JobName", job), new("JobRunId", "ALL"), new("Type", "count")]),
            (int)Period.TotalSeconds, "Average"))).ToList();
        var newest = new Dictionary<string, (DateTimeOffset At, double Value)>();
        var pages = new AwsPages(AwsService.CloudWatch, "GetMetricData");
        do
        {
            var page = await source.CloudWatch.GetMetricDataAsync(
                new(queries, until - Periods * Period, until, "TimestampDescending", pages.NextToken), cancellationToken);
            foreach (var result in page.MetricDataResults)
            {
                Check(result);
                for (var i = 0; i < result.Values.Count; i++)
                {
                    if (!newest.TryGetValue(result.Id, out var best) || best.At < result.Timestamps[i])
                        newest[result.Id] = (result.Timestamps[i], result.Values[i]);
                }
            }

            pages.Read(page.NextToken);
        }
        while (pages.More);

        for (var i = 0; i < jobs.Length; i++)
        {
            if (newest.TryGetValue($"q{i}", out var datapoint))
                elapsed[jobs[i]] = datapoint.Value / 1000;
        }
    }

    private static void Check(MetricDataResult? result)
    {
        if (result is null || result.Timestamps.Count != result.Values.Count)
            throw AwsException.Malformed(AwsService.CloudWatch, "GetMetricData", "its times and values do not fit each other");
        if (result.StatusCode is "Forbidden" or "InternalError")
            throw new AwsException(AwsService.CloudWatch.Id, "GetMetricData", result.StatusCode, $"CloudWatch answered {result.StatusCode} for a metric of namespace Glue");
    }
}
