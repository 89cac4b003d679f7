using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Simulator.Aws;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Tests.Aws;

public sealed class S3MetricsTests
{
    static readonly DateTimeOffset Midnight = new(2026, 11, 20, 0, 0, 0, TimeSpan.Zero);
    static readonly DateTimeOffset From = Midnight.AddHours(10), To = From.AddHours(2);

    static readonly string[] Operations = ["GetRequests", "PutRequests", "HeadRequests", "ListRequests"];

    readonly FakeTimeProvider time = new(From.AddMinutes(30));
    readonly IncidentLog incidents;
    readonly PipelineModel model;

    public S3MetricsTests()
    {
        incidents = new(time);
        model = new(1, incidents);
    }

    public static TheoryData<string> Buckets => [.. Simulator.Pipeline.Buckets.All.Select(bucket => bucket.Name)];

    public static TheoryData<string> MeasuredBuckets => [.. Simulator.Pipeline.Buckets.All.Where(bucket => !bucket.MetricsFilters.IsEmpty).Select(bucket => bucket.Name)];

    [Theory]
    [MemberData(nameof(Buckets))]
    public void A_day_is_stamped_at_its_midnight_and_tells_what_the_bucket_held_at_its_end(string name)
    {
        var bucket = Bucket(name);
        var (from, to) = (Midnight.AddHours(-9), Midnight.AddDays(3).AddHours(9));
        foreach (var (type, _, _) in bucket.Gigabytes)
        {
            Assert.Equal(
                Enumerable.Range(0, 4).Select(day => new MetricSample(Midnight.AddDays(day), bucket.BytesAt(type, Midnight.AddDays(day + 1)))),
                Series(name, "BucketSizeBytes", type).Samples(from, to));
        }

        Assert.Equal(
            Enumerable.Range(0, 4).Select(day => new MetricSample(Midnight.AddDays(day), bucket.ObjectsAt(Midnight.AddDays(day + 1)))),
            Series(name, "NumberOfObjects", "AllStorageTypes").Samples(from, to));
    }

    [Theory]
    [MemberData(nameof(Buckets))]
    public void Nothing_is_told_of_days_before_the_bucket(string name)
    {
        var created = Bucket(name).CreatedOn;
        var first = new DateTimeOffset(created.Date.AddDays(1), TimeSpan.Zero);

        Assert.All(Of(name).Where(series => series.Dimensions[1].Name == "StorageType"), series => Assert.Equal(first, series.Samples(created.AddDays(-3), created.AddDays(3)).First().At));
    }

    [Fact]
    public void Only_buckets_with_a_configuration_tell_of_requests()
    {
        foreach (var bucket in model.Buckets)
            Assert.Equal(bucket.MetricsFilters.Length * 11, Of(bucket.Name).Count(series => series.Dimensions[1].Name == "FilterId"));
    }

    [Theory]
    [MemberData(nameof(MeasuredBuckets))]
    public void All_requests_of_a_minute_are_those_of_its_operations_and_some_of_them_carry_bytes(string name)
    {
        var all = Minutes(name, "AllRequests");
        var operations = Operations.Select(operation => Minutes(name, operation)).ToList();

        Assert.Equal(120, all.Count);
        foreach (var (minute, count) in all)
        {
            Assert.Equal(count, operations.Sum(of => of[minute]));
            Assert.InRange(Minutes(name, "4xxErrors")[minute], 0, 1);
        }
        foreach (var (bytes, operation) in new[] { ("BytesDownloaded", operations[0]), ("BytesUploaded", operations[1]) })
            Assert.All(Minutes(name, bytes), minute => Assert.InRange(minute.Value, 1e6 * operation[minute.Key], 3e6 * operation[minute.Key]));
        Assert.Equal(Bucket(name).RequestsAMinute, all.Values.Average(), tolerance: Bucket(name).RequestsAMinute / 5.0);
    }

    [Theory]
    [MemberData(nameof(MeasuredBuckets))]
    public void The_first_byte_comes_before_the_last_also_when_it_is_slow(string name)
    {
        incidents.Start(IncidentKind.S3Latency);
        time.Advance(TimeSpan.FromMinutes(30));
        incidents.End(IncidentKind.S3Latency);
        var (first, last) = (Series(name, "FirstByteLatency").Samples(From, To).ToList(), Series(name, "TotalRequestLatency").Samples(From, To).ToList());

        Assert.Equal(8 * 120, first.Count);
        Assert.All(first.Zip(last), pair => Assert.True(pair.First.At == pair.Second.At && pair.First.Value <= pair.Second.Value));
        Assert.Equal(name == Simulator.Pipeline.Buckets.Raw ? 8 * 30 : 0, first.Count(sample => sample.Value is >= 2000 and <= 3000));
        Assert.All(first.Where(sample => sample.Value < 2000), sample => Assert.InRange(sample.Value, 20, 60));
    }

    [Fact]
    public void A_tenth_of_the_requests_fails_during_the_incident_and_none_otherwise()
    {
        incidents.Start(IncidentKind.S3Errors);
        time.Advance(TimeSpan.FromMinutes(30));
        incidents.End(IncidentKind.S3Errors);
        var (errors, all) = (Minutes(Simulator.Pipeline.Buckets.Raw, "5xxErrors"), Minutes(Simulator.Pipeline.Buckets.Raw, "AllRequests"));

        foreach (var (minute, count) in errors)
        {
            var isOn = minute >= From.AddMinutes(30) && minute < From.AddMinutes(60);
            Assert.Equal(isOn ? Math.Ceiling(0.1 * all[minute]) : 0, count);
        }
        Assert.Equal(30, errors.Count(minute => minute.Value > 0));
        Assert.Equal(0, Minutes("music-streaming-validated", "5xxErrors").Values.Sum());
    }

    Dictionary<DateTimeOffset, double> Minutes(string bucket, string name) => Series(bucket, name).Samples(From, To)
        .GroupBy(sample => sample.At.AddTicks(-(sample.At.Ticks % TimeSpan.TicksPerMinute)))
        .ToDictionary(samples => samples.Key, samples => samples.Sum(sample => sample.Value));

    MetricSeries Series(string bucket, string name, string of = Simulator.Pipeline.Buckets.EntireBucket) =>
        Assert.Single(Of(bucket), series => series.Name == name && series.Dimensions[1].Value == of);

    List<MetricSeries> Of(string bucket) => [.. S3Metrics.Of(model, Bucket(bucket))];

    BucketDefinition Bucket(string name) => model.Buckets.Single(bucket => bucket.Name == name);
}
