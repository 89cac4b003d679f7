using System.Buffers;
using System.Globalization;
using System.Text;

namespace PipelineExporter.Metrics;

/// <summary>
/// Writes the samples of one series name in Prometheus' text format, 0.0.4. A registry of prometheus-net would keep, hash and check
/// each of them first, for a page that is rendered once: four times the work (docs/adr/0001-render-when-published.md).
/// </summary>
/// <param name="sourceLabels">Come first in each sample.</param>
/// <param name="labels">Names of the others; each sample has their values.</param>
internal sealed class SampleWriter(
    DeflatedTextWriter output, string name, IReadOnlyList<KeyValuePair<string, string>> sourceLabels, IReadOnlyList<string> labels)
{
    private const int LongestNumber = 32;

    // The text of a large family would be megabytes, garbage as soon as it is compressed.
    private const int AtOnce = 32 * 1024;

    private readonly ArrayBufferWriter<byte> text = new();
    private readonly byte[] start = Encoding.UTF8.GetBytes(name + string.Concat(sourceLabels.Select((label, i) => $"{(i == 0 ? '{' : ',')}{label.Key}=\"{Escaped(label.Value)}\"")));
    private readonly byte[][] names = [.. labels.Select((label, i) => Encoding.UTF8.GetBytes($"{(i == 0 && sourceLabels.Count == 0 ? '{' : ',')}{label}=\""))];

    public void Write(ReadOnlySpan<string> labelValues, double value)
    {
        text.Write(start);
        for (var i = 0; i < names.Length; i++)
        {
            text.Write(names[i]);
            Encoding.UTF8.GetBytes(Escaped(labelValues[i]), text);
            text.Write("\""u8);
        }

        text.Write(names.Length > 0 || sourceLabels.Count > 0 ? "} "u8 : " "u8);
        WriteNumber(value);
        text.Write("\n"u8);
        if (text.WrittenCount >= AtOnce)
            Flush();
    }

    public void Flush()
    {
        output.Write(text.WrittenSpan);
        text.ResetWrittenCount();
    }

    private void WriteNumber(double value)
    {
        if (double.IsInfinity(value))
        {
            text.Write(value > 0 ? "+Inf"u8 : "-Inf"u8);
            return;
        }

        // The shortest text that is read as this very number.
        value.TryFormat(text.GetSpan(LongestNumber), out var written, provider: CultureInfo.InvariantCulture);
        text.Advance(written);
    }

    private static string Escaped(string value) => value.AsSpan().ContainsAny('\\', '\n', '"')
        ? value.Replace("\\", @"\\", StringComparison.Ordinal).Replace("\n", @"\n", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)
        : value;
}
