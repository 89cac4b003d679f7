using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Simulator.Aws;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;
using PipelineExporter.Simulator.Tests.Aws;

namespace PipelineExporter.Simulator.Tests.Pipeline;

public sealed class TriggeredJobsTests
{
    /// <summary>Shortly after midnight, so that what an incident's first run has behind it began on the day before.</summary>
    static readonly DateTimeOffset Start = new(2026, 11, 23, 0, 1, 30, 250, TimeSpan.Zero);

    static readonly DateTimeOffset[] Cuts = [.. Enumerable.Range(0, 481).Select(i => Start.AddHours(-2).AddSeconds(i * 15.5))];

    readonly FakeTimeProvider time = new(Start);
    readonly IncidentLog incidents;
    readonly PipelineModel model;

    public TriggeredJobsTests()
    {
        incidents = new(time);
        model = new(seed: 1, incidents);
    }

    public static TheoryData<string, string> FirstRuns => new()
    {
        { IncidentKind.GlueSlow, TriggeredJobs.Export.Name },
        { IncidentKind.GlueQueueWait, TriggeredJobs.Backfill.Name },
        { IncidentKind.GlueFailure, TriggeredJobs.Export.Name },
    };

    public static TheoryData<string> JobNames => [.. TriggeredJobs.All.Select(job => job.Name), Catalog.KpiComputation];

    [Theory]
    [MemberData(nameof(FirstRuns))]
    public void The_first_run_of_an_incident_is_listed_at_once_and_on_every_size_of_page(string incident, string job)
    {
        var before = Listed(job, pageSize: 200);
        incidents.Start(incident);
        time.Advance(TimeSpan.FromSeconds(2));

        Assert.Single(Listed(job, pageSize: 200).Except(before));
        foreach (var size in new[] { 1, 2, 3, 7 })
            Assert.Equal(Listed(job, pageSize: 200), Listed(job, size));
    }

    [Theory]
    [MemberData(nameof(FirstRuns))]
    public void What_CloudWatch_told_before_an_incident_stays_as_it_was(string incident, string job)
    {
        var before = model.ElapsedTime(job, Start.AddDays(-1), Start).ToList();
        incidents.Start(incident);
        time.Advance(TimeSpan.FromHours(3));

        Assert.Equal(before, model.ElapsedTime(job, Start.AddDays(-1), Start));
    }

    [Theory]
    [MemberData(nameof(JobNames))]
    public void However_its_time_is_cut_a_run_sends_each_datapoint_once(string job)
    {
        var whole = model.ElapsedTime(job, Cuts[0], Cuts[^1]).ToList();

        Assert.Equal(whole, Cuts.Zip(Cuts.Skip(1)).SelectMany(span => model.ElapsedTime(job, span.First, span.Second)));
        // At the very moment of a datapoint, too: it belongs to what begins there.
        foreach (var at in whole.Select(delta => delta.At))
            Assert.Equal(whole, model.ElapsedTime(job, Cuts[0], at).Concat(model.ElapsedTime(job, at, Cuts[^1])));
    }

    [Fact]
    public void The_datapoints_of_a_run_are_as_long_as_it_ran()
    {
        var run = model.GlueJobRuns(TriggeredJobs.Export.Name, Start.AddHours(-2), Start.AddHours(-1)).First(run => run.CompletedOn < Start);

        Assert.Equal(
            (run.CompletedOn - run.RunningFrom).TotalMilliseconds, run.ElapsedTime(run.StartedOn, run.CompletedOn.AddTicks(1)).Sum(delta => delta.Milliseconds), precision: 3);
    }

    [Fact]
    public void A_run_is_modified_when_its_state_changes()
    {
        var run = model.GlueJobRuns(TriggeredJobs.Backfill.Name, Start.AddHours(-3), Start.AddHours(-1)).First();
        var waited = Assert.NotNull(run.WaitedUntil);

        foreach (var (at, changed, state) in new[]
        {
            (run.StartedOn, run.StartedOn, GlueRunState.WAITING), (waited.AddTicks(-1), run.StartedOn, GlueRunState.WAITING),
            (waited, waited, GlueRunState.STARTING), (run.RunningFrom, run.RunningFrom, GlueRunState.RUNNING),
            (run.CompletedOn, run.CompletedOn, GlueRunState.SUCCEEDED), (run.CompletedOn.AddDays(1), run.CompletedOn, GlueRunState.SUCCEEDED),
        })
        {
            Assert.Equal((state, changed), (run.StateAt(at), run.LastModifiedOnAt(at)));
        }
    }

    [Fact]
    public void Only_the_stream_has_no_timeout_and_reports_of_its_runs_have_none_either()
    {
        var jobs = ServiceCall.Json(Glue(), "GetJobs", "{}", time.GetUtcNow())["Jobs"]!.AsArray();

        Assert.Equal([TriggeredJobs.Stream.Name], jobs.Where(job => job!["Timeout"] is null).Select(job => (string)job!["Name"]!));
        Assert.All(Runs(TriggeredJobs.Stream.Name, ""), run => Assert.Null(run["Timeout"]));
        Assert.All(Runs(TriggeredJobs.Export.Name, ""), run => Assert.Equal(120, (int)run["Timeout"]!));
    }

    List<string> Listed(string job, int pageSize)
    {
        List<string> ids = [];
        for (var token = ""; ;)
        {
            var page = ServiceCall.Json(Glue(), "GetJobRuns", $$"""{"JobName": "{{job}}", "MaxResults": {{pageSize}}{{token}}}""", time.GetUtcNow());
            ids.AddRange(page["JobRuns"]!.AsArray().Select(run => (string)run!["Id"]!));
            if (page["NextToken"] is not { } next || ids.Count >= 20)
                return [.. ids.Take(20)];
            token = $", \"NextToken\": \"{next}\"";
        }
    }

    List<System.Text.Json.Nodes.JsonNode> Runs(string job, string rest) =>
        [.. ServiceCall.Json(Glue(), "GetJobRuns", $$"""{"JobName": "{{job}}"{{rest}}}""", time.GetUtcNow())["JobRuns"]!.AsArray().Select(run => run!)];

    AwsService Glue() => new GlueService(new AwsAccounts(model, time)).Describe();
}
