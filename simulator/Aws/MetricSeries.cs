using System.Collections.Immutable;
using System.Runtime.InteropServices;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Aws;

internal sealed record MetricDimension(string Name, string Value);

/// <summary>One value that a program sent to CloudWatch.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct MetricSample(DateTimeOffset At, double Value);

/// <summary>One metric of CloudWatch: a name, its exact dimensions, and what was sent.</summary>
/// <param name="Samples">The samples of [from, to), oldest first.</param>
internal sealed record MetricSeries(
    string Namespace,
    string Name,
    ImmutableArray<MetricDimension> Dimensions,
    string Unit,
    Func<DateTimeOffset, DateTimeOffset, IEnumerable<MetricSample>> Samples)
{
    /// <summary>Of the samples, where any are.</summary>
    public const double LateShare = 0.1;

    static readonly TimeSpan LeastLateness = TimeSpan.FromSeconds(30);

    long? key;

    /// <summary>What is sent at t can be read from t + this, or a little later.</summary>
    public TimeSpan PublishDelay { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Some samples come up to so much later than the others, so that the period they are in is revised.</summary>
    public TimeSpan Lateness { get; init; }

    /// <summary>What one run of the job sent of it, by the run's id; null of what is not told by runs.</summary>
    public Func<string, MetricSeries>? OfRun { get; init; }

    long Key => key ??= Hash();

    /// <summary>Whether its namespace, its name or the value of a dimension contains a text.</summary>
    public bool Has(string text) =>
        Namespace.Contains(text, StringComparison.Ordinal) || Name.Contains(text, StringComparison.Ordinal)
        || Dimensions.Any(dimension => dimension.Value.Contains(text, StringComparison.Ordinal));

    /// <summary>Whether a sample can be read at an instant; once it can, it can for ever.</summary>
    public bool IsReadable(MetricSample sample, int seed, DateTimeOffset now)
    {
        var age = now - sample.At - PublishDelay;
        if (age <= TimeSpan.Zero)
            return false;
        if (age >= Lateness)
            return true;
        var dice = new Dice(seed, "late", Key ^ sample.At.UtcTicks);
        return !dice.Chance(LateShare) || age >= LeastLateness + (dice.Next() * (Lateness - LeastLateness));
    }

    /// <summary>FNV-1a of what names the series: unlike string.GetHashCode the same in every process.</summary>
    long Hash()
    {
        var hash = 0xCBF29CE484222325;
        foreach (var letter in string.Join('\n', [Namespace, Name, .. Dimensions.Select(dimension => dimension.Value)]))
            hash = (hash ^ letter) * 0x100000001B3;
        return (long)hash;
    }
}
