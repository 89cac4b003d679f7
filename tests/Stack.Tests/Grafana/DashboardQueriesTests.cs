using System.Text;
using PipelineExporter.Stack.Tests.Tools;

namespace PipelineExporter.Stack.Tests.Grafana;

/// <summary>What the dashboards ask: that it is PromQL, asked as the conventions want it, and of metrics that exist.</summary>
public sealed class DashboardQueriesTests
{
    private static readonly string[] Counters = ["_total", "_sum", "_count", "_bucket"];

    private static readonly string[] OfEachExporter =
    [
        "pipeline_exporter_aws_cost_usd_total", "pipeline_exporter_aws_requests_total", "pipeline_exporter_cloudwatch_billed_metrics_total",
        "pipeline_exporter_source_requests_total",
    ];

    public static TheoryData<string> Files => [.. Dashboard.Files];

    [Theory]
    [MemberData(nameof(Files))]
    public async Task Promtool_can_parse_every_query(string file)
    {
        var queries = DashboardQuery.Of(Dashboard.Load(file), TimeSpan.FromMinutes(2), TimeSpan.FromHours(24)).ToList();
        var rules = new StringBuilder("groups:\n- name: queries\n  rules:\n");
        for (var i = 0; i < queries.Count; i++)
            rules.Append($"  - record: dashboard:query{i}\n    expr: |\n").AppendJoin('\n', queries[i].Expression.Split('\n').Select(line => $"      {line}")).Append('\n');
        using var folder = new TemporaryDirectory();
        var path = folder.File("queries.yml");
        await File.WriteAllTextAsync(path, rules.ToString(), TestContext.Current.CancellationToken);

        var output = await Command.SucceedAsync("promtool", "check", "rules", "--lint=none", path);

        Assert.Contains($"{queries.Count} rules found", output, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void A_counter_stands_in_rate_or_increase_and_a_gauge_does_not(string file) => EachSelector(file, (_, selector) =>
    {
        var changes = selector.Function is "rate" or "irate" or "increase";
        Assert.Equal(Counters.Any(suffix => selector.Metric.EndsWith(suffix, StringComparison.Ordinal)), changes);
    });

    [Theory]
    [MemberData(nameof(Files))]
    public void A_rate_is_over_the_rate_interval_and_only_what_is_asked_of_one_instant_counts_over_another_range(string file) => EachSelector(file, (target, selector) =>
    {
        // "@ end()" is how a range query chooses once which series it draws: the ten largest of the whole range.
        var one = target.Instant || selector.At == "end()";
        if (selector.Function is "rate" or "irate" || (selector.Function == "increase" && !one))
            Assert.Equal("$__rate_interval", selector.Range);
        else if (selector.Function == "increase")
            Assert.Contains(selector.Range, (string[])["$__range", "1h"]);
        else if (selector.Function is "max_over_time" or "min_over_time")
            Assert.Equal(("$__range", "end()"), (selector.Range, selector.At));
        else
            Assert.Null(selector.Range);
    });

    [Theory]
    [MemberData(nameof(Files))]
    public void A_query_keeps_no_label_of_one_scrape_target(string file) => EachQuery(file, (_, query) =>
    {
        // An exporter that is replaced, or a second one, must not double what is shown: counters are summed only after the
        // highest of the exporters was taken. What each of them asks, and is billed for, adds up.
        foreach (var selector in query.Selectors.Where(selector => selector.Function is "rate" or "increase" && !OfEachExporter.Contains(selector.Metric)))
            Assert.Contains("instance", query.GroupingLabels);
        Assert.All(query.Selectors, selector => Assert.DoesNotContain(selector.Matchers, matcher => matcher.Label is "instance" or "pod"));
    });

    [Theory]
    [MemberData(nameof(Files))]
    public void A_metric_is_asked_for_what_the_reader_chose(string file)
    {
        var variables = Dashboard.Load(file).Variables.Where(DashboardQuery.IsQuery).Select(one => one.GetProperty("name").GetString()!).ToList();
        EachSelector(file, (_, selector) =>
        {
            foreach (var variable in variables.Where(variable => DeclaredMetrics.Catalog.LabelsOf(selector.Metric).Contains(variable)))
            {
                // Alerts are of an environment or of none, and ALERTS_FOR_STATE is joined with the ALERTS that were chosen.
                if (selector.Metric.StartsWith("ALERTS", StringComparison.Ordinal) && (variable != "environment" || selector.Matchers.All(matcher => matcher.Label != "severity")))
                    continue;
                Assert.Contains(selector.Matchers, matcher => matcher.Label == variable);
            }
        });
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void A_variable_of_many_values_is_matched_as_a_pattern(string file) => EachSelector(file, (_, selector) =>
        Assert.All(selector.Matchers.Where(matcher => matcher.Value.Contains('$', StringComparison.Ordinal)), matcher =>
            Assert.Equal("=~", matcher.Operator)));

    [Theory]
    [MemberData(nameof(Files))]
    public void Every_metric_and_label_exists(string file) => AssertKnown(Dashboard.Load(file), DeclaredMetrics.Catalog);

    /// <summary>Fails unless every metric and every label that the dashboard names, its variables included, is in the catalog.</summary>
    internal static void AssertKnown(Dashboard dashboard, MetricCatalog catalog) => Assert.All(
        DashboardQuery.Of(dashboard, TimeSpan.FromMinutes(2), TimeSpan.FromHours(24)), asked =>
        {
            var query = PromQl.Parse(asked.Expression);
            Assert.All(query.Selectors, selector =>
            {
                Assert.True(catalog.Has(selector.Metric), $"{asked}: there is no metric {selector.Metric}");
                Assert.All(selector.Matchers, matcher => Assert.True(
                    catalog.LabelsOf(selector.Metric).Contains(matcher.Label), $"{asked}: {selector.Metric} has no label {matcher.Label}"));
            });
            string[] known = ["instance", "pod", "le", .. query.AddedLabels, .. query.Selectors.SelectMany(selector => catalog.LabelsOf(selector.Metric))];
            Assert.All(query.GroupingLabels, label => Assert.True(known.Contains(label), $"{asked}: nothing in it has the label {label}"));
        });

    private static void EachQuery(string file, Action<Target, PromQl> check) => Assert.All(
        Dashboard.Load(file).Panels.SelectMany(panel => panel.Targets), target => check(target, PromQl.Parse(target.Expression)));

    private static void EachSelector(string file, Action<Target, Selector> check) =>
        EachQuery(file, (target, query) => Assert.All(query.Selectors, selector => check(target, selector)));
}
