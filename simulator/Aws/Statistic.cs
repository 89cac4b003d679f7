using System.Globalization;
using System.Text.RegularExpressions;

namespace PipelineExporter.Simulator.Aws;

/// <summary>What CloudWatch computes from the samples of a period: SampleCount, Sum, Average, Minimum, Maximum, or p0 to p100.</summary>
internal sealed partial class Statistic
{
    static readonly Dictionary<string, Statistic> Plain = new()
    {
        ["SampleCount"] = new(samples => samples.Count),
        ["Sum"] = new(Sum),
        ["Average"] = new(samples => Sum(samples) / samples.Count),
        ["Minimum"] = new(samples =>
        {
            var least = double.PositiveInfinity;
            foreach (var sample in samples)
                least = Math.Min(least, sample.Value);
            return least;
        }),
        ["Maximum"] = new(samples =>
        {
            var most = double.NegativeInfinity;
            foreach (var sample in samples)
                most = Math.Max(most, sample.Value);
            return most;
        }),
    };

    readonly Func<List<MetricSample>, double> compute;

    Statistic(Func<List<MetricSample>, double> compute) => this.compute = compute;

    /// <summary>Null when there is no such statistic.</summary>
    public static Statistic? Parse(string name)
    {
        if (Plain.GetValueOrDefault(name) is { } known)
            return known;
        if (Percentile().Match(name) is not { Success: true } match)
            return null;
        var rank = double.Parse(match.Groups["rank"].ValueSpan, CultureInfo.InvariantCulture);
        return new(samples => PercentileOf(samples, rank));
    }

    /// <param name="samples">At least one; their order may change.</param>
    public double Of(List<MetricSample> samples) => compute(samples);

    static double Sum(List<MetricSample> samples)
    {
        var sum = 0.0;
        foreach (var sample in samples)
            sum += sample.Value;
        return sum;
    }

    /// <summary>Between the two nearest samples, in proportion.</summary>
    static double PercentileOf(List<MetricSample> samples, double rank)
    {
        samples.Sort(static (a, b) => a.Value.CompareTo(b.Value));
        var place = rank / 100 * (samples.Count - 1);
        var below = (int)place;
        var above = Math.Min(below + 1, samples.Count - 1);
        return samples[below].Value + ((place - below) * (samples[above].Value - samples[below].Value));
    }

    [GeneratedRegex(@"^p(?<rank>100|\d{1,2}(\.\d{1,10})?)$", RegexOptions.ExplicitCapture)]
    private static partial Regex Percentile();
}
