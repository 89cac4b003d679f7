using PipelineExporter.Simulator.Aws;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Tests.Aws;

public sealed class SparkMetricsTests
{
    static readonly DateTimeOffset From = new(2026, 11, 22, 22, 30, 0, TimeSpan.Zero), To = From.AddHours(3);

    static readonly PipelineModel Model = ServiceCall.Model;
    static readonly MetricCatalog Catalog = new(Model);

    public static TheoryData<string> Jobs => [.. Model.GlueJobs.Where(job => job.HasMetrics).Select(job => job.Name)];

    /// <summary>Each value was sent as a run's and as that of all runs: none is lost between them, and none counted twice.</summary>
    [Theory]
    [MemberData(nameof(Jobs))]
    public void All_runs_together_have_sent_what_each_of_them_has(string job)
    {
        var runs = Model.GlueJobRuns(job, From, To).ToList();
        foreach (var series in Of(job))
        {
            var ofRuns = runs.SelectMany(run => OfRun(series, run.Id).Samples(From, To)).OrderBy(sample => sample.At).ThenBy(sample => sample.Value);

            Assert.NotEmpty(series.Samples(From, To));
            Assert.Equal(series.Samples(From, To).OrderBy(sample => sample.At).ThenBy(sample => sample.Value), ofRuns);
        }
    }

    [Theory]
    [MemberData(nameof(Jobs))]
    public void A_run_sends_every_half_minute_while_it_runs_and_never_else(string job)
    {
        foreach (var run in Model.GlueJobRuns(job, From, To).Where(run => run.StartedOn > From && run.CompletedOn < To))
        {
            foreach (var series in Of(job).Select(series => OfRun(series, run.Id)))
            {
                var samples = series.Samples(From.AddDays(-1), To.AddDays(1)).ToList();

                Assert.Equal(Math.Ceiling((run.CompletedOn - run.RunningFrom) / TimeSpan.FromSeconds(30)), samples.Count);
                Assert.Equal(run.CompletedOn, samples[^1].At);
                Assert.All(samples, sample => Assert.InRange(sample.At, run.RunningFrom.AddTicks(1), run.CompletedOn));
            }
        }
    }

    [Fact]
    public void A_run_has_the_names_units_and_delays_of_all_runs_together()
    {
        foreach (var series in Catalog.All.Where(series => series.Namespace == "Glue"))
        {
            var ofRun = OfRun(series, "jr_1");

            Assert.Equal((series.Name, series.Unit, series.Lateness, series.PublishDelay), (ofRun.Name, ofRun.Unit, ofRun.Lateness, ofRun.PublishDelay));
            Assert.Equal(
                series.Dimensions.Select(dimension => dimension.Name == SparkMetrics.JobRunId ? new(dimension.Name, "jr_1") : dimension), ofRun.Dimensions);
            Assert.Null(ofRun.OfRun);
        }
    }

    [Fact]
    public void A_run_that_there_is_not_and_one_of_another_job_have_sent_nothing()
    {
        var run = Model.GlueJobRuns(Simulator.Pipeline.Catalog.Validation, From, To).First();

        Assert.All(Of(Simulator.Pipeline.Catalog.Validation), series => Assert.Empty(OfRun(series, "jr_0").Samples(From, To)));
        Assert.All(Of(Simulator.Pipeline.Catalog.KpiComputation), series => Assert.Empty(OfRun(series, run.Id).Samples(From, To)));
        Assert.All(Of(Simulator.Pipeline.Catalog.Validation), series => Assert.NotEmpty(OfRun(series, run.Id).Samples(From, To)));
    }

    [Fact]
    public void Shares_are_shares_counts_are_whole_and_no_more_executors_run_than_there_are_workers()
    {
        foreach (var series in Catalog.All.Where(series => series.Namespace == "Glue"))
        {
            var job = Model.GlueJobs.Single(job => job.Name == series.Dimensions[0].Value);
            Assert.All(series.Samples(From, To).Select(sample => sample.Value), value =>
            {
                Assert.True(value >= 0);
                if (series.Unit is "Count" or "Bytes")
                    Assert.True(double.IsInteger(value));
                if (series.Name.EndsWith("usage", StringComparison.Ordinal) || series.Name.EndsWith("Load", StringComparison.Ordinal) || series.Name.EndsWith("Utilization", StringComparison.Ordinal))
                    Assert.InRange(value, 0, 1);
                if (series.Name.EndsWith("Executors", StringComparison.Ordinal))
                    Assert.InRange(value, 1, job.NumberOfWorkers - 1);
            });
        }
    }

    [Fact]
    public void Who_does_not_switch_metrics_on_has_none()
    {
        Assert.DoesNotContain(Catalog.All, series => series.Has(TriggeredJobs.Backfill.Name));
        Assert.NotEmpty(Model.GlueJobRuns(TriggeredJobs.Backfill.Name, From, To));
    }

    static List<MetricSeries> Of(string job) => [.. Catalog.All.Where(series => series.Namespace == "Glue" && series.Dimensions[0].Value == job)];

    /// <summary>As GetMetricData finds it, by its dimensions.</summary>
    static MetricSeries OfRun(MetricSeries series, string run) => Catalog.Find(new(
        series.Namespace, series.Name, [.. series.Dimensions.Select(dimension => dimension.Name == SparkMetrics.JobRunId ? new(dimension.Name, run) : dimension).Reverse()]))!;
}
