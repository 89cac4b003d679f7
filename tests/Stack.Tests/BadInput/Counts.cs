using System.Text.Json;
using PipelineExporter.Stack.Tests.Tools;

namespace PipelineExporter.Stack.Tests.BadInput;

/// <summary>How often what ended: by "dag task state" and the like, without what never did.</summary>
internal sealed record Counts(
    SortedDictionary<string, double> Runs,
    SortedDictionary<string, double> Tries,
    SortedDictionary<string, double> Finished,
    SortedDictionary<string, double> Retries,
    SortedDictionary<string, double> Glue)
{
    private static readonly string[] Run = ["dag_id", "run_type", "state"];
    private static readonly string[] Task = ["dag_id", "task_id", "state"];
    private static readonly string[] Job = ["job_name", "state"];

    /// <summary>As a page shows those of the source that is known by a label.</summary>
    public static Counts Of(MetricsPage page, (string, string) source)
    {
        SortedDictionary<string, double> Read(string metric, params IEnumerable<string> labels) =>
            Sum(page.Of(metric, source).Select(sample => (string.Join(' ', labels.Select(name => sample.Labels[name])), sample.Value)));
        return new(
            Read("airflow_dag_runs_total", Run), Read("airflow_task_tries_total", Task), Read("airflow_task_instances_finished_total", Task),
            Read("airflow_task_retries_total", "dag_id", "task_id"), Read("aws_glue_job_runs_total", Job));
    }

    /// <summary>As the simulator's truth has them.</summary>
    public static Counts Of(JsonElement truth)
    {
        SortedDictionary<string, double> Read(string list, params IEnumerable<string> keys) => Sum(truth.GetProperty(list).EnumerateArray()
            .Select(entry => (string.Join(' ', keys.Select(key => entry.GetProperty(key).GetString())), entry.GetProperty("count").GetDouble())));
        return new(
            Read("dag_runs", Run), Read("task_tries", Task), Read("task_instances_finished", Task), Read("task_retries", "dag_id", "task_id"),
            Read("glue_job_runs", Job));
    }

    public Counts Minus(Counts before) => new(
        Minus(Runs, before.Runs), Minus(Tries, before.Tries), Minus(Finished, before.Finished), Minus(Retries, before.Retries), Minus(Glue, before.Glue));

    public bool Equals(Counts? other) => other is not null && ToString() == other.ToString();

    public override int GetHashCode() => ToString().GetHashCode(StringComparison.Ordinal);

    public override string ToString() => string.Join('\n',
        new[] { ("run", Runs), ("try", Tries), ("finished", Finished), ("retry", Retries), ("glue", Glue) }
            .SelectMany(kind => kind.Item2.Select(count => $"{kind.Item1} {count.Key} {count.Value}")));

    private static SortedDictionary<string, double> Sum(IEnumerable<(string Key, double Count)> counts) => new(
        counts.GroupBy(one => one.Key).Where(one => one.Sum(count => count.Count) != 0).ToDictionary(one => one.Key, one => one.Sum(count => count.Count)),
        StringComparer.Ordinal);

    private static SortedDictionary<string, double> Minus(SortedDictionary<string, double> now, SortedDictionary<string, double> before) =>
        Sum(now.Select(one => (one.Key, one.Value)).Concat(before.Select(one => (one.Key, -one.Value))));
}
