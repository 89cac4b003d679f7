using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Aws;

/// <summary>Samples that come at regular intervals, each from dice of its own.</summary>
internal static class PeriodicSamples
{
    /// <param name="each">The samples of one interval, by its number since 1970 and the moment at which they are sent.</param>
    public static IEnumerable<MetricSample> Of(
        TimeSpan interval, DateTimeOffset from, DateTimeOffset to, Func<DateTimeOffset, IEnumerable<MetricSample>> each)
    {
        var first = from.UtcTicks - (from.UtcTicks % interval.Ticks);
        for (var at = new DateTimeOffset(first, TimeSpan.Zero); at < to; at += interval)
        {
            foreach (var sample in each(at))
            {
                if (sample.At >= from && sample.At < to)
                    yield return sample;
            }
        }
    }

    /// <summary>One sample an interval.</summary>
    public static IEnumerable<MetricSample> One(
        int seed, string name, TimeSpan interval, DateTimeOffset from, DateTimeOffset to, Func<DateTimeOffset, Dice, double?> value)
    {
        var first = from.UtcTicks - (from.UtcTicks % interval.Ticks);
        for (var at = new DateTimeOffset(first, TimeSpan.Zero); at < to; at += interval)
        {
            if (at >= from && value(at, new Dice(seed, name, at.UtcTicks / interval.Ticks)) is { } sample)
                yield return new MetricSample(at, sample);
        }
    }

    /// <summary>What is counted in an interval, in two samples: at its beginning and in its middle, since two servers count.</summary>
    public static IEnumerable<MetricSample> Halves(
        int seed, string name, TimeSpan interval, DateTimeOffset from, DateTimeOffset to, Func<DateTimeOffset, Dice, double> value)
    {
        var first = from.UtcTicks - (from.UtcTicks % interval.Ticks);
        for (var at = new DateTimeOffset(first, TimeSpan.Zero); at < to; at += interval)
        {
            var (count, middle) = (value(at, new Dice(seed, name, at.UtcTicks / interval.Ticks)), at + (interval / 2));
            var half = Math.Floor(count / 2);
            if (at >= from)
                yield return new MetricSample(at, count - half);
            if (middle >= from && middle < to)
                yield return new MetricSample(middle, half);
        }
    }

    /// <summary>So many samples in each interval, spread over it.</summary>
    public static IEnumerable<MetricSample> Several(
        int seed, string name, TimeSpan interval, DateTimeOffset from, DateTimeOffset to, Func<DateTimeOffset, Dice, int> count, Func<DateTimeOffset, Dice, double> value) =>
        Of(interval, from, to, at =>
        {
            var dice = new Dice(seed, name, at.UtcTicks / interval.Ticks);
            var samples = new MetricSample[count(at, dice)];
            for (var i = 0; i < samples.Length; i++)
                samples[i] = new(at + (interval * ((i + 0.5) / samples.Length)), value(at, dice));
            return samples;
        });
}
