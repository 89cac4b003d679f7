using PipelineExporter.Collectors.Airflow;
using PipelineExporter.Metrics;

namespace PipelineExporter.Tests.Collectors.Airflow.ExactlyOnce;

/// <summary>
/// What has to be counted, from the tries and runs that the model knows to be real and from what the server showed of them in
/// collections that succeeded. It knows which tries ran, which were retried and what was cleared, and has no keys.
/// </summary>
internal sealed class ModelLedger(bool isThree)
{
    private readonly Dictionary<(ModelInstance, int Try), Known> tries = [];
    private readonly HashSet<ModelInstance> outcomes = [];
    private readonly HashSet<(ModelInstance, int Try)> retries = [];
    private readonly HashSet<(ModelRun, int Finish)> runs = [];
    private readonly HashSet<(ModelInstance, int Try)> listed = [];
    private DateTimeOffset? tasksSince;
    private DateTimeOffset? runsSince;

    public SortedDictionary<string, double> Counted { get; } = new(StringComparer.Ordinal);

    public void Tasks(Shown shown)
    {
        var isFirst = tasksSince is null;
        var since = tasksSince ??= shown.InstancesDate!.Value;
        foreach (var (instance, row, standsForTry, earlier) in shown.Instances)
        {
            // What is over at the first collection is history, and so are the tries before, but for the one that the next try follows.
            bool Counts(DateTimeOffset? at) => !isFirst && !(at < since);
            var upTo = row.State is "restarting" or "removed" or "upstream_failed" ? row.Try : row.Try - 1;
            if (isFirst && row.State is not ("scheduled" or "queued"))
            {
                for (var number = 1; number <= upTo; number++)
                    tries.TryAdd((instance, number), new Known("history", 0, IsReal: true));
            }
            if (!shown.Gone.Contains((instance.Run.Id, instance.Task, instance.Map)))
            {
                // Histories are asked for tries that are not known, and at the first collection only where the next try is still to come.
                var asked = isFirst ? row.State is "scheduled" or "queued" : true;
                foreach (var past in earlier.Where(past => asked && past.Try <= upTo && !tries.ContainsKey((instance, past.Try))))
                    Try(instance, past, past.State!, past.State != "failed" || past.Try > past.MaxTries, Counts);
            }

            listed.UnionWith(Enumerable.Range(1, Math.Max(0, upTo)).Select(number => (instance, number)));
            var state = row.State == "up_for_retry" ? "failed" : row.State;
            if (state is not ("success" or "failed" or "skipped" or "upstream_failed"))
            {
                if (row is { Try: >= 2, State: "running" or "deferred" or "up_for_reschedule" or "restarting" } && standsForTry)
                    Retry(instance, row, Counts);
            }
            else if (state == "upstream_failed" || row.Try == 0)
            {
                if (outcomes.Add(instance) && Counts(row.EndDate))
                    Add(TaskMetrics.Finished, 1, instance, state);
            }
            else
            {
                listed.Add((instance, row.Try));
                Try(instance, row, state, row.State != "up_for_retry", Counts);
                if (row.State != "up_for_retry" && standsForTry && tries[(instance, row.Try)] is { State: "failed", IsFinal: false } waiting)
                {
                    waiting.IsFinal = true;
                    if (Counts(row.EndDate))
                        Add(TaskMetrics.Finished, 1, instance, state);
                }
            }
        }
    }

    public void Runs(Shown shown)
    {
        var isFirst = runsSince is null;
        var since = runsSince ??= shown.RunsDate!.Value;
        foreach (var (run, finish, state, start, end) in shown.Runs.Where(row => row.State is "success" or "failed"))
        {
            if (!runs.Add((run, finish)) || isFirst || end < since)
                continue;
            Add(RunMetrics.Finished, 1, run.Dag, run.Type, state);
            if (start is { } from && end is { } to)
                AddDuration(ReplayedExporter.RunDurations, to - from, run.Dag);
        }
    }

    /// <summary>Every real try was counted, or there is a reason why nothing could tell of it.</summary>
    /// <returns>How many are known, and how many were never shown.</returns>
    public (int Told, int Untold) Balance(ModelAirflow airflow)
    {
        var balance = (Told: 0, Untold: 0);
        foreach (var (instance, number) in airflow.Ended.Distinct())
        {
            if (tries.ContainsKey((instance, number)))
            {
                balance.Told++;
                continue;
            }
            balance.Untold++;
            var neverListedSince = !listed.Contains((instance, number));
            var untoldByHistory = !isThree && instance.History.Find(row => row.Try == number) is { } past && !ShownInstance.IsTold(past, [.. instance.Tries]);
            Assert.True(neverListedSince || instance.Run.IsDeleted || untoldByHistory, $"{instance.Run.Id} {instance.Task} try {number} was shown and is not known");
        }
        return balance;
    }

    private void Try(ModelInstance instance, ModelRow row, string state, bool isFinal, Func<DateTimeOffset?, bool> counts)
    {
        if (tries.TryAdd((instance, row.Try), new Known(state, row.MaxTries, row.IsReal) { IsFinal = isFinal }) && counts(row.EndDate))
        {
            Add(TaskMetrics.Tries, 1, instance, state);
            if (row is { StartDate: { } start, EndDate: { } end } && end >= start)
                AddDuration(ReplayedExporter.TaskDurations, end - start, instance.Run.Dag, instance.Task);
            if (isFinal)
                Add(TaskMetrics.Finished, 1, instance, state);
        }
        if (row.Try >= 2)
            Retry(instance, row, counts);
    }

    private void Retry(ModelInstance instance, ModelRow row, Func<DateTimeOffset?, bool> counts)
    {
        if (tries.TryGetValue((instance, row.Try - 1), out var before) && (row.IsRetry || !before.IsReal) && before.State == "failed" && before.MaxTries == row.MaxTries
            && retries.Add((instance, row.Try)) && counts(row.StartDate ?? row.EndDate))
        {
            Add(TaskMetrics.Retries, 1, instance.Run.Dag, instance.Task);
        }
    }

    private void Add(MetricDesc metric, double amount, ModelInstance instance, string state) =>
        Add(metric, amount, instance.Run.Dag, instance.Task, state);

    private void AddDuration(MetricDesc metric, TimeSpan duration, params string[] labels)
    {
        Add($"{metric.Name} count {string.Join(' ', labels)}", 1);
        Add($"{metric.Name} sum {string.Join(' ', labels)}", duration.TotalSeconds);
    }

    private void Add(MetricDesc metric, double amount, params string[] labels) => Add($"{metric.Name} {string.Join(' ', labels)}", amount);

    private void Add(string series, double amount) => Counted[series] = Counted.GetValueOrDefault(series) + amount;

    /// <param name="IsReal">It ran. One that was failed by hand while it waited did not, and the next try reads like its retry.</param>
    private sealed record Known(string State, int MaxTries, bool IsReal)
    {
        public bool IsFinal { get; set; }
    }
}
