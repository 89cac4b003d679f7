namespace PipelineExporter.Sources.Airflow;

/// <summary>The states that Airflow's lists are asked by.</summary>
internal static class AirflowStates
{
    public static readonly string[] LiveRuns = ["queued", "running"];

    public static readonly string[] FailedRuns = ["failed"];

    public static readonly string[] SuccessfulRuns = ["success"];

    /// <summary>Instances without a state need not be asked for: they come back as live or finished.</summary>
    public static readonly string[] LiveInstances =
        ["running", "queued", "scheduled", "deferred", "up_for_retry", "up_for_reschedule", "restarting"];

    /// <summary>A server before 3.3 answers awaiting_input with an error.</summary>
    public static readonly string[] LiveInstancesSince33 = [.. LiveInstances, "awaiting_input"];

    /// <summary>Whether an instance in this state, which is known today, is neither finished nor without a state.</summary>
    public static bool IsLive(string state) => LiveInstancesSince33.Contains(state);

    public static readonly string[] FinishedInstances = ["success", "failed", "skipped", "upstream_failed", "removed"];

    /// <summary>Whether the run has ended; of a state that is not known today, its end tells.</summary>
    public static bool IsFinished(DagRun run) => run.State switch
    {
        "success" or "failed" => true,
        null or "queued" or "running" => false,
        _ => run.EndDate is not null,
    };
}

/// <summary>Tells a task instance from the others of a list.</summary>
internal readonly record struct InstanceId(string DagId, string RunId, string TaskId, int MapIndex)
{
    public static InstanceId Of(TaskInstance row) => new(row.DagId, row.RunId, row.TaskId, row.MapIndex);
}

/// <summary>Tells a run from the others of a list.</summary>
internal readonly record struct RunId(string DagId, string Id)
{
    public static RunId Of(DagRun row) => new(row.DagId, row.RunId);
}
