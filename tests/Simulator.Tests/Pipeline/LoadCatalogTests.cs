using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Simulator.Airflow;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Tests.Pipeline;

public sealed class LoadCatalogTests
{
    static readonly DateTimeOffset Now = new(2026, 11, 23, 12, 0, 40, TimeSpan.Zero);

    static readonly HashSet<TaskState> Live =
        [TaskState.Scheduled, TaskState.Queued, TaskState.Running, TaskState.UpForRetry, TaskState.UpForReschedule, TaskState.Deferred];

    static readonly HashSet<TaskState> Ended = [TaskState.Success, TaskState.Failed, TaskState.UpstreamFailed, TaskState.Skipped, TaskState.Removed];

    static PipelineModel Model(int scale) => new(1, new IncidentLog(new FakeTimeProvider(Now)), scale);

    [Fact]
    public void A_thousand_dags_make_some_hundred_thousand_task_instances_a_day_evenly_and_one_in_a_hundred_is_tried_again()
    {
        var model = Model(1_000);
        var (from, to) = (Now.AddDays(-1), Now);
        var (instances, load, tries) = (0, 0, 0);
        var perHour = new int[24];
        foreach (var run in model.Runs(from, to).Where(run => run.EndDate >= from && run.EndDate < to))
        {
            instances += run.TaskInstances.Length;
            if (run.Dag.Tags is not ["load"])
                continue;
            Assert.False(run.Failed);
            Assert.InRange(run.EndDate, run.RunAfter.AddSeconds(60), run.RunAfter + run.Dag.EndsWithin);
            load += run.TaskInstances.Length;
            tries += run.TaskInstances.Sum(instance => instance.Ends().Count());
            perHour[(int)(run.EndDate - from).TotalHours] += run.TaskInstances.Length;
        }
        Assert.InRange(instances, 95_000, 125_000);
        Assert.InRange(load, 94_000, 98_000);
        Assert.InRange((tries - load) / (double)load, 0.005, 0.015);
        Assert.All(perHour, count => Assert.InRange(count, load / 24 * 0.9, load / 24 * 1.1));
    }

    [Fact]
    public void Some_of_its_work_is_live_at_any_moment()
    {
        var model = Model(1_000);
        for (var minute = 0; minute < 60; minute += 7)
        {
            var live = Data(model, Now.AddMinutes(minute)).TaskInstances(new TaskFilter { States = Live }).ToList();
            Assert.InRange(live.Count, 20, 300);
            Assert.True(live.Exists(row => row.Task.Pool == "load_pool"));
        }
        Assert.DoesNotContain(Data(model, Now).Pools(), pool => pool.Open <= 0 && pool.Pool.Name == "load_pool");
    }

    [Fact]
    public void What_was_touched_is_found_by_time_as_by_looking_at_each_dag()
    {
        var model = Model(500);
        foreach (var (since, now) in new[] { (Now, Now), (Now.AddSeconds(-150), Now), (Now.AddHours(-1), Now.AddMinutes(17)), (Now.AddHours(-9), Now.AddHours(-2)) })
        {
            var each = model.Dags.SelectMany(dag => model.Runs(dag, since, now)).Select(run => run.Key).ToHashSet();
            var found = model.Runs(since, now).Select(run => run.Key).ToList();
            Assert.Equal(each.Count, found.Count);
            Assert.True(each.SetEquals(found));
        }
    }

    [Fact]
    public void A_poll_plays_only_the_runs_of_its_window_and_the_next_one_only_what_is_new()
    {
        var model = Model(1_000);
        Poll(model, Now);
        var first = model.PlayedRuns;
        Assert.InRange(first, 120, 280);
        Poll(model, Now.AddSeconds(30));
        Assert.InRange(model.PlayedRuns - first, 0, 30);
        for (var second = 60; second <= 600; second += 30)
            Poll(model, Now.AddSeconds(second));
        Assert.InRange(model.PlayedRuns - first, 60, 160);
    }

    [Fact]
    public void The_load_leaves_the_pipeline_as_it_is()
    {
        var (alone, loaded) = (Model(0), Model(100));
        Assert.Equal(alone.Dags.Length + 100, loaded.Dags.Length);
        foreach (var dag in alone.Dags)
            Assert.Equal(alone.Runs(dag, Now.AddHours(-3), Now).Select(run => (run.Key, run.EndDate)), loaded.Runs(dag, Now.AddHours(-3), Now).Select(run => (run.Key, run.EndDate)));
        Assert.DoesNotContain(alone.Pools, pool => pool.Name == "load_pool");
    }

    /// <summary>What an exporter asks for twice a minute, of both editions.</summary>
    static void Poll(PipelineModel model, DateTimeOffset now)
    {
        foreach (var edition in new[] { Edition.V1, Edition.V2 })
        {
            var data = Data(model, now, edition);
            var lately = new TimeRange(Gte: now.AddSeconds(-150));
            var order = new Ordering<RunRow>([new SortKey<RunRow>("id", Descending: false, Sortable.Run("id", edition)!)]);
            Assert.NotEmpty(data.Runs(new RunFilter { States = new HashSet<RunState> { RunState.Queued, RunState.Running } }, order, 0, 100).Rows);
            Assert.NotEmpty(data.Runs(edition == Edition.V1 ? new RunFilter { EndDate = lately } : new RunFilter { UpdatedAt = lately }, order, 0, 100).Rows);
            Assert.NotEmpty(data.TaskInstances(new TaskFilter { States = Live }));
            Assert.NotEmpty(data.TaskInstances(new TaskFilter { States = Ended, UpdatedAt = lately }));
            Assert.NotEmpty(data.Pools());
            Assert.All(data.Dags.Take(100), dag => data.NextRun(dag));
        }
    }

    static AirflowData Data(PipelineModel model, DateTimeOffset now, Edition? edition = null) =>
        new(model, new FaultInjector(new FakeTimeProvider(now), 1), edition ?? Edition.V2, now);
}
