using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Simulator.Airflow;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Tests.Pipeline;

public sealed class PipelineModelTests
{
    static readonly DateTimeOffset Now = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);

    readonly FakeTimeProvider time = new(Now);
    readonly IncidentLog incidents;
    readonly PipelineModel model;

    public PipelineModelTests()
    {
        incidents = new IncidentLog(time);
        model = new PipelineModel(1, incidents);
    }

    [Theory]
    [InlineData(1, 7)]
    [InlineData(2, 1)]
    [InlineData(77, 1)]
    public void Without_incidents_no_run_and_no_task_fails_for_good(int seed, int days)
    {
        var runs = 0;
        foreach (var run in new PipelineModel(seed, incidents).Runs(Now.AddDays(-days), Now))
        {
            runs++;
            Assert.False(run.Failed, $"{run.Dag.Id} {run.RunAfter:O}");
            Assert.All(run.TaskInstances, instance => Assert.Contains(instance.Phases[^1].State, new[] { TaskState.Success, TaskState.Skipped }));
        }
        Assert.InRange(runs, days * 3900, days * 4600);
    }

    [Fact]
    public void The_same_instant_asked_again_and_of_another_instance_has_the_same_answer()
    {
        var first = Describe(model, Now);
        Describe(model, Now.AddDays(-30));
        Assert.Equal(first, Describe(model, Now));
        Assert.Equal(first, Describe(new PipelineModel(1, new IncidentLog(time)), Now));
        Assert.NotEqual(first, Describe(new PipelineModel(2, new IncidentLog(time)), Now));
    }

    [Fact]
    public void An_incident_leaves_the_past_as_it_was()
    {
        var before = Describe(model, Now.AddSeconds(-1));
        incidents.Start(IncidentKind.DagFailure);
        time.Advance(TimeSpan.FromMinutes(30));
        incidents.End(IncidentKind.DagFailure);
        Assert.Equal(before, Describe(model, Now.AddSeconds(-1)));
        Assert.Equal(before, Describe(new PipelineModel(1, incidents), Now.AddSeconds(-1)));
    }

    [Fact]
    public void History_reaches_back_ninety_days()
    {
        foreach (var dag in model.Dags.Where(dag => !dag.IsPaused))
        {
            var oldest = model.Runs(dag, DateTimeOffset.UnixEpoch, Now).First().RunAfter;
            Assert.InRange(oldest, Now.AddDays(-91), Now.AddDays(-88.5));
            Assert.True(oldest >= PipelineModel.HistoryStart(Now));
        }
    }

    [Fact]
    public void Every_run_is_found_by_its_id()
    {
        foreach (var edition in new[] { Edition.V1, Edition.V2 })
        {
            var data = new AirflowData(model, new FaultInjector(time, 1), edition, Now);
            Assert.All(model.Runs(Now.AddHours(-12), Now), run => Assert.Same(run, data.FindRun(run.Dag.Id, edition.RunId(run))));
        }
    }

    [Fact]
    public void Every_run_ends_within_the_bound_that_queries_rely_on_and_its_row_only_moves_forward()
    {
        foreach (var run in model.Runs(Now.AddDays(-2), Now))
        {
            var root = run.Key.Cause == RunCause.Schedule && run.Kind is RunKind.Asset or RunKind.Operator
                ? run.RunAfter.AddTicks(-(run.RunAfter.Ticks % TimeSpan.FromMinutes(10).Ticks))
                : run.RunAfter;
            Assert.InRange(run.EndDate, run.RunAfter, root + run.Dag.EndsWithin);
            Assert.True(run.RunAfter <= run.QueuedAt && run.QueuedAt < run.StartDate && run.StartDate < run.EndDate);
            foreach (var instance in run.TaskInstances)
            {
                Assert.Equal(instance.Phases.OrderBy(phase => phase.At), instance.Phases);
                Assert.True(instance.Phases[^1].At <= run.EndDate);
            }
        }
    }

    [Fact]
    public void The_pipeline_shows_retries_mapped_tasks_skipped_branches_sensors_and_a_full_pool()
    {
        var instances = model.Runs(Now.AddHours(-12), Now).SelectMany(run => run.TaskInstances).ToList();
        var phases = instances.SelectMany(instance => instance.Phases).ToList();
        Assert.Contains(phases, phase => phase.State == TaskState.UpForRetry);
        Assert.Contains(phases, phase => phase.State == TaskState.UpForReschedule);
        Assert.Contains(phases, phase => phase.State == TaskState.Deferred);
        Assert.Contains(instances, instance => instance is { MapIndex: 7, Task.Pool: "enrichment_pool" });
        Assert.Contains(instances, instance => instance.Phases[^1] is { State: TaskState.Skipped, Try: 0, Duration: null, Start: not null });
        Assert.Contains(instances, instance => instance.Phases[^1] is { State: TaskState.Skipped, Start: null, End: null });
        Assert.Contains(instances, instance => instance is { Task.Id: "enrich_track" } &&
            instance.Phases.First(phase => phase.State == TaskState.Queued).At - instance.Phases.First(phase => phase.State == TaskState.Scheduled).At > TimeSpan.FromSeconds(20));
    }

    [Fact]
    public void No_more_instances_than_the_pool_has_slots_are_queued_or_running()
    {
        var dag = model.FindDag("track_metadata_enrichment")!;
        for (var at = Now.AddHours(-1); at < Now; at = at.AddSeconds(3))
        {
            var occupied = model.Runs(dag, at, at).SelectMany(run => run.TaskInstances)
                .Where(instance => instance.Task.Pool == "enrichment_pool")
                .Count(instance => instance.At(at)?.State is TaskState.Queued or TaskState.Running);
            Assert.InRange(occupied, 0, 2);
        }
    }

    [Fact]
    public void A_try_that_will_be_retried_stands_in_history_and_a_queued_retry_has_its_dates()
    {
        var instance = model.Runs(model.FindDag("partner_feed_sync")!, Now.AddHours(-2), Now)
            .SelectMany(run => run.TaskInstances)
            .First(instance => instance.Phases.Any(phase => phase is { State: TaskState.UpForRetry, Try: 1 }));
        var failed = instance.Phases.First(phase => phase.State == TaskState.UpForRetry);
        Assert.Equal([(1, TaskState.Failed)], instance.TriesAt(failed.At).Select(phase => (phase.Try, phase.State)));

        var queued = instance.Phases.First(phase => phase is { State: TaskState.Queued, Try: 2 });
        Assert.Equal((failed.Start, failed.End, failed.Duration), (queued.Start, queued.End, queued.Duration));
        Assert.Equal([1, 2], instance.TriesAt(queued.At).Select(phase => phase.Try));

        var running = instance.Phases.First(phase => phase is { State: TaskState.Running, Try: 2 });
        Assert.Null(running.End);
        Assert.Equal(failed.Duration, running.Duration);
        Assert.True(running.Start > failed.End);
        Assert.Equal(failed.Generation, running.Generation);
    }

    [Fact]
    public void The_three_dags_of_the_pipeline_follow_each_other_each_with_a_glue_run()
    {
        foreach (var validation in model.Runs(model.FindDag(Catalog.Validation)!, Now.AddHours(-3), Now.AddHours(-1)))
        {
            var kpi = Assert.Single(model.Runs(model.FindDag(Catalog.KpiComputation)!, validation.StartDate, Now), run => run.Key.Index == validation.Key.Index);
            var load = Assert.Single(model.Runs(model.FindDag(Catalog.DynamoDbLoad)!, validation.StartDate, Now), run => run.Key.Index == validation.Key.Index);
            Assert.Equal((RunKind.Asset, RunKind.Operator), (kpi.Kind, load.Kind));
            Assert.True(validation.StartDate < kpi.StartDate && kpi.StartDate < load.StartDate);
            foreach (var run in new[] { validation, kpi, load })
            {
                var instance = Assert.Single(run.TaskInstances, instance => instance.Task.GlueJob is not null);
                var glue = Assert.Single(instance.GlueRuns);
                Assert.Equal(run.Dag.Id, glue.Job.Name);
                Assert.Equal(67, glue.Id.Length);
                Assert.True(instance.Phases[^1].Start < glue.StartedOn && glue.CompletedOn < instance.Phases[^1].End);
                Assert.Contains(glue, model.GlueJobRuns(run.Dag.Id, glue.StartedOn, glue.StartedOn));
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(42)]
    public void The_incident_fails_a_run_and_its_glue_run_within_twenty_seconds_and_a_later_run_succeeds_after_its_end(int seed)
    {
        var pipeline = new PipelineModel(seed, incidents);
        var dag = pipeline.FindDag(Catalog.Validation)!;
        time.Advance(TimeSpan.FromSeconds(12.3456789));
        var start = time.GetUtcNow();
        incidents.Start(IncidentKind.DagFailure);
        time.Advance(TimeSpan.FromMinutes(25));
        var end = time.GetUtcNow();
        incidents.End(IncidentKind.DagFailure);
        time.Advance(TimeSpan.FromSeconds(20));

        var runs = pipeline.Runs(dag, start, time.GetUtcNow()).Where(run => run.RunAfter >= start.AddTicks(-10)).OrderBy(run => run.StartDate).ToList();
        var first = runs[0];
        Assert.Equal(RunCause.Incident, first.Key.Cause);
        Assert.InRange(first.StartDate - start, TimeSpan.Zero, TimeSpan.FromSeconds(1));
        Assert.InRange(first.EndDate - start, TimeSpan.Zero, TimeSpan.FromSeconds(20));
        Assert.Equal(4, runs.Count);
        Assert.All(runs.SkipLast(1), run =>
        {
            Assert.True(run.Failed);
            Assert.Equal(GlueRunState.FAILED, run.TaskInstances.SelectMany(instance => instance.GlueRuns).Single().FinalState);
            Assert.Contains(run.TaskInstances, instance => instance.Phases[^1].State == TaskState.UpstreamFailed);
        });

        var repair = runs[^1];
        Assert.False(repair.Failed);
        Assert.InRange(repair.EndDate - end, TimeSpan.Zero, TimeSpan.FromSeconds(20));
        Assert.Equal(RunState.Success, repair.StateAt(time.GetUtcNow()));
        Assert.DoesNotContain(pipeline.Runs(pipeline.FindDag(Catalog.KpiComputation)!, start, end), run => run.RunAfter > start.AddMinutes(6));
    }

    [Fact]
    public void Whatever_the_seed_an_incident_has_failed_a_run_after_twenty_seconds_and_repaired_it_twenty_after_its_end()
    {
        incidents.Start(IncidentKind.DagFailure);
        time.Advance(TimeSpan.FromSeconds(3));
        incidents.End(IncidentKind.DagFailure);
        for (var seed = 0; seed < 300; seed++)
        {
            var pipeline = new PipelineModel(seed, incidents);
            var runs = pipeline.SetOff(pipeline.FindDag(Catalog.Validation)!, Now, Now.AddSeconds(3), Now.AddSeconds(23)).Where(run => run.Key.Cause != RunCause.Schedule).ToList();
            Assert.Equal([RunState.Failed, RunState.Success], runs.Select(run => run.StateAt(run.RunAfter.AddSeconds(20))));
        }
    }

    [Fact]
    public void Glue_runs_come_newest_first_each_once_and_reading_few_plays_few()
    {
        var all = model.GlueJobRuns(Catalog.DynamoDbLoad, Now.AddDays(-2), Now).ToList();
        Assert.Equal(all.OrderByDescending(run => run.StartedOn), all);
        Assert.Equal(all.Count, all.DistinctBy(run => run.Id).Count());
        Assert.InRange(all.Count, 287, 289);

        var fresh = new PipelineModel(1, incidents);
        Assert.Equal(all.Take(10), fresh.GlueJobRuns(Catalog.DynamoDbLoad, Now.AddDays(-89), Now).Take(10));
        Assert.InRange(fresh.PlayedRuns, 1, 150);
        Assert.InRange(fresh.GlueJobRuns(Catalog.DynamoDbLoad, Now.AddDays(-89), Now).Count(), 89 * 143, 89 * 145);
    }

    [Fact]
    public void The_elapsed_time_of_a_glue_run_is_a_delta_every_thirty_seconds()
    {
        var run = model.GlueJobRuns(Catalog.KpiComputation, Now.AddHours(-1), Now.AddMinutes(-10)).First();
        var deltas = model.ElapsedTime(Catalog.KpiComputation, run.StartedOn, run.CompletedOn.AddTicks(1)).ToList();
        Assert.Equal((run.CompletedOn - run.RunningFrom).TotalMilliseconds, deltas.Sum(delta => delta.Milliseconds), 3);
        Assert.All(deltas.SkipLast(1), delta => Assert.Equal(30_000, delta.Milliseconds));
    }

    /// <summary>Every run and row of the last three hours, as an instant shows them.</summary>
    static string Describe(PipelineModel model, DateTimeOffset at) => string.Join('\n', model.Runs(at.AddHours(-3), at).SelectMany(run =>
        run.TaskInstances.Select(instance => $"{run.Dag.Id} {run.Suffix} {run.StateAt(at)} {run.EndAt(at):O} {instance.Task.Id} {instance.MapIndex} {instance.At(at)} " +
            string.Join(',', instance.GlueRuns.Select(glue => $"{glue.Id} {glue.StateAt(at)} {glue.ExecutionTimeAt(at)}")))));
}
