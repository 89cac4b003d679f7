using PipelineExporter.Simulator.Airflow;
using PipelineExporter.Simulator.Aws;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Tests.Control;

/// <summary>
/// What the alerts look at, seen at one instant: each condition that holds, without the time for which it has to hold. Counters are
/// looked at over the alert's window.
/// </summary>
internal static class Conditions
{
    static readonly HashSet<TaskState> LiveTasks =
        [TaskState.Scheduled, TaskState.Queued, TaskState.Running, TaskState.UpForRetry, TaskState.UpForReschedule, TaskState.Deferred];

    static readonly HashSet<TaskState> EndedTasks = [TaskState.Success, TaskState.Failed, TaskState.UpstreamFailed, TaskState.Skipped];

    public static SortedSet<string> At(PipelineModel model, TimeProvider time, DateTimeOffset now)
    {
        var found = new SortedSet<string>(StringComparer.Ordinal);
        var data = new AirflowData(model, new EditLog(1), new FaultInjector(time, 1), Edition.V2, now);
        var ended = new TimeRange(Gte: now.AddHours(-1));

        foreach (var run in data.Runs(new RunFilter { EndDate = ended }))
        {
            Note(run.State == RunState.Failed, "PipelineFailure", run.Run.Dag.Id);
            Note(run.Start < now.AddHours(-2) && run.End is null, "AirflowDagDuration", run.Run.Dag.Id);
            Note(run.Duration > 7200, "AirflowDagDuration", run.Run.Dag.Id);
        }

        foreach (var task in data.TaskInstances(new TaskFilter { UpdatedAt = ended, States = EndedTasks }))
        {
            Note(task.Phase is { State: TaskState.Failed }, "AirflowTaskFailure", task.Run.Dag.Id);
            Note(task.Phase.Duration > 1800, "AirflowTaskDuration", task.Run.Dag.Id);
        }

        foreach (var task in data.TaskInstances(new TaskFilter { States = LiveTasks }))
        {
            Note(task.Phase.State == TaskState.Running && task.Phase.Start < now.AddMinutes(-30), "AirflowTaskDuration", task.Run.Dag.Id);
            Note(task.Phase.State == TaskState.Queued && task.Phase.QueuedAt < now.AddMinutes(-10), "AirflowQueueBacklog", task.Task.Queue);
        }

        foreach (var pool in data.Pools())
            Note(pool.Open <= 0 && pool.Queued + pool.Scheduled > 0, "AirflowPoolSaturated", pool.Pool.Name);
        foreach (var dag in data.Dags)
            Note(!dag.IsPaused && data.NextRun(dag) < now, "AirflowDagOverdue", dag.Id);
        Note(!data.IsSchedulerHealthy, "AirflowComponentUnhealthy", "scheduler");
        Note(data.ImportErrors().Count > 0, "AirflowImportErrors", "");

        var truth = Truth.Of(model, new EditLog(1), Edition.V2, now.AddMinutes(-15), now);
        var (retries, tries) = (truth.TaskRetries.Sum(count => count.Count), truth.TaskTries.Sum(count => count.Count));
        Note(retries > 30 && retries > 0.25 * tries, "AirflowRetryStorm", "");

        foreach (var series in WorkerMetrics.Of(model))
        {
            var average = series.Samples(now.AddMinutes(-2), now).Average(sample => sample.Value);
            Note(average > 95, series.Name == "CPUUtilization" ? "AirflowWorkerCpuHigh" : "AirflowWorkerMemoryHigh", series.Dimensions[1].Value);
        }

        found.UnionWith(new AwsConditions(model, now).Holding());
        return found;

        void Note(bool holds, string alert, string of)
        {
            if (holds)
                found.Add($"{alert} {of}".TrimEnd());
        }
    }
}
