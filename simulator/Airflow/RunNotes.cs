using System.Globalization;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Airflow;

/// <summary>
/// What both editions say beside the facts. Conf, notes and rendered fields hold a "secret" here and there, as real ones
/// do: no reader should ever repeat it.
/// </summary>
internal static class RunNotes
{
    public const string Worker = "worker-1.example.internal";

    /// <summary>Appears only where a payload may hold a secret.</summary>
    public const string Secret = "payload-secret";

    /// <summary>A member that rows of no Airflow have.</summary>
    public const string UnknownMember = "quarantine", UnknownValue = """{"by": "policy", "rules": [1, 2]}""";

    public static readonly DateTimeOffset ServicesStarted = new(2026, 6, 1, 0, 0, 0, TimeSpan.Zero);

    public static string Conf(DagRun run) => run.Kind switch
    {
        RunKind.Operator => string.Create(CultureInfo.InvariantCulture,
            $$"""{"kpi_date": "{{run.RunAfter:yyyy-MM-dd}}", "tables": ["hourly", "top_songs"], "token": "{{Secret}}"}"""),
        RunKind.Manual => $$"""{"reason": "by hand", "password": "{{Secret}}"}""",
        _ => "{}",
    };

    public static string? Note(DagRun run) => run.Kind == RunKind.Manual ? "started by hand with " + Secret : null;

    public static string RenderedFields(TaskRow task)
    {
        if (task.Phase.Pid is null)
            return "{}";
        return task.Task.GlueJob is { } job
            ? $$"""{"job_name": "{{job.Name}}", "script_args": {"--api-key": "{{Secret}}"} }"""
            : """{"templates_dict": null, "op_args": [], "op_kwargs": {}}""";
    }

    /// <summary>A task weighs as much as itself and everything downstream of it.</summary>
    public static int PriorityWeight(TaskInstance instance)
    {
        HashSet<string> weighed = [instance.Task.Id];
        foreach (var task in instance.Run.Dag.Tasks)
        {
            if (task.Upstream.Any(weighed.Contains))
                weighed.Add(task.Id);
        }
        return weighed.Count;
    }

    public static int TriggerId(TaskRow task) => (int)(task.Run.Key.Index % 1_000_000);
}
