using System.Text.Json.Serialization;
using PipelineExporter.Simulator.Airflow;
using PipelineExporter.Simulator.Aws;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Control;

/// <summary>What a perfect exporter would count of what happened in [From, To).</summary>
/// <param name="TaskTries">Tries that ended, by the state in which they did.</param>
/// <param name="TaskInstancesFinished">Task instances that reached their final state, also those that were never tried.</param>
/// <param name="CloudWatchSums">What was sent of metrics that are counts or bytes; it can be read some minutes later.</param>
/// <param name="TaskRetries">Tries that began to run after the one before had failed.</param>
internal sealed record Truth(
    DateTimeOffset From,
    DateTimeOffset To,
    IReadOnlyList<TaskCount> TaskTries,
    IReadOnlyList<TaskCount> TaskInstancesFinished,
    IReadOnlyList<TaskCount> TaskRetries,
    IReadOnlyList<RunCount> DagRuns,
    IReadOnlyList<GlueCount> GlueJobRuns,
    IReadOnlyList<MetricSum> CloudWatchSums)
{
    public static Truth Of(PipelineModel model, EditLog edits, Edition edition, DateTimeOffset from, DateTimeOffset to)
    {
        var tries = new Counts<(string Dag, string Task, string? State)>();
        var finished = new Counts<(string Dag, string Task, string? State)>();
        var retries = new Counts<(string Dag, string Task, string? State)>();
        var runs = new Counts<(string Dag, string Type, string State)>();
        foreach (var run in new EditedRuns(model, edits).Ever(from, to))
        {
            foreach (var (_, state) in run.Ends().Where(end => end.At >= from && end.At < to))
                runs.Add((run.Dag.Id, edition.RunType(run.Kind), StateNames.Of(state)));
            foreach (var instance in run.TaskInstances)
            {
                foreach (var end in instance.Ends().Where(end => end.At >= from && end.At < to && !(end.At >= run.DeletedAt)))
                {
                    var key = (run.Dag.Id, instance.Task.Id, StateNames.Of(end.State));
                    if (end.Try > 0)
                        tries.Add(key);
                    if (instance.At(end.At)!.Value.IsFinal)
                        finished.Add(key);
                }
                retries.Add((run.Dag.Id, instance.Task.Id, null), instance.RetriesBegun().Count(at => at >= from && at < to && !(at >= run.DeletedAt)));
            }
        }
        // What failed last may be started again a moment later: an exporter waits for that before it counts.
        var started = model.GlueJobs.SelectMany(job => model.GlueJobRuns(job.Name, from, to + TriggeredJobs.RetryDelay)).ToList();
        var retried = started.Select(run => run.PreviousRunId).ToHashSet();
        var glue = started
            .Where(run => run.CompletedOn >= from && run.CompletedOn < to)
            .GroupBy(run => (run.Job.Name, run.FinalState))
            .OrderBy(group => group.Key.Name, StringComparer.Ordinal).ThenBy(group => group.Key.FinalState)
            .Select(group => new GlueCount(
                group.Key.Name, group.Key.FinalState.ToString(), group.Count(run => !retried.Contains(run.Id)), group.Count(run => retried.Contains(run.Id)),
                group.Sum(run => run.DpuSecondsAt(to) ?? 0)));
        return new Truth(from, to, Tasks(tries), Tasks(finished), Tasks(retries),
            [.. runs.Sorted().Select(count => new RunCount(count.Key.Dag, count.Key.Type, count.Key.State, count.Value))], [.. glue],
            [.. Sums(model, from, to)]);
    }

    static IEnumerable<MetricSum> Sums(PipelineModel model, DateTimeOffset from, DateTimeOffset to) => new MetricCatalog(model).All
        .Where(series => series.Namespace is "AWS/DynamoDB" or "AWS/S3" or "Glue" && series.Unit is "Count" or "Bytes")
        .Select(series => new MetricSum(
            series.Namespace, series.Name, series.Dimensions.ToDictionary(dimension => dimension.Name, dimension => dimension.Value),
            series.Samples(from, to).Sum(sample => sample.Value)))
        .Where(series => series.Sum > 0);

    static IReadOnlyList<TaskCount> Tasks(Counts<(string Dag, string Task, string? State)> counts) =>
        [.. counts.Sorted().Select(count => new TaskCount(count.Key.Dag, count.Key.Task, count.Key.State, count.Value))];

    sealed class Counts<TKey> where TKey : notnull
    {
        readonly Dictionary<TKey, int> counts = [];

        public void Add(TKey key, int count = 1)
        {
            if (count > 0)
                counts[key] = counts.GetValueOrDefault(key) + count;
        }

        public IOrderedEnumerable<KeyValuePair<TKey, int>> Sorted() => counts.OrderBy(count => count.Key);
    }
}

internal sealed record TaskCount(
    string DagId,
    string TaskId,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? State,
    int Count);

internal sealed record RunCount(string DagId, string RunType, string State, int Count);

/// <param name="Count">Runs that ended so for good.</param>
/// <param name="Retries">Runs that ended so, and that Glue started again.</param>
/// <param name="DpuSeconds">Of both.</param>
internal sealed record GlueCount(string JobName, string State, int Count, int Retries, double DpuSeconds);

internal sealed record MetricSum(string Namespace, string MetricName, IReadOnlyDictionary<string, string> Dimensions, double Sum);
