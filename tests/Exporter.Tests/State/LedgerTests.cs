using CsCheck;
using PipelineExporter.Metrics;
using PipelineExporter.State;
using static PipelineExporter.Tests.State.LedgerHarness;

namespace PipelineExporter.Tests.State;

public sealed class LedgerTests : IDisposable
{
    private readonly LedgerHarness ledger = new();

    public void Dispose() => ledger.Dispose();

    [Fact]
    public void An_event_is_new_once_within_a_batch()
    {
        var batch = ledger.Source.Begin();
        Assert.True(batch.TryRecord(EventKey.Of("a"), ledger.Now));
        Assert.False(batch.TryRecord(EventKey.Of("a"), ledger.Now));
        Assert.True(batch.Contains(EventKey.Of("a")));
        Assert.False(batch.Contains(EventKey.Of("b")));
    }

    [Fact]
    public void An_event_is_new_once_over_batches_and_restarts()
    {
        Assert.True(ledger.Count("run 1"));
        Assert.False(ledger.Count("run 1"));
        ledger.Restart();
        Assert.False(ledger.Count("run 1"));
        Assert.True(ledger.Source.Contains(EventKey.Of("run", "etl", "run 1")));
        Assert.True(ledger.Count("run 2"));
        Assert.Equal(2, ledger.Counted());
    }

    [Fact]
    public void Nothing_is_stored_or_visible_before_the_commit()
    {
        var batch = ledger.Source.Begin();
        batch.TryRecord(EventKey.Of("a"), ledger.Now);
        batch.Add(Runs, 1, "etl");
        batch.SetValue("watermark", "1");
        Assert.False(ledger.Source.Contains(EventKey.Of("a")));
        Assert.Null(ledger.Source.GetValue("watermark"));
        Assert.Empty(ledger.Source.Counted(Runs));
        ledger.Restart();
        Assert.False(ledger.Source.Contains(EventKey.Of("a")));
        Assert.Empty(ledger.Source.Counted(Runs));
    }

    [Fact]
    public void Two_collections_that_count_one_event_at_once_count_it_once()
    {
        LedgerBatch[] batches = [ledger.Source.Begin(), ledger.Source.Begin()];
        foreach (var batch in batches)
        {
            Assert.True(batch.TryRecord(EventKey.Of("a"), ledger.Now));
            batch.Add(Runs, 1, "etl");
        }

        batches[0].Commit();
        var e = Assert.Throws<StateException>(batches[1].Commit);
        Assert.Contains("two collections counted one event", e.Message);
        Assert.Equal(1, ledger.Counted());
        ledger.Restart();
        Assert.Equal(1, ledger.Counted());
    }

    [Fact]
    public void Values_are_kept_with_what_was_counted()
    {
        var batch = ledger.Source.Begin();
        batch.SetValue("watermark", "2026-03-01T12:00:00Z");
        batch.Commit();
        Assert.Equal("2026-03-01T12:00:00Z", ledger.Source.GetValue("watermark"));
        Assert.Null(ledger.For("airflow/development").GetValue("watermark"));
        ledger.Restart();
        Assert.Equal("2026-03-01T12:00:00Z", ledger.Source.GetValue("watermark"));
    }

    [Fact]
    public void A_commit_that_fails_changes_nothing_and_the_next_one_counts()
    {
        ledger.Count("run 1");
        ledger.BreakCommits(true);
        var batch = ledger.Source.Begin();
        Assert.True(batch.TryRecord(EventKey.Of("run", "etl", "run 2"), ledger.Now));
        batch.Add(Runs, 1, "etl");
        batch.Declare(Runs, "other");
        batch.SetValue("watermark", "2");
        var e = Assert.Throws<StateException>(batch.Commit);
        Assert.StartsWith(ledger.File.Path, e.Message, StringComparison.Ordinal);
        Assert.Contains("no luck", e.Message);

        Assert.Equal(1, ledger.Counted());
        Assert.Single(ledger.Source.Counted(Runs));
        Assert.Null(ledger.Source.GetValue("watermark"));
        Assert.False(ledger.Source.Contains(EventKey.Of("run", "etl", "run 2")));

        ledger.BreakCommits(false);
        Assert.True(ledger.Count("run 2"));
        Assert.Equal(2, ledger.Counted());
        ledger.Restart();
        Assert.Equal(2, ledger.Counted());
    }

    [Fact]
    public void A_file_that_another_program_has_locked_fails_the_commit_and_is_used_again_afterwards()
    {
        ledger.Count("run 1");
        using (var other = ledger.Connect())
        {
            using var command = other.CreateCommand();
            command.CommandText = "BEGIN EXCLUSIVE";
            command.ExecuteNonQuery();
            var e = Assert.Throws<StateException>(() => ledger.Count("run 2"));
            Assert.Contains("locked", e.Message);
            Assert.Equal(1, ledger.Counted());
        }

        Assert.True(ledger.Count("run 2"));
        Assert.Equal(2, ledger.Counted());
    }

    [Fact]
    public void An_event_older_than_the_retention_is_never_new()
    {
        var retention = LedgerOptions.Default.KeyRetention;
        Assert.True(ledger.Count("just", at: ledger.Now - retention));
        Assert.False(ledger.Count("older", at: ledger.Now - retention - TimeSpan.FromTicks(1)));
        Assert.Equal(1, ledger.Counted());
    }

    [Fact]
    public void Keys_are_forgotten_after_the_retention_and_stay_counted_once()
    {
        var at = ledger.Now;
        Assert.True(ledger.Count("run 1", at: at));
        for (var day = 0; day < 40; day++)
        {
            ledger.Time.Advance(TimeSpan.FromDays(1));
            Assert.False(ledger.Count("run 1", at: at));
            ledger.Count($"day {day}");
        }

        // Those of the last 35 days, and of the day that began before them.
        Assert.Equal(36L, ledger.Execute("SELECT count(*) FROM event"));
        Assert.False(ledger.Source.Contains(EventKey.Of("run", "etl", "run 1")));
        Assert.False(ledger.Count("run 1", at: at));
        Assert.Equal(41, ledger.Counted());
    }

    [Fact]
    public void An_event_of_a_clock_that_runs_ahead_is_counted_once_for_as_long_as_it_is_not_too_old()
    {
        var at = ledger.Now + TimeSpan.FromDays(30);
        Assert.True(ledger.Count("run 1", at: at));
        for (var day = 0; day < 70; day++)
        {
            ledger.Time.Advance(TimeSpan.FromDays(1));
            Assert.False(ledger.Count("run 1", at: at));
        }
    }

    [Fact]
    public void Series_that_nobody_touched_for_the_retention_vanish_and_those_declared_again_stay()
    {
        ledger.Count("run 1", "vanished");
        ledger.Count("run 1", "quiet");
        for (var day = 0; day < 40; day++)
        {
            ledger.Time.Advance(TimeSpan.FromDays(1));
            var batch = ledger.Source.Begin();
            batch.Declare(Runs, "quiet");
            batch.Commit();
        }

        Assert.Equal(1, ledger.Counted("quiet"));
        Assert.DoesNotContain(ledger.Source.Counted(Runs), series => series.Labels[0] == "vanished");
        ledger.Restart();
        Assert.Equal("quiet", Assert.Single(ledger.Source.Counted(Runs)).Labels[0]);
    }

    [Fact]
    public void Sources_are_kept_apart()
    {
        var batch = ledger.For("airflow/development").Begin();
        batch.Add(Runs, 5, "etl");
        batch.Commit();
        ledger.Count("run 1");
        Assert.Equal(1, ledger.Counted());
        ledger.Restart();
        Assert.Equal(1, ledger.Counted());
        Assert.Equal(5, Assert.Single(ledger.For("airflow/development").Counted(Runs)).Value[0]);
    }

    [Fact]
    public void What_cannot_be_published_is_refused_before_it_is_counted()
    {
        var histogram = MetricDesc.Histogram("dag_run_duration_seconds", "Durations.", [60], "dag_id");
        var gauge = MetricDesc.Gauge("pool_slots", "Slots.", "pool");
        var batch = ledger.Source.Begin();
        foreach (var illegal in (double[])[-1, double.NaN, double.PositiveInfinity])
        {
            Assert.Contains("dag_runs_total: cannot count", Refused(() => batch.Add(Runs, illegal, "etl")));
            Assert.Contains("dag_run_duration_seconds: cannot count", Refused(() => batch.Observe(histogram, illegal, "etl")));
        }

        Assert.Contains("dag_runs_total: has 1 labels and was given 2", Refused(() => batch.Add(Runs, 1, "etl", "failed")));
        Assert.Contains("dag_runs_total: label dag_id was given a value that is not valid text", Refused(() => batch.Declare(Runs, "\ud83c")));
        Assert.Contains("pool_slots: is not a counter", Refused(() => batch.Add(gauge, 1, "default")));
        Assert.Contains("dag_runs_total: is not a histogram", Refused(() => batch.Observe(Runs, 1, "etl")));
        Assert.Contains("dag_run_duration_seconds: is not a counter", Refused(() => batch.Add(histogram, 1, "etl")));
        batch.Commit();
        Assert.Empty(ledger.Source.Counted(Runs));

        var huge = ledger.Source.Begin();
        huge.Add(Runs, double.MaxValue, "etl");
        huge.Add(Runs, double.MaxValue, "etl");
        Assert.Contains("dag_runs_total: cannot count that far", Refused(huge.Commit));
        Assert.Empty(ledger.Source.Counted(Runs));

        static string Refused(Action action) => Assert.Throws<MetricException>(action).Message;
    }

    [Fact]
    public void A_gauge_cannot_be_declared() =>
        Assert.Contains(
            "is not kept by the ledger",
            Assert.Throws<MetricException>(() => ledger.Source.Begin().Declare(MetricDesc.Gauge("pool_slots", "Slots."))).Message);

    [Fact]
    public void Label_values_come_back_whatever_they_hold()
    {
        var pair = MetricDesc.Counter("pairs_total", "Pairs.", "a", "b");
        var expected = new Dictionary<(string, string), double>();
        Gen.Select(Gen.String[0, 40], Gen.String[0, 400]).List[50].Single().Where(p => MetricDesc.IsLegalLabelValue(p.Item1) && MetricDesc.IsLegalLabelValue(p.Item2))
            .Concat([("", ""), ("\0", ""), ("", "\0"), ("a", "b,c"), ("a,b", "c"), ("ü", "🎵"), (new string('x', 300), "\n")])
            .ToList().ForEach(p => expected[p] = expected.Count + 1);
        var batch = ledger.Source.Begin();
        foreach (var ((a, b), value) in expected)
            batch.Add(pair, value, a, b);
        batch.Commit();
        ledger.Restart();
        Assert.Equal(expected, ledger.Source.Counted(pair).ToDictionary(series => (series.Labels[0], series.Labels[1]), series => series.Value[0]));
    }

    [Fact]
    public void Parts_of_a_key_are_told_apart()
    {
        Assert.NotEqual(EventKey.Of("a", "bc"), EventKey.Of("ab", "c"));
        Assert.NotEqual(EventKey.Of("a", ""), EventKey.Of("a"));
        Assert.NotEqual(EventKey.Of("a", "b"), EventKey.Of("b", "a"));
        Assert.Equal(EventKey.Of("a", "b"), EventKey.Of("a", "b"));
        // What is stored under --storage.path relies on it.
        Assert.Equal(2_681_316_056_966_756_266, EventKey.Of("run", "airflow/production").Value);
    }

    [Fact]
    public void A_key_takes_less_than_22_bytes_of_the_file()
    {
        // In batches and in no order, as events arrive over days.
        const int Batch = 1000;
        const int Keys = 50_000;
        for (var first = 0; first < Keys; first += Batch)
        {
            var batch = ledger.Source.Begin();
            for (var i = first; i < first + Batch; i++)
                batch.TryRecord(EventKey.Of("task", $"{i}"), ledger.Now);
            batch.Commit();
        }

        ledger.Restart(); // moves what is in the write-ahead log into the file
        var perKey = new FileInfo(ledger.File.Path).Length / (double)Keys;
        TestContext.Current.TestOutputHelper?.WriteLine($"{perKey:0.0} bytes a key");
        Assert.InRange(perKey, 12, 22);
    }
}
