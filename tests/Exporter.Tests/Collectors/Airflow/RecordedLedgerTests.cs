using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using PipelineExporter.Collectors.Airflow;
using PipelineExporter.Metrics;
using PipelineExporter.Tests.Sources.Airflow;

namespace PipelineExporter.Tests.Collectors.Airflow;

/// <summary>
/// Each situation that was recorded of a real Airflow, polled whenever something changed, and what a correct ledger counts of it.
/// A line is a counter and its labels without dag_id: tries TASK STATE, final TASK STATE, retries TASK, runs TYPE STATE.
/// </summary>
public sealed class RecordedLedgerTests
{
    /// <summary>Runs of Airflow 3.3, watched from their trigger to their end.</summary>
    public static TheoryData<string, string[]> Sequences => new()
    {
        {
            // Three finishes of one run. step_2 and step_3 ran in each, step_1 in the first and the last; there it was cleared while it
            // ran, which ends that try as failed, to be tried again: neither final nor followed by a retry.
            "clear",
            [
                "runs manual success 3",
                "tries step_1 success 2", "tries step_1 failed 1", "final step_1 success 2",
                "tries step_2 success 3", "final step_2 success 3", "tries step_3 success 3", "final step_3 success 3",
            ]
        },
        {
            // Three tries, then an edit that leaves no try: grandchild was upstream_failed before it was set to skipped.
            "clear_without_reset",
            [
                "runs manual failed 1", "tries always_fails failed 3", "final always_fails failed 1", "retries always_fails 2",
                "tries cleanup success 1", "final cleanup success 1", "final child upstream_failed 1", "final grandchild upstream_failed 1",
            ]
        },
        {
            // A removed instance had no try and has no outcome.
            "dag_version_change",
            [
                "runs manual success 1", "tries slow success 1", "final slow success 1", "tries added_in_v2 success 1", "final added_in_v2 success 1",
            ]
        },
        {
            "deferrable",
            [
                "runs manual success 1", "tries defer_once success 1", "final defer_once success 1",
                "tries defer_twice success 1", "final defer_twice success 1",
            ]
        },
        { "human_approval", ["runs manual success 1", "tries approve_release success 1", "final approve_release success 1"] },
        {
            // Five mapped instances; index 3 fails twice. Nothing to expand is an outcome without a try and without dates.
            "mapped",
            [
                "runs manual success 1", "tries make_list success 1", "final make_list success 1", "tries empty_list success 1",
                "final empty_list success 1", "tries process success 4", "tries process failed 2", "final process success 4",
                "final process failed 1", "retries process 1", "final process_empty skipped 1", "tries collect success 1", "final collect success 1",
            ]
        },
        {
            "patch_run_while_running",
            ["runs manual failed 1", "tries runs_a_while failed 1", "final runs_a_while failed 1", "final after skipped 1"]
        },
        {
            "reschedule_sensor",
            [
                "runs manual success 1", "tries wait_for_file success 1", "final wait_for_file success 1", "tries after success 1", "final after success 1",
            ]
        },
        {
            "retries_exhausted",
            [
                "runs manual failed 1", "tries always_fails failed 3", "final always_fails failed 1", "retries always_fails 2",
                "tries cleanup success 1", "final cleanup success 1", "final child upstream_failed 1", "final grandchild upstream_failed 1",
            ]
        },
        {
            "retry",
            [
                "runs manual success 1", "tries flaky failed 1", "tries flaky success 1", "final flaky success 1", "retries flaky 1",
                "tries after success 1", "final after success 1",
            ]
        },
        {
            // The running task becomes skipped and loses both dates; the other one never had a try.
            "run_timeout",
            ["runs manual failed 1", "tries too_slow skipped 1", "final too_slow skipped 1", "final never skipped 1"]
        },
        {
            // Its try was beyond max_tries, so it counts as final, though Airflow starts it once more. The recording ends before that runs.
            "scheduler_killed.long_running",
            ["tries sleeps_long failed 1", "final sleeps_long failed 1"]
        },
        {
            // The first try was queued and never started: a real failure with an end and no start.
            "scheduler_killed.queued_task",
            [
                "runs manual failed 1", "tries runs_a_while failed 2", "final runs_a_while failed 1", "retries runs_a_while 1", "final after skipped 1",
            ]
        },
        {
            "scheduler_killed.running_task",
            [
                "runs manual failed 1", "tries runs_a_while failed 2", "final runs_a_while failed 1", "retries runs_a_while 1", "final after skipped 1",
            ]
        },
        {
            // Failed by hand and later set to success: one try, counted as first seen. The run ran three times, and one edit of its state
            // was none. "after" was upstream_failed without a try, then ran.
            "set_state_by_api",
            [
                "runs manual failed 1", "runs manual success 2", "tries runs_a_while failed 1", "final runs_a_while failed 1",
                "final after upstream_failed 1", "tries after success 1", "final after success 1",
            ]
        },
    };

    /// <summary>Situations of Airflow 2.11. An instance of which only the history was recorded stands as its last row.</summary>
    public static TheoryData<string, string[], string[]> Cases => new()
    {
        {
            "branch_and_skip", ["branch_and_skip.task_instances"],
            [
                "tries choose success 1", "final choose success 1", "tries taken success 1", "final taken success 1", "tries join success 1",
                "final join success 1", "tries skip_itself skipped 1", "final skip_itself skipped 1", "final not_taken skipped 1", "final after_skip skipped 1",
            ]
        },
        // The history holds a failed try 0 that never was.
        { "cleared_before_it_ran", ["cleared_before_it_ran.tries"], ["tries end success 1", "final end success 1"] },
        // Try 3 stands there twice, with two ends.
        {
            "cleared_running", ["cleared_running.tries"],
            ["tries slow success 2", "tries slow failed 1", "final slow success 2", "final slow failed 1"]
        },
        {
            "deferrable", ["deferrable.task_instances"],
            [
                "tries wait_deferred success 1", "final wait_deferred success 1", "tries wait_deferred_default_pool success 1",
                "final wait_deferred_default_pool success 1", "tries go success 1", "final go success 1",
            ]
        },
        {
            "killed", ["killed.tries", "killed.task_instances"],
            [
                "tries killed_by_signal failed 1", "tries killed_by_signal success 1", "final killed_by_signal success 1", "retries killed_by_signal 1",
                "tries execution_timeout failed 1", "final execution_timeout failed 1", "tries fails_without_retry failed 1", "final fails_without_retry failed 1",
            ]
        },
        {
            "long_run", ["long_run.before_kill.task_instances", "long_run.before_kill.run", "long_run.after_kill.task_instances", "long_run.after_kill.end_date_gte"],
            ["runs manual failed 2", "tries sleep_long failed 1", "final sleep_long failed 1", "final after skipped 1"]
        },
        // Try 2 was cleared while it waited: it is listed as failed with the start of try 1.
        { "made_up_try", ["made_up_try.tries"], ["tries work success 2", "final work success 2"] },
        {
            // Five mapped instances became two. Of the removed ones, index 4 has its history recorded: it had succeeded.
            "mapped_removed", ["mapped_removed.tries", "mapped_removed.task_instances"],
            [
                "tries empty_list success 1", "final empty_list success 1", "tries make success 1", "final make success 1", "final never skipped 1",
                "tries process success 3", "final process success 3",
            ]
        },
        {
            "music_streaming_kpi", ["music_streaming_kpi.task_instances"],
            [
                "tries compute.genre_kpis success 2", "final compute.genre_kpis success 2", "tries compute.hourly_kpis success 2",
                "final compute.hourly_kpis success 2", "tries kpis_done success 2", "final kpis_done success 2", "tries trigger_load success 2",
                "final trigger_load success 2",
            ]
        },
        {
            "reschedule_sensor", ["reschedule_sensor.task_instances"],
            ["tries wait_for_upload success 1", "final wait_for_upload success 1", "tries go success 1", "final go success 1"]
        },
        {
            "retries_exhausted", ["retries_exhausted.tries", "retries_exhausted.task_instances", "retries_exhausted.run"],
            [
                "runs scheduled failed 1", "tries always_fails failed 3", "final always_fails failed 1", "retries always_fails 2",
                "tries cleanup success 1", "final cleanup success 1", "final load upstream_failed 1", "final notify upstream_failed 1",
            ]
        },
        {
            "run_set_failed", ["run_set_failed.tries", "run_set_failed.task_instances"],
            ["tries sleep_long failed 1", "final sleep_long failed 1", "final after skipped 1"]
        },
        {
            // The task that ran becomes skipped without an end; the one after it never gets a state.
            "run_timeout", ["run_timeout.task_instances", "run_timeout.run"],
            ["runs manual failed 1", "tries too_long skipped 1", "final too_long skipped 1"]
        },
        // Decided, cleared, and decided again with the same dates: one outcome.
        { "upstream_failed", ["upstream_failed.tries", "upstream_failed.cleared.tries"], ["final load upstream_failed 1"] },
    };

    [Theory]
    [MemberData(nameof(Sequences))]
    public async Task A_recorded_sequence_is_counted_once(string sequence, string[] expected)
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = new ReplayedExporter(server.Url);
        await exporter.PollAsync(server.Date, "airflow_runs", "airflow_tasks");

        foreach (var _ in Play(server, sequence))
        {
            await exporter.PollAsync(server.Date, "airflow_runs", "airflow_tasks");
            await exporter.PollAsync(server.Date, "airflow_runs", "airflow_tasks");
        }

        Assert.Equal(expected.Order(StringComparer.Ordinal), Lines(exporter));
    }

    /// <remarks>An exporter that was down all the while finds the end, and the tries before it in the histories.</remarks>
    [Theory]
    [MemberData(nameof(Sequences))]
    public async Task A_recorded_sequence_that_nobody_watched_is_counted_from_its_end(string sequence, string[] expected)
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = new ReplayedExporter(server.Url);
        await exporter.PollAsync(server.Date, "airflow_runs", "airflow_tasks");

        foreach (var _ in Play(server, sequence))
        {
            // Not watched.
        }
        exporter.Restart();
        await exporter.PollAsync(server.Date, "airflow_runs", "airflow_tasks");

        // Some traces are gone by then: earlier finishes of a run, outcomes without a try, and what an edit overwrote.
        string[] gone = sequence switch
        {
            "clear" => ["runs manual success 3"],
            "clear_without_reset" => ["final always_fails failed 1", "final grandchild upstream_failed 1", "tries always_fails failed 3", "retries always_fails 2"],
            "set_state_by_api" => ["runs manual failed 1", "runs manual success 2", "tries runs_a_while failed 1", "final runs_a_while failed 1", "final after upstream_failed 1"],
            _ => [],
        };
        string[] instead = sequence switch
        {
            "clear" => ["runs manual success 1"],
            "clear_without_reset" => ["final grandchild skipped 1"], // the instance without a state is in no list until it runs again
            "set_state_by_api" => ["runs manual success 1", "tries runs_a_while success 1", "final runs_a_while success 1"],
            _ => [],
        };
        Assert.Equal(expected.Except(gone).Concat(instead).Order(StringComparer.Ordinal), Lines(exporter));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task A_recorded_case_is_counted_once(string name, string[] files, string[] expected)
    {
        Assert.StartsWith(name, files[0]);
        await using var server = await ListServer.StartAsync("2.11.2");
        using var exporter = new ReplayedExporter(server.Url);
        await exporter.PollAsync(server.Date, "airflow_runs", "airflow_tasks");
        server.Date += TimeSpan.FromHours(1);

        foreach (var file in files)
        {
            Put(server, "cases/" + file);
            await exporter.PollAsync(server.Date, "airflow_runs", "airflow_tasks");
            await exporter.PollAsync(server.Date, "airflow_runs", "airflow_tasks");
        }

        Assert.Equal(expected.Order(StringComparer.Ordinal), Lines(exporter));
    }

    [Fact]
    public void Every_recorded_case_has_its_test()
    {
        string[] notCounted = ["mapped.listMapped", "long_run.after_kill.updated_at_gte_MISSES_it"];
        var tested = Cases.SelectMany(row => row.Data.Item2).Concat(notCounted).ToHashSet();

        Assert.All(
            Directory.EnumerateFiles(Path.Combine(Recording.Root, "2.11", "cases"), "*.json").Select(Path.GetFileNameWithoutExtension),
            file => Assert.Contains(file, tested!));
        Assert.All(
            Directory.EnumerateDirectories(Path.Combine(Recording.Root, "3", "sequences")).Select(Path.GetFileName).Where(name => name != "pools"),
            sequence => Assert.Contains(Sequences, row => row.Data.Item1 == sequence));
    }

    /// <summary>One run of 2.11: it succeeds, its task is cleared and succeeds, then the run is cleared, and the task again while it runs.</summary>
    [Fact]
    public async Task The_recorded_clears_are_counted_once_each()
    {
        await using var server = await ListServer.StartAsync("2.11.2");
        using var exporter = new ReplayedExporter(server.Url);
        await exporter.PollAsync(server.Date, "airflow_runs", "airflow_tasks");
        server.Date += TimeSpan.FromHours(1);

        foreach (var step in new[] { "1-before", "3-right-after", "4-running-again", "5-after", "7-run-cleared", "9-restarting", "10-after-restart" })
        {
            foreach (var kind in new[] { "tries", "task_instances", "run" })
                Put(server, $"clear/{step}.{kind}");
            await exporter.PollAsync(server.Date, "airflow_runs", "airflow_tasks");
            await exporter.PollAsync(server.Date, "airflow_runs", "airflow_tasks");
        }

        Assert.Equal(
            [
                "final slow failed 1", "final slow success 2",
                "runs scheduled failed 1", "runs scheduled success 2",
                "tries slow failed 1", "tries slow success 2",
            ],
            Lines(exporter));
    }

    [Fact]
    public async Task The_recorded_pools_are_shown_as_they_were()
    {
        var folder = Path.Combine(Recording.Root, "3", "sequences", "pools");
        foreach (var file in Directory.EnumerateFiles(folder, "*.pools.json"))
        {
            var body = await File.ReadAllTextAsync(file);
            await using var server = await FakeAirflow.StartAsync(context => (200, context.Request.Path.Value!.EndsWith("/version", StringComparison.Ordinal)
                ? """{"version":"3.3.2"}"""
                : body));
            using var exporter = new ReplayedExporter(server.Url);

            await exporter.PollAsync(exporter.Time.GetUtcNow(), "airflow_pools");

            var pools = JsonNode.Parse(body)!["pools"]!.AsArray();
            foreach (var pool in pools)
            {
                var unlimited = (int)pool!["slots"]! == -1;
                foreach (var state in new[] { "running", "queued", "scheduled", "deferred", "occupied", "open" })
                {
                    var expected = unlimited && state == "open" ? double.PositiveInfinity : (double)pool[state + "_slots"]!;
                    Assert.Equal(expected, exporter.Gauges["airflow_pools"][$"airflow_pool_slots {pool["name"]} {state}"]);
                }
                Assert.Equal(
                    unlimited ? double.PositiveInfinity : (double)pool["slots"]!,
                    exporter.Gauges["airflow_pools"][$"airflow_pool_slots_limit {pool["name"]}"]);
            }
            Assert.Equal(7 * pools.Count, exporter.Gauges["airflow_pools"].Count);
        }
    }

    /// <summary>Puts recorded bodies on the server, and stops wherever they are whole: before the next list or the next event.</summary>
    private static IEnumerable<int> Play(ListServer server, string sequence)
    {
        var folder = Path.Combine(Recording.Root, "3", "sequences", sequence);
        var step = 0;
        foreach (var line in File.ReadLines(Path.Combine(folder, "index.jsonl")).Skip(1))
        {
            var entry = JsonNode.Parse(line)!;
            var file = (string?)entry["file"];
            if (file is null || !file.Contains(".tries."))
                yield return step++;
            server.Date = DateTimeOffset.Parse((string)entry["at"]!, CultureInfo.InvariantCulture);
            if (file is null || (int)entry["status"]! != 200)
                continue;
            Put(server, JsonNode.Parse(File.ReadAllText(Path.Combine(folder, file)))!, ((string)entry["request"]!).Split(' ')[1]);
        }
        yield return step;
    }

    private static void Put(ListServer server, string name)
    {
        var recording = Recording.Read("2.11/" + name);
        var body = JsonNode.Parse(recording.Body)!;
        Put(server, body, recording.Path);

        // Where only the history was recorded, its last row is the instance.
        if (name.EndsWith(".tries", StringComparison.Ordinal))
            server.Instances = [body["task_instances"]!.AsArray()[^1]!];
    }

    private static void Put(ListServer server, JsonNode body, string target)
    {
        var path = Uri.UnescapeDataString(target.Split('?')[0])["/api/v1".Length..];
        if (path.EndsWith("/tries", StringComparison.Ordinal))
            server.Tries[path] = Rows(body, "task_instances");
        else if (body["task_instances"] is not null)
            server.Instances = Rows(body, "task_instances");
        else if (body["dag_runs"] is not null)
            server.Runs = Rows(body, "dag_runs");
        else
            server.Runs = [body];
    }

    private static List<JsonNode> Rows(JsonNode body, string name) => [.. body[name]!.AsArray().Select(row => row!)];

    private static IEnumerable<string> Lines(ReplayedExporter exporter)
    {
        (string, MetricDesc)[] counters =
            [("tries", TaskMetrics.Tries), ("final", TaskMetrics.Finished), ("retries", TaskMetrics.Retries), ("runs", RunMetrics.Finished)];
        return from counter in counters
               from series in exporter.Series(counter.Item2)
               where series.Value[0] != 0
               group series.Value[0] by $"{counter.Item1} {string.Join(' ', series.Labels[1..])}" into sum
               orderby sum.Key
               select $"{sum.Key} {sum.Sum()}";
    }
}
