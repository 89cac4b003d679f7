using PipelineExporter.Stack.Tests.Grafana;

namespace PipelineExporter.Stack.Tests.Rules;

/// <summary>What rules ask for exists: a rule about a metric that nobody exports is silent for ever.</summary>
public sealed class RuleMetricsTests
{
    /// <summary>cAdvisor and node_exporter measure workers where the exporter does not.</summary>
    private static readonly string[] OfOtherExporters = ["container_", "node_"];

    public static TheoryData<string> Alerts => [.. AlertRule.Names];

    [Theory]
    [MemberData(nameof(Alerts))]
    public void Every_metric_and_label_in_an_alert_exists(string name) => Assert.All(
        AlertRule.All.Where(rule => rule.Alert == name).SelectMany(rule => PromQl.Parse(rule.Expr).Selectors),
        selector =>
        {
            if (OfOtherExporters.Any(prefix => selector.Metric.StartsWith(prefix, StringComparison.Ordinal)))
                return;
            Assert.True(DeclaredMetrics.Catalog.Has(selector.Metric), $"nobody exports {selector.Metric}");
            var labels = DeclaredMetrics.Catalog.LabelsOf(selector.Metric);
            Assert.All(selector.Matchers, matcher => Assert.True(labels.Contains(matcher.Label) || matcher.Label == "job", $"{selector.Metric} has no label {matcher.Label}"));
        });
}
