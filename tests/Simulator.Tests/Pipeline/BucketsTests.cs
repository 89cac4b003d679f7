using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Tests.Pipeline;

public sealed class BucketsTests
{
    static readonly DateTimeOffset Day = new(2026, 11, 20, 9, 0, 0, TimeSpan.Zero);

    static readonly BucketDefinition Logs = Buckets.All.Single(bucket => bucket.Name == "music-streaming-logs");

    public static TheoryData<string> Names => [.. Buckets.All.Select(bucket => bucket.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void It_grows_once_a_day_and_holds_something_of_each_class(string name)
    {
        var bucket = Bucket(name);
        foreach (var (type, first, aDay) in bucket.Gigabytes)
        {
            Assert.Equal(first * 1e9, bucket.BytesAt(type, bucket.CreatedOn));
            for (var day = bucket.CreatedOn; day < bucket.CreatedOn.AddYears(3); day = day.AddDays(1))
            {
                Assert.Equal(bucket.BytesAt(type, day), bucket.BytesAt(type, day.AddDays(1).AddTicks(-1)));
                Assert.True(bucket.BytesAt(type, day) > 0);
            }
            if (bucket.Delivery is null)
                Assert.Equal(aDay * 1e9, bucket.BytesAt(type, Day.AddDays(1)) - bucket.BytesAt(type, Day), tolerance: 1);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Its_objects_have_the_same_size_on_average_whatever_their_class(string name)
    {
        var bucket = Bucket(name);

        Assert.Equal(bucket.Gigabytes.Sum(kind => bucket.BytesAt(kind.StorageType, Day)) / 4e6, bucket.ObjectsAt(Day), tolerance: 0.5);
        Assert.True(double.IsInteger(bucket.ObjectsAt(Day)));
    }

    /// <summary>What lifecycle rules move is lost to one class and gained by others; the whole grows only by what comes.</summary>
    [Fact]
    public void What_one_class_of_the_logs_loses_on_a_day_others_gain()
    {
        var (moved, delivered) = (0, 0);
        for (var day = Day; day < Day.AddDays(60); day = day.AddDays(1))
        {
            var changes = Logs.Gigabytes.Select(kind => Logs.BytesAt(kind.StorageType, day.AddDays(1)) - Logs.BytesAt(kind.StorageType, day)).ToList();
            if (changes[0] > 0)
            {
                Assert.Equal(30e9, changes.Sum(), tolerance: 1);
                delivered++;
            }
            else
            {
                Assert.Equal([-1e9, 0.1e9, 0.9e9], changes.Select(change => Math.Round(change / 1e6) * 1e6));
                Assert.Equal(0, changes.Sum(), tolerance: 1);
                moved++;
            }
        }

        Assert.Equal((58, 2), (moved, delivered));
    }

    [Fact]
    public void A_class_that_gains_what_it_was_not_given_is_one_that_a_rule_leads_to()
    {
        Dictionary<string, string> types = new() { ["STANDARD_IA"] = "StandardIAStorage", ["GLACIER"] = "GlacierStorage", ["INTELLIGENT_TIERING"] = "IntelligentTieringFAStorage" };
        foreach (var bucket in Buckets.All)
        {
            Assert.Equal(
                bucket.Gigabytes.Select(kind => kind.StorageType).Where(type => type != "StandardStorage").Order(),
                bucket.LifecycleRules.Where(rule => rule.IsEnabled).SelectMany(rule => rule.Transitions).Select(transition => types[transition.StorageClass]).Order());
        }
    }

    [Fact]
    public void Buckets_of_the_load_have_names_of_their_own_and_two_metrics_a_day()
    {
        var load = Buckets.Load(1_200).ToList();

        Assert.Equal(1_200, load.Concat(Buckets.All).Select(bucket => bucket.Name).Distinct().Count() - Buckets.All.Length);
        Assert.All(load, bucket => Assert.Equal((1, 0, 0), (bucket.Gigabytes.Length, bucket.MetricsFilters.Length, bucket.LifecycleRules.Length)));
        Assert.Equal(load.Take(7).Select(Describe), Buckets.Load(7).Select(Describe));

        static (string, DateTimeOffset, double) Describe(BucketDefinition bucket) => (bucket.Name, bucket.CreatedOn, bucket.ObjectsAt(Day));
    }

    static BucketDefinition Bucket(string name) => Buckets.All.Single(bucket => bucket.Name == name);
}
