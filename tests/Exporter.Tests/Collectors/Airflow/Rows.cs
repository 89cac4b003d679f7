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

    public static string TriesPath(string task = "load", string run = "run-1", string map = "") => $"/dags/music/dagRuns/{run}/taskInstances/{task}{map}/tries";

    /// <param name="minutes">After noon.</param>
    private static string? At(double? minutes) => minutes is { } m ? (Noon + TimeSpan.FromMinutes(m)).ToString("O", CultureInfo.InvariantCulture) : null;
}
