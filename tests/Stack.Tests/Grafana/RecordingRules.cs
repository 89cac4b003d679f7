using PipelineExporter.Stack.Tests.Tools;
using YamlDotNet.RepresentationModel;

namespace PipelineExporter.Stack.Tests.Grafana;

/// <summary>The series that the rules of prometheus/rules record.</summary>
internal static class RecordingRules
{
    public static MetricCatalog Catalog { get; } = OfFiles(Repository.Files("prometheus/rules", "*.rules.yml").Select(file => File.ReadAllText(Repository.File(file))));

    /// <summary>A recorded series has the labels that its query groups by, and those that its rule adds.</summary>
    public static MetricCatalog OfFiles(IEnumerable<string> files)
    {
        var catalog = new MetricCatalog();
        foreach (var rule in files.SelectMany(Rules))
        {
            if (!rule.Children.TryGetValue("record", out var name))
                continue;
            var added = rule.Children.TryGetValue("labels", out var labels) ? ((YamlMappingNode)labels).Children.Keys.Select(label => label.ToString()) : [];
            catalog.Add(name.ToString(), [.. PromQl.Parse(rule["expr"].ToString()).GroupingLabels, .. added]);
        }

        return catalog;
    }

    private static IEnumerable<YamlMappingNode> Rules(string file)
    {
        var yaml = new YamlStream();
        yaml.Load(new StringReader(file));
        return ((YamlSequenceNode)yaml.Documents.Single().RootNode["groups"]).SelectMany(group => (YamlSequenceNode)group["rules"]).Cast<YamlMappingNode>();
    }
}
