using PipelineExporter.Metrics;
using static PipelineExporter.Tests.State.LedgerHarness;

namespace PipelineExporter.Tests.State;

/// <summary>Gauges that are asked for once and kept.</summary>
public sealed class KeptGaugesTests : IDisposable
{
    private static readonly MetricDesc LastSuccess = MetricDesc.Gauge("last_success_timestamp_seconds", "When it last succeeded.", "dag_id");

    private readonly LedgerHarness ledger = new();

    public void Dispose() => ledger.Dispose();

    [Fact]
    public void A_kept_gauge_is_there_after_a_restart_and_may_fall()
    {
        Keep(1_000);
        ledger.Restart();
        Assert.Equal(1_000, ledger.Source.Kept(LastSuccess, "etl"));
        Keep(900);
        Assert.Equal(900, ledger.Source.Kept(LastSuccess, "etl"));
        Assert.Null(ledger.Source.Kept(LastSuccess, "other"));
    }

    [Fact]
    public void It_is_not_published_by_itself_nor_held()
    {
        Keep(1_000);
        ledger.Publish();
        Assert.Empty(ledger.Page);
    }

    [Fact]
    public void Touching_keeps_what_is_kept_and_makes_nothing()
    {
        Keep(1_000);
        for (var day = 0; day < 80; day++)
        {
            ledger.Time.Advance(TimeSpan.FromDays(1));
            Touch("etl", "other");
        }
        ledger.Restart();

        Assert.Equal(1_000, ledger.Source.Kept(LastSuccess, "etl"));
        Assert.Null(ledger.Source.Kept(LastSuccess, "other"));
    }

    [Fact]
    public void What_is_not_touched_is_forgotten_with_the_keys()
    {
        Keep(1_000);
        ledger.Time.Advance(TimeSpan.FromDays(36));
        ledger.Count("run 1");
        Assert.Null(ledger.Source.Kept(LastSuccess, "etl"));
        ledger.Restart();

        Assert.Null(ledger.Source.Kept(LastSuccess, "etl"));
    }

    /// <remarks>A touch of a stale copy must not bring an old value back.</remarks>
    [Fact]
    public void A_touch_and_a_new_value_in_one_batch_come_to_the_new_value()
    {
        Keep(1_000);
        ledger.Time.Advance(TimeSpan.FromDays(1));
        var batch = ledger.Source.Begin();
        batch.Keep(LastSuccess, 2_000, "etl");
        batch.Touch(LastSuccess, "etl");
        batch.Commit();

        Assert.Equal(2_000, ledger.Source.Kept(LastSuccess, "etl"));
    }

    [Fact]
    public void A_failed_commit_keeps_nothing()
    {
        Keep(1_000);
        ledger.BreakCommits(true);
        Assert.Throws<PipelineExporter.State.StateException>(() => Keep(2_000));
        Assert.Equal(1_000, ledger.Source.Kept(LastSuccess, "etl"));
    }

    [Fact]
    public void A_counter_is_counted_and_not_kept() =>
        Assert.Contains("is counted, not kept", Assert.Throws<MetricException>(() => ledger.Source.Begin().Keep(Runs, 1, "etl")).Message, StringComparison.Ordinal);

    private void Keep(double value)
    {
        var batch = ledger.Source.Begin();
        batch.Keep(LastSuccess, value, "etl");
        batch.Commit();
    }

    private void Touch(params string[] dags)
    {
        var batch = ledger.Source.Begin();
        foreach (var dag in dags)
            batch.Touch(LastSuccess, dag);
        batch.Commit();
    }
}
