using System.Globalization;
using System.Text.Json.Nodes;

namespace PipelineExporter.Tests.Collectors.Airflow;

/// <summary>Rows as Airflow sends them, from the few fields that a test is about.</summary>
internal static class Rows
{
    public static readonly DateTimeOffset Noon = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);

    public static JsonNode Instance(
        string? state, int attempt, int maxTries = 2, double? start = null, double? end = null, string task = "load", int map = -1, string run = "run-1") =>
        new JsonObject
        {
            ["dag_id"] = "music", ["dag_run_id"] = run, ["task_id"] = task, ["map_index"] = map, ["state"] = state,
            ["try_number"] = attempt, ["max_tries"] = maxTries, ["start_date"] = At(start), ["end_date"] = At(end),
        };

    public static JsonNode Run(string state, string run = "run-1", double? start = 0, double? end = null, string type = "scheduled", string dag = "music") =>
        new JsonObject { ["dag_id"] = dag, ["dag_run_id"] = run, ["run_type"] = type, ["state"] = state, ["start_date"] = At(start), ["end_date"] = At(end) };

    /// <param name="due">When the schedule asked for it: the end of its data interval, which 3.x calls run_after.</param>
    public static JsonNode ScheduledRun(string state, double due, double? start = null, double? end = null, string run = "run-1", string dag = "music")
    {
        var row = Run(state, run, start, end, dag: dag);
        row["run_after"] = At(due);
        row["data_interval_end"] = At(due);
        return row;
    }

    /// <param name="schedule">Null: none.</param>
    /// <param name="next">When the next run will be made.</param>
    public static JsonNode Dag(string dag = "music", string? schedule = "0 * * * *", double? next = null, bool paused = false) => new JsonObject
    {
        ["dag_id"] = dag, ["is_paused"] = paused, ["timetable_summary"] = schedule, ["next_dagrun_run_after"] = At(next),
        ["owners"] = new JsonArray("data", " analytics"), ["tags"] = new JsonArray(new JsonObject { ["name"] = "tier:1" }, new JsonObject { ["name"] = "glue" }),
    };

    public static string TriesPath(string task = "load", string run = "run-1", string map = "") => $"/dags/music/dagRuns/{run}/taskInstances/{task}{map}/tries";

    /// <param name="minutes">After noon.</param>
    private static string? At(double? minutes) => minutes is { } m ? (Noon + TimeSpan.FromMinutes(m)).ToString("O", CultureInfo.InvariantCulture) : null;
}
