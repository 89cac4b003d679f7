using PipelineExporter.Stack.Tests.Tools;

namespace PipelineExporter.Stack.Tests.Rules;

/// <summary>The tools' own word on the files under prometheus/.</summary>
public sealed class PrometheusFilesTests
{
    public static TheoryData<string> RuleTests => [.. Repository.Files("prometheus/tests", "*.test.yml")];

    [Fact]
    public async Task Prometheus_accepts_its_configuration_and_every_rule_file_that_it_names()
    {
        var output = await Command.SucceedAsync("promtool", "check", "config", "--lint=all", "--lint-fatal", "prometheus/prometheus.yml");

        Assert.Contains($"SUCCESS: {Repository.Files("prometheus/rules", "*").Count} rule files found", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Promtool_finds_nothing_to_say_about_the_rules() =>
        await Command.SucceedAsync(
            "promtool", ["check", "rules", "--lint=all", "--lint-fatal", .. Repository.Files("prometheus/rules", "*.rules.yml")]);

    [Theory]
    [MemberData(nameof(RuleTests))]
    public async Task Rule_tests_pass(string file) => await Command.SucceedAsync("promtool", "test", "rules", file);

    [Fact]
    public async Task Alertmanager_accepts_its_configuration_and_templates()
    {
        var output = await Command.SucceedAsync("amtool", "check-config", "prometheus/alertmanager/alertmanager.yml");

        Assert.Contains("1 templates", output, StringComparison.Ordinal);
    }

    /// <summary>The settings for production stand in a comment: they must not rot there.</summary>
    [Fact]
    public async Task Alertmanager_accepts_the_settings_for_production_that_its_configuration_describes()
    {
        using var folder = new TemporaryDirectory();
        var copy = folder.CopyOf(Repository.File("prometheus", "alertmanager"));
        var lines = await File.ReadAllLinesAsync(Path.Combine(copy, "alertmanager.yml"), TestContext.Current.CancellationToken);
        var production = lines.Where(line => line.StartsWith("#   ", StringComparison.Ordinal)).Select(line => $"  {line[4..]}").ToList();
        Assert.Contains(production, line => line.Contains("smtp_auth_password_file", StringComparison.Ordinal));
        Assert.Contains(production, line => line.Contains("slack_api_url_file", StringComparison.Ordinal));

        var global = Array.IndexOf(lines, "global:");
        var end = Array.FindIndex(lines, global + 1, line => !line.StartsWith("  ", StringComparison.Ordinal));
        await File.WriteAllLinesAsync(
            Path.Combine(copy, "production.yml"), [.. lines[..(global + 1)], .. production, .. lines[end..]], TestContext.Current.CancellationToken);

        await Command.SucceedAsync("amtool", "check-config", Path.Combine(copy, "production.yml"));
    }

    [Fact]
    public async Task Yaml_is_tidy() => await Command.SucceedAsync("yamllint", "--strict", ".");
}
