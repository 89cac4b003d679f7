using PipelineExporter.Stack.Tests.Tools;

namespace PipelineExporter.Stack.Tests.BadInput;

/// <summary>27 sources are polled every four seconds: what ran beside it would make their collections late.</summary>
[CollectionDefinition(nameof(OutageTests), DisableParallelization = true)]
public sealed class OutageTestsAlone;

/// <summary>Sources that are unreachable, slow, lying or throttling for a while, side by side with three that are well.</summary>
[Collection(nameof(OutageTests))]
public sealed class OutageTests(Outages seen) : IClassFixture<Outages>
{
    /// <summary>A collector of each gauge that is always there.</summary>
    private static readonly (string Kind, string Collector, string Gauge)[] Gauges =
    [
        ("airflow", "airflow_health", "airflow_component_healthy"),
        ("airflow", "airflow_pools", "airflow_pool_slots"),
        ("aws", "glue_jobs", "aws_glue_job_last_run_duration_seconds"),
    ];

    public static TheoryData<string> Faulty => [.. Outages.Faults.SelectMany(Outages.SourcesOf)];

    public static TheoryData<string> All => [.. Enum.GetValues<GateMode>().SelectMany(Outages.SourcesOf)];

    [Fact]
    public void The_page_is_there_at_once_whatever_the_sources_do()
    {
        var took = seen.Faulty.Select(page => page.Took).Order().ToList();

        Assert.True(took.Count > 10, $"{took.Count} scrapes");
        TestContext.Current.SendDiagnosticMessage(
            $"/metrics with {seen.Before.Text.Length / 1024} KiB: median {took[took.Count / 2].TotalMilliseconds:0} ms, longest {took[^1].TotalMilliseconds:0} ms");
        Assert.InRange(took[took.Count / 2], TimeSpan.Zero, TimeSpan.FromMilliseconds(100));
    }

    [Theory]
    [MemberData(nameof(Faulty))]
    public void Every_collector_of_a_faulty_source_says_so_and_since_when(string source)
    {
        var last = seen.Faulty.Last();
        var collectors = Outages.Success(last, source).ToList();

        Assert.Equal(source.StartsWith("aws/", StringComparison.Ordinal) ? 1 : 4, collectors.Count);
        foreach (var (collector, success) in collectors)
        {
            Assert.True(success == 0, collector);
            Assert.InRange(last.At - Age(last, collector, source), seen.Before.At - Outages.StaleAfter, seen.FaultsBegan.AddSeconds(3)); // what was answered before may be published after
        }
    }

    [Theory]
    [MemberData(nameof(Faulty))]
    public void Gauges_stay_until_they_are_stale_and_then_vanish(string source)
    {
        // Staleness is looked at once a second. A collection that had begun when the outage did tells of the jobs that it could read,
        // as of its beginning, which is an interval after that of the last success.
        var slack = TimeSpan.FromSeconds(source.StartsWith("aws/", StringComparison.Ordinal) ? 6 : 3);
        foreach (var (_, collector, gauge) in Gauges.Where(one => source.StartsWith(one.Kind, StringComparison.Ordinal)))
        {
            var ages = seen.Faulty.Select(page => (Age: Age(page, collector, source), IsThere: page.Of(gauge, Outages.LabelOf(source)).Any())).ToList();

            Assert.All(ages.Where(one => one.Age < Outages.StaleAfter - TimeSpan.FromSeconds(0.5)), one => Assert.True(one.IsThere, $"{gauge} at the age of {one.Age}"));
            Assert.Contains(ages, one => one.IsThere);
            Assert.All(ages.Where(one => one.Age > Outages.StaleAfter + slack), one => Assert.False(one.IsThere, $"{gauge} at the age of {one.Age}"));
            Assert.Contains(ages, one => !one.IsThere);
            Assert.NotEmpty(seen.Pages[^1].Of(gauge, Outages.LabelOf(source)));
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Counters_stay_and_never_step_back(string source)
    {
        var metric = source.StartsWith("aws/", StringComparison.Ordinal) ? "aws_glue_job_runs_total" : "airflow_task_tries_total";
        var before = Series(seen.Before);
        Assert.NotEmpty(before);
        foreach (var page in seen.Pages)
        {
            var now = Series(page);
            Assert.All(before, one => Assert.True(now.GetValueOrDefault(one.Key, -1) >= one.Value, $"{metric} {one.Key} at {page.At:O}"));
            before = now;
        }

        Dictionary<string, double> Series(MetricsPage page) =>
            page.Of(metric, Outages.LabelOf(source)).ToDictionary(sample => string.Join(' ', sample.Labels.Values), sample => sample.Value);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void What_ended_meanwhile_is_counted_exactly_once(string source)
    {
        var truth = seen.TruthOf(source);

        Assert.NotEmpty(truth.ToString());
        Assert.Equal(truth.ToString(), seen.Counted(seen.Pages[^1], source).ToString());
        // The failure that came while the source did not answer is among it.
        Assert.Contains(
            source.StartsWith("aws/", StringComparison.Ordinal) ? truth.Glue.Keys : truth.Runs.Keys,
            key => key.StartsWith("music_streaming_validation ", StringComparison.Ordinal) && key.EndsWith(" failed", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public void Other_sources_do_not_notice()
    {
        foreach (var source in Outages.SourcesOf(GateMode.Open))
        {
            Assert.All(seen.Pages, page =>
                Assert.All(Outages.Success(page, source), one =>
                {
                    Assert.True(one.Value == 1, one.Key);
                    Assert.InRange(Age(page, one.Key, source), TimeSpan.FromSeconds(-1), Outages.StaleAfter);
                }));
            Assert.DoesNotContain(seen.Log, line => line.Contains($"source={source} ", StringComparison.Ordinal) || line.EndsWith($"source={source}", StringComparison.Ordinal));
        }
    }

    [Theory]
    [MemberData(nameof(Faulty))]
    public void A_collector_writes_one_line_a_change_of_its_state(string source)
    {
        foreach (var (collector, _) in Outages.Success(seen.Before, source))
        {
            string[] Lines(string words) => [.. seen.Log.Where(line => line.Contains($"collector={collector} ", StringComparison.Ordinal)
                && $"{line} ".Contains($"source={source} ", StringComparison.Ordinal) && line.Contains(words, StringComparison.Ordinal))];

            var failed = Assert.Single(Lines($"msg=\"collector {collector} of {source} failed\""));
            Assert.Matches(""" problem="[^"]{10,500}" """, failed);
            Assert.Single(Lines("works again"));
            // Gauges vanish twice where a collection that had begun when the outage did could tell of some jobs after the first time.
            var vanished = Lines("no longer published").Length;
            Assert.InRange(vanished, Gauges.Any(one => one.Collector == collector) ? 1 : 0, source.StartsWith("aws/", StringComparison.Ordinal) ? 2 : 1);
            Assert.InRange(Lines("").Length, 2 + vanished, Math.Max(3, 2 + vanished));
        }
    }

    [Fact]
    public void The_status_page_says_what_is_wrong()
    {
        var page = seen.StatusPageWhileFaulty;
        var failing = page.Split("<tr>").Where(row => row.Contains("failing:", StringComparison.Ordinal)).ToList();

        Assert.All(Faulty, row => Assert.Contains(failing, line => line.Contains($"<td>{row.Data}</td>", StringComparison.Ordinal)));
        Assert.All(Outages.SourcesOf(GateMode.Open), source => Assert.DoesNotContain(failing, line => line.Contains($"<td>{source}</td>", StringComparison.Ordinal)));
    }

    private static TimeSpan Age(MetricsPage page, string collector, string source) => page.At - DateTimeOffset.FromUnixTimeMilliseconds(
        (long)(1000 * page.Value("pipeline_exporter_collector_last_success_timestamp_seconds", ("collector", collector), ("source", source))!.Value));
}
