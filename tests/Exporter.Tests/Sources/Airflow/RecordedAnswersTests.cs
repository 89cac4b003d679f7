using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using PipelineExporter.Sources.Airflow;

namespace PipelineExporter.Tests.Sources.Airflow;

/// <summary>Every recorded answer of an endpoint that the exporter asks is read as the server meant it.</summary>
public sealed partial class RecordedAnswersTests
{
    public static TheoryData<string> Good => Names(recording => recording is { Status: 200, Method: "GET" });

    public static TheoryData<string> Refused => Names(recording => recording.Status is >= 400 && recording.Method == "GET");

    public static TheoryData<string> TimelineBodies => [.. from version in new[] { "2.11", "3" }
        from file in Directory.EnumerateFiles(Path.Combine(Recording.Root, version, "timeline"), "*.json")
        let name = Path.GetFileName(file)
        where name is not ("index.json" or "truth.json")
        select $"{version}/timeline/{name}"];

    public static TheoryData<string> SequenceBodies => [.. from file in Directory.EnumerateFiles(
            Path.Combine(Recording.Root, "3", "sequences"), "*.json", SearchOption.AllDirectories)
        select Path.GetRelativePath(Recording.Root, file)];

    [Theory]
    [MemberData(nameof(Good))]
    public void A_recorded_answer_is_read_whole(string name)
    {
        var recording = Recording.Read(name);
        ReadAndCompare(recording.Body, name);
    }

    [Theory]
    [MemberData(nameof(TimelineBodies))]
    [MemberData(nameof(SequenceBodies))]
    public void A_recorded_body_is_read_whole(string file) =>
        ReadAndCompare(File.ReadAllBytes(Path.Combine(Recording.Root, file)), file);

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task A_recorded_refusal_becomes_an_error_with_status_and_Airflows_short_reason(string name)
    {
        var recording = Recording.Read(name);
        await using var server = await FakeAirflow.StartAsync(context => FakeAirflow.WriteAsync(
            context, recording.Status, recording.ContentType, System.Text.Encoding.UTF8.GetString(recording.Body)));
        using var connection = server.Connect(new AirflowCredential.Bearer(() => "a-token"));
        var requests = new AirflowRequests(connection.Endpoint, TimeProvider.System);
        using var client = new HttpClient { BaseAddress = server.Url };
        var rest = Refit.RestService.ForGenerated<IAirflowRestV2>(client, AirflowJson.Default);

        var error = await Assert.ThrowsAsync<AirflowException>(
            () => requests.AskAsync("GET /api/v2/dags/~/dagRuns", t => rest.GetDagRuns("~", null, null, null, "id", 100, null, null, t), default));

        Assert.Equal((HttpStatusCode)recording.Status, error.Status);
        Assert.StartsWith($"GET /api/v2/dags/~/dagRuns: answered {recording.Status}", error.Message);
        if (Detail(recording.Body) is { } detail)
            Assert.Contains(detail[..Math.Min(detail.Length, 60)], error.Message);
        Assert.DoesNotContain("<html", error.Message, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("<!DOCTYPE", error.Message, StringComparison.OrdinalIgnoreCase);
        Assert.True(error.Message.Length < 700, error.Message);
    }

    [Fact]
    public void The_recordings_hold_every_endpoint_that_the_exporter_asks()
    {
        var kinds = Recording.All().Where(r => r is { Status: 200, Method: "GET" }).Select(r => $"{r.Name.Split('/')[0]} {Kind(r.Path)}").ToHashSet();

        foreach (var version in new[] { "2.11", "3" })
        {
            foreach (var kind in new[] { "version", "health", "pools", "dags", "dagRuns", "taskInstances", "tries" })
                Assert.Contains($"{version} {kind}", kinds);
        }
    }

    private static TheoryData<string> Names(Func<Recording, bool> wanted) => [.. Recording.All()
        .Where(recording => wanted(recording) && Kind(recording.Path) is not null).Select(recording => recording.Name)];

    private static string? Kind(string path) => path switch
    {
        _ when path.EndsWith("/version", StringComparison.Ordinal) => "version",
        _ when path.EndsWith("/health", StringComparison.Ordinal) => "health",
        _ when path.EndsWith("/pools", StringComparison.Ordinal) => "pools",
        _ when path.EndsWith("/dags", StringComparison.Ordinal) => "dags",
        _ when path.EndsWith("/dagRuns", StringComparison.Ordinal) => "dagRuns",
        _ when path.EndsWith("/taskInstances", StringComparison.Ordinal) => "taskInstances",
        _ when path.EndsWith("/tries", StringComparison.Ordinal) => "tries",
        _ => null,
    };

    private static void ReadAndCompare(byte[] body, string name)
    {
        using var json = JsonDocument.Parse(body);
        var root = json.RootElement;
        if (root.TryGetProperty("dag_runs", out var runs))
        {
            var page = JsonSerializer.Deserialize(body, AirflowJson.Default.DagRunPage)!;
            Compare(runs, page.DagRuns, CompareRun);
            Assert.Equal(root.GetProperty("total_entries").GetInt32(), page.TotalEntries);
            Assert.Equal(Text(root, "next_cursor"), page.NextCursor);
        }
        else if (root.TryGetProperty("task_instances", out var instances))
        {
            var page = JsonSerializer.Deserialize(body, AirflowJson.Default.TaskInstancePage)!;
            Compare(instances, page.TaskInstances, CompareInstance);
            Assert.Equal(root.GetProperty("total_entries").GetInt32(), page.TotalEntries);
            Assert.Equal(Text(root, "next_cursor"), page.NextCursor);
        }
        else if (root.TryGetProperty("dags", out var dags))
        {
            Compare(dags, JsonSerializer.Deserialize(body, AirflowJson.Default.DagPage)!.Dags, (row, dag) =>
            {
                Assert.Equal(Text(row, "dag_id"), dag.DagId);
                Assert.Equal(row.TryGetProperty("is_paused", out var paused) ? paused.GetBoolean() : null, dag.IsPaused);
            });
        }
        else if (root.TryGetProperty("pools", out var pools))
        {
            Compare(pools, JsonSerializer.Deserialize(body, AirflowJson.Default.PoolPage)!.Pools, (row, pool) =>
            {
                Assert.Equal(Text(row, "name"), pool.Name);
                int[] expected = [.. new[] { "slots", "occupied_slots", "running_slots", "queued_slots", "scheduled_slots", "deferred_slots", "open_slots" }
                    .Select(slot => row.GetProperty(slot).GetInt32())];
                int[] read =
                    [pool.Slots, pool.OccupiedSlots, pool.RunningSlots, pool.QueuedSlots, pool.ScheduledSlots, pool.DeferredSlots, pool.OpenSlots];
                Assert.Equal(expected, read);
            });
        }
        else if (root.TryGetProperty("metadatabase", out var database))
        {
            var health = ComponentHealth.In(JsonSerializer.Deserialize(body, AirflowJson.Default.DictionaryStringJsonElement)!);
            Assert.Equal(Text(database, "status"), health["metadatabase"].Status);
            foreach (var component in (string[])["scheduler", "triggerer", "dag_processor"])
            {
                var row = root.GetProperty(component);
                Assert.Equal(Text(row, "status"), health[component].Status);
                Assert.Equal(Date(row, $"latest_{component}_heartbeat"), health[component].Heartbeat);
            }
        }
        else if (root.TryGetProperty("version", out var version))
        {
            Assert.Equal(version.GetString(), JsonSerializer.Deserialize(body, AirflowJson.Default.AirflowVersion)!.Version);
        }
        else if (root.TryGetProperty("run_type", out _))
        {
            CompareRun(root, JsonSerializer.Deserialize(body, AirflowJson.Default.DagRun)!);
        }
        else if (root.TryGetProperty("detail", out _))
        {
            Assert.Contains(".tries.", name); // 404: asked before the mapped instance existed
        }
        else
        {
            Assert.Fail($"{name} is of no known kind");
        }
    }

    private static void Compare<T>(JsonElement rows, IReadOnlyList<T> read, Action<JsonElement, T> compare)
    {
        Assert.Equal(rows.GetArrayLength(), read.Count);
        foreach (var (row, item) in rows.EnumerateArray().Zip(read))
            compare(row, item);
    }

    private static void CompareRun(JsonElement row, DagRun run)
    {
        Assert.Equal(
            (Text(row, "dag_id"), Text(row, "dag_run_id"), Text(row, "run_type"), Text(row, "state")),
            (run.DagId, run.RunId, run.RunType, run.State));
        Assert.Equal(
            (Date(row, "start_date"), Date(row, "end_date"), Date(row, "run_after"), Date(row, "logical_date")),
            (run.StartDate, run.EndDate, run.RunAfter, run.LogicalDate));
    }

    private static void CompareInstance(JsonElement row, TaskInstance instance)
    {
        Assert.Equal(
            (Text(row, "dag_id"), Text(row, "dag_run_id"), Text(row, "task_id"), Text(row, "state")),
            (instance.DagId, instance.RunId, instance.TaskId, instance.State));
        Assert.Equal(
            (row.GetProperty("map_index").GetInt32(), row.GetProperty("try_number").GetInt32(), row.GetProperty("max_tries").GetInt32()),
            (instance.MapIndex, instance.TryNumber, instance.MaxTries));
        Assert.Equal(
            (Date(row, "start_date"), Date(row, "end_date"), Date(row, "queued_when"), Date(row, "scheduled_when"), Date(row, "run_after")),
            (instance.StartDate, instance.EndDate, instance.QueuedWhen, instance.ScheduledWhen, instance.RunAfter));
    }

    private static string? Text(JsonElement row, string name) => row.TryGetProperty(name, out var value) ? value.GetString() : null;

    /// <remarks>Read by other means than the exporter's, to the microsecond.</remarks>
    private static DateTimeOffset? Date(JsonElement row, string name) => Text(row, name) is { } text
        ? DateTimeOffset.Parse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal)
        : null;

    private static string? Detail(byte[] body)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            return json.RootElement.ValueKind == JsonValueKind.Object
                && json.RootElement.TryGetProperty("detail", out var detail) && detail.ValueKind == JsonValueKind.String
                ? FirstLine().Match(detail.GetString()!).Value
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    [GeneratedRegex(@"\A\s*(?<line>.*)")]
    private static partial Regex FirstLine();
}
