namespace PipelineExporter.Stack.Tests.Grafana;

public sealed class PromQlTests
{
    [Fact]
    public void It_names_the_metrics_and_neither_functions_nor_keywords_nor_what_stands_in_strings()
    {
        var query = PromQl.Parse(
            """
            round(sum by (a, b) (max without (instance) (increase(x_total{s="y{z}", t=~"$v|"}[$__rate_interval])))) >= bool 1.5e3
              or 0 * count(z) unless on (c) topk(10, time() - min(w offset 5m)) and ignoring () {__name__="n"}
            """);

        Assert.Equal(["x_total", "z", "w", ""], query.Selectors.Select(selector => selector.Metric));
        Assert.Equal([new("s", "=", "y{z}"), new LabelMatcher("t", "=~", "$v|")], query.Selectors[0].Matchers);
        Assert.Equal(["a", "b", "instance", "c"], query.GroupingLabels);
    }

    [Theory]
    [InlineData("increase(x[5m])", "increase", "5m")]
    [InlineData("rate(x{a=\"b\"}[$__rate_interval]) / y", "rate", "$__rate_interval")]
    [InlineData("sum(x)", "sum", null)]
    [InlineData("sum by (a) (x)", "sum", null)]
    [InlineData("sum without (a) ((x))", "", null)]
    [InlineData("max_over_time(x[1h:1m])", "max_over_time", "1h:1m")]
    [InlineData("x", "", null)]
    public void It_knows_the_range_of_a_selector_and_the_function_around_it(string query, string function, string? range)
    {
        var selector = PromQl.Parse(query).Selectors[0];

        Assert.Equal((function, range), (selector.Function, selector.Range));
    }

    [Theory]
    [InlineData("x{a=\"b\"} @ end()", "end()")]
    [InlineData("sum(increase(x[5m] @ start()))", "start()")]
    [InlineData("x[5m] @ 1700000000 offset 5m", "1700000000")]
    [InlineData("x offset 5m", null)]
    public void It_knows_the_moment_that_a_selector_is_pinned_to(string query, string? at)
    {
        var selector = Assert.Single(PromQl.Parse(query).Selectors);

        Assert.Equal(("x", at), (selector.Metric, selector.At));
    }

    [Fact]
    public void It_knows_the_labels_that_a_query_adds_itself() => Assert.Equal(
        ["one", "two"],
        PromQl.Parse("""label_replace(label_join(x{a="b"}, "one", "-", "a"), "two", "$1", "one", "(.*)")""").AddedLabels.Order());

    [Theory]
    [InlineData("sum(x")]
    [InlineData("x)")]
    [InlineData("x{a=\"b\"")]
    [InlineData("sum by (a, \"b\") (x)")]
    public void What_is_no_query_is_refused(string query) => Assert.Throws<FormatException>(() => PromQl.Parse(query));
}
