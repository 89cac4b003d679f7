using System.Collections.Immutable;
using System.Text.RegularExpressions;

namespace PipelineExporter.Metrics;

internal enum MetricType
{
    Counter,
    Gauge,
    Histogram,
}

/// <summary>
/// What one metric family is: its name, help, type and labels, besides those that its source adds. The one place where a
/// metric's name is decided; documentation is generated from it and rules and dashboards are checked against it.
/// </summary>
internal sealed partial class MetricDesc
{
    private MetricDesc(string name, string help, MetricType type, ImmutableArray<double> buckets, string[] labels)
    {
        if (!LegalName().IsMatch(name))
            throw new MetricException(name, "is not a legal metric name");
        if (type == MetricType.Counter && !name.EndsWith("_total", StringComparison.Ordinal))
            throw new MetricException(name, "is a counter, so its name must end in _total");
        // prometheus-net writes HELP unescaped.
        if (help.Length == 0 || help.AsSpan().IndexOfAny('\\', '\n') >= 0)
            throw new MetricException(name, "needs a help text of one line without backslashes");
        foreach (var label in labels)
        {
            if (!LegalLabel().IsMatch(label) || label.StartsWith("__", StringComparison.Ordinal) || label is "le" or "quantile")
                throw new MetricException(name, $"has the illegal label name '{label}'");
        }

        if (labels.Distinct().Count() != labels.Length)
            throw new MetricException(name, "names a label twice");
        for (var i = 0; i < buckets.Length; i++)
        {
            if (!double.IsFinite(buckets[i]) || (i > 0 && buckets[i] <= buckets[i - 1]))
                throw new MetricException(name, "needs finite bucket bounds in ascending order");
        }

        (Name, Help, Type, Buckets, Labels) = (name, help, type, buckets, [.. labels]);
    }

    public string Name { get; }

    public string Help { get; }

    public MetricType Type { get; }

    public ImmutableArray<string> Labels { get; }

    /// <summary>Upper bounds of a histogram's buckets in the metric's unit, without +Inf; empty for one that has sum and count only.</summary>
    public ImmutableArray<double> Buckets { get; }

    /// <summary>How many numbers the ledger keeps a series: one, or a count and a sum for every bucket (+Inf included).</summary>
    public int Width => Type == MetricType.Histogram ? 2 * (Buckets.Length + 1) : 1;

    public static MetricDesc Counter(string name, string help, params string[] labels) =>
        new(name, help, MetricType.Counter, [], labels);

    public static MetricDesc Gauge(string name, string help, params string[] labels) =>
        new(name, help, MetricType.Gauge, [], labels);

    public static MetricDesc Histogram(string name, string help, double[] buckets, params string[] labels) =>
        new(name, help, MetricType.Histogram, [.. buckets], labels);

    /// <summary>The bucket that <paramref name="value"/> falls into, 0 to Buckets.Length (+Inf).</summary>
    public int BucketOf(double value)
    {
        var i = 0;
        while (i < Buckets.Length && value > Buckets[i])
            i++;
        return i;
    }

    public override string ToString() => Name;

    internal static bool IsLegalLabelName(string name) =>
        LegalLabel().IsMatch(name) && !name.StartsWith("__", StringComparison.Ordinal);

    [GeneratedRegex("^[a-zA-Z_:][a-zA-Z0-9_:]*$", RegexOptions.CultureInvariant)]
    private static partial Regex LegalName();

    [GeneratedRegex("^[a-zA-Z_][a-zA-Z0-9_]*$", RegexOptions.CultureInvariant)]
    private static partial Regex LegalLabel();
}
