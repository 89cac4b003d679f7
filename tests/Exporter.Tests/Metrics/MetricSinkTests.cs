using System.Collections.Immutable;
using PipelineExporter.Metrics;

namespace PipelineExporter.Tests.Metrics;

public sealed class MetricSinkTests
{
    private static readonly MetricDesc Slots = MetricDesc.Gauge("airflow_pool_slots", "Slots.", "pool", "state");
    private static readonly MetricDesc Runs = MetricDesc.Counter("airflow_dag_runs_total", "Runs.", "dag_id");
    private static readonly MetricDesc Durations = MetricDesc.Histogram("airflow_dag_run_duration_seconds", "Durations.", [60, 300], "dag_id");

    [Fact]
    public void A_family_that_the_collector_does_not_declare_is_rejected() =>
        Assert.Contains("airflow_pool_slots: is not declared", Rejected(() => Sink(declared: [Runs]).Set(Slots, 1, "default", "open")));

    [Fact]
    public void A_family_declared_twice_under_one_name_is_rejected()
    {
        var again = MetricDesc.Gauge(Slots.Name, "Other help.", "pool", "state");
        var sink = Sink(declared: [Slots, again]);
        sink.Set(Slots, 1, "default", "open");
        Assert.Contains("airflow_pool_slots: is declared twice", Rejected(() => sink.Set(again, 1, "default", "queued")));
    }

    [Fact]
    public void Two_samples_for_the_same_labels_are_rejected()
    {
        var sink = Sink();
        sink.Set(Slots, 1, "default", "open");
        sink.Set(Slots, 1, "default", "queued");
        Assert.Contains(
            """airflow_pool_slots: has two samples for {pool="default",state="open"}""", Rejected(() => sink.Set(Slots, 2, "default", "open")));
    }

    [Fact]
    public void Label_values_are_told_apart_whatever_they_hold()
    {
        var sink = Sink();
        string[] awkward = ["", ",", "\"", "\\", "\0", "\n", "a,b", "a", "b", "ü", "🎵"];
        foreach (var pool in awkward)
        {
            foreach (var state in awkward)
                sink.Set(Slots, 1, pool, state);
        }

        Assert.Equal(awkward.Length * awkward.Length, sink.Count);
    }

    [Fact]
    public void A_wrong_number_of_label_values_is_rejected() =>
        Assert.Contains("airflow_pool_slots: has 2 labels and was given 1 values", Rejected(() => Sink().Set(Slots, 1, "default")));

    [Fact]
    public void Text_without_a_utf8_form_is_rejected()
    {
        // Not as [InlineData]: an attribute's text is kept as UTF-8 itself. Half a pair, first or second, the wrong way round, at the end.
        foreach (var value in (string[])["\ud83c", "\udfb5", "\udfb5\ud83c", "end\ud83c", "\ud83c\ud83c\udfb5"])
        {
            Assert.Contains(
                "airflow_pool_slots: label state was given a value that is not valid text",
                Rejected(() => Sink().Set(Slots, 1, "default", value)));
        }
    }

    [Fact]
    public void A_missing_label_value_is_rejected() =>
        Assert.Contains("label pool was given", Rejected(() => Sink().Set(Slots, 1, null!, "open")));

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(double.NegativeInfinity)]
    [InlineData(-1)]
    public void What_no_counter_can_be_is_rejected(double value)
    {
        Assert.Contains("airflow_dag_runs_total: a counter's value", Rejected(() => Sink().Add(Runs, [value], "etl")));
        Assert.Contains("airflow_dag_run_duration_seconds: a counter's value", Rejected(() => Sink().Add(Durations, [1, 0, 0, value], "etl")));
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(double.NegativeInfinity)]
    [InlineData(-1)]
    public void A_gauge_may_be_any_number(double value)
    {
        var sink = Sink();
        sink.Set(Slots, value, "default", "open");
        Assert.Equal(1, sink.Count);
    }

    [Fact]
    public void Collectors_write_gauges_only() =>
        Assert.Contains("airflow_dag_runs_total: is not a gauge", Rejected(() => Sink().Set(Runs, 1, "etl")));

    [Fact]
    public void Numbers_of_another_shape_are_rejected() =>
        Assert.Contains("was given 2 numbers for 4", Rejected(() => Sink().Add(Durations, [1, 2], "etl")));

    [Fact]
    public void A_source_cannot_add_a_label_that_the_metric_has() =>
        Assert.Contains(
            "airflow_pool_slots: has the label 'pool' itself, so its source cannot add it",
            Rejected(() => Sink(labels: ("pool", "x")).Set(Slots, 1, "default", "open")));

    [Theory]
    [InlineData("le", "x")]
    [InlineData("__name__", "x")]
    [InlineData("a-b", "x")]
    [InlineData("team", null)]
    public void A_source_cannot_add_an_illegal_label(string name, string? value) =>
        Assert.Contains(
            $"airflow_pool_slots: cannot have its source's label '{name}'",
            Rejected(() => Sink(labels: (name, value!)).Set(Slots, 1, "default", "open")));

    [Fact]
    public void A_source_cannot_add_a_label_twice() =>
        Assert.Contains(
            "is given the label 'team' twice", Rejected(() => Sink(labels: [("team", "a"), ("team", "b")]).Set(Slots, 1, "default", "open")));

    [Fact]
    public void The_series_past_the_limit_is_rejected_with_the_limit_and_what_to_do()
    {
        var sink = Sink(limit: 6);
        sink.Add(Durations, new double[Durations.Width], "etl"); // three buckets, sum, count
        sink.Set(Slots, 1, "default", "open");
        var message = Rejected(() => sink.Set(Slots, 1, "default", "queued"));
        Assert.Contains("airflow_pool_slots: is past the collector's limit of 6 series; raise series_limit or select less", message);
        Assert.Equal(6, sink.Count);
    }

    private static MetricSink Sink(MetricDesc[]? declared = null, int limit = 1000, params ReadOnlySpan<(string, string)> labels)
    {
        var source = ImmutableArray.CreateBuilder<KeyValuePair<string, string>>();
        foreach (var (name, value) in labels)
            source.Add(new(name, value));
        return new(source.ToImmutable(), declared ?? [Slots, Runs, Durations], limit);
    }

    private static string Rejected(Action action) => Assert.Throws<MetricException>(action).Message;
}
