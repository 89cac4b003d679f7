using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Simulator.Airflow;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Tests.Control;

/// <summary>Each incident raises the condition of its alert, that of no other, and for as long as it lasts.</summary>
public sealed class IncidentAlertTests
{
    static readonly DateTimeOffset Now = new(2026, 11, 23, 12, 0, 40, 123, 456, TimeSpan.Zero);

    /// <summary>Busy from time to time without any incident; alerts want it to be so for a quarter of an hour.</summary>
    const string BusyPool = "AirflowPoolSaturated enrichment_pool";

    public static TheoryData<string, string> Kinds() => new()
    {
        { IncidentKind.DagFailure, "PipelineFailure music_streaming_validation|AirflowTaskFailure music_streaming_validation|GlueJobFailed music_streaming_validation" },
        { IncidentKind.TaskFailure, "AirflowTaskFailure label_notifications" },
        { IncidentKind.DagSlow, "AirflowDagDuration quarterly_royalty_audit" },
        { IncidentKind.TaskSlow, "AirflowTaskDuration search_index_rebuild" },
        { IncidentKind.DagOverdue, "AirflowDagOverdue release_calendar_import" },
        { IncidentKind.SchedulerDown, "AirflowComponentUnhealthy scheduler" },
        { IncidentKind.PoolFull, "AirflowPoolSaturated render_pool" },
        { IncidentKind.QueueBacklog, "AirflowQueueBacklog gpu" },
        { IncidentKind.ImportError, "AirflowImportErrors" },
        { IncidentKind.RetriesStorm, "AirflowRetryStorm" },
        { IncidentKind.WorkerCpu, "AirflowWorkerCpuHigh BaseWorker" },
        { IncidentKind.WorkerMemory, "AirflowWorkerMemoryHigh BaseWorker" },
        { IncidentKind.GlueFailure, "GlueJobFailed music_streaming_catalog_export" },
        { IncidentKind.GlueSlow, "GlueJobSlow music_streaming_catalog_export" },
        { IncidentKind.GlueQueueWait, "GlueQueueWait music_streaming_royalty_backfill" },
        { IncidentKind.GlueHeap, "GlueHeapHigh music_streaming_events_stream driver" },
        { IncidentKind.ExecutorsStarved, "GlueExecutorsStarved music_streaming_events_stream" },
        { IncidentKind.DynamoDbThrottling, "DynamoDBThrottling music_streaming_sessions" },
        { IncidentKind.DynamoDbLatency, "DynamoDBLatency music_streaming_kpi GetItem" },
        { IncidentKind.DynamoDbErrors, "DynamoDBErrors music_streaming_kpi" },
        { IncidentKind.S3Errors, "S3ErrorRate music-streaming-raw EntireBucket 5xx" },
        { IncidentKind.S3Latency, "S3Latency music-streaming-raw EntireBucket" },
    };

    [Fact]
    public void Each_kind_is_tried_and_says_which_alert_it_fires()
    {
        Assert.Equal(IncidentKind.All.Select(kind => kind.Name).Order(), Kinds().Select(row => row.Data.Item1).Order());
        foreach (var (name, conditions) in Kinds().Select(row => row.Data))
            Assert.Contains(conditions.Split('|'), condition => condition.Split(' ')[0] == IncidentKind.All.Single(kind => kind.Name == name).Alert);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void It_raises_the_condition_of_its_alert_and_no_other_while_it_lasts(string name, string expected)
    {
        var (model, time) = Run(name, TimeSpan.FromHours(4));
        Assert.DoesNotContain(Conditions.At(model, time, Now.AddTicks(-1)), condition => condition != BusyPool);

        SortedSet<string> conditions = new(expected.Split('|'), StringComparer.Ordinal);
        var from = Now + name switch
        {
            // Retries have to outweigh what went well in the quarter of an hour before.
            IncidentKind.RetriesStorm => TimeSpan.FromMinutes(3),
            IncidentKind.SchedulerDown => TimeSpan.FromSeconds(30),
            IncidentKind.WorkerCpu or IncidentKind.WorkerMemory => TimeSpan.FromMinutes(2),

            // The first whole minute, when it can be read.
            IncidentKind.GlueHeap or IncidentKind.ExecutorsStarved => TimeSpan.FromMinutes(4),
            IncidentKind.DynamoDbThrottling or IncidentKind.DynamoDbLatency or IncidentKind.DynamoDbErrors or IncidentKind.S3Errors or IncidentKind.S3Latency => TimeSpan.FromMinutes(6),
            _ => TimeSpan.FromSeconds(20),
        };
        for (var at = from; at < Now.AddHours(4); at = at.AddSeconds(181))
            Assert.Equal(conditions, Conditions.At(model, time, at).Where(condition => condition != BusyPool));
        for (var at = Now.AddHours(4); at < Now.AddHours(5); at = at.AddMinutes(2))
            Assert.Subset(conditions, Conditions.At(model, time, at).Where(condition => condition != BusyPool).ToHashSet());
        Assert.DoesNotContain(Conditions.At(model, time, Now.AddHours(5).AddMinutes(1)), condition => condition != BusyPool);
    }

    [Theory]
    [InlineData(IncidentKind.DagSlow)]
    [InlineData(IncidentKind.TaskSlow)]
    [InlineData(IncidentKind.PoolFull)]
    [InlineData(IncidentKind.QueueBacklog)]
    [InlineData(IncidentKind.RetriesStorm)]
    [InlineData(IncidentKind.DagOverdue)]
    [InlineData(IncidentKind.TaskFailure)]
    public void Soon_after_its_end_everything_that_it_held_has_succeeded(string name)
    {
        foreach (var lasts in new[] { 0.3, 1, 20, 100, 3_000, 20_000 })
        {
            var end = Now.AddSeconds(lasts);
            var (model, _) = Run(name, end - Now);
            var dag = DagOf(model, name);
            var runs = model.Runs(dag, Now, end.AddHours(1)).Where(run => run.Key.Cause != RunCause.Schedule).ToList();
            Assert.NotEmpty(runs);
            Assert.All(runs, run =>
            {
                Assert.InRange(run.EndDate, Now.AddSeconds(0.1), end.AddSeconds(30));
                Assert.False(run.Failed);
                if (name != IncidentKind.TaskFailure)
                    Assert.All(run.TaskInstances, instance => Assert.Equal(TaskState.Success, instance.Phases[^1].State));
                Assert.All(run.TaskInstances, instance => Assert.Equal(instance.Phases.OrderBy(phase => phase.At), instance.Phases));
            });
        }
    }

    /// <summary>Whoever asks about an instant gets one answer, before and after an incident's start, and before and after its end.</summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public void It_changes_nothing_that_was(string name, string alert)
    {
        Assert.NotEmpty(alert);
        var time = new FakeTimeProvider(Now);
        var incidents = new IncidentLog(time);
        var model = new PipelineModel(1, incidents);
        var before = Describe(model, Now.AddTicks(-1));
        incidents.Start(name);
        Assert.Equal(before, Describe(model, Now.AddTicks(-1)));
        List<(DateTimeOffset At, string Rows)> seen = [];
        foreach (var seconds in new[] { 0, 1, 7, 61, 200, 1_201, 1_261, 5_000 })
        {
            time.SetUtcNow(Now.AddSeconds(seconds));
            seen.Add((time.GetUtcNow(), Describe(model, time.GetUtcNow())));
        }
        time.Advance(TimeSpan.FromMilliseconds(1234.5678));
        incidents.End(name);
        time.Advance(TimeSpan.FromHours(1));
        foreach (var (at, rows) in seen)
            Assert.Equal(rows, Describe(model, at));
    }

    /// <summary>What ended was live before: an exporter that polled all the time has missed nothing, and counts what the truth says.</summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public void Nothing_ends_before_it_could_be_seen_and_the_truth_of_the_parts_is_that_of_the_whole(string name, string alert)
    {
        Assert.NotEmpty(alert);
        var (model, _) = Run(name, TimeSpan.FromHours(1));
        foreach (var run in model.Runs(Now, Now.AddHours(2)))
        {
            Assert.True(run.EndDate > run.VisibleFrom);
            Assert.All(run.TaskInstances.SelectMany(instance => instance.Ends()), end => Assert.True(end.At >= run.VisibleFrom));
        }

        var (from, to) = (Now.AddHours(-3), Now.AddHours(2));
        var whole = Truth.Of(model, new EditLog(1), Edition.V2, from, to);
        var (tries, finished, runs) = (0, 0, 0);
        for (var at = from; at < to; at = at.AddMinutes(20))
        {
            var part = Truth.Of(model, new EditLog(1), Edition.V2, at, at.AddMinutes(20));
            tries += part.TaskTries.Sum(count => count.Count);
            finished += part.TaskInstancesFinished.Sum(count => count.Count);
            runs += part.DagRuns.Sum(count => count.Count);
        }
        Assert.Equal((whole.TaskTries.Sum(count => count.Count), whole.TaskInstancesFinished.Sum(count => count.Count), whole.DagRuns.Sum(count => count.Count)), (tries, finished, runs));
    }

    [Fact]
    public void The_overdue_run_is_created_at_the_end_with_the_date_that_it_missed()
    {
        var (model, _) = Run(IncidentKind.DagOverdue, TimeSpan.FromHours(5));
        var dag = model.FindDag(Catalog.ReleaseCalendar)!;
        Assert.Equal(Now.AddHours(-1), model.NextRun(dag, Now.AddHours(4)));
        Assert.InRange(model.NextRun(dag, Now.AddHours(5))!.Value, Now.AddHours(5), Now.AddHours(9));

        var late = Assert.Single(model.Runs(dag, Now, Now.AddHours(5).AddMinutes(1)));
        Assert.Equal((RunKind.Scheduled, Now.AddHours(-1)), (late.Kind, late.RunAfter));
        Assert.InRange(late.StartDate, Now.AddHours(5), Now.AddHours(5).AddSeconds(1));
    }

    /// <summary>Otherwise a run that was seen would have a date after the one that is missing, and nothing would be late.</summary>
    [Fact]
    public void Whenever_a_dag_becomes_overdue_its_last_run_was_before_the_one_that_it_missed()
    {
        for (var start = Now; start < Now.AddHours(4); start = start.AddMinutes(1))
        {
            var time = new FakeTimeProvider(start);
            var incidents = new IncidentLog(time);
            incidents.Start(IncidentKind.DagOverdue);
            var model = new PipelineModel(1, incidents);
            var dag = model.FindDag(Catalog.ReleaseCalendar)!;
            var last = model.Runs(dag, start.AddHours(-8), start).Max(run => run.RunAfter);
            Assert.InRange(model.NextRun(dag, start)!.Value, last.AddTicks(1), start);
            Assert.InRange(start - model.NextRun(dag, start)!.Value, TimeSpan.Zero, TimeSpan.FromHours(1));

            time.Advance(TimeSpan.FromHours(1));
            incidents.End(IncidentKind.DagOverdue);
            Assert.Equal(model.NextRun(dag, start), model.Runs(dag, start, time.GetUtcNow().AddMinutes(1)).Single(run => run.Key.Cause == RunCause.Repair).RunAfter);
        }
    }

    [Fact]
    public void A_held_run_is_found_by_its_id_and_the_pool_is_full_to_the_moment()
    {
        var (model, time) = Run(IncidentKind.PoolFull, TimeSpan.FromHours(3));
        for (var at = Now.AddSeconds(3); at < Now.AddHours(3); at = at.AddSeconds(7))
        {
            var pool = model.Runs(model.FindDag(Catalog.CoverArt)!, at, at).SelectMany(run => run.TaskInstances)
                .Where(instance => instance.Task.Pool == "render_pool").Select(instance => instance.At(at)?.State).ToList();
            Assert.Equal(4, pool.Count(state => state is TaskState.Queued or TaskState.Running));
            Assert.True(pool.Count(state => state is TaskState.Queued or TaskState.Scheduled) >= 4);
        }

        foreach (var name in new[] { IncidentKind.DagSlow, IncidentKind.TaskSlow, IncidentKind.QueueBacklog, IncidentKind.DagOverdue })
        {
            var (held, _) = Run(name, TimeSpan.FromHours(3));
            foreach (var edition in new[] { Edition.V1, Edition.V2 })
            {
                var data = new AirflowData(held, new EditLog(1), new FaultInjector(time, 1), edition, Now.AddHours(3.5));
                var runs = held.Runs(DagOf(held, name), Now, Now.AddHours(3.5)).Where(run => run.Key.Cause != RunCause.Schedule).ToList();
                Assert.NotEmpty(runs);
                Assert.All(runs, run => Assert.Same(run, data.FindRun(run.Dag.Id, edition.RunId(run))));
            }
        }
    }

    [Fact]
    public void What_an_incident_holds_or_fails_can_be_edited()
    {
        var time = new FakeTimeProvider(Now);
        var incidents = new IncidentLog(time);
        incidents.Start(IncidentKind.TaskFailure);
        incidents.Start(IncidentKind.DagSlow);
        incidents.Start(IncidentKind.TaskSlow);
        time.Advance(TimeSpan.FromMinutes(1));
        var at = time.GetUtcNow();
        var model = new PipelineModel(1, incidents);
        var edits = new EditLog(1);
        DagRun Held(string name) => model.Runs(DagOf(model, name), Now, at).Single(run => run.Key.Cause == RunCause.Incident);

        edits.Add(new TasksCleared(at, Held(IncidentKind.TaskFailure).Key, [new TaskKey("archive_notices", -1)], ResetRun: true, KillsRunning: false));
        edits.Add(new TaskStateSet(at, Held(IncidentKind.DagSlow).Key, [new TaskKey("wait_for_ledger", -1)], TaskState.Success));
        edits.Add(new RunStateSet(at, Held(IncidentKind.TaskSlow).Key, RunState.Failed));
        var edited = new[] { IncidentKind.TaskFailure, IncidentKind.DagSlow, IncidentKind.TaskSlow }.Select(name => edits.Apply(Held(name))).ToList();
        Assert.Equal([RunState.Success, RunState.Success, RunState.Failed], edited.Select(run => run.StateAt(at.AddMinutes(5))));
        Assert.Equal(TaskState.Success, edited[0].TaskInstances.Single(instance => instance.Task.Id == "archive_notices").Phases[^1].State);

        // The end of an incident changes nothing of that.
        incidents.End(IncidentKind.DagSlow);
        incidents.End(IncidentKind.TaskSlow);
        Assert.Equal(edited[1].EndAt(at.AddMinutes(5)), edits.Apply(Held(IncidentKind.DagSlow)).EndAt(at.AddMinutes(5)));
        Assert.Equal(at, edits.Apply(Held(IncidentKind.TaskSlow)).EndAt(at.AddMinutes(5)));
    }

    /// <summary>A model in which an incident was on from now for a while.</summary>
    static (PipelineModel Model, FakeTimeProvider Time) Run(string name, TimeSpan lasts)
    {
        var time = new FakeTimeProvider(Now);
        var incidents = new IncidentLog(time);
        incidents.Start(name);
        time.Advance(lasts);
        incidents.End(name);
        return (new PipelineModel(1, incidents), time);
    }

    static DagDefinition DagOf(PipelineModel model, string name) => model.Dags.Single(dag => Disruption.Of(dag)?.Incident == name);

    static string Describe(PipelineModel model, DateTimeOffset at) => string.Join('\n', model.Runs(at.AddHours(-3), at).SelectMany(run =>
        run.TaskInstances.Select(instance => $"{run.Dag.Id} {run.Suffix} {run.StateAt(at)} {run.EndAt(at):O} {instance.Task.Id} {instance.MapIndex} {instance.At(at)}")));
}
