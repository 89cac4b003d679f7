namespace PipelineExporter.Stack.Tests.Grafana;

public sealed class MetricCatalogTests
{
    [Fact]
    public void A_page_tells_its_metrics_and_their_labels()
    {
        var catalog = MetricCatalog.OfPage(
            """
            # HELP a_total Help, with {braces="and quotes"}.
            # TYPE a_total counter
            a_total{x="1",y="a \"quoted\", {odd} value"} 3
            a_total{x="2",z=""} 4
            b_seconds_bucket{le="+Inf"} 5
            c 1.5e-3
            """);

        Assert.Equal(["a_total", "b_seconds_bucket", "c"], catalog.Names);
        Assert.Equal(["instance", "job", "x", "y", "z"], catalog.LabelsOf("a_total").Order());
        Assert.Equal(["instance", "job"], catalog.LabelsOf("c").Order());
    }

    [Fact]
    public void What_is_no_sample_is_refused() => Assert.Throws<FormatException>(() => MetricCatalog.OfPage("<html>"));

    [Fact]
    public void Two_catalogs_hold_what_either_holds()
    {
        var both = MetricCatalog.OfPage("a{x=\"1\"} 1").With(MetricCatalog.OfPage("a{y=\"1\"} 1\nb 1"));

        Assert.Equal(["a", "b"], both.Names);
        Assert.True(both.LabelsOf("a").IsSupersetOf(["x", "y"]));
    }

    [Fact]
    public void A_recorded_series_has_the_labels_that_it_is_grouped_by_and_those_that_its_rule_adds()
    {
        var catalog = RecordingRules.OfFiles([
            """
            groups:
              - name: one
                rules:
                  - record: a:b:c
                    expr: max by (x, y) (b{z="1"})
                    labels: { w: "1" }
                  - alert: D
                    expr: e > 1
            """,
        ]);

        Assert.Equal(["a:b:c"], catalog.Names);
        Assert.Equal(["instance", "job", "w", "x", "y"], catalog.LabelsOf("a:b:c").Order());
    }
}
