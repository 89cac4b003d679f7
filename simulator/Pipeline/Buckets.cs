using System.Collections.Immutable;

namespace PipelineExporter.Simulator.Pipeline;

/// <param name="Prefix">Of the objects that it is for; empty for all.</param>
internal sealed record LifecycleRule(string Id, bool IsEnabled, string Prefix)
{
    public ImmutableArray<(int Days, string StorageClass)> Transitions { get; init; } = [];

    public ImmutableArray<(int Days, string StorageClass)> NoncurrentTransitions { get; init; } = [];

    public int? ExpirationDays { get; init; }

    public int? NoncurrentExpirationDays { get; init; }

    public int? AbortUploadDays { get; init; }
}

/// <summary>A bucket, and what it holds.</summary>
/// <param name="Gigabytes">By storage type of CloudWatch, at the end of its first day, and what a day adds.</param>
internal sealed record BucketDefinition(string Name, DateTimeOffset CreatedOn, ImmutableArray<(string StorageType, double First, double ADay)> Gigabytes)
{
    const double BytesOfGigabyte = 1e9;
    const double ObjectSize = 4e6;

    /// <summary>Ids of its configurations of request metrics.</summary>
    public ImmutableArray<string> MetricsFilters { get; init; } = [];

    public ImmutableArray<LifecycleRule> LifecycleRules { get; init; } = [];

    /// <summary>Into the first storage type comes so much at once, every so many days.</summary>
    public (int Days, double Gigabytes)? Delivery { get; init; }

    /// <summary>Of all operations together.</summary>
    public int RequestsAMinute { get; init; } = 12;

    public double BytesAt(string storageType, DateTimeOffset at)
    {
        var (_, first, aDay) = Gigabytes.First(kind => kind.StorageType == storageType);
        var days = Math.Floor((at - CreatedOn).TotalDays);
        var delivered = Delivery is { } delivery && storageType == Gigabytes[0].StorageType ? delivery.Gigabytes * Math.Floor(days / delivery.Days) : 0;
        return Math.Round(Math.Max(0, first + (aDay * days) + delivered) * BytesOfGigabyte);
    }

    public double ObjectsAt(DateTimeOffset at) => Math.Round(Gigabytes.Sum(kind => BytesAt(kind.StorageType, at)) / ObjectSize);
}

/// <summary>The pipeline's buckets.</summary>
internal static class Buckets
{
    /// <summary>The configuration that measures all requests to a bucket.</summary>
    public const string EntireBucket = "EntireBucket";

    public const string Raw = "music-streaming-raw";

    static readonly DateTimeOffset Created = new(2026, 1, 12, 9, 0, 0, TimeSpan.Zero);

    public static readonly ImmutableArray<BucketDefinition> All =
    [
        new(Raw, Created, [("StandardStorage", 400, 1.5), ("IntelligentTieringFAStorage", 120, 0.4)])
        {
            MetricsFilters = [EntireBucket],
            RequestsAMinute = 60,
            LifecycleRules =
            [
                new("tier-old-files", true, "streams/") { Transitions = [(30, "INTELLIGENT_TIERING")], AbortUploadDays = 7 },
                new("old-experiment", false, "tmp/") { ExpirationDays = 3 },
            ],
        },
        new("music-streaming-validated", Created, [("StandardStorage", 300, 1.1)]) { MetricsFilters = [EntireBucket], RequestsAMinute = 40 },
        new("music-streaming-kpi", Created, [("StandardStorage", 20, 0.05)]) { MetricsFilters = [EntireBucket], RequestsAMinute = 15 },
        new("music-streaming-scripts", Created, [("StandardStorage", 0.3, 0.001)]),
        // A month's logs come at once, and are archived bit by bit: what one class loses on a day others gain.
        new("music-streaming-logs", Created, [("StandardStorage", 90, -1), ("StandardIAStorage", 60, 0.1), ("GlacierStorage", 10, 0.9)])
        {
            Delivery = (30, 30),
            LifecycleRules =
            [
                new("archive-logs", true, "")
                {
                    Transitions = [(30, "STANDARD_IA"), (90, "GLACIER")],
                    NoncurrentTransitions = [(30, "GLACIER")],
                    ExpirationDays = 2555,
                    NoncurrentExpirationDays = 365,
                    AbortUploadDays = 3,
                },
            ],
        },
    ];

    /// <summary>Buckets of generated load, with two metrics a day each.</summary>
    public static IEnumerable<BucketDefinition> Load(int count) =>
        Enumerable.Range(0, count).Select(i => new BucketDefinition($"load-bucket-{i:00000}", Created, [("StandardStorage", 1 + i, 0.1)]));
}
