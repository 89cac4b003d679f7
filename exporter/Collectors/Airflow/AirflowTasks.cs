using System.Collections.Immutable;
using PipelineExporter.Metrics;
using PipelineExporter.Sources.Airflow;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>Task instances: finished tries, final outcomes and retries as counters, what is live as gauges.</summary>
internal sealed class AirflowTasks(AirflowEnvironment environment) : AirflowCollector<TasksSnapshot>(environment)
{
    public static readonly MetricDesc LastDuration = MetricDesc.Gauge(
        "airflow_task_last_duration_seconds", "How long the try took that finished last.", "dag_id", "task_id");

    public static readonly MetricDesc Instances = MetricDesc.Gauge(
        "airflow_task_instances", "Task instances that are neither finished nor without a state, by state.", "dag_id", "state");

    public static readonly MetricDesc OldestRunning = MetricDesc.Gauge(
        "airflow_task_oldest_running_start_timestamp_seconds", "When the try started that has been running longest; a deferred one runs, too.", "dag_id", "task_id");

    public static readonly MetricDesc Queued = MetricDesc.Gauge("airflow_queued_task_instances", "Task instances that wait in the queue for a worker.", "queue");

    public static readonly MetricDesc OldestQueued = MetricDesc.Gauge(
        "airflow_oldest_queued_timestamp_seconds", "When the task instance was queued that has been waiting longest; absent while none waits.", "queue");

    /// <summary>Counted events are stored after so many questions for histories, so that a catch-up that is cut off was not in vain.</summary>
    private const int QuestionsPerCommit = 25;

    /// <summary>A last duration is shown for so long.</summary>
    private static readonly TimeSpan KeepLast = TimeSpan.FromDays(7);

    private readonly Dictionary<(string Dag, string Task), (DateTimeOffset End, TimeSpan Duration)> last = [];
    private readonly SortedSet<string> queues = new(StringComparer.Ordinal);
    private Watermark? watermark;

    public override string Name => "airflow_tasks";

    public override string Asks =>
        "2 requests: `/dags/~/dagRuns/~/taskInstances`, the live instances and those that finished since the last collection (another for each 100 more, in "
        + "2.x for each 5,000). One for each instance that has finished tries which the lists do not show any more: `…/tries`. And one more to each new version "
        + "of Airflow 3, for the states that it has.";

    public override IReadOnlyList<MetricDesc> Metrics { get; } =
        [.. environment.Tasks.Counters, TaskMetrics.ThresholdSeconds, LastDuration, Instances, OldestRunning, Queued, OldestQueued];

    protected internal override async Task<TasksSnapshot> CollectAsync(CancellationToken cancellationToken)
    {
        var ledger = Environment.Ledger;
        watermark ??= new Watermark(ledger, Name, Environment.Settings.Lookback);
        var api = await Environment.Connection.ApiAsync(cancellationToken);

        // Live ones first: what ends between the two requests is in the second list, or else in the next poll's.
        var listed = await api.LiveTaskInstancesAsync(cancellationToken);
        var live = Watched(listed.Rows, row => row.DagId);
        var poll = watermark.Begin(listed.Date);
        var finished = Watched((await api.FinishedTaskInstancesAsync(poll.Since, cancellationToken)).Rows, row => row.DagId);

        var batch = ledger.Begin();
        var counter = new TaskCounter(batch, Environment.Tasks, Environment.Name, poll);
        var questions = 0;
        foreach (var row in live.Concat(finished))
        {
            if (counter.NeedsTries(row))
            {
                var tries = await api.TriesAsync(row, cancellationToken);
                counter.CountEarlier(row, tries);
                foreach (var earlier in tries)
                    NoteDuration(earlier);
                questions++;
            }
            counter.Count(row);
            NoteDuration(row);
            if (questions == QuestionsPerCommit)
            {
                batch.Commit();
                batch = ledger.Begin();
                counter = new TaskCounter(batch, Environment.Tasks, Environment.Name, poll);
                questions = 0;
            }
        }
        watermark.Store(batch, poll);
        batch.Commit();
        watermark.Stored();
        ForgetOld(poll.Now);
        Environment.LiveInstances = listed.Rows;
        return TasksSnapshot.Of(live, Environment.Tasks, last.Select(entry => (entry.Key.Dag, entry.Key.Task, entry.Value.Duration))) with
        {
            Queues = Waiting(listed.Rows),
            Thresholds = [.. ledger.Counted(TaskMetrics.ThresholdSeconds).Where(series => series.Value[0] != TaskMetrics.Never).Select(series => (series.Labels[0], series.Labels[1], series.Value[0]))],
        };
    }

    protected internal override void Write(TasksSnapshot snapshot, MetricSink sink)
    {
        foreach (var ((dag, state), count) in snapshot.Live)
            sink.Set(Instances, count, dag, state);
        foreach (var ((dag, task), start) in snapshot.OldestRunning)
            sink.Set(OldestRunning, start.ToUnixSeconds(), dag, task);
        foreach (var ((dag, task), duration) in snapshot.LastDurations)
            sink.Set(LastDuration, duration.TotalSeconds, dag, task);
        foreach (var (dag, task, threshold) in snapshot.Thresholds)
            sink.Set(TaskMetrics.ThresholdSeconds, threshold, dag, task);
        foreach (var (queue, waiting) in snapshot.Queues)
        {
            sink.Set(Queued, waiting.Count, queue);
            if (waiting.Oldest is { } oldest)
                sink.Set(OldestQueued, oldest.ToUnixSeconds(), queue);
        }
    }

    /// <summary>How many instances wait in each queue, and since when. A queue is the environment's, and so are DAGs in it that are not
    /// watched; one that was seen once stands at zero.</summary>
    private Dictionary<string, (int Count, DateTimeOffset? Oldest)> Waiting(IReadOnlyList<TaskInstance> live)
    {
        queues.UnionWith(live.Select(row => row.Queue).OfType<string>());
        var waiting = live.Where(row => row is { State: "queued", Queue: not null }).ToLookup(row => row.Queue!, row => row.QueuedWhen);
        return queues.ToDictionary(queue => queue, queue => (waiting[queue].Count(), waiting[queue].Min()));
    }

    private void NoteDuration(TaskInstance row)
    {
        if (TaskCounter.Duration(row) is not { } duration)
            return;
        var id = (row.DagId, Environment.Tasks.Label(row));
        if (!last.TryGetValue(id, out var known) || known.End <= row.EndDate)
            last[id] = (row.EndDate!.Value, duration);
    }

    private void ForgetOld(DateTimeOffset now)
    {
        foreach (var id in last.Where(entry => now - entry.Value.End > KeepLast).Select(entry => entry.Key).ToList())
            last.Remove(id);
    }
}

/// <param name="Live">Live instances by DAG and state.</param>
/// <param name="OldestRunning">The earliest start of a running try of each task.</param>
/// <param name="LastDurations">How long the last finished try of each task took.</param>
internal sealed record TasksSnapshot(
    IReadOnlyDictionary<(string Dag, string State), int> Live,
    IReadOnlyDictionary<(string Dag, string Task), DateTimeOffset> OldestRunning,
    IReadOnlyDictionary<(string Dag, string Task), TimeSpan> LastDurations)
{
    /// <summary>How many instances wait in each queue that is known, and since when.</summary>
    public IReadOnlyDictionary<string, (int Count, DateTimeOffset? Oldest)> Queues { get; init; } = ImmutableDictionary<string, (int, DateTimeOffset?)>.Empty;

    /// <summary>How long a try of each task may take, in seconds.</summary>
    public ImmutableArray<(string Dag, string Task, double Seconds)> Thresholds { get; init; } = [];

    public static TasksSnapshot Of(
        IEnumerable<TaskInstance> rows, TaskMetrics metrics, IEnumerable<(string Dag, string Task, TimeSpan Duration)> last)
    {
        var live = new Dictionary<(string, string), int>();
        var oldest = new Dictionary<(string, string), DateTimeOffset>();
        foreach (var row in rows)
        {
            if (row.State is null or "removed" || TaskCounter.IsFinished(row))
                continue;
            live[(row.DagId, row.State)] = live.GetValueOrDefault((row.DagId, row.State)) + 1;
            var task = (row.DagId, metrics.Label(row));
            if (TaskCounter.RunningSince(row) is { } start && (!oldest.TryGetValue(task, out var known) || start < known))
                oldest[task] = start;
        }
        return new TasksSnapshot(live, oldest, last.ToDictionary(entry => (entry.Dag, entry.Task), entry => entry.Duration));
    }
}
