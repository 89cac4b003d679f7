using PipelineExporter.Metrics;

namespace PipelineExporter.Tests.State;

/// <summary>What was stored when a metric had other buckets or labels.</summary>
public sealed class FamilyShapeTests : IDisposable
{
    private static readonly MetricDesc Old = Durations(60, 300);
    private static readonly double[] Observed = [10, 60, 61, 100, 400, 0.1];

    private readonly LedgerHarness ledger = new();

    public void Dispose() => ledger.Dispose();

    [Fact]
    public void Other_buckets_keep_count_sum_and_the_buckets_that_both_have()
    {
        Observe("airflow/production", Old);
        ledger.Restart();
        var numbers = Numbers("airflow/production", Durations(30, 300, 600));
        Assert.Equal([0, 5, 0, 1, Observed.Sum()], numbers); // of the three up to 60 it is not known which are up to 30
        Assert.Equal(Observed.Length, numbers[..^1].Sum());
    }

    [Fact]
    public void No_buckets_any_more_keep_count_and_sum()
    {
        Observe("airflow/production", Old);
        ledger.Restart();
        Assert.Equal([6, Observed.Sum()], Numbers("airflow/production", Durations()));
    }

    [Fact]
    public void Buckets_for_what_had_none_keep_count_and_sum()
    {
        Observe("airflow/production", Durations());
        ledger.Restart();
        Assert.Equal([0, 0, 6, Observed.Sum()], Numbers("airflow/production", Old));
    }

    [Fact]
    public void Each_source_keeps_its_own()
    {
        Observe("airflow/production", Old);
        Observe("airflow/development", Old);
        ledger.Restart();
        Assert.Equal([6, Observed.Sum()], Numbers("airflow/production", Durations()));
        Assert.Equal([3, 2, 1, Observed.Sum()], Numbers("airflow/development", Old));
        Assert.Equal([3, 2, 1, Observed.Sum()], Numbers("airflow/development", Durations(90, 300)));
        ledger.Restart();
        Assert.Equal([6, Observed.Sum()], Numbers("airflow/production", Durations()));
        Assert.Equal([3, 2, 1, Observed.Sum()], Numbers("airflow/development", Durations(90, 300)));
    }

    [Fact]
    public void They_may_change_while_the_exporter_runs()
    {
        Observe("airflow/production", Old);
        Assert.Equal([6, Observed.Sum()], Numbers("airflow/production", Durations()));
        Observe("airflow/production", Durations());
        ledger.Restart();
        Assert.Equal([12, 2 * Observed.Sum()], Numbers("airflow/production", Durations()));
    }

    [Fact]
    public void A_change_back_and_forth_is_stored_each_time()
    {
        Observe("airflow/production", Old);
        ledger.Restart();
        _ = Numbers("airflow/production", Durations(300));
        ledger.Restart();
        Assert.Equal([0, 5, 1, Observed.Sum()], Numbers("airflow/production", Old));
        ledger.Restart();
        Assert.Equal([0, 5, 1, Observed.Sum()], Numbers("airflow/production", Old));
    }

    [Fact]
    public void With_other_labels_the_series_begin_anew()
    {
        Observe("airflow/production", Old);
        ledger.Restart();
        var renamed = MetricDesc.Histogram(Old.Name, Old.Help, [60, 300], "job_name");
        Assert.Empty(ledger.Source.Counted(renamed));
        ledger.Restart();
        Assert.Empty(ledger.Source.Counted(renamed));
        Assert.Equal(0L, ledger.Execute("SELECT count(*) FROM series"));
    }

    [Fact]
    public void A_change_that_cannot_be_stored_is_made_later()
    {
        Observe("airflow/production", Old);
        ledger.Restart();
        ledger.BreakCommits(true);
        Assert.Throws<PipelineExporter.State.StateException>(() => Numbers("airflow/production", Durations()));
        ledger.BreakCommits(false);
        Assert.Equal([6, Observed.Sum()], Numbers("airflow/production", Durations()));
    }

    private static MetricDesc Durations(params double[] buckets) =>
        MetricDesc.Histogram("dag_run_duration_seconds", "Durations.", buckets, "dag_id");

    private double[] Numbers(string scope, MetricDesc metric) => Assert.Single(ledger.For(scope).Counted(metric)).Value;

    private void Observe(string scope, MetricDesc metric)
    {
        var batch = ledger.For(scope).Begin();
        foreach (var value in Observed)
            batch.Observe(metric, value, "etl");
        batch.Commit();
    }
}
