using System.Globalization;
using System.Text.RegularExpressions;

namespace PipelineExporter.Stack.Tests.Tools;

/// <summary>One answer of /metrics, how long it took, and when it was whole.</summary>
internal sealed partial class MetricsPage
{
    private readonly ILookup<string, (Dictionary<string, string> Labels, double Value)> samples;

    public MetricsPage(string text, TimeSpan took, DateTimeOffset at)
    {
        (Text, Took, At) = (text, took, at);
        samples = text.Split('\n').Where(line => line.Length > 0 && line[0] != '#').Select(Parse).ToLookup(sample => sample.Name, sample => (sample.Labels, sample.Value));
    }

    public string Text { get; }

    public TimeSpan Took { get; }

    public DateTimeOffset At { get; }

    /// <summary>The samples of a metric that carry these labels.</summary>
    public IEnumerable<(Dictionary<string, string> Labels, double Value)> Of(string name, params (string Label, string Value)[] labels) =>
        samples[name].Where(sample => labels.All(label => sample.Labels.GetValueOrDefault(label.Label) == label.Value));

    /// <summary>The one sample of them, or null.</summary>
    public double? Value(string name, params (string Label, string Value)[] labels) =>
        Of(name, labels).Select(sample => (double?)sample.Value).SingleOrDefault();

    private static (string Name, Dictionary<string, string> Labels, double Value) Parse(string line)
    {
        var end = line.LastIndexOf(' ');
        var brace = line.IndexOf('{', StringComparison.Ordinal);
        var name = line[..(brace < 0 ? end : brace)];
        var labels = brace < 0 ? [] : Label.Matches(line[brace..end]).ToDictionary(match => match.Groups["name"].Value, match => match.Groups["value"].Value);
        var value = line[(end + 1)..];
        return (name, labels, value == "+Inf" ? double.PositiveInfinity : double.Parse(value, CultureInfo.InvariantCulture));
    }

    [GeneratedRegex("""(?<name>[a-zA-Z_]\w*)="(?<value>([^"\\]|\\.)*)"(,|\})""", RegexOptions.ExplicitCapture)]
    private static partial Regex Label { get; }
}
