using PipelineExporter.Simulator.Aws;

namespace PipelineExporter.Simulator.Tests.Aws;

public sealed class PeriodicSamplesTests
{
    static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    static readonly DateTimeOffset From = new(2026, 11, 22, 23, 50, 0, TimeSpan.Zero), To = From.AddMinutes(20);

    static readonly Dictionary<string, Func<DateTimeOffset, DateTimeOffset, IEnumerable<MetricSample>>> Kinds = new()
    {
        ["one"] = (from, to) => PeriodicSamples.One(1, "one", Minute, from, to, (_, dice) => dice.Next()),
        ["one now and then"] = (from, to) => PeriodicSamples.One(1, "one", Minute, from, to, (_, dice) => dice.Chance(0.3) ? dice.Next() : null),
        ["halves"] = (from, to) => PeriodicSamples.Halves(1, "halves", Minute, from, to, (_, dice) => dice.Between(1, 1000)),
        ["several"] = (from, to) => PeriodicSamples.Several(1, "several", Minute, from, to, (_, dice) => dice.Between(0, 9), (_, dice) => dice.Next()),
        ["of"] = (from, to) => PeriodicSamples.Of(Minute, from, to, at => [new(at.AddSeconds(7), 1), new(at.AddSeconds(59), 2)]),
    };

    public static TheoryData<string> Names => [.. Kinds.Keys];

    /// <summary>Whoever asks, for whatever time: at the very moment of a sample, and a tick before and after it, too.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void However_its_time_is_cut_each_sample_is_sent_once_and_is_the_same(string kind)
    {
        var samples = Kinds[kind];
        var whole = samples(From, To).ToList();

        Assert.NotEmpty(whole);
        Assert.Equal(whole.OrderBy(sample => sample.At), whole);
        Assert.All(whole, sample => Assert.InRange(sample.At, From, To.AddTicks(-1)));
        foreach (var cut in whole.Select(sample => sample.At).Append(From.AddSeconds(90.5)).SelectMany(at => new[] { at.AddTicks(-1), at, at.AddTicks(1) }).Where(at => at > From && at < To))
            Assert.Equal(whole, samples(From, cut).Concat(samples(cut, To)));
        Assert.Empty(samples(From, From));
    }

    [Fact]
    public void One_comes_at_the_beginning_of_each_interval() =>
        Assert.Equal(Enumerable.Range(0, 20).Select(i => From.AddMinutes(i)), Kinds["one"](From, To).Select(sample => sample.At));

    [Fact]
    public void Halves_make_the_whole_count_and_are_whole_themselves()
    {
        foreach (var count in new[] { 0, 1, 2, 7, 1000 })
        {
            var halves = PeriodicSamples.Halves(1, "halves", Minute, From, From + Minute, (_, _) => count).ToList();

            Assert.Equal([From, From.AddSeconds(30)], halves.Select(half => half.At));
            Assert.Equal(count, halves.Sum(half => half.Value));
            Assert.All(halves, half => Assert.True(double.IsInteger(half.Value) && Math.Abs(half.Value - (count / 2.0)) <= 0.5));
        }
    }

    [Fact]
    public void Several_are_as_many_as_was_said_and_spread_over_the_interval()
    {
        var samples = PeriodicSamples.Several(1, "several", Minute, From, To, (at, _) => at.Minute, (at, _) => at.Minute).ToLookup(sample => sample.At.Minute);

        for (var minute = 50; minute < 70; minute++)
        {
            Assert.Equal(minute % 60, samples[minute % 60].Count());
            Assert.All(samples[minute % 60], sample => Assert.Equal(minute % 60, sample.Value));
            Assert.All(samples[minute % 60].Zip(samples[minute % 60].Skip(1)), pair => Assert.Equal(60.0 / (minute % 60), (pair.Second.At - pair.First.At).TotalSeconds, tolerance: 1e-6));
        }
    }

    [Fact]
    public void Every_interval_name_and_seed_has_dice_of_its_own()
    {
        var thrown = new[] { (1, "a"), (2, "a"), (1, "b") }
            .SelectMany(of => PeriodicSamples.One(of.Item1, of.Item2, Minute, From, To, (_, dice) => dice.Next())).Select(sample => sample.Value).ToList();

        Assert.Equal(60, thrown.Distinct().Count());
    }
}
