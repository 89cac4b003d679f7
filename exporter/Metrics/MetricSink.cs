using System.Collections.Immutable;

namespace PipelineExporter.Metrics;

/// <summary>
/// Takes the samples of one collection of one source and rejects what Prometheus would refuse or misread. A rejection fails
/// the collection, never the scrape: nothing of a rejected sink is rendered.
/// </summary>
/// <param name="sourceLabels">Labels that the source adds to each sample.</param>
/// <param name="declared">The families that the collector may write.</param>
/// <param name="seriesLimit">Time series taken at most; the next one is rejected.</param>
/// <param name="shows">Whether a series is shown at all; what is not shown is left out. Null: every one is.</param>
internal sealed class MetricSink(
    ImmutableArray<KeyValuePair<string, string>> sourceLabels, IReadOnlyList<MetricDesc> declared, int seriesLimit,
    SeriesFilter? shows = null)
{
    private readonly Dictionary<MetricDesc, Dictionary<string[], double[]>> families = [];

    /// <summary>Time series taken.</summary>
    public int Count { get; private set; }

    internal ImmutableArray<KeyValuePair<string, string>> SourceLabels => sourceLabels;

    internal IEnumerable<(MetricDesc Family, IReadOnlyDictionary<string[], double[]> Samples)> Families =>
        families.Select(family => (family.Key, (IReadOnlyDictionary<string[], double[]>)family.Value));

    /// <summary>Adds one sample of a gauge.</summary>
    /// <exception cref="MetricException">The gauge is not declared, or the sample is illegal or there already.</exception>
    public void Set(MetricDesc gauge, double value, params ReadOnlySpan<string> labelValues)
    {
        CheckGauge(gauge);
        Add(gauge, [value], labelValues);
    }

    /// <inheritdoc cref="Set(MetricDesc, double, ReadOnlySpan{string})"/>
    /// <param name="labelValues">Is kept as it is.</param>
    internal void Set(MetricDesc gauge, double value, string[] labelValues)
    {
        CheckGauge(gauge);
        Add(gauge, [value], labelValues, expected: 0);
    }

    /// <summary>Adds one series of a counter or histogram as the ledger keeps it, <see cref="MetricDesc.Width"/> numbers.</summary>
    /// <returns>False for one that is not shown.</returns>
    internal bool Add(MetricDesc family, double[] numbers, params ReadOnlySpan<string> labelValues) => Add(family, numbers, labelValues, null, 0);

    /// <inheritdoc cref="Add(MetricDesc, double[], ReadOnlySpan{string})"/>
    /// <param name="labelValues">Is kept as it is: for thousands of series a poll, a copy of each is worth saving.</param>
    /// <param name="expected">How many series of the family there will be.</param>
    internal bool Add(MetricDesc family, double[] numbers, string[] labelValues, int expected) => Add(family, numbers, labelValues, labelValues, expected);

    private bool Add(MetricDesc family, double[] numbers, ReadOnlySpan<string> labelValues, string[]? kept, int expected)
    {
        if (numbers.Length != family.Width)
            throw new MetricException(family.Name, $"was given {numbers.Length} numbers for {family.Width}");
        family.CheckLabelValues(labelValues);
        if (family.Type != MetricType.Gauge && Array.Exists(numbers, static number => !double.IsFinite(number) || number < 0))
            throw new MetricException(family.Name, "a counter's value must be finite and not negative");
        if (shows is not null && !shows(family, labelValues))
            return false;
        if (Count + family.SeriesEach > seriesLimit)
        {
            throw new MetricException(
                family.Name, $"is past the collector's limit of {seriesLimit} series; raise series_limit or select less");
        }

        if (!families.TryGetValue(family, out var samples))
        {
            CheckFamily(family);
            families.Add(family, samples = new(expected, LabelValues.Comparer));
        }

        if (!samples.TryAdd(kept ?? labelValues.ToArray(), numbers))
            throw new MetricException(family.Name, $"has two samples for {Describe(family, labelValues)}");
        Count += family.SeriesEach;
        return true;
    }

    private static void CheckGauge(MetricDesc gauge)
    {
        if (gauge.Type != MetricType.Gauge)
            throw new MetricException(gauge.Name, "is not a gauge: counters and histograms come from the ledger");
    }

    private static string Describe(MetricDesc family, ReadOnlySpan<string> values)
    {
        var pairs = new string[values.Length];
        for (var i = 0; i < values.Length; i++)
            pairs[i] = $"{family.Labels[i]}=\"{values[i]}\"";
        return $"{{{string.Join(',', pairs)}}}";
    }

    private void CheckFamily(MetricDesc family)
    {
        if (!declared.Contains(family))
            throw new MetricException(family.Name, "is not declared by the collector that writes it");
        if (families.Keys.Any(other => other.Name == family.Name))
            throw new MetricException(family.Name, "is declared twice by the collector that writes it");
        for (var i = 0; i < sourceLabels.Length; i++)
        {
            var (label, value) = sourceLabels[i];
            if (!MetricDesc.IsLegalLabelName(label) || !MetricDesc.IsLegalLabelValue(value))
                throw new MetricException(family.Name, $"cannot have its source's label '{label}': its name or value is illegal");
            if (family.Labels.Contains(label))
                throw new MetricException(family.Name, $"has the label '{label}' itself, so its source cannot add it: rename the source's label");
            if (sourceLabels.Take(i).Any(other => other.Key == label))
                throw new MetricException(family.Name, $"is given the label '{label}' twice by its source");
        }
    }
}

/// <summary>Whether a series of a family, with these label values, is shown.</summary>
internal delegate bool SeriesFilter(MetricDesc family, ReadOnlySpan<string> labelValues);
