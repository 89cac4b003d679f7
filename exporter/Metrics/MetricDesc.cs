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
    private static readonly string[] ReservedSuffixes = ["_bucket", "_sum", "_count"];

    private MetricDesc(string name, string help, MetricType type, ImmutableArray<double> buckets, string[] labels)
    {
        if (!LegalName().IsMatch(name))
            throw new MetricException(name, "is not a legal metric name");
        if (name.EndsWith("_total", StringComparison.Ordinal) != (type == MetricType.Counter))
            throw new MetricException(name, "must end in _total if, and only if, it is a counter");
        if (ReservedSuffixes.Any(suffix => name.EndsWith(suffix, StringComparison.Ordinal)))
            throw new MetricException(name, $"ends in one of {string.Join(", ", ReservedSuffixes)}, which name a histogram's series");
        // HELP is written unescaped.
        if (help.Length == 0 || help.AsSpan().IndexOfAny('\\', '\n') >= 0)
            throw new MetricException(name, "needs a help text of one line without backslashes");
        foreach (var label in labels)
        {
            if (!IsLegalLabelName(label))
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

    /// <summary>How many numbers the ledger keeps a series: one, or a count for every bucket (+Inf included) and then the sum.</summary>
    public int Width => Type == MetricType.Histogram ? Buckets.Length + 2 : 1;

    /// <summary>How many time series Prometheus makes of one: a histogram's buckets (+Inf included), sum and count.</summary>
    public int SeriesEach => Type == MetricType.Histogram ? Buckets.Length + 3 : 1;

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

    /// <summary>Checks that there is a value for each label and that Prometheus can be given it.</summary>
    /// <exception cref="MetricException">There is not, or it cannot.</exception>
    public void CheckLabelValues(ReadOnlySpan<string> values)
    {
        if (values.Length != Labels.Length)
            throw new MetricException(Name, $"has {Labels.Length} labels and was given {values.Length} values");
        for (var i = 0; i < values.Length; i++)
        {
            if (!IsLegalLabelValue(values[i]))
                throw new MetricException(Name, $"label {Labels[i]} was given a value that is not valid text");
        }
    }

    public override string ToString() => Name;

    /// <summary>Whether a metric or a source may use this label: Prometheus keeps <c>__…</c>, <c>le</c> and <c>quantile</c> for itself.</summary>
    internal static bool IsLegalLabelName(string name) =>
        LegalName().IsMatch(name) && !name.StartsWith("__", StringComparison.Ordinal) && name is not ("le" or "quantile");

    /// <summary>Whether it has a UTF-8 form: a lone surrogate would be replaced, and two series could become one.</summary>
    internal static bool IsLegalLabelValue(string? value)
    {
        if (value is null)
            return false;
        for (var i = 0; i < value.Length; i++)
        {
            if (char.IsSurrogate(value[i]) && (i + 1 == value.Length || !char.IsSurrogatePair(value[i], value[++i])))
                return false;
        }

        return true;
    }

    // Names of metrics and labels alike: Prometheus keeps a metric name's colon for recording rules.
    [GeneratedRegex(@"\A[a-zA-Z_][a-zA-Z0-9_]*\z", RegexOptions.CultureInvariant)]
    private static partial Regex LegalName();
}
