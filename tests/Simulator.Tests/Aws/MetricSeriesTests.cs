using PipelineExporter.Simulator.Aws;

namespace PipelineExporter.Simulator.Tests.Aws;

public sealed class MetricSeriesTests
{
    static readonly DateTimeOffset Start = new(2026, 11, 23, 8, 0, 0, TimeSpan.Zero);
    static readonly TimeSpan Lateness = TimeSpan.FromMinutes(4), Settled = TimeSpan.FromMinutes(6);

    /// <summary>Two a minute, of 2 each.</summary>
    static readonly MetricSeries Counter = Series("Requests") with { Lateness = Lateness };

    [Fact]
    public void Nothing_can_be_read_before_the_delay_and_all_of_it_four_minutes_after()
    {
        foreach (var sample in Counter.Samples(Start, Start.AddHours(10)))
        {
            Assert.False(Counter.IsReadable(sample, seed: 1, sample.At.AddMinutes(2)));
            Assert.True(Counter.IsReadable(sample, seed: 1, sample.At + Settled));
        }
    }

    [Fact]
    public void One_sample_in_ten_is_late_and_what_was_read_once_can_be_read_for_ever()
    {
        var (samples, late) = (0, 0);
        foreach (var sample in Counter.Samples(Start, Start.AddHours(50)))
        {
            var seen = Enumerable.Range(0, 30).Select(i => Counter.IsReadable(sample, seed: 1, sample.At.AddMinutes(2).AddSeconds(1 + (10 * i)))).ToList();
            Assert.Equal(seen.Order(), seen);
            Assert.True(seen[^1]);
            samples++;
            late += seen[0] ? 0 : 1;
            Assert.True(seen[0] || !seen[2]);
        }
        Assert.InRange(late / (double)samples, 0.09, 0.11);
    }

    [Fact]
    public void Nothing_is_late_where_it_is_not_said() =>
        Assert.All(Series("Gauge").Samples(Start, Start.AddHours(10)), sample => Assert.True(Series("Gauge").IsReadable(sample, 1, sample.At.AddSeconds(121))));

    [Fact]
    public void What_is_late_depends_on_the_seed_and_the_series()
    {
        string Pattern(MetricSeries series, int seed) =>
            string.Concat(series.Samples(Start, Start.AddHours(2)).Select(sample => series.IsReadable(sample, seed, sample.At.AddSeconds(121)) ? '.' : 'x'));

        Assert.Equal(Pattern(Counter, 1), Pattern(Series("Requests") with { Lateness = Lateness }, 1));
        Assert.NotEqual(Pattern(Counter, 1), Pattern(Counter, 2));
        Assert.NotEqual(Pattern(Counter, 1), Pattern(Series("Errors") with { Lateness = Lateness }, 1));
    }

    [Fact]
    public void A_sum_is_first_partial_and_grows()
    {
        var partial = 0;
        for (var minute = Start; minute < Start.AddHours(2); minute = minute.AddMinutes(1))
        {
            double Sum(TimeSpan age) => Read(Counter, "Sum", minute, minute.AddMinutes(1), minute + age).Sum(point => point.Value);

            Assert.Equal(4, Sum(TimeSpan.FromMinutes(7)));
            partial += Sum(TimeSpan.FromMinutes(3)) == 2 ? 1 : 0;
        }
        Assert.InRange(partial, 10, 40);
    }

    [Theory]
    [InlineData("ConsumedReadCapacityUnits")]
    [InlineData("ConsumedWriteCapacityUnits")]
    public void Capacity_is_counted_in_two_samples_so_that_it_can_be_partial(string name)
    {
        var series = DynamoDbMetrics.Of(ServiceCall.Model, Simulator.Pipeline.Tables.All[0]).First(one => one.Name == name);
        var samples = series.Samples(Start, Start.AddMinutes(10)).ToList();

        Assert.Equal(20, samples.Count);
        Assert.All(samples, sample => Assert.True(sample.Value > 0 && double.IsInteger(sample.Value)));
        Assert.Equal(samples[1..], series.Samples(Start.AddSeconds(1), Start.AddMinutes(10)));
    }

    [Fact]
    public void Every_bucket_has_its_own_hour_for_all_that_comes_daily()
    {
        foreach (var bucket in ServiceCall.Model.Buckets)
        {
            var delay = Assert.Single(S3Metrics.Of(ServiceCall.Model, bucket).Where(series => series.Dimensions[1].Name == "StorageType").Select(series => series.PublishDelay).Distinct());
            Assert.InRange(delay, TimeSpan.FromHours(34), TimeSpan.FromHours(38));
        }
    }

    [Fact]
    public void A_days_datapoint_appears_during_the_next_day()
    {
        var day = new DateTimeOffset(2026, 11, 20, 0, 0, 0, TimeSpan.Zero);
        var series = Series("BucketSizeBytes", step: TimeSpan.FromDays(1)) with { PublishDelay = TimeSpan.FromHours(36) };

        List<Datapoint> At(DateTimeOffset now) => Read(series, "Average", day, day.AddDays(4), now, period: 86400);

        Assert.Empty(At(day.AddDays(1).AddHours(10)));
        Assert.Equal([day.ToUnixTimeSeconds()], At(day.AddDays(1).AddHours(14)).Select(point => point.At));
        Assert.Equal(3, At(day.AddDays(3).AddHours(14)).Count);
    }

    static List<Datapoint> Read(MetricSeries series, string stat, DateTimeOffset from, DateTimeOffset to, DateTimeOffset now, int period = 60)
    {
        var input = new GetMetricDataInput([], from, to, null, "TimestampAscending", null);
        var reader = new DatapointReader(new MetricCatalog(ServiceCall.Model, [series]), input, now, []);
        return [.. reader.Read(new MetricStat(new(series.Namespace, series.Name, series.Dimensions), period, stat, null)).Points];
    }

    static MetricSeries Series(string name, TimeSpan? step = null) => new(
        "AWS/S3", name, [new("BucketName", "b"), new("FilterId", "EntireBucket")], "Count", (from, to) => Samples(from, to, step ?? TimeSpan.FromSeconds(30)));

    static IEnumerable<MetricSample> Samples(DateTimeOffset from, DateTimeOffset to, TimeSpan step)
    {
        for (var at = (from.UtcTicks + step.Ticks - 1) / step.Ticks * step.Ticks; at < to.UtcTicks; at += step.Ticks)
            yield return new MetricSample(new DateTimeOffset(at, TimeSpan.Zero), 2);
    }
}
