using System.Collections.Immutable;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Aws;

/// <summary>Namespace AWS/S3: once a day what a bucket holds, and each minute, of buckets that measure it, what was asked of it.</summary>
internal static class S3Metrics
{
    const string Space = "AWS/S3";

    static readonly TimeSpan Minute = TimeSpan.FromMinutes(1), Day = TimeSpan.FromDays(1), Lateness = TimeSpan.FromMinutes(4);

    static readonly (string Name, double Share)[] Operations = [("GetRequests", 0.6), ("PutRequests", 0.2), ("HeadRequests", 0.12), ("ListRequests", 0.08)];

    public static IEnumerable<MetricSeries> Of(PipelineModel model, BucketDefinition bucket) =>
        Storage(model, bucket).Concat(bucket.MetricsFilters.SelectMany(filter => Requests(model, bucket, filter)));

    static IEnumerable<MetricSeries> Storage(PipelineModel model, BucketDefinition bucket)
    {
        // A day's datapoint is stamped at its beginning, and comes some time on the next day.
        var delay = Day + TimeSpan.FromHours(10) + (TimeSpan.FromHours(4) * new Dice(model.Seed, bucket.Name, 0).Next());
        foreach (var (type, _, _) in bucket.Gigabytes)
            yield return Daily("BucketSizeBytes", type, "Bytes", at => bucket.BytesAt(type, at));
        yield return Daily("NumberOfObjects", "AllStorageTypes", "Count", bucket.ObjectsAt);

        MetricSeries Daily(string name, string type, string unit, Func<DateTimeOffset, double> value) => new(
            Space, name, [new("BucketName", bucket.Name), new("StorageType", type)], unit,
            (from, to) => PeriodicSamples.One(model.Seed, name, Day, from, to, (at, _) => at >= bucket.CreatedOn ? value(at + Day) : null)) { PublishDelay = delay };
    }

    static IEnumerable<MetricSeries> Requests(PipelineModel model, BucketDefinition bucket, string filter)
    {
        ImmutableArray<MetricDimension> dimensions = [new("BucketName", bucket.Name), new("FilterId", filter)];
        foreach (var (name, share) in Operations)
            yield return Sum(name, "Count", (at, _) => Count(at, share));
        yield return Sum("AllRequests", "Count", (at, _) => All(at));
        yield return Sum("BytesDownloaded", "Bytes", (at, dice) => Count(at, 0.6) * Math.Round(dice.Between(1e6, 3e6)));
        yield return Sum("BytesUploaded", "Bytes", (at, dice) => Count(at, 0.2) * Math.Round(dice.Between(1e6, 3e6)));
        yield return Sum("4xxErrors", "Count", (_, dice) => dice.Chance(0.01) ? 1 : 0);
        yield return Sum("5xxErrors", "Count", (at, _) => IsOn(IncidentKind.S3Errors, at) ? Math.Ceiling(All(at) * 0.1) : 0);
        yield return Latency("FirstByteLatency", (20, 60), slow: (2000, 3000));
        yield return Latency("TotalRequestLatency", (60, 180), slow: (3000, 3200));

        double Count(DateTimeOffset at, double share) =>
            Math.Round(bucket.RequestsAMinute * share * new Dice(model.Seed, $"{bucket.Name} {share}", at.UtcTicks / Minute.Ticks).Between(0.7, 1.3));

        double All(DateTimeOffset at) => Operations.Sum(operation => Count(at, operation.Share));

        bool IsOn(string incident, DateTimeOffset at) => bucket.Name == Buckets.Raw && model.Incidents.At(incident, at) is not null;

        MetricSeries Sum(string name, string unit, Func<DateTimeOffset, Dice, double> value) => new(
            Space, name, dimensions, unit,
            (from, to) => PeriodicSamples.Halves(model.Seed, $"{bucket.Name} {name}", Minute, from, to, value)) { Lateness = Lateness };

        MetricSeries Latency(string name, (double Low, double High) usual, (double Low, double High) slow) => new(
            Space, name, dimensions, "Milliseconds",
            (from, to) => PeriodicSamples.Several(
                model.Seed, $"{bucket.Name} {name}", Minute, from, to, (_, _) => 8,
                (at, dice) => IsOn(IncidentKind.S3Latency, at) ? dice.Between(slow.Low, slow.High) : dice.Between(usual.Low, usual.High)));
    }
}
