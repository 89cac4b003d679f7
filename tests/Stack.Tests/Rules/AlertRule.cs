using PipelineExporter.Stack.Tests.Tools;
using YamlDotNet.Serialization;
using YamlDotNet.Serialization.NamingConventions;

namespace PipelineExporter.Stack.Tests.Rules;

/// <summary>An alert of prometheus/rules, as it is written there.</summary>
internal sealed class AlertRule
{
    public string Alert { get; set; } = "";
    public string Record { get; set; } = "";
    public string Expr { get; set; } = "";
    public string For { get; set; } = "";
    public string KeepFiringFor { get; set; } = "";
    public Dictionary<string, string> Labels { get; set; } = [];
    public Dictionary<string, string> Annotations { get; set; } = [];

    [YamlIgnore]
    public string File { get; private set; } = "";

    public static IReadOnlyList<AlertRule> All { get; } = Load();

    /// <summary>Several rules may share a name: a critical and a warning shape of the same alert.</summary>
    public static IEnumerable<string> Names => All.Select(rule => rule.Alert).Distinct();

    private static List<AlertRule> Load()
    {
        var yaml = new DeserializerBuilder().WithNamingConvention(UnderscoredNamingConvention.Instance).Build();
        var rules = new List<AlertRule>();
        foreach (var file in Repository.Files("prometheus/rules", "*.rules.yml"))
        {
            foreach (var rule in yaml.Deserialize<RuleFile>(System.IO.File.ReadAllText(Repository.File(file))).Groups.SelectMany(group => group.Rules))
            {
                rule.File = file;
                if (rule.Alert != "")
                    rules.Add(rule);
            }
        }

        return rules;
    }

    private sealed class RuleFile
    {
        public List<RuleGroup> Groups { get; set; } = [];
    }

    private sealed class RuleGroup
    {
        public string Name { get; set; } = "";
        public List<AlertRule> Rules { get; set; } = [];
    }
}
