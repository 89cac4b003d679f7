using System.Globalization;
using System.Text;
using CsCheck;
using PipelineExporter.Metrics;
using PipelineExporter.Scraping;
using PipelineExporter.Stack.Tests.Tools;
using PipelineExporter.Tests.Scraping;
using Prometheus;

namespace PipelineExporter.Tests.Metrics;

public sealed class FamilyRendererTests
{
    private static readonly Gen<string> AnyText = Gen.OneOf(Gen.Char, Gen.Int[0, char.MaxValue].Select(code => (char)code)).Array[0, 20].Select(characters => new string(characters));

    private static readonly KeyValuePair<string, string>[] Production = [new("environment", "production")];

    [Fact]
    public void Label_values_are_escaped()
    {
        var gauge = MetricDesc.Gauge("pool_slots", "Slots.", "pool");
        var sink = new MetricSink([.. Production], [gauge], 10);
        sink.Set(gauge, 1, "back\\slash \"quote\" and\nline 🎵");
        Assert.Equal(
            "pool_slots{environment=\"production\",pool=\"back\\\\slash \\\"quote\\\" and\\nline 🎵\"} 1\n", Text(Assert.Single(Render(sink))));
    }

    [Theory]
    [InlineData(double.PositiveInfinity, "+Inf")]
    [InlineData(double.NegativeInfinity, "-Inf")]
    [InlineData(double.NaN, "NaN")]
    [InlineData(0, "0")]
    [InlineData(128, "128")]
    [InlineData(0.1, "0.1")]
    [InlineData(1.5e300, "1.5E+300")]
    public void Numbers_are_written_as_prometheus_reads_them(double value, string text)
    {
        var gauge = MetricDesc.Gauge("pool_slots_limit", "Slots.");
        var sink = new MetricSink([], [gauge], 10);
        sink.Set(gauge, value);
        Assert.Equal($"pool_slots_limit {text}\n", Text(Assert.Single(Render(sink))));
    }

    [Fact]
    public void Every_number_is_written_in_full() => Gen.Double.Sample(value =>
    {
        var gauge = MetricDesc.Gauge("value", "Value.");
        var sink = new MetricSink([], [gauge], 1);
        sink.Set(gauge, value);
        Assert.Equal(value, Sample(Text(Assert.Single(Render(sink))).TrimEnd()).Value);
    });

    /// <summary>Label by label and number by number; prometheus-net writes exponents in lower case, which means the same.</summary>
    [Fact]
    public void What_is_written_is_what_prometheus_net_writes() => Gen.Select(AnyText.Where(MetricDesc.IsLegalLabelValue).Array[2], Gen.Double.Where(double.IsFinite)).Sample((values, value) =>
    {
        var registry = Prometheus.Metrics.NewCustomRegistry();
        Prometheus.Metrics.WithCustomRegistry(registry)
            .CreateGauge("value", "Value.", new GaugeConfiguration { LabelNames = ["environment", "a", "b"] }).WithLabels(["production", .. values]).Set(value);
        using var theirs = new MemoryStream();
        registry.CollectAndExportAsTextAsync(theirs).GetAwaiter().GetResult();

        var gauge = MetricDesc.Gauge("value", "Value.", "a", "b");
        var sink = new MetricSink([.. Production], [gauge], 1);
        sink.Set(gauge, value, values);
        var ours = Assert.Single(Render(sink));

        var (expected, actual) = (Sample(Encoding.UTF8.GetString(theirs.ToArray()).Split('\n', 3)[2].TrimEnd('\n')), Sample(Text(ours).TrimEnd('\n')));
        Assert.Equal(expected, actual);
    });

    [Fact]
    public void The_header_is_written_once_and_apart_from_the_samples()
    {
        var counter = MetricDesc.Counter("dag_runs_total", "Finished runs.", "dag_id");
        var sink = new MetricSink([], [counter], 10);
        sink.Add(counter, [3], "etl");
        var part = Assert.Single(Render(sink));
        Assert.Equal("# HELP dag_runs_total Finished runs.\n# TYPE dag_runs_total counter\n", part.Header.Text());
        Assert.Equal("dag_runs_total{dag_id=\"etl\"} 3\n", Text(part));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1_000)]
    [InlineData(2_500)]
    public void A_large_family_is_written_in_slices_each_series_once_and_in_order(int count)
    {
        var gauge = MetricDesc.Gauge("pool_slots", "Slots.", "pool");
        var histogram = MetricDesc.Histogram("dag_run_duration_seconds", "Durations.", [0.5], "dag_id");
        var sink = new MetricSink([], [gauge, histogram], 100_000);
        for (var i = 0; i < count; i++)
        {
            sink.Set(gauge, i, $"pool {i}");
            sink.Add(histogram, [1, 2, i], $"dag {i}");
        }

        Assert.Equal(
            [string.Concat(Enumerable.Range(0, count).Select(i => $"pool_slots{{pool=\"pool {i}\"}} {i}\n")),
             string.Concat(Enumerable.Range(0, count).Select(i =>
                 $"dag_run_duration_seconds_bucket{{dag_id=\"dag {i}\",le=\"0.5\"}} 1\ndag_run_duration_seconds_bucket{{dag_id=\"dag {i}\",le=\"+Inf\"}} 3\n"))
             + string.Concat(Enumerable.Range(0, count).Select(i => $"dag_run_duration_seconds_sum{{dag_id=\"dag {i}\"}} {i}\n"))
             + string.Concat(Enumerable.Range(0, count).Select(i => $"dag_run_duration_seconds_count{{dag_id=\"dag {i}\"}} 3\n"))],
            Render(sink).Select(Text));
    }

    [Fact]
    public void Counters_and_histograms_that_stand_at_zero_are_written()
    {
        var counter = MetricDesc.Counter("dag_runs_total", "Finished runs.", "dag_id");
        var histogram = MetricDesc.Histogram("dag_run_duration_seconds", "Durations.", [0.5, 60], "dag_id");
        var sink = new MetricSink([], [counter, histogram], 10);
        sink.Add(counter, [0], "etl");
        sink.Add(histogram, new double[histogram.Width], "etl");
        Assert.Equal(
            """
            dag_runs_total{dag_id="etl"} 0
            dag_run_duration_seconds_bucket{dag_id="etl",le="0.5"} 0
            dag_run_duration_seconds_bucket{dag_id="etl",le="60"} 0
            dag_run_duration_seconds_bucket{dag_id="etl",le="+Inf"} 0
            dag_run_duration_seconds_sum{dag_id="etl"} 0
            dag_run_duration_seconds_count{dag_id="etl"} 0

            """,
            string.Concat(Render(sink).Select(Text)));
    }

    [Fact]
    public void Histograms_are_written_as_they_were_observed() =>
        Gen.Select(
                Gen.Double[0, 1000].Array[0, 6].Select(bounds => bounds.Distinct().Order().ToArray()),
                Gen.OneOf(Gen.Double[0, 1e6], Gen.Int[0, 1000].Select(whole => (double)whole), Gen.Double[0, 1e-6]).Array[0, 50])
            .Sample((bounds, observed) =>
            {
                var histogram = MetricDesc.Histogram("duration_seconds", "Durations.", bounds, "dag_id");
                var numbers = new double[histogram.Width];
                foreach (var value in observed)
                {
                    numbers[histogram.BucketOf(value)]++;
                    numbers[^1] += value;
                }

                var sink = new MetricSink([.. Production], [histogram], 20);
                sink.Add(histogram, numbers, "etl");
                var lines = Text(Assert.Single(Render(sink))).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Sample).ToList();

                foreach (var bound in (double[])[.. bounds, double.PositiveInfinity])
                {
                    var le = double.IsFinite(bound) ? bound.ToString(CultureInfo.InvariantCulture) : "+Inf";
                    var bucket = Assert.Single(lines, line => line.Name.EndsWith($"le=\"{le}\"}}", StringComparison.Ordinal));
                    Assert.Equal(observed.Count(value => value <= bound), bucket.Value);
                }

                Assert.Equal(bounds.Length + 3, lines.Count);
                Assert.Equal(observed.Length, Assert.Single(lines, line => line.Name.Contains("_count{", StringComparison.Ordinal)).Value);
                Assert.Equal(observed.Sum(), Assert.Single(lines, line => line.Name.Contains("_sum{", StringComparison.Ordinal)).Value);
            });

    [Fact]
    public void A_sum_that_did_not_grow_is_written_with_the_same_digits()
    {
        // By way of the mean it would differ in its last digit from count to count, and Prometheus takes a counter that is
        // smaller by one bit for one that began again at 0.
        var histogram = MetricDesc.Histogram("duration_seconds", "Durations.", []);
        var sums = Enumerable.Range(1, 200).Select(count =>
        {
            var sink = new MetricSink([], [histogram], 10);
            sink.Add(histogram, [count, 1234.5678901]);
            return Text(Assert.Single(Render(sink))).Split('\n').Single(line => line.StartsWith("duration_seconds_sum", StringComparison.Ordinal));
        });
        Assert.Equal(["duration_seconds_sum 1234.5678901"], sums.Distinct());
    }

    [Fact]
    public void A_family_that_did_not_change_is_not_rendered_again()
    {
        var still = MetricDesc.Gauge("still", "Still.", "x");
        var moving = MetricDesc.Gauge("moving", "Moving.", "x");
        var first = Render(1, "a");
        var second = FamilyRenderer.Render(Sink(2, "a"), gauges: true, first);
        Assert.Same(first.Single(part => part.Name == "still"), second.Single(part => part.Name == "still"));
        Assert.NotSame(first.Single(part => part.Name == "moving"), second.Single(part => part.Name == "moving"));

        // A label value alone is a change, too.
        var third = FamilyRenderer.Render(Sink(2, "b"), gauges: true, second);
        Assert.NotSame(second.Single(part => part.Name == "still"), third.Single(part => part.Name == "still"));

        MetricSink Sink(double value, string x)
        {
            var sink = new MetricSink([.. Production], [still, moving], 10);
            sink.Set(still, 7, x);
            sink.Set(moving, value, x);
            return sink;
        }

        System.Collections.Immutable.ImmutableArray<FamilyPart> Render(double value, string x) =>
            FamilyRenderer.Render(Sink(value, x), gauges: true, []);
    }

    [Fact]
    public async Task Promtool_accepts_a_page_of_many_families_from_several_sources()
    {
        MetricDesc[] families =
        [
            MetricDesc.Gauge("pool_slots", "Slots of a pool.", "pool"),
            MetricDesc.Counter("dag_runs_total", "Finished runs.", "dag_id", "state"),
            MetricDesc.Histogram("dag_run_duration_seconds", "Durations of runs.", [0.25, 60, 1e6], "dag_id"),
            MetricDesc.Histogram("task_duration_seconds", "Durations of tasks.", [], "dag_id"),
        ];
        var parts = new List<FamilyPart>();
        foreach (var environment in (string[])["production", "quote \" and \\", "größe 🎵"])
        {
            var sink = new MetricSink([new("environment", environment)], families, 1000);
            foreach (var name in (string[])["a", "b\nc", "{}", "le=\"1\""])
            {
                sink.Set(families[0], double.PositiveInfinity, name);
                sink.Add(families[1], [1.5], name, "failed");
                sink.Add(families[2], [1, 2, 0, 3, 1234.5], name);
                sink.Add(families[3], [7, 0.1], name);
            }

            parts.AddRange(Render(sink));
        }

        using var folder = new TemporaryDirectory();
        await File.WriteAllTextAsync(folder.File("metrics"), new MetricsPage(1, parts).Text());
        await Command.SucceedAsync("/bin/sh", "-c", "promtool check metrics < \"$1\"", "sh", folder.File("metrics"));
    }

    private static List<FamilyPart> Render(MetricSink sink) =>
        [.. FamilyRenderer.Render(sink, gauges: true, []), .. FamilyRenderer.Render(sink, gauges: false, [])];

    private static string Text(FamilyPart part) => part.Lines.Text();

    private static (string Name, double Value) Sample(string line)
    {
        var space = line.LastIndexOf(' ');
        return (line[..space], double.Parse(line[(space + 1)..], CultureInfo.InvariantCulture));
    }
}
