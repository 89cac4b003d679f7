using System.Globalization;
using System.Text.Json;
using PipelineExporter.Tests.Sources.Airflow;

namespace PipelineExporter.Tests.Collectors.Airflow;

/// <summary>What a correct ledger ends with, from truth.json: what row triggers (2.11) or a reader (3.3) saw in the database.</summary>
internal sealed record ReplayTruth(
    SortedDictionary<string, double> Tries,
    SortedDictionary<string, double> Finished,
    SortedDictionary<string, double> Retries,
    SortedDictionary<string, double> Runs,
    int DatedTries,
    double TrySeconds)
{
    /// <param name="version">2.11 or 3.</param>
    /// <param name="since">Leaves out what ended before this first poll.</param>
    /// <param name="seen">And what this first poll showed as finished: dag run task map try.</param>
    public static ReplayTruth Of(string version, DateTimeOffset? since = null, IReadOnlySet<string>? seen = null)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Recording.Root, version, "timeline", "truth.json")));
        var three = version == "3";
        var recording = three ? Date(json.RootElement.GetProperty("recording"), "start")!.Value : default;
        Entry[] entries = [.. json.RootElement.GetProperty(three ? "tries_finished_during_recording" : "finished_during")
            .EnumerateArray().Select(row => Read(row, three, recording))
            .Where(entry => !(entry.At < since) && seen?.Contains(entry.Key) != true)];

        // A key that stands there twice was edited (3.3), or is an outcome without a try that was decided anew (2.11): the first counts.
        Entry[] once = [.. entries.DistinctBy(entry => entry.Key)];
        Entry[] tries = [.. once.Where(entry => entry.Try >= 1)];
        Entry[] dated = [.. tries.Where(entry => entry.Start is not null && entry.End is not null)];
        return new ReplayTruth(
            Count(tries, entry => $"{entry.Dag} {entry.Task} {entry.State}"),
            Count(once.Where(entry => entry.IsFinal), entry => $"{entry.Dag} {entry.Task} {entry.State}"),
            three ? Retries3(tries) : Retries2(json.RootElement),
            three ? Runs3(json.RootElement) : Runs2(json.RootElement),
            dated.Length,
            dated.Sum(entry => (entry.End!.Value - entry.Start!.Value).TotalSeconds));
    }

    private static Entry Read(JsonElement row, bool three, DateTimeOffset recording)
    {
        string Text(string name) => row.GetProperty(name).GetString()!;
        var (attempt, state) = (row.GetProperty("try_number").GetInt32(), Text("state"));
        var maxTries = three ? row.GetProperty("max_tries").GetInt32() : 0;

        // 2.11 tells which row state a try ended in. In 3.3 a failed try is final when it is the current row, or may not be retried.
        var isFinal = three
            ? state != "failed" || Text("source") == "task_instance" || attempt > maxTries
            : Text("as_state") != "up_for_retry";
        return new Entry(
            Text("dag_id"), Text("run_id"), Text("task_id"), row.GetProperty("map_index").GetInt32(), attempt, maxTries, state, isFinal,
            Date(row, three ? "start_date" : "start"), Date(row, three ? "end_date" : "end"),
            three ? recording + (row.GetProperty("first_seen_tick").GetInt32() * TimeSpan.FromSeconds(5)) : Date(row, "committed")!.Value);
    }

    /// <remarks>3.3 has no list of retries: a failed try and a next one with the same max_tries.</remarks>
    private static SortedDictionary<string, double> Retries3(Entry[] tries)
    {
        var failed = tries.Where(entry => entry.State == "failed").ToDictionary(entry => entry.Key, entry => entry.MaxTries);
        return Count(
            tries.Where(entry => failed.TryGetValue((entry with { Try = entry.Try - 1 }).Key, out var before) && before == entry.MaxTries),
            entry => $"{entry.Dag} {entry.Task}");
    }

    /// <remarks>The list counts transitions to up_for_retry; the last try of tl2_quick_1 was cleared before its retry ran.</remarks>
    private static SortedDictionary<string, double> Retries2(JsonElement truth)
    {
        var retries = new SortedDictionary<string, double>(
            truth.GetProperty("expected_retries").EnumerateArray().ToDictionary(
                row => $"{row.GetProperty("dag_id").GetString()} {row.GetProperty("task_id").GetString()}", row => row.GetProperty("count").GetDouble()),
            StringComparer.Ordinal);
        retries["quick_retries fails_three_times"]--;
        return retries;
    }

    private static SortedDictionary<string, double> Runs2(JsonElement truth) => new(
        truth.GetProperty("expected_runs").EnumerateArray().ToDictionary(
            row => $"{row.GetProperty("dag_id").GetString()} {row.GetProperty("state").GetString()}", row => row.GetProperty("count").GetDouble()),
        StringComparer.Ordinal);

    /// <remarks>A run stands there twice that was edited after its end: the same start.</remarks>
    private static SortedDictionary<string, double> Runs3(JsonElement truth) => Count(
        truth.GetProperty("run_finishes_during_recording").EnumerateArray()
            .DistinctBy(row => (row.GetProperty("dag_id").GetString(), row.GetProperty("run_id").GetString(), Date(row, "start_date"))),
        row => $"{row.GetProperty("dag_id").GetString()} {row.GetProperty("state").GetString()}");

    private static SortedDictionary<string, double> Count<T>(IEnumerable<T> rows, Func<T, string> label) =>
        new(rows.CountBy(label).ToDictionary(group => group.Key, group => (double)group.Value), StringComparer.Ordinal);

    private static DateTimeOffset? Date(JsonElement row, string name) => row.GetProperty(name).GetString() is { } text
        ? DateTimeOffset.Parse(text, CultureInfo.InvariantCulture)
        : null;

    private sealed record Entry(
        string Dag, string Run, string Task, int Map, int Try, int MaxTries, string State, bool IsFinal,
        DateTimeOffset? Start, DateTimeOffset? End, DateTimeOffset Seen)
    {
        /// <summary>Its end, or when it was seen in the database where it has none.</summary>
        public DateTimeOffset At => End ?? Seen;

        public string Key => $"{Dag} {Run} {Task} {Map} {Try}";
    }
}
