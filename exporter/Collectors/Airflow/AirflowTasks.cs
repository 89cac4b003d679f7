using PipelineExporter.Metrics;
using PipelineExporter.Sources.Airflow;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>Task instances: finished tries, final outcomes and retries as counters, what is live as gauges.</summary>
internal sealed class AirflowTasks(AirflowEnvironment environment) : AirflowCollector<TasksSnapshot>(environment)
{
    public static readonly MetricDesc Tries = MetricDesc.Counter(
        "airflow_task_tries_total", "Finished tries of task instances by state; a try that failed and will be retried is one.", "dag_id", "task_id", "state");

    public static readonly MetricDesc Finished = MetricDesc.Counter(
        "airflow_task_instances_finished_total", "Task instances that reached a final state; a retried try is not one.", "dag_id", "task_id", "state");

    public static readonly MetricDesc Retries = MetricDesc.Counter(
        "airflow_task_retries_total", "Tries that ran because the try before had failed; a try after a clear is not one.", "dag_id", "task_id");

    public static readonly MetricDesc Durations = MetricDesc.Histogram(
        "airflow_task_duration_seconds", "How long finished tries took from start to end.", [], "dag_id", "task_id");

    public static readonly MetricDesc LastDuration = MetricDesc.Gauge(
        "airflow_task_last_duration_seconds", "How long the try took that finished last.", "dag_id", "task_id");

    public static readonly MetricDesc Instances = MetricDesc.Gauge(
        "airflow_task_instances", "Task instances that are neither finished nor without a state, by state.", "dag_id", "state");

    public static readonly MetricDesc OldestRunning = MetricDesc.Gauge(
        "airflow_task_oldest_running_start_timestamp_seconds", "When the try started that has been running longest.", "dag_id", "task_id");

    /// <summary>Counted events are stored after so many questions for histories, so that a catch-up that is cut off was not in vain.</summary>
    private const int QuestionsPerCommit = 25;

    /// <summary>A last duration is shown for so long.</summary>
    private static readonly TimeSpan KeepLast = TimeSpan.FromDays(7);

    private readonly Dictionary<(string Dag, string Task), (DateTimeOffset End, TimeSpan Duration)> last = [];
    private Watermark? watermark;

    public override string Name => "airflow_tasks";

    public override IReadOnlyList<MetricDesc> Metrics { get; } = [Tries, Finished, Retries, Durations, LastDuration, Instances, OldestRunning];

    protected internal override async Task<TasksSnapshot> CollectAsync(CancellationToken cancellationToken)
    {
        var ledger = Environment.Ledger;
        watermark ??= new Watermark(ledger, Name, Environment.Settings.Lookback);
        var api = await Environment.Connection.ApiAsync(cancellationToken);

        // Live ones first: what ends between the two requests is in the second list, or else in the next poll's.
        var live = await api.LiveTaskInstancesAsync(cancellationToken);
        var poll = watermark.Begin(live.Date);
        var finished = await api.FinishedTaskInstancesAsync(poll.Since, cancellationToken);

        var batch = ledger.Begin();
        var counter = new TaskCounter(batch, Environment.Name, poll);
        var questions = 0;
        foreach (var row in live.Rows.Concat(finished.Rows))
        {
            if (counter.NeedsTries(row))
            {
                var tries = await api.TriesAsync(row, cancellationToken);
                counter.CountEarlier(row, tries);
                tries.ToList().ForEach(NoteDuration);
                questions++;
            }
            counter.Count(row);
            NoteDuration(row);
            if (questions == QuestionsPerCommit)
            {
                batch.Commit();
                batch = ledger.Begin();
                counter = new TaskCounter(batch, Environment.Name, poll);
                questions = 0;
            }
        }
        watermark.Store(batch, poll);
        batch.Commit();
        watermark.Stored();
        ForgetOld(poll.Now);
        return TasksSnapshot.Of(live.Rows, last.Select(entry => (entry.Key.Dag, entry.Key.Task, entry.Value.Duration)));
    }

    protected internal override void Write(TasksSnapshot snapshot, MetricSink sink)
    {
        foreach (var ((dag, state), count) in snapshot.Live)
            sink.Set(Instances, count, dag, state);
        foreach (var ((dag, task), start) in snapshot.OldestRunning)
            sink.Set(OldestRunning, Seconds(start), dag, task);
        foreach (var ((dag, task), duration) in snapshot.LastDurations)
            sink.Set(LastDuration, duration.TotalSeconds, dag, task);
    }

    private void NoteDuration(TaskInstance row)
    {
        if (TaskCounter.Duration(row) is not { } duration)
            return;
        var id = (row.DagId, row.TaskId);
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
    public static TasksSnapshot Of(IEnumerable<TaskInstance> rows, IEnumerable<(string Dag, string Task, TimeSpan Duration)> last)
    {
        var live = new Dictionary<(string, string), int>();
        var oldest = new Dictionary<(string, string), DateTimeOffset>();
        foreach (var row in rows)
        {
            if (row.State is null || AirflowStates.FinishedInstances.Contains(row.State))
                continue;
            live[(row.DagId, row.State)] = live.GetValueOrDefault((row.DagId, row.State)) + 1;

            // Only a running row's start is that of its try: a queued one still carries the try before.
            if (row is { State: "running", StartDate: { } start }
                && (!oldest.TryGetValue((row.DagId, row.TaskId), out var known) || start < known))
            {
                oldest[(row.DagId, row.TaskId)] = start;
            }
        }
        return new TasksSnapshot(live, oldest, last.ToDictionary(entry => (entry.Dag, entry.Task), entry => entry.Duration));
    }
}
