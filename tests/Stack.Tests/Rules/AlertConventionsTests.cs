using System.Text.RegularExpressions;
using PipelineExporter.Stack.Tests.Tools;
using YamlDotNet.Serialization;

namespace PipelineExporter.Stack.Tests.Rules;

/// <summary>What every alert owes to the person whom it wakes, whatever it is about.</summary>
public sealed partial class AlertConventionsTests
{
    private static readonly string[] Severities = ["critical", "warning", "info", "none"];

    public static TheoryData<string> Names => [.. AlertRule.Names];

    [Theory]
    [MemberData(nameof(Names))]
    public void An_alert_has_a_known_severity_a_family_and_all_annotations(string name) => Assert.All(Rules(name), rule =>
    {
        Assert.Contains(rule.Labels["severity"], Severities);
        Assert.Matches("^[a-z][a-z0-9_]*$", rule.Labels["family"]);
        Assert.DoesNotContain("{{", rule.Annotations["summary"], StringComparison.Ordinal);
        Assert.NotEmpty(rule.Annotations["description"]);
        Assert.NotEmpty(rule.Annotations["value"]);
        Assert.StartsWith("{{ $externalLabels.grafana_url }}/d/", rule.Annotations["dashboard_url"], StringComparison.Ordinal);
    });

    [Theory]
    [MemberData(nameof(Names))]
    public void An_alert_links_its_own_runbook_and_not_by_way_of_an_exporter_that_is_down(string name) => Assert.All(Rules(name), rule => Assert.Equal(
        rule.Labels["family"] == "exporter"
            ? $"{{{{ $externalLabels.runbooks_url }}}}/{name}.md"
            : $"{{{{ $externalLabels.exporter_url }}}}/runbooks/{name}",
        rule.Annotations["runbook_url"]));

    [Theory]
    [MemberData(nameof(Names))]
    public void A_runbook_says_what_it_means_what_it_does_and_what_to_do(string name)
    {
        var lines = File.ReadAllLines(Repository.File("prometheus", "runbooks", $"{name}.md"));

        Assert.Equal($"# {name}", lines[0]);
        Assert.Equal(
            ["## Meaning", "## Impact", "## Diagnosis", "## Mitigation"],
            lines.Where(line => line.StartsWith("## ", StringComparison.Ordinal)));
    }

    /// <summary>By file: the exporter, Prometheus and a Git host all know it under this name.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void A_runbook_links_to_runbooks_that_exist(string name) => Assert.All(
        RunbookLink.Matches(File.ReadAllText(Repository.File("prometheus", "runbooks", $"{name}.md"))),
        link => Assert.Contains(link.Groups["file"].Value, AlertRule.Names.Select(alert => $"{alert}.md")));

    [Fact]
    public void There_is_no_runbook_without_an_alert() => Assert.Equal(
        AlertRule.Names.Order(StringComparer.Ordinal),
        Repository.Files("prometheus/runbooks", "*").Select(Path.GetFileNameWithoutExtension));

    [Theory]
    [MemberData(nameof(Names))]
    public void An_alert_is_tested_firing_and_silent(string name)
    {
        var cases = RuleTestCases().Where(test => test.Alertname == name).ToList();

        foreach (var severity in Rules(name).Select(rule => rule.Labels["severity"]))
            Assert.Contains(cases, test => test.ExpAlerts.Any(alert => alert.ExpLabels["severity"] == severity));
        if (Rules(name).All(rule => rule.Expr.Trim() != "vector(1)"))
            Assert.Contains(cases, test => test.ExpAlerts.Count == 0);
    }

    [Fact]
    public void Every_alert_of_a_rule_file_is_tested_in_the_file_of_the_same_name() => Assert.All(AlertRule.All, rule =>
    {
        var test = Repository.File("prometheus", "tests", Path.GetFileName(rule.File).Replace(".rules.yml", ".test.yml", StringComparison.Ordinal));
        Assert.Contains($"alertname: {rule.Alert}\n", File.ReadAllText(test), StringComparison.Ordinal);
    });

    /// <summary>Who measured it is no part of what is wrong: another exporter would be another alert.</summary>
    [Fact]
    public void An_alert_about_the_pipeline_names_no_exporter() => Assert.All(
        RuleTestCases().Where(test => AlertRule.All.Any(rule => rule.Alert == test.Alertname && rule.Labels["family"] != "exporter")),
        test => Assert.All(test.ExpAlerts, alert => Assert.Empty(alert.ExpLabels.Keys.Intersect(["instance", "pod", "job"]))));

    /// <summary>Two accounts, regions or environments may have a job, a bucket or a table of the same name.</summary>
    [Fact]
    public void An_alert_about_AWS_says_of_which_account_region_and_environment() => Assert.All(
        AlertRule.All.Where(rule => rule.File.EndsWith("glue.rules.yml", StringComparison.Ordinal) || rule.File.EndsWith("s3.rules.yml", StringComparison.Ordinal)
            || rule.File.EndsWith("dynamodb.rules.yml", StringComparison.Ordinal) || rule.Alert is "AwsAccessDenied" or "AwsSpendBrake" or "CloudWatchMetricsFailing"),
        rule =>
        {
            var groupings = Grouping.Matches(rule.Expr).Select(match => match.Groups["labels"].Value.Split(", ")).ToList();
            Assert.NotEmpty(groupings);
            Assert.All(groupings, labels => Assert.Superset(new HashSet<string>(["account_id", "region", "environment"]), labels.ToHashSet()));
        });

    [Fact]
    public void An_alert_about_a_DAG_links_to_it_in_Airflow() => Assert.All(
        AlertRule.All.Where(rule => rule.Annotations["dashboard_url"].Contains("var-dag_id", StringComparison.Ordinal)),
        rule => Assert.Contains(rule.Annotations.Keys, name => name is "dag_url" or "run_url"));

    [Fact]
    public void Nothing_waits_zero_minutes_and_nothing_smooths_what_it_waits_for() => Assert.All(AlertRule.All, rule =>
    {
        Assert.DoesNotMatch("^0", rule.For);
        if (rule.For != "")
            Assert.DoesNotMatch("(avg|min|max|sum|count)_over_time", rule.Expr);
    });

    [Fact]
    public void Addresses_of_links_stand_in_the_external_labels_alone_and_do_not_reach_alertmanager()
    {
        var prometheus = File.ReadAllText(Repository.File("prometheus", "prometheus.yml"));
        var used = AlertRule.All
            .SelectMany(rule => rule.Annotations.Values)
            .SelectMany(text => ExternalLabel.Matches(text))
            .Select(match => match.Groups["name"].Value)
            .Distinct()
            .ToList();
        var dropped = new Regex($"^{DroppedLabels.Match(prometheus).Groups["regex"].Value}$", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1));

        Assert.NotEmpty(used);
        Assert.All(used, name => Assert.Contains($"    {name}: http", prometheus, StringComparison.Ordinal));
        Assert.All(used, name => Assert.Matches(dropped, name));
        Assert.All(AlertRule.All, rule => Assert.All(rule.Annotations.Values, text => Assert.DoesNotContain("://", text, StringComparison.Ordinal)));
    }

    [GeneratedRegex(@"\b(by|on) \((?<labels>[^)]*)\)", RegexOptions.ExplicitCapture)]
    private static partial Regex Grouping { get; }

    [GeneratedRegex(@"\$externalLabels\.(?<name>\w+)", RegexOptions.ExplicitCapture)]
    private static partial Regex ExternalLabel { get; }

    [GeneratedRegex(@"\]\((?!https?:)(?<file>[^)]*)\)", RegexOptions.ExplicitCapture)]
    private static partial Regex RunbookLink { get; }

    [GeneratedRegex(@"- regex: (?<regex>\S+)\n\s+action: labeldrop", RegexOptions.ExplicitCapture)]
    private static partial Regex DroppedLabels { get; }

    private static IEnumerable<AlertRule> Rules(string name) => AlertRule.All.Where(rule => rule.Alert == name);

    private static IEnumerable<RuleTestCase> RuleTestCases()
    {
        var yaml = new DeserializerBuilder()
            .WithNamingConvention(YamlDotNet.Serialization.NamingConventions.UnderscoredNamingConvention.Instance)
            .IgnoreUnmatchedProperties()
            .Build();
        return Repository.Files("prometheus/tests", "*.test.yml")
            .SelectMany(file => yaml.Deserialize<RuleTestFile>(File.ReadAllText(Repository.File(file))).Tests)
            .SelectMany(group => group.AlertRuleTest);
    }

    private sealed class RuleTestFile
    {
        public List<RuleTestGroup> Tests { get; set; } = [];
    }

    private sealed class RuleTestGroup
    {
        public List<RuleTestCase> AlertRuleTest { get; set; } = [];
    }

    private sealed class RuleTestCase
    {
        public string Alertname { get; set; } = "";
        public List<ExpectedAlert> ExpAlerts { get; set; } = [];
    }

    private sealed class ExpectedAlert
    {
        public Dictionary<string, string> ExpLabels { get; set; } = [];
    }
}
