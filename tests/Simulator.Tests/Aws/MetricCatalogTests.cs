using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Simulator.Aws;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Tests.Aws;

/// <summary>What holds of every metric, whatever it is of.</summary>
public sealed class MetricCatalogTests
{
    /// <summary>Not at a minute, so that what begins with an incident begins in the middle of one.</summary>
    static readonly DateTimeOffset Start = new(2026, 11, 23, 12, 0, 40, 123, 456, TimeSpan.Zero);

    static readonly TimeSpan Lasts = TimeSpan.FromMinutes(45);

    static readonly MetricCatalog Catalog = new(ServiceCall.Model);

    public static TheoryData<string> Namespaces => [.. Catalog.All.Select(series => series.Namespace).Distinct()];

    [Fact]
    public void A_metric_is_found_by_its_exact_dimensions_in_whatever_order()
    {
        foreach (var series in Catalog.All)
        {
            Assert.Same(series, Catalog.Find(new(series.Namespace, series.Name, [.. series.Dimensions.Reverse()])));
            Assert.Null(Catalog.Find(new(series.Namespace, series.Name, [.. series.Dimensions, new("Other", "x")])));
            Assert.Null(Catalog.Find(new(series.Namespace, series.Name + "x", series.Dimensions)));
            if (series.Dimensions.Length > 0)
                Assert.NotSame(series, Catalog.Find(new(series.Namespace, series.Name, series.Dimensions[1..])));
        }
        Assert.Null(Catalog.Find(new("Glue", null, null)));
    }

    [Fact]
    public void What_is_named_is_all_of_that_name_always_in_the_same_order()
    {
        Assert.Equal(Catalog.All, Catalog.Named(null, null));
        Assert.Equal(Catalog.All, new MetricCatalog(ServiceCall.Model).All.Select(series => Catalog.Find(new(series.Namespace, series.Name, series.Dimensions))!));
        foreach (var (space, name) in Catalog.All.Select(series => (series.Namespace, series.Name)).Distinct())
        {
            Assert.Equal(Catalog.All.Where(series => series.Namespace == space), Catalog.Named(space, null));
            Assert.Equal(Catalog.All.Where(series => series.Name == name), Catalog.Named(null, name));
            Assert.Equal(Catalog.All.Where(series => series.Namespace == space && series.Name == name), Catalog.Named(space, name));
        }
        Assert.Empty(Catalog.Named("Glue", "BucketSizeBytes"));
    }

    [Theory]
    [MemberData(nameof(Namespaces))]
    public void However_its_time_is_cut_and_whoever_asks_a_metric_has_each_sample_once(string space)
    {
        var (from, to) = (Start.AddDays(-2), Start.AddHours(6));
        var cuts = Enumerable.Range(0, 29).Select(i => from.AddSeconds(i * 6_917)).Append(to).ToList();
        var other = new MetricCatalog(new PipelineModel(1, new IncidentLog(TimeProvider.System)));
        foreach (var series in Catalog.Named(space, null))
        {
            var whole = series.Samples(from, to).ToList();

            Assert.Equal(whole.OrderBy(sample => sample.At), whole);
            Assert.All(whole, sample => Assert.InRange(sample.At, from, to.AddTicks(-1)));
            Assert.Equal(whole, cuts.Zip(cuts.Skip(1)).Reverse().SelectMany(span => series.Samples(span.First, span.Second)).OrderBy(sample => sample.At));
            Assert.Equal(whole, other.Find(new(series.Namespace, series.Name, series.Dimensions))!.Samples(from, to));
        }
    }

    /// <summary>Late samples are late, and then there for ever: whoever reads a day again and again comes to the sum of what was sent.</summary>
    [Theory]
    [MemberData(nameof(Namespaces))]
    public void The_sums_of_a_day_grow_until_the_last_sample_is_there_and_are_the_same_by_whatever_periods(string space)
    {
        var (day, end) = (new DateTimeOffset(Start.AddDays(-3).Date, TimeSpan.Zero), new DateTimeOffset(Start.AddDays(-2).Date, TimeSpan.Zero));
        foreach (var series in Catalog.Named(space, null))
        {
            var sent = series.Samples(day, end).Sum(sample => sample.Value);
            var settled = end + series.PublishDelay + series.Lateness;
            var sums = Enumerable.Range(0, 25).Select(i => Sum(series, day, end, 60, day + series.PublishDelay + TimeSpan.FromHours(i) + TimeSpan.FromSeconds(30))).Append(Sum(series, day, end, 60, settled.AddTicks(1))).ToList();

            Assert.Equal(sums.Order(), sums);
            Assert.Equal(sent, sums[^1], tolerance: 1e-9 * sent);
            foreach (var (period, now) in new[] { (60, settled.AddDays(5)), (300, settled.AddTicks(1)), (3600, settled.AddDays(60)), (86_400, settled.AddDays(5)) })
                Assert.Equal(sent, Sum(series, day, end, period, now), tolerance: 1e-9 * sent);
            foreach (var sample in series.Samples(day, day.AddHours(2)))
            {
                Assert.False(series.IsReadable(sample, 1, sample.At + series.PublishDelay));
                Assert.True(series.IsReadable(sample, 1, (sample.At + series.PublishDelay + series.Lateness).AddTicks(1)));
            }
        }
    }

    public static TheoryData<string, string> Changes => new()
    {
        { IncidentKind.WorkerCpu, "CPUUtilization BaseWorker" },
        { IncidentKind.WorkerMemory, "MemoryUtilization BaseWorker" },
        { IncidentKind.GlueHeap, "glue.driver.jvm.heap.usage gauge, glue.driver.jvm.heap.used gauge" },
        {
            IncidentKind.ExecutorsStarved,
            "glue.driver.ExecutorAllocationManager.executors.numberAllExecutors gauge, glue.driver.ExecutorAllocationManager.executors.numberMaxNeededExecutors gauge"
        },
        { IncidentKind.DynamoDbThrottling, "ThrottledRequests PutItem, WriteThrottleEvents music_streaming_sessions" },
        { IncidentKind.DynamoDbLatency, "SuccessfulRequestLatency GetItem" },
        { IncidentKind.DynamoDbErrors, "SystemErrors GetItem" },
        { IncidentKind.S3Errors, "5xxErrors EntireBucket" },
        { IncidentKind.S3Latency, "FirstByteLatency EntireBucket, TotalRequestLatency EntireBucket" },
        { IncidentKind.GlueQueueWait, "" },
        { IncidentKind.SchedulerDown, "" },
        { IncidentKind.PoolFull, "" },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public void An_incident_changes_only_its_metrics_of_one_resource_and_only_while_it_lasts(string incident, string expected)
    {
        var changed = ChangedBy(incident);

        Assert.Equal(expected.Split(", ", StringSplitOptions.RemoveEmptyEntries), changed.Select(one => $"{one.Series.Name} {one.Series.Dimensions[^1].Value}").Distinct().Order(StringComparer.Ordinal));
        Assert.True(changed.Select(one => one.Series.Dimensions[0].Value).Distinct().Count() <= 1);

        // What a minute begins with, it goes on with.
        Assert.All(changed, one => Assert.InRange(one.At, Start, Start + Lasts + TimeSpan.FromMinutes(1)));
        if (changed.Count > 0)
            Assert.True(changed.Max(one => one.At) - changed.Min(one => one.At) > Lasts - TimeSpan.FromMinutes(3));
    }

    [Theory]
    [InlineData(IncidentKind.GlueSlow, "music_streaming_catalog_export")]
    [InlineData(IncidentKind.GlueFailure, "music_streaming_catalog_export")]
    [InlineData(IncidentKind.DagFailure, "music_streaming_dynamodb_load,music_streaming_kpi_computation,music_streaming_validation")]
    public void What_happens_to_runs_changes_all_metrics_of_their_jobs_from_then_on(string incident, string jobs)
    {
        var changed = ChangedBy(incident);

        Assert.Equal(jobs, string.Join(',', changed.Select(one => one.Series.Dimensions[0].Value).Distinct().Order(StringComparer.Ordinal)));
        Assert.All(changed, one => Assert.Equal("Glue", one.Series.Namespace));
        Assert.All(changed, one => Assert.InRange(one.At, Start, Start + Lasts + TimeSpan.FromMinutes(20)));
    }

    /// <summary>Samples that are there with the incident and not without it, and the other way round.</summary>
    static List<(MetricSeries Series, DateTimeOffset At)> ChangedBy(string incident)
    {
        var time = new FakeTimeProvider(Start);
        var incidents = new IncidentLog(time);
        incidents.Start(incident);
        time.Advance(Lasts);
        incidents.End(incident);
        var (first, last) = (Start.AddHours(-3), Start + Lasts + TimeSpan.FromHours(3));
        List<(MetricSeries Series, DateTimeOffset At)> changed = [];
        foreach (var (disturbed, usual) in new MetricCatalog(new PipelineModel(1, incidents)).All.Zip(Catalog.All))
        {
            var samples = disturbed.Samples(first, last).ToHashSet();
            samples.SymmetricExceptWith(usual.Samples(first, last));
            changed.AddRange(samples.Select(sample => (disturbed, sample.At)));
        }
        return changed;
    }

    static double Sum(MetricSeries series, DateTimeOffset from, DateTimeOffset to, int period, DateTimeOffset now) => new DatapointReader(
        Catalog, new GetMetricDataInput([], from, to, null, null, null), now, []).Read(new MetricStat(new(series.Namespace, series.Name, series.Dimensions), period, "Sum", null)).Points.Sum(point => point.Value);
}
