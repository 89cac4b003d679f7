using System.Globalization;
using System.Text.RegularExpressions;

namespace PipelineExporter.Simulator.Aws;

/// <summary>What CloudWatch computes from the samples of a period: SampleCount, Sum, Average, Minimum, Maximum, or p0 to p100.</summary>
internal static partial class Statistic
{
    public static bool IsKnown(string name) => Parse(name) is not null;

    /// <param name="samples">At least one.</param>
    public static double Of(string name, IReadOnlyList<double> samples) =>
        (Parse(name) ?? throw new ArgumentException($"'{name}' is no statistic", nameof(name)))(samples);

    static Func<IReadOnlyList<double>, double>? Parse(string name) => name switch
    {
        "SampleCount" => samples => samples.Count,
        "Sum" => samples => samples.Sum(),
        "Average" => samples => samples.Average(),
        "Minimum" => samples => samples.Min(),
        "Maximum" => samples => samples.Max(),
        _ when Percentile().Match(name) is { Success: true } match => samples =>
            PercentileOf(samples, double.Parse(match.Groups["rank"].ValueSpan, CultureInfo.InvariantCulture)),
        _ => null,
    };

    /// <summary>Between the two nearest samples, in proportion.</summary>
    static double PercentileOf(IReadOnlyList<double> samples, double rank)
    {
        var sorted = samples.Order().ToList();
        var place = rank / 100 * (sorted.Count - 1);
        var below = (int)place;
        var above = Math.Min(below + 1, sorted.Count - 1);
        return sorted[below] + ((place - below) * (sorted[above] - sorted[below]));
    }

    [GeneratedRegex(@"^p(?<rank>100|\d{1,2}(\.\d{1,10})?)$", RegexOptions.ExplicitCapture)]
    private static partial Regex Percentile();
}
