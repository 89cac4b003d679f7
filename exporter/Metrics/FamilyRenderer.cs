using System.Collections.Immutable;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using Prometheus;

namespace PipelineExporter.Metrics;

/// <summary>
/// Renders a family through a fresh prometheus-net registry. With SelfMetrics the only file that knows prometheus-net:
/// its registries cannot forget a series and tear under concurrent updates, so none outlives a rendering.
/// </summary>
internal static class FamilyRenderer
{
    /// <summary>Renders each family of the sink; one whose samples are those of <paramref name="previous"/> is taken from there.</summary>
    public static ImmutableArray<FamilyPart> Render(MetricSink sink, ImmutableArray<FamilyPart> previous)
    {
        var parts = ImmutableArray.CreateBuilder<FamilyPart>();
        foreach (var (family, samples) in sink.Families)
        {
            var fingerprint = Fingerprint(family, sink.SourceLabels, samples);
            var same = previous.IsDefaultOrEmpty
                ? null
                : previous.FirstOrDefault(part => part.Name == family.Name && part.Fingerprint == fingerprint);
            parts.Add(same ?? Render(family, sink.SourceLabels, samples, fingerprint));
        }

        return parts.ToImmutable();
    }

    private static FamilyPart Render(
        MetricDesc family,
        ImmutableArray<KeyValuePair<string, string>> sourceLabels,
        IReadOnlyDictionary<string[], double[]> samples,
        UInt128 fingerprint)
    {
        var registry = Prometheus.Metrics.NewCustomRegistry();
        var factory = Prometheus.Metrics.WithCustomRegistry(registry);
        string[] names = [.. sourceLabels.Select(label => label.Key), .. family.Labels];
        string[] values = [.. sourceLabels.Select(label => label.Value), .. new string[family.Labels.Length]];
        var set = Setter(family, factory, names);
        foreach (var (labelValues, numbers) in samples)
        {
            labelValues.CopyTo(values, sourceLabels.Length);
            set([.. values], numbers);
        }

        using var text = new MemoryStream();
        // Writes to memory only, so it completes at once.
        registry.CollectAndExportAsTextAsync(text, ExpositionFormat.PrometheusText).GetAwaiter().GetResult();
        var header = HeaderOf(family);
        var lines = text.GetBuffer().AsSpan(0, (int)text.Length);
        if (!lines.StartsWith(header.Plain))
            throw new MetricException(family.Name, "was rendered with another header than expected");
        return new FamilyPart(
            family.Name, header, new RenderedBytes(lines[header.Plain.Length..].ToArray()), samples.Count, fingerprint);
    }

    private static RenderedBytes HeaderOf(MetricDesc family) =>
        new(Encoding.UTF8.GetBytes($"# HELP {family.Name} {family.Help}\n# TYPE {family.Name} {family.Type.ToString().ToLowerInvariant()}\n"));

    private static Action<string[], double[]> Setter(MetricDesc family, IMetricFactory factory, string[] labelNames)
    {
        switch (family.Type)
        {
            case MetricType.Counter:
                var counter = factory.CreateCounter(
                    family.Name, family.Help, new CounterConfiguration { LabelNames = labelNames, SuppressInitialValue = true });
                return (labels, numbers) => counter.WithLabels(labels).IncTo(numbers[0]);
            case MetricType.Gauge:
                var gauge = factory.CreateGauge(
                    family.Name, family.Help, new GaugeConfiguration { LabelNames = labelNames, SuppressInitialValue = true });
                return (labels, numbers) => gauge.WithLabels(labels).Set(numbers[0]);
            default:
                var histogram = factory.CreateHistogram(family.Name, family.Help, new HistogramConfiguration
                {
                    LabelNames = labelNames,
                    SuppressInitialValue = true,
                    Buckets = family.Buckets.IsEmpty ? [double.PositiveInfinity] : [.. family.Buckets],
                });
                return (labels, numbers) => Observe(family, histogram.WithLabels(labels), numbers);
        }
    }

    // A prometheus-net histogram can only be observed into: a bucket's mean, as often as the bucket was hit, restores count
    // and sum. Rounding may push a mean over its bucket's edge, so it is clamped.
    private static void Observe(MetricDesc family, Histogram.Child histogram, double[] numbers)
    {
        histogram.Publish();
        var buckets = family.Buckets;
        for (var i = 0; i <= buckets.Length; i++)
        {
            var (count, sum) = (numbers[i], numbers[buckets.Length + 1 + i]);
            if (count == 0)
                continue;
            var mean = sum / count;
            if (i > 0)
                mean = Math.Max(mean, double.BitIncrement(buckets[i - 1]));
            if (i < buckets.Length)
                mean = Math.Min(mean, buckets[i]);
            histogram.Observe(mean, (long)count);
        }
    }

    private static UInt128 Fingerprint(
        MetricDesc family, ImmutableArray<KeyValuePair<string, string>> sourceLabels, IReadOnlyDictionary<string[], double[]> samples)
    {
        var hash = new XxHash128();
        Append(hash, family.Name);
        foreach (var (name, value) in sourceLabels)
        {
            Append(hash, name);
            Append(hash, value);
        }

        foreach (var (labelValues, numbers) in samples)
        {
            foreach (var value in labelValues)
                Append(hash, value);
            hash.Append(MemoryMarshal.AsBytes(numbers.AsSpan()));
        }

        return hash.GetCurrentHashAsUInt128();
    }

    private static void Append(XxHash128 hash, string text)
    {
        ReadOnlySpan<int> length = [text.Length];
        hash.Append(MemoryMarshal.AsBytes(length));
        hash.Append(MemoryMarshal.AsBytes(text.AsSpan()));
    }
}
