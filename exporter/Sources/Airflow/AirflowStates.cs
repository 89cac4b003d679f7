using System.Text.RegularExpressions;

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

/// <summary>The states of task instances that a server of 3.x can be asked for: it refuses a list with one that it does not know.</summary>
/// <param name="Unknown">Those of which it is not known today whether they are final.</param>
internal sealed partial record InstanceStates(string[] Live, string[] Finished, string[] Unknown)
{
    /// <summary>For a server that does not tell.</summary>
    public static InstanceStates Known(string version) => new(
        AirflowConnection.IsAtLeast(version, 3, 3) ? AirflowStates.LiveInstancesSince33 : AirflowStates.LiveInstances,
        AirflowStates.FinishedInstances,
        []);

    /// <summary>Read from the refusal of a state that does not exist; null when it names none.</summary>
    public static InstanceStates? Named(string? refusal)
    {
        if (refusal is null || ValidValues().Match(refusal) is not { Success: true, Groups: [_, var list] })
            return null;
        string[] valid = [.. list.Value.Split(", ").Except(["none", "no_status"])];
        string[] live = [.. AirflowStates.LiveInstancesSince33.Intersect(valid)];
        string[] finished = [.. AirflowStates.FinishedInstances.Intersect(valid)];
        return live.Length == 0 || finished.Length == 0 ? null : new(live, finished, [.. valid.Except(live).Except(finished)]);
    }

    [GeneratedRegex(@"Valid values are ([a-z0-9_]+(?:, [a-z0-9_]+)*)\.?\z")]
    private static partial Regex ValidValues();
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
