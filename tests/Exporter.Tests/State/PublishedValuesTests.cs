using CsCheck;
using PipelineExporter.Metrics;
using PipelineExporter.State;
using static PipelineExporter.Tests.State.LedgerHarness;

namespace PipelineExporter.Tests.State;

/// <summary>Published values never step back, and never change before Prometheus has seen what they were.</summary>
public sealed class PublishedValuesTests : IDisposable
{
    private static readonly TimeSpan Hold = LedgerOptions.Default.ZeroHold;

    private readonly LedgerHarness ledger = new();

    public void Dispose() => ledger.Dispose();

    [Fact]
    public void A_new_series_stands_at_zero_until_it_was_scraped_twice_and_stood_long_enough()
    {
        ledger.Count("run 1");
        ledger.Publish();
        Assert.Equal(0, Shown());
        ledger.Scrape();
        ledger.Time.Advance(2 * Hold);
        ledger.Publish();
        Assert.Equal(0, Shown()); // scraped once

        ledger.Scrape();
        ledger.Publish();
        Assert.Equal(1, Shown());
    }

    [Fact]
    public void Two_scrapes_at_once_do_not_shorten_the_hold()
    {
        ledger.Count("run 1");
        ledger.Publish();
        ledger.Scrape();
        ledger.Scrape();
        ledger.Time.Advance(Hold - TimeSpan.FromTicks(1));
        ledger.Publish();
        Assert.Equal(0, Shown());
        ledger.Time.Advance(TimeSpan.FromTicks(1));
        ledger.Publish();
        Assert.Equal(1, Shown());
    }

    [Fact]
    public void Scrapes_of_pages_before_it_do_not_count()
    {
        ledger.Publish();
        var before = ledger.Generation;
        ledger.Scrape();
        ledger.Count("run 1");
        ledger.Publish();
        ledger.Answered(before); // a slow reader of the page before
        ledger.Scrape();
        ledger.Time.Advance(Hold);
        ledger.Publish();
        Assert.Equal(0, Shown());
        ledger.Scrape();
        ledger.Publish();
        Assert.Equal(1, Shown());
    }

    [Fact]
    public void A_declared_series_is_published_at_zero()
    {
        var batch = ledger.Source.Begin();
        batch.Declare(Runs, "etl");
        batch.Commit();
        ledger.Publish();
        Assert.Equal(0, Shown());
    }

    [Fact]
    public void What_happens_after_the_hold_is_published_at_once()
    {
        ledger.Count("run 1");
        ledger.Settle();
        Assert.Equal(1, Shown());
        ledger.Count("run 2");
        ledger.Publish();
        Assert.Equal(2, Shown());
    }

    [Fact]
    public void After_a_restart_the_values_last_published_stand_until_they_were_scraped_twice()
    {
        ledger.Count("run 1");
        ledger.Settle();
        ledger.Restart();
        ledger.Count("run 2"); // happened while the exporter was away
        ledger.Publish();
        Assert.Equal(1, Shown());
        ledger.Scrape();
        ledger.Publish();
        Assert.Equal(1, Shown());
        ledger.Scrape();
        ledger.Publish();
        Assert.Equal(2, Shown());
    }

    [Fact]
    public void A_restart_during_the_hold_begins_it_again()
    {
        ledger.Count("run 1");
        ledger.Publish();
        ledger.Scrape();
        ledger.Scrape();
        ledger.Time.Advance(2 * Hold);
        ledger.Restart();
        ledger.Publish();
        Assert.Equal(0, Shown());
        ledger.Scrape();
        ledger.Scrape();
        ledger.Publish();
        Assert.Equal(0, Shown()); // a zero must stand for zero_hold, also after a restart
        ledger.Time.Advance(Hold);
        ledger.Publish();
        Assert.Equal(1, Shown());
    }

    [Fact]
    public void A_hold_that_cannot_be_stored_is_not_ended()
    {
        ledger.Count("run 1");
        ledger.Publish();
        ledger.Scrape();
        ledger.Scrape();
        ledger.Time.Advance(Hold);
        ledger.BreakCommits(true);
        Assert.Throws<StateException>(() => ledger.Publish());
        Assert.Equal(0, Shown());
        ledger.BreakCommits(false);
        ledger.Publish();
        Assert.Equal(1, Shown());
    }

    [Fact]
    public void Histograms_are_held_as_counters_are()
    {
        var histogram = MetricDesc.Histogram("dag_run_duration_seconds", "Durations.", [60], "dag_id");
        using var held = new LedgerHarness(histogram);
        var batch = held.Source.Begin();
        batch.Observe(histogram, 30, "etl");
        batch.Observe(histogram, 90, "etl");
        batch.Commit();
        held.Publish();
        Assert.Equal([0, 0, 0], held.Page["dag_run_duration_seconds etl"]);
        held.Settle();
        Assert.Equal([1, 1, 120], held.Page["dag_run_duration_seconds etl"]);
    }

    [Fact]
    public void Whatever_happens_in_whatever_order_no_unit_is_lost_doubled_or_unseen() =>
        Gen.OneOf(
                Gen.Select(Gen.Int[0, 2], Gen.Int[0, 8], (dag, id) => (Step)new Count($"dag {dag}", id)),
                Gen.Const((Step)new Publish()),
                Gen.Const((Step)new StartScrape()),
                Gen.Const((Step)new StartScrape()),
                Gen.Int[0, 3].Select(which => (Step)new EndScrape(which)),
                Gen.Int[0, 3].Select(which => (Step)new EndScrape(which)),
                Gen.Int[1, 90].Select(seconds => (Step)new Advance(TimeSpan.FromSeconds(seconds))),
                Gen.Const((Step)new Restart()),
                Gen.Int[0, 3].Select(dag => (Step)new FailedCommit($"dag {dag}")))
            .Array[1, 60]
            .Sample(steps =>
            {
                using var world = new World();
                foreach (var step in steps)
                    step.Take(world);
                world.Finish();
            }, iter: 60, print: steps => string.Join("; ", steps.Select(step => step.ToString())));

    private double Shown() => ledger.Page["dag_runs_total etl"][0];

    private abstract record Step
    {
        public abstract void Take(World world);
    }

    private sealed record Count(string Dag, int Id) : Step
    {
        public override void Take(World world) => world.Count(Dag, Id);
    }

    private sealed record Publish : Step
    {
        public override void Take(World world) => world.Publish();
    }

    private sealed record StartScrape : Step
    {
        public override void Take(World world) => world.StartScrape();
    }

    private sealed record EndScrape(int Which) : Step
    {
        public override void Take(World world) => world.EndScrape(Which);
    }

    private sealed record Advance(TimeSpan By) : Step
    {
        public override void Take(World world) => world.Ledger.Time.Advance(By);
    }

    private sealed record Restart : Step
    {
        public override void Take(World world) => world.Restart();
    }

    private sealed record FailedCommit(string Dag) : Step
    {
        public override void Take(World world) => world.FailToCount(Dag);
    }

    /// <summary>A ledger beside a model of what it must count, and a Prometheus that remembers what it saw.</summary>
    private sealed class World : IDisposable
    {
        private readonly HashSet<(string Dag, int Id)> happened = [];
        private readonly Dictionary<string, double> highest = [];
        private readonly HashSet<string> known = [];
        private readonly List<(long Generation, IReadOnlyDictionary<string, double[]> Page)> open = [];

        // What this life of the exporter was seen to show, a series, in the order of the scrapes' starts.
        private readonly Dictionary<string, List<double>> seen = [];
        private int failures;

        public LedgerHarness Ledger { get; } = new();

        public void Count(string dag, int id) => Assert.Equal(happened.Add((dag, id)), Ledger.Count($"{id}", dag));

        public void FailToCount(string dag)
        {
            Ledger.BreakCommits(true);
            Assert.Throws<StateException>(() => Ledger.Count($"failed {failures++}", dag));
            Ledger.BreakCommits(false);
        }

        public void Publish()
        {
            Ledger.Publish();
            foreach (var (series, numbers) in Ledger.Page)
            {
                Assert.True(numbers[0] >= highest.GetValueOrDefault(series), $"{series} stepped back from {highest.GetValueOrDefault(series)} to {numbers[0]}");
                highest[series] = numbers[0];
            }
        }

        public void StartScrape()
        {
            foreach (var (series, numbers) in Ledger.Page)
            {
                if (!seen.TryGetValue(series, out var values))
                    seen.Add(series, values = []);
                values.Add(numbers[0]);
                if (known.Add(series))
                    Assert.True(numbers[0] == 0, $"{series} was first seen at {numbers[0]}");
                if (values.Count == 2)
                    Assert.True(values[0] == values[1], $"{series} went from {values[0]} to {values[1]} between the first two scrapes");
            }

            open.Add((Ledger.Generation, Ledger.Page));
        }

        public void EndScrape(int which)
        {
            if (open.Count == 0)
                return;
            var (generation, _) = open[which % open.Count];
            open.RemoveAt(which % open.Count);
            Ledger.Answered(generation);
        }

        public void Restart()
        {
            Ledger.Restart();
            open.Clear();
            seen.Clear();
        }

        public void Finish()
        {
            open.Clear();
            Publish();
            for (var scrape = 0; scrape < 2; scrape++)
            {
                StartScrape();
                EndScrape(0);
            }

            Ledger.Time.Advance(Hold);
            Publish();
            foreach (var dag in happened.GroupBy(one => one.Dag))
            {
                Assert.Equal(dag.Count(), Ledger.Counted(dag.Key));
                Assert.Equal(dag.Count(), highest[$"dag_runs_total {dag.Key}"]);
            }
        }

        public void Dispose() => Ledger.Dispose();
    }
}
