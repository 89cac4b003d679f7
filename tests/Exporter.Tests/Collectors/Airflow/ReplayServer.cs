using System.Collections.Frozen;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using PipelineExporter.Sources.Airflow;
using PipelineExporter.Tests.Sources.Airflow;

namespace PipelineExporter.Tests.Collectors.Airflow;

/// <summary>
/// Serves a recorded time line of a real Airflow: what its lists answered every 5 seconds while retries, failures, clears, edits and
/// deletions happened. A request is answered by its kind; its filters, limit and cursor are ignored. The test, and not a request,
/// advances the frame.
/// </summary>
internal sealed class ReplayServer : IAsyncDisposable
{
    private readonly string folder;
    private readonly string prefix;
    private readonly FrozenDictionary<string, string> fixtures;
    private readonly Dictionary<(int Frame, string Kind), Exchange> lists = [];
    private readonly Dictionary<string, SortedList<int, Exchange>> tries = [];
    private FakeAirflow? server;

    private ReplayServer(string version)
    {
        folder = Path.Combine(Recording.Root, version, "timeline");
        prefix = version == "3" ? "/api/v2" : "/api/v1";
        var names = version == "3"
            ? new[] { ("version", "version"), ("monitor/health", "health"), ("pools", "pools.all"), ("dags", "dags.all"), ("importErrors", "import_errors") }
            : [("version", "version"), ("health", "health.healthy"), ("pools", "pools.list"), ("dags", "dags.list.default"), ("importErrors", "import_errors.list")];
        fixtures = names.ToFrozenDictionary(
            name => $"{prefix}/{name.Item1}", name => File.ReadAllText(Path.Combine(Recording.Root, version, name.Item2 + ".json")));
        if (version == "3")
            ReadIndexOf3();
        else
            ReadIndexOf2();
        LastFrame = lists.Keys.Max(key => key.Frame);
    }

    public Uri Url => server!.Url;

    public int LastFrame { get; }

    public int Frame { get; set; } = 1;

    /// <summary>Asked before each answer; true for one that is to fail.</summary>
    public Func<string, bool> Fails { get; set; } = _ => false;

    /// <summary>Requests for histories of tries.</summary>
    public int TriesAsked { get; private set; }

    /// <summary>The server's clock at the frame.</summary>
    public DateTimeOffset Date => lists.Where(list => list.Key.Frame == Frame).Min(list => list.Value.Date);

    /// <summary>Tries that the frame shows as finished: dag run task map try.</summary>
    public IReadOnlySet<string> FinishedInFrame() => Instances("finished", "live")
        .Where(row => (string?)row["state"] is "success" or "failed" or "skipped" or "upstream_failed" or "up_for_retry")
        .Select(row => $"{row["dag_id"]} {row["dag_run_id"]} {row["task_id"]} {row["map_index"]} {row["try_number"]}").ToHashSet();

    /// <summary>Live instances of the frame: dag state count.</summary>
    public IEnumerable<string> LiveInFrame() => Instances("live")
        .CountBy(row => $"{row["dag_id"]} {row["state"]}").Select(group => $"{group.Key} {group.Value}").Order(StringComparer.Ordinal);

    /// <summary>The oldest running tries of the frame: dag task start.</summary>
    public IEnumerable<string> OldestRunningInFrame() => Instances("live")
        .Where(row => (string?)row["state"] is "running" or "deferred")
        .GroupBy(row => $"{row["dag_id"]} {row["task_id"]}", row => DateTimeOffset.Parse((string)row["start_date"]!, CultureInfo.InvariantCulture))
        .Select(task => $"{task.Key} {(task.Min() - DateTimeOffset.UnixEpoch).TotalSeconds:F6}").Order(StringComparer.Ordinal);

    public static async Task<ReplayServer> StartAsync(string version)
    {
        var replay = new ReplayServer(version);
        replay.server = await FakeAirflow.StartAsync(replay.AnswerAsync);
        return replay;
    }

    public ValueTask DisposeAsync() => server!.DisposeAsync();

    private Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        // Whether this question is answered decides of no poll.
        if (context.Request.Query["state"] == AirflowV2.NoState)
            return FakeAirflow.WriteAsync(context, 422, "application/json", System.Text.Encoding.UTF8.GetString(Recording.Read("3/task_instances.state_invalid").Body), Date);
        if (Fails(path))
            return FakeAirflow.WriteAsync(context, 500, "text/html", "<html>Something bad has happened.</html>");
        if (!path.StartsWith(prefix + "/", StringComparison.Ordinal))
            return FakeAirflow.WriteAsync(context, 404, "text/html", "<!DOCTYPE html><title>Airflow 404</title>");
        if (fixtures.TryGetValue(path, out var body))
            return WriteAsync(context, body, Date);
        if (path.EndsWith("/tries", StringComparison.Ordinal))
            return AnswerTriesAsync(context, path);
        if (path.EndsWith("/taskInstances", StringComparison.Ordinal))
            return WriteAsync(context, lists[(Frame, context.Request.Query.ContainsKey("updated_at_gte") ? "finished" : "live")]);
        if (path.EndsWith("/dagRuns", StringComparison.Ordinal))
        {
            return context.Request.Query["state"].ToArray() switch
            {
                [] => WriteAsync(context, lists[(Frame, "ended runs")]),
                ["queued", "running"] => WriteAsync(context, lists[(Frame, "live runs")]),
                ["failed"] => WriteRunsAsync(context, Runs("failed", null)),
                ["success"] => WriteRunsAsync(context, Runs("success", path.Split('/')[^2]).OrderByDescending(Start)),
                _ => throw new InvalidOperationException($"{path}{context.Request.QueryString}"),
            };
        }
        throw new InvalidOperationException($"The exporter asked for {path}, which was not recorded.");
    }

    private Task AnswerTriesAsync(HttpContext context, string path)
    {
        TriesAsked++;
        if (tries.TryGetValue(path, out var recorded) && recorded.LastOrDefault(r => r.Key <= Frame).Value is { } newest)
            return WriteAsync(context, newest);
        return FakeAirflow.WriteAsync(context, 404, "application/json", """{"detail":"not recorded up to this frame"}""", Date);
    }

    /// <summary>The newest row of each run up to the frame, as a list of all runs in a state would hold it.</summary>
    private IEnumerable<JsonObject> Runs(string state, string? dag)
    {
        var newest = new Dictionary<(string, string), JsonObject>();
        for (var frame = 1; frame <= Frame; frame++)
        {
            foreach (var kind in new[] { "live runs", "ended runs" })
            {
                foreach (var run in JsonNode.Parse(lists[(frame, kind)].Body)!["dag_runs"]!.AsArray())
                    newest[((string)run!["dag_id"]!, (string)run["dag_run_id"]!)] = run.AsObject();
            }
        }
        return newest.Values.Where(run => (string?)run["state"] == state && (dag is null || (string?)run["dag_id"] == dag));
    }

    private IEnumerable<JsonNode> Instances(params string[] kinds) =>
        kinds.SelectMany(kind => JsonNode.Parse(lists[(Frame, kind)].Body)!["task_instances"]!.AsArray()).Select(row => row!);

    private Task WriteRunsAsync(HttpContext context, IEnumerable<JsonObject> runs)
    {
        JsonNode[] rows = [.. runs.Select(run => run.DeepClone())];
        var body = new JsonObject { ["dag_runs"] = new JsonArray(rows), ["total_entries"] = rows.Length };
        return WriteAsync(context, body.ToJsonString(), Date);
    }

    private static string Start(JsonObject run) => (string?)run["start_date"] ?? "";

    private static Task WriteAsync(HttpContext context, Exchange exchange) => WriteAsync(context, exchange.Body, exchange.Date);

    private static Task WriteAsync(HttpContext context, string body, DateTimeOffset date) =>
        FakeAirflow.WriteAsync(context, 200, "application/json", body, date);

    private void ReadIndexOf2()
    {
        using var index = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "index.json")));
        foreach (var entry in index.RootElement.GetProperty("exchanges").EnumerateArray())
        {
            var kind = (entry.GetProperty("series").GetString(), entry.GetProperty("kind").GetString()) switch
            {
                ("delta", "runs_live") => "live runs",
                ("delta", "runs_ended") => "ended runs",
                ("delta", "tis_live") => "live",
                ("delta", "tis_finished") => "finished",
                ("tries", _) => "tries",
                _ => null,
            };
            if (kind == "tries")
                AddTries(0, entry); // recorded afterwards
            else if (kind is not null)
                lists.Add((entry.GetProperty("frame").GetInt32(), kind), Read(entry));
        }
    }

    private void ReadIndexOf3()
    {
        foreach (var line in File.ReadLines(Path.Combine(folder, "index.jsonl")))
        {
            using var json = JsonDocument.Parse(line);
            var entry = json.RootElement.Clone();
            if (!entry.TryGetProperty("file", out var name))
                continue; // something that was done to the server
            var tick = entry.GetProperty("tick").GetInt32();
            var file = name.GetString()!;
            if (file.Contains(".tries.") || file.Contains("-tries."))
            {
                AddTries(tick, entry);
            }
            else if (file.EndsWith("-dag_runs.json", StringComparison.Ordinal))
            {
                lists.Add((tick, "live runs"), Read(entry));
                lists.Add((tick, "ended runs"), Read(entry));
            }
            else
            {
                lists.Add((tick, file.EndsWith(".live.json", StringComparison.Ordinal) ? "live" : "finished"), Read(entry));
            }
        }
    }

    private void AddTries(int frame, JsonElement entry)
    {
        if (entry.GetProperty("status").GetInt32() != 200)
            return;
        var path = Uri.UnescapeDataString(entry.GetProperty("request").GetString()!.Split(' ')[1]);
        if (!tries.TryGetValue(path, out var recorded))
            tries.Add(path, recorded = []);
        recorded.Add(frame, Read(entry));
    }

    private Exchange Read(JsonElement entry) => new(
        File.ReadAllText(Path.Combine(folder, entry.GetProperty("file").GetString()!)),
        DateTimeOffset.ParseExact(entry.GetProperty("date").GetString()!, "R", CultureInfo.InvariantCulture));

    private sealed record Exchange(string Body, DateTimeOffset Date);
}
