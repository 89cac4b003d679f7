using System.Text.RegularExpressions;

namespace PipelineExporter.Stack.Tests.Grafana;

/// <summary>Which metrics exist, with which labels: by their sample names, so that a histogram is three of them.</summary>
internal sealed partial class MetricCatalog
{
    private readonly Dictionary<string, HashSet<string>> labels = new(StringComparer.Ordinal);

    public IReadOnlyCollection<string> Names => labels.Keys;

    /// <summary>Prometheus adds these to what it scrapes, and these metrics to what it has scraped: what its rules record is among them.</summary>
    public static MetricCatalog OfPrometheusItself()
    {
        var catalog = new MetricCatalog();
        catalog.Add("up");
        // An alert carries its own labels and those of the metrics that it is made of.
        foreach (var name in (string[])["ALERTS", "ALERTS_FOR_STATE"])
            catalog.Add(name, "alertname", "alertstate", "severity", "family", "environment", "dag_id", "collector", "source",
                "account_id", "region", "job_name", "bucket", "table", "group");
        return catalog.With(RecordingRules.Catalog);
    }

    /// <summary>What a page in Prometheus' text format holds. A family without samples is not known.</summary>
    public static MetricCatalog OfPage(string text)
    {
        var catalog = new MetricCatalog();
        foreach (var line in text.Split('\n').Where(line => line.Length > 0 && line[0] != '#'))
        {
            var sample = Sample.Match(line);
            if (!sample.Success)
                throw new FormatException($"'{line}' is no sample");
            catalog.Add(sample.Groups["name"].Value, [.. Label.Matches(sample.Groups["labels"].Value).Select(match => match.Groups["name"].Value)]);
        }

        return catalog;
    }

    public MetricCatalog With(MetricCatalog other)
    {
        var both = new MetricCatalog();
        foreach (var (name, names) in labels.Concat(other.labels))
            both.Add(name, [.. names]);
        return both;
    }

    public bool Has(string metric) => labels.ContainsKey(metric);

    public IReadOnlySet<string> LabelsOf(string metric) => labels[metric];

    public void Add(string metric, params ReadOnlySpan<string> names)
    {
        if (!labels.TryGetValue(metric, out var known))
            labels.Add(metric, known = ["instance", "job"]);
        foreach (var name in names)
            known.Add(name);
    }

    [GeneratedRegex("""^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?<labels>([^"}]|"([^"\\]|\\.)*")*)\})? """, RegexOptions.ExplicitCapture)]
    private static partial Regex Sample { get; }

    [GeneratedRegex("""(?<name>[a-zA-Z_]\w*)="([^"\\]|\\.)*"(,|$)""", RegexOptions.ExplicitCapture)]
    private static partial Regex Label { get; }
}
