using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Simulator.Airflow;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Tests.Airflow;

/// <summary>A page that is worked out without playing the history, against one taken from all of it.</summary>
public sealed class RunListingTests
{
    static readonly DateTimeOffset Now = new(2026, 11, 23, 12, 0, 40, TimeSpan.Zero);

    readonly FakeTimeProvider time = new(Now.AddMinutes(-50));
    readonly EditLog edits = new(seed: 1);

    [Theory]
    [InlineData("id", false, 0, 100)]
    [InlineData("id", true, 0, 100)]
    [InlineData("-start_date", true, 7, 5)]
    [InlineData("-end_date", false, 0, 1)]
    [InlineData("-end_date", true, 90, 30)]
    [InlineData("end_date", false, 200, 17)]
    [InlineData("-updated_at", true, 0, 100)]
    [InlineData("-run_after", false, 1100, 100)]
    [InlineData("run_after", true, 1100, 100)]
    [InlineData("-id", false, 5000, 100)]
    [InlineData("state", false, 3, 10)]
    internal void A_page_is_the_page_of_the_whole_list(string orderBy, bool withIncident, int offset, int limit)
    {
        var data = Data(withIncident, out _);
        foreach (var filter in Filters())
        {
            var order = Order(orderBy);
            var whole = order.Sort(data.Runs(filter));
            var page = data.Runs(filter, order, offset, limit);
            Assert.Equal(whole.Count, page.Total);
            Assert.Equal(whole.Skip(offset).Take(limit).Select(row => row.Run.Key), page.Rows.Select(row => row.Run.Key));
        }
    }

    [Theory]
    [InlineData("-end_date", 1)]
    [InlineData("id", 100)]
    internal void Ninety_days_are_counted_without_playing_them(string orderBy, int limit)
    {
        var data = Data(withIncident: true, out var model);
        var page = data.Runs(new RunFilter { States = new HashSet<RunState> { RunState.Success } }, Order(orderBy), 0, limit);
        Assert.Equal(limit, page.Rows.Count);
        Assert.InRange(page.Total, 350_000, 420_000);
        Assert.InRange(model.PlayedRuns, 1, 12_000);
    }

    [Fact]
    public void Live_work_and_what_changed_lately_play_only_the_runs_of_that_time()
    {
        TaskState[] live = [TaskState.Scheduled, TaskState.Queued, TaskState.Running, TaskState.UpForRetry, TaskState.UpForReschedule, TaskState.Deferred];
        var now = Data(withIncident: false, out var model);
        Assert.NotEmpty(now.TaskInstances(new TaskFilter { States = live.ToHashSet() }));
        Assert.NotEmpty(now.Runs(new RunFilter { States = new HashSet<RunState> { RunState.Queued, RunState.Running } }));
        Assert.Empty(now.Runs(new RunFilter { States = new HashSet<RunState> { RunState.Failed } }));
        Assert.InRange(model.PlayedRuns, 1, 60);

        var lately = new TimeRange(Gte: Now.AddMinutes(-2));
        now = Data(withIncident: false, out model);
        Assert.NotEmpty(now.TaskInstances(new TaskFilter { UpdatedAt = lately }));
        Assert.NotEmpty(now.Runs(new RunFilter { EndDate = lately }));
        Assert.InRange(model.PlayedRuns, 1, 80);
    }

    static IEnumerable<RunFilter> Filters()
    {
        var since = new TimeRange(Gte: Now.AddHours(-8));
        yield return new RunFilter { EndDate = since };
        yield return new RunFilter { UpdatedAt = since, States = new HashSet<RunState> { RunState.Success } };
        yield return new RunFilter { StartDate = since, States = new HashSet<RunState> { RunState.Success, RunState.Failed }, DagId = Catalog.Validation };
        yield return new RunFilter { RunAfter = since, RunTypes = new HashSet<string> { "asset_triggered", "manual" } };
        yield return new RunFilter { EndDate = since, States = new HashSet<RunState> { RunState.Failed, RunState.Running } };
        yield return new RunFilter { EndDate = since with { Lte = Now.AddHours(-1) } };
    }

    AirflowData Data(bool withIncident, out PipelineModel model)
    {
        var incidents = new IncidentLog(time);
        if (withIncident)
        {
            incidents.Start(IncidentKind.DagFailure);
            time.SetUtcNow(Now.AddMinutes(-20));
            incidents.End(IncidentKind.DagFailure);
        }
        model = new PipelineModel(1, incidents);
        return new AirflowData(model, edits, new FaultInjector(time, 1), Edition.V2, Now);
    }

    static Ordering<RunRow> Order(string text)
    {
        var name = text.TrimStart('-');
        return new Ordering<RunRow>([
            new SortKey<RunRow>(name, text.StartsWith('-'), Sortable.Run(name, Edition.V2)!),
            new SortKey<RunRow>("id", Descending: false, Sortable.Run("id", Edition.V2)!),
        ]);
    }
}
