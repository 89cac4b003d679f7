using PipelineExporter.Metrics;

namespace PipelineExporter.Tests.Metrics;

public sealed class MetricDescTests
{
    [Theory]
    [InlineData("")]
    [InlineData("1st")]
    [InlineData("dag-runs")]
    [InlineData("dag runs")]
    [InlineData("dag_runs\n")]
    [InlineData("job:dag_runs")]
    [InlineData("läufe")]
    public void An_illegal_name_is_refused(string name) =>
        Assert.Contains("is not a legal metric name", Refused(name, () => MetricDesc.Gauge(name, "Help.")));

    [Fact]
    public void A_name_ends_in_total_if_and_only_if_it_is_a_counter()
    {
        Assert.Contains("_total", Refused("runs", () => MetricDesc.Counter("runs", "Help.")));
        Assert.Contains("_total", Refused("runs_total", () => MetricDesc.Gauge("runs_total", "Help.")));
        Assert.Contains("_total", Refused("runs_total", () => MetricDesc.Histogram("runs_total", "Help.", [])));
    }

    [Theory]
    [InlineData("runs_bucket")]
    [InlineData("runs_sum")]
    [InlineData("runs_count")]
    public void A_name_that_could_be_a_histograms_series_is_refused(string name) =>
        Assert.Contains("_bucket, _sum, _count", Refused(name, () => MetricDesc.Gauge(name, "Help.")));

    [Theory]
    [InlineData("")]
    [InlineData("two\nlines")]
    [InlineData("""a \ backslash""")]
    public void A_help_text_that_prometheus_net_would_write_wrongly_is_refused(string help) =>
        Assert.Contains("needs a help text", Refused("runs", () => MetricDesc.Gauge("runs", help)));

    [Theory]
    [InlineData("dag-id")]
    [InlineData("")]
    [InlineData("dag_id\n")]
    [InlineData("__name__")]
    [InlineData("le")]
    [InlineData("quantile")]
    [InlineData("a:b")]
    public void An_illegal_label_is_refused(string label) =>
        Assert.Contains($"illegal label name '{label}'", Refused("runs", () => MetricDesc.Gauge("runs", "Help.", label)));

    [Fact]
    public void A_label_named_twice_is_refused() =>
        Assert.Contains("names a label twice", Refused("runs", () => MetricDesc.Gauge("runs", "Help.", "dag_id", "state", "dag_id")));

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(1, double.PositiveInfinity)]
    [InlineData(double.NaN, 1)]
    [InlineData(double.NegativeInfinity, 1)]
    public void Buckets_that_are_not_finite_and_ascending_are_refused(double first, double second) =>
        Assert.Contains("ascending", Refused("runs", () => MetricDesc.Histogram("runs", "Help.", [first, second])));

    [Fact]
    public void A_value_on_a_bound_belongs_to_the_bucket_below()
    {
        var histogram = MetricDesc.Histogram("duration_seconds", "Help.", [1, 5]);
        Assert.Equal([0, 0, 1, 1, 2, 2], new[] { 0.0, 1.0, 1.0000001, 5.0, 5.1, double.MaxValue }.Select(histogram.BucketOf));
    }

    [Fact]
    public void A_histogram_is_as_many_series_as_prometheus_makes_of_it()
    {
        Assert.Equal(5, MetricDesc.Histogram("duration_seconds", "Help.", [1, 5]).SeriesEach); // three buckets, sum, count
        Assert.Equal(3, MetricDesc.Histogram("duration_seconds", "Help.", []).SeriesEach);
        Assert.Equal(1, MetricDesc.Counter("runs_total", "Help.").SeriesEach);
    }

    private static string Refused(string name, Func<MetricDesc> create)
    {
        var e = Assert.Throws<MetricException>(create);
        Assert.Equal(name, e.Metric);
        Assert.StartsWith($"metric {name}: ", e.Message, StringComparison.Ordinal);
        return e.Message;
    }
}
