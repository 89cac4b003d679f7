using System.Collections.Immutable;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Simulator.Airflow;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Tests.Airflow;

public sealed class EditLogTests
{
    static readonly DateTimeOffset Now = new(2026, 11, 23, 12, 0, 40, TimeSpan.Zero);

    readonly PipelineModel model = new(1, new IncidentLog(new FakeTimeProvider(Now)));
    readonly EditLog edits = new(seed: 1);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void What_was_before_an_edit_stays_and_every_run_ends_however_it_is_edited(int seed)
    {
        var dice = new Dice(seed, "edits", 0);
        for (var at = Now.AddMinutes(-30); at < Now; at = at.AddSeconds(20))
        {
            var runs = new EditedRuns(model, edits).Ever(at.AddMinutes(-5), at).Where(run => run.StateAt(at) != RunState.Queued || dice.Chance(0.5)).ToList();
            var run = runs[dice.Between(0, runs.Count - 1)];
            if (run.QueuedAt > at || run.DeletedAt is not null)
                continue;
            var before = Describe(run, at.AddMicroseconds(-1));
            var earlier = Describe(run, at.AddSeconds(-7));
            edits.Add(Some(dice, run, at));
            var after = edits.Apply(model.Run(run.Key)!);
            Assert.Equal(before, Describe(after, at.AddMicroseconds(-1)));
            Assert.Equal(earlier, Describe(after, at.AddSeconds(-7)));
        }

        // An hour later nothing runs any more of what began before now, and rows hold together.
        var later = Now.AddHours(1);
        foreach (var run in new EditedRuns(model, edits).Ever(Now.AddHours(-1), Now))
        {
            Assert.NotEqual(RunState.Running, run.StateAt(later));
            foreach (var instance in run.TaskInstances)
            {
                Assert.Equal(instance.Phases.OrderBy(phase => phase.At), instance.Phases);
                Assert.All(instance.Phases, phase => Assert.False(phase is { State: TaskState.Success or TaskState.Failed, Start: { } start, End: { } end } && end < start));
                Assert.Equal(instance.Ends().Count(end => end.Try > 0), instance.Ends().Where(end => end.Try > 0).DistinctBy(end => end.Try).Count());
            }
        }
    }

    [Fact]
    public void Of_a_retry_and_a_clear_only_the_retry_is_one()
    {
        var run = new EditedRuns(model, edits).Runs(model.FindDag("partner_feed_sync")!, Now.AddHours(-1), Now)
            .First(run => run.EndDate < Now && run.TaskInstances[0].Phases[^1].Try == 2);
        Assert.Single(run.TaskInstances[0].RetriesBegun());
        edits.Add(new TasksCleared(Now, run.Key, [new TaskKey("fetch_feed", -1)], ResetRun: true, KillsRunning: false));
        var cleared = edits.Apply(run).TaskInstances[0];
        Assert.Equal(3, cleared.Ends().First(end => end.At > Now).Try);
        Assert.All(cleared.RetriesBegun().Skip(1), at => Assert.True(at > cleared.Ends().First(end => end.At > Now).At));
        Assert.Equal((2, 5), (cleared.At(Now)!.Value.Try, cleared.At(Now)!.Value.MaxTries));
    }

    [Fact]
    public void A_run_that_is_not_reset_keeps_a_row_without_a_state_until_somebody_queues_it()
    {
        var run = new EditedRuns(model, edits).Runs(model.FindDag("stream_event_ingest")!, Now.AddHours(-1), Now).First(run => run.EndDate < Now);
        edits.Add(new TasksCleared(Now, run.Key, [new TaskKey("store_events", -1)], ResetRun: false, KillsRunning: false));
        var later = Now.AddHours(1);
        var waiting = Assert.Single(Data(later).TaskInstances(new TaskFilter { States = new HashSet<TaskState> { TaskState.None } }), row => row.Run.Key == run.Key);
        Assert.Equal(RunState.Success, waiting.Run.StateAt(later));
        edits.Add(new RunStateSet(later, run.Key, RunState.Queued));
        Assert.Equal(RunState.Queued, edits.Apply(run).StateAt(later));
        Assert.Equal((TaskState.Success, 2), (edits.Apply(run).TaskInstances[^1].Phases[^1].State, edits.Apply(run).TaskInstances[^1].Phases[^1].Try));
    }

    [Fact]
    public void A_task_that_runs_however_the_ones_before_it_ended_runs_after_one_that_was_set_to_failed_and_its_run_succeeds()
    {
        var run = new EditedRuns(model, edits).Runs(model.FindDag(Catalog.LabelNotifications)!, Now.AddHours(-1), Now).First(run => run.EndDate < Now);
        var sending = run.TaskInstances.Single(instance => instance.Task.Id == "send_notices").Phases.First(phase => phase.State == TaskState.Running).At.AddSeconds(1);
        edits.Add(new TaskStateSet(sending, run.Key, [new TaskKey("send_notices", -1)], TaskState.Failed));
        var edited = edits.Apply(run);
        Assert.Equal([TaskState.Success, TaskState.Failed, TaskState.Success], edited.TaskInstances.Select(instance => instance.Phases[^1].State));
        Assert.Equal(RunState.Success, edited.StateAt(Now.AddHours(1)));
        Assert.Equal(sending, edited.TaskInstances[1].Phases[^1].End);
        Assert.InRange(edited.TaskInstances[2].Phases.First(phase => phase.State == TaskState.Running).At - sending, TimeSpan.Zero, TimeSpan.FromSeconds(4));
    }

    [Theory]
    [InlineData("id", 0, 100)]
    [InlineData("-end_date", 90, 30)]
    [InlineData("-updated_at", 0, 100)]
    [InlineData("start_date", 1100, 100)]
    public void A_page_with_edited_runs_in_it_is_the_page_of_the_whole_list(string orderBy, int offset, int limit)
    {
        var dice = new Dice(1, "pages", 0);
        var all = new EditedRuns(model, edits).Ever(Now.AddHours(-5), Now.AddMinutes(-10)).ToList();
        for (var i = 0; i < 40; i++)
        {
            var run = all[dice.Between(0, all.Count - 1)];
            edits.Add(Some(dice, run, Now.AddMinutes(-5).AddSeconds(i)));
        }
        var data = Data(Now);
        var name = orderBy.TrimStart('-');
        var order = new Ordering<RunRow>([
            new SortKey<RunRow>(name, orderBy.StartsWith('-'), Sortable.Run(name, Edition.V2)!),
            new SortKey<RunRow>("id", Descending: false, Sortable.Run("id", Edition.V2)!),
        ]);
        foreach (var filter in new[]
        {
            new RunFilter { EndDate = new TimeRange(Gte: Now.AddHours(-8)) },
            new RunFilter { UpdatedAt = new TimeRange(Gte: Now.AddHours(-8)), States = new HashSet<RunState> { RunState.Success } },
            new RunFilter { UpdatedAt = new TimeRange(Gte: Now.AddMinutes(-6)) },
        })
        {
            var whole = order.Sort(data.Runs(filter));
            var page = data.Runs(filter, order, offset, limit);
            Assert.Equal(whole.Count, page.Total);
            Assert.Equal(whole.Skip(offset).Take(limit).Select(row => row.Run.Key), page.Rows.Select(row => row.Run.Key));
        }
    }

    AirflowData Data(DateTimeOffset now) => new(model, edits, new FaultInjector(new FakeTimeProvider(now), 1), Edition.V2, now);

    static Edit Some(Dice dice, DagRun run, DateTimeOffset at)
    {
        ImmutableHashSet<TaskKey> tasks = [.. run.TaskInstances.Where(_ => dice.Chance(0.5)).Select(instance => new TaskKey(instance.Task.Id, instance.MapIndex))];
        return dice.Between(0, 9) switch
        {
            0 => new RunDeleted(at, run.Key),
            1 => new RunStateSet(at, run.Key, RunState.Failed),
            2 => new RunStateSet(at, run.Key, RunState.Success),
            3 => new RunStateSet(at, run.Key, RunState.Queued),
            4 => new TaskStateSet(at, run.Key, [.. tasks.Take(1)], TaskState.Failed),
            5 => new TaskStateSet(at, run.Key, [.. tasks.Take(1)], TaskState.Success),
            6 => new TasksCleared(at, run.Key, tasks, ResetRun: true, KillsRunning: true),
            _ => new TasksCleared(at, run.Key, tasks, ResetRun: true, KillsRunning: false),
        };
    }

    /// <summary>A run and its rows as an instant shows them.</summary>
    static string Describe(DagRun run, DateTimeOffset at) =>
        $"{run.StateAt(at)} {run.StartAt(at):O} {run.EndAt(at):O} {run.At(at).QueuedAt:O}\n" + string.Join('\n', run.TaskInstances
            .Select(instance => (instance, Row: instance.At(at)))
            .Where(row => row.Row is not null)
            .Select(row => $"{row.instance.Task.Id} {row.instance.MapIndex} {row.Row} {string.Join(',', row.instance.TriesAt(at))}"));
}
