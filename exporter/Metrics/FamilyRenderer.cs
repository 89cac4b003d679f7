using System.Collections.Immutable;
using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;

namespace PipelineExporter.Metrics;

/// <summary>Renders families, sample by sample, into compressed text.</summary>
internal static class FamilyRenderer
{
    /// <summary>
    /// Renders the sink's gauges, or what it holds besides; a family whose samples are those of <paramref name="previous"/> is
    /// taken from there.
    /// </summary>
    public static ImmutableArray<FamilyPart> Render(MetricSink sink, bool gauges, ImmutableArray<FamilyPart> previous)
    {
        var parts = ImmutableArray.CreateBuilder<FamilyPart>();
        foreach (var (family, samples) in sink.Families.Where(one => one.Family.Type == MetricType.Gauge == gauges))
        {
            var fingerprint = Fingerprint(family, sink.SourceLabels, samples);
            var before = previous.IsDefaultOrEmpty ? null : previous.FirstOrDefault(part => part.Name == family.Name);
            parts.Add(before?.Fingerprint == fingerprint
                ? before
                : Render(family, sink.SourceLabels, samples, before?.Header, fingerprint));
        }

        return parts.ToImmutable();
    }

    private static FamilyPart Render(
        MetricDesc family,
        ImmutableArray<KeyValuePair<string, string>> sourceLabels,
        IReadOnlyDictionary<string[], double[]> samples,
        DeflatedText? header,
        UInt128 fingerprint)
    {
        using var lines = new DeflatedTextWriter();
        if (family.Type == MetricType.Histogram)
            WriteHistogram(lines, family, sourceLabels, samples);
        else
            WriteLines(lines, family.Name, sourceLabels, family.Labels, samples.Select(sample => (sample.Key, sample.Value[0])));
        header ??= DeflatedText.Of(Encoding.UTF8.GetBytes(
            $"# HELP {family.Name} {family.Help}\n# TYPE {family.Name} {family.Type.ToString().ToLowerInvariant()}\n"));
        var source = string.Join(',', sourceLabels.Select(label => $"{label.Key}={label.Value}"));
        return new(family.Name, source, header, lines.Finish(), samples.Count * family.SeriesEach, fingerprint);
    }

    private static void WriteHistogram(
        DeflatedTextWriter lines,
        MetricDesc family,
        ImmutableArray<KeyValuePair<string, string>> sourceLabels,
        IReadOnlyDictionary<string[], double[]> samples)
    {
        string[] bounds = [.. family.Buckets.Select(bound => bound.ToString(CultureInfo.InvariantCulture)), "+Inf"];
        WriteLines(lines, $"{family.Name}_bucket", sourceLabels, [.. family.Labels, "le"], Cumulative());
        WriteLines(lines, $"{family.Name}_sum", sourceLabels, family.Labels, samples.Select(sample => (sample.Key, sample.Value[^1])));
        WriteLines(
            lines, $"{family.Name}_count", sourceLabels, family.Labels, samples.Select(sample => (sample.Key, sample.Value[..^1].Sum())));

        IEnumerable<(string[] LabelValues, double Value)> Cumulative()
        {
            foreach (var (labelValues, numbers) in samples)
            {
                var count = 0.0;
                for (var i = 0; i < bounds.Length; i++)
                    yield return ([.. labelValues, bounds[i]], count += numbers[i]);
            }
        }
    }

    private static void WriteLines(
        DeflatedTextWriter lines,
        string name,
        ImmutableArray<KeyValuePair<string, string>> sourceLabels,
        ImmutableArray<string> labels,
        IEnumerable<(string[] LabelValues, double Value)> samples)
    {
        var writer = new SampleWriter(lines, name, sourceLabels, labels);
        foreach (var (labelValues, value) in samples)
            writer.Write(labelValues, value);
        writer.Flush();
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
