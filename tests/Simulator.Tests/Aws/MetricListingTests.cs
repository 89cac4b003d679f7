using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Simulator.Aws;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Tests.Aws;

/// <summary>Metrics of single runs of Glue jobs: by far the most that there are, and never held.</summary>
public sealed class MetricListingTests
{
    const string Elapsed = "glue.driver.aggregate.elapsedTime";
    const int MetricsOfRun = 29;

    static readonly DateTimeOffset Now = ServiceCall.Now;
    static readonly TimeSpan Delay = TimeSpan.FromMinutes(15);

    static readonly PipelineModel Model = ServiceCall.Model;

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(500)]
    public void Every_metric_is_listed_once_however_the_pages_lie_and_whatever_starts_between_them(int pageSize)
    {
        var whole = List(Model, Input(recently: "PT3H", job: Catalog.Validation), int.MaxValue);
        var runs = Runs(Model, Catalog.Validation, Now.AddHours(-3), Now - Delay);

        Assert.InRange(runs.Count, 17, 20);
        Assert.Equal(runs.Prepend("ALL"), whole.Select(RunOf).Distinct());
        Assert.All(whole.CountBy(RunOf), run => Assert.Equal(MetricsOfRun, run.Value));

        // While pages are read new runs come, which shift nothing, and the oldest ones go.
        var paged = List(Model, Input(recently: "PT3H", job: Catalog.Validation), pageSize, between: TimeSpan.FromMinutes(30.0 * pageSize / whole.Count));
        Assert.Equal(paged.Count, paged.Distinct().Count());
        var gone = Runs(Model, Catalog.Validation, Now.AddHours(-3), Now.AddHours(-2.4)).ToHashSet();
        Assert.Equal(whole.Where(name => !gone.Contains(RunOf(name))), paged.Where(name => !gone.Contains(RunOf(name))));
    }

    [Fact]
    public void The_runs_of_two_weeks_are_listed_of_every_job_that_reports_and_of_no_other()
    {
        var listed = List(Model, Input(name: Elapsed), pageSize: 500);

        Assert.Equal(
            Model.GlueJobs.Where(job => job.HasMetrics).SelectMany(job => Runs(Model, job.Name, Now.AddDays(-14), Now - Delay).Prepend("ALL")).Order(),
            listed.Select(RunOf).Order());
        Assert.InRange(listed.Count, 5000, 8000);
    }

    [Fact]
    public void Who_asks_for_all_runs_together_is_told_of_no_other_and_has_none_looked_through()
    {
        var model = new PipelineModel(1, new IncidentLog(TimeProvider.System));
        var listed = List(model, Input(run: "ALL"), pageSize: 500);

        Assert.Equal(5 * MetricsOfRun, listed.Count);
        Assert.All(listed, name => Assert.Equal("ALL", RunOf(name)));
        Assert.InRange(model.PlayedRuns, 1, 600);
    }

    [Fact]
    public void The_metrics_of_one_run_are_listed_by_its_id()
    {
        var run = Runs(Model, Catalog.KpiComputation, Now.AddDays(-2), Now.AddDays(-1))[3];

        Assert.Equal([(Catalog.KpiComputation, run)], List(Model, Input(run: run), pageSize: 10).Select(name => (name.Split(' ')[1], RunOf(name))).Distinct());
        Assert.Equal(MetricsOfRun, List(Model, Input(run: run), pageSize: 10).Count);
        Assert.Single(List(Model, Input(run: run, name: Elapsed), pageSize: 10));
        Assert.Empty(List(Model, Input(run: run, job: Catalog.Validation), pageSize: 10));
        Assert.Empty(List(Model, Input(run: "jr_0"), pageSize: 10));
    }

    [Fact]
    public void A_run_is_listed_from_a_quarter_of_an_hour_after_its_first_datapoint_to_two_weeks_after_its_last()
    {
        var run = Model.GlueJobRuns(Catalog.Validation, Now.AddHours(-1), Now).ElementAt(2);
        var (first, last) = (run.ElapsedTime(run.StartedOn, Now).First().At, run.CompletedOn);
        bool IsListed(DateTimeOffset now, string? recently = null) => List(Model, Input(recently, Elapsed, run: run.Id), pageSize: 10, at: now).Count == 1;

        Assert.False(IsListed(first + Delay));
        Assert.True(IsListed((first + Delay).AddTicks(1)));
        Assert.True(IsListed(last.AddHours(3), "PT3H"));
        Assert.False(IsListed(last.AddHours(3).AddTicks(1), "PT3H"));
        Assert.True(IsListed(last.AddDays(14)));
        Assert.False(IsListed(last.AddDays(14).AddTicks(1)));
    }

    [Fact]
    public void A_run_that_streams_is_listed_while_it_goes_on_and_one_of_an_incident_although_it_began_before()
    {
        var time = new FakeTimeProvider(Now);
        var incidents = new IncidentLog(time);
        var model = new PipelineModel(1, incidents);
        var before = Slow();
        incidents.Start(IncidentKind.GlueSlow);

        Assert.Single(List(model, Input("PT3H", Elapsed, TriggeredJobs.Stream.Name), pageSize: 10), name => RunOf(name) != "ALL");
        Assert.Equal(before, Slow());
        Assert.Single(Slow(Now.AddMinutes(16)).Except(Slow(Now.AddMinutes(16), new PipelineModel(1, new IncidentLog(time)))));

        List<string> Slow(DateTimeOffset? at = null, PipelineModel? of = null) => List(of ?? model, Input("PT3H", Elapsed, TriggeredJobs.Export.Name), pageSize: 3, at: at);
    }

    [Theory]
    [InlineData("metrics", "-1")]
    [InlineData("metrics", "first")]
    [InlineData("metrics", "1", "yesterday", "jr_0")]
    [InlineData("metrics", "1", "9223372036854775807", "jr_0")]
    [InlineData("metrics", "1", "2")]
    [InlineData("runs", "1")]
    public void What_is_no_place_is_told_from_one(string kind, params string[] place) => Assert.Null(MetricPlace.Parse(PageToken.Write(kind, place)));

    [Fact]
    public void A_place_of_another_question_lists_nothing_of_runs() =>
        Assert.Empty(new MetricListing(new MetricCatalog(Model), Input(job: Catalog.Validation), Now).From(new MetricPlace(5000, new RunPlace(Now, "jr_0"))));

    /// <summary>In the form "name job run", page by page, the next one a while later.</summary>
    static List<string> List(PipelineModel model, ListMetricsInput input, int pageSize, TimeSpan between = default, DateTimeOffset? at = null)
    {
        var catalog = new MetricCatalog(model);
        List<string> listed = [];
        var now = at ?? Now;
        for (MetricPlace? start = new MetricPlace(0); start is { } first; now += between)
        {
            start = null;
            var count = 0;
            foreach (var (series, place) in new MetricListing(catalog, input, now).From(first))
            {
                if (count++ == pageSize)
                {
                    start = MetricPlace.Parse(place.Token);
                    Assert.Equal(place, start);
                    break;
                }
                listed.Add($"{series.Name} {series.Dimensions[0].Value} {series.Dimensions[1].Value}");
            }
        }
        return listed;
    }

    static ListMetricsInput Input(string? recently = null, string? name = null, string? job = null, string? run = null) => new(
        "Glue", name, [new("JobName", job), new("JobRunId", run)], NextToken: null, recently, OwningAccount: null);

    static string RunOf(string name) => name.Split(' ')[2];

    /// <summary>The ids of those that sent anything, newest first.</summary>
    static List<string> Runs(PipelineModel model, string job, DateTimeOffset from, DateTimeOffset to) =>
        [.. model.GlueJobRuns(job, from, to).Where(run => run.ElapsedTime(from, to).Any()).Select(run => run.Id)];
}
