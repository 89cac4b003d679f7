using System.Collections.Immutable;
using System.Net;
using PipelineExporter.Collectors.Aws;
using PipelineExporter.Metrics;
using PipelineExporter.Sources.Aws;
using PipelineExporter.State;

namespace PipelineExporter.Tests.Collectors.Aws;

public sealed class GlueJobsTests : IDisposable
{
    private const string Runs = "aws_glue_job_runs_total";
    private const string Dpu = "aws_glue_job_dpu_seconds_total";
    private const string Duration = "aws_glue_job_run_duration_seconds";

    private static readonly DateTimeOffset Start = new(2026, 11, 23, 6, 0, 0, TimeSpan.Zero);

    private readonly GlueRig rig = new(Start);

    public void Dispose() => rig.Dispose();

    [Fact]
    public async Task Jobs_that_report_to_CloudWatch_are_known_while_they_run_and_an_hour_longer()
    {
        const string enabled = """{"--enable-metrics":"true"}""";
        rig.Glue.Jobs.AddRange([
            new("runs", Start.AddDays(-90), 0) { Arguments = enabled },
            new("streams", Start.AddDays(-90), 0) { Arguments = enabled, Command = "gluestreaming" },
            new("idle", Start.AddDays(-90), 0) { Arguments = enabled },
            new("silent", Start.AddDays(-90), 0),
            new("script", Start.AddDays(-90), 0) { Arguments = enabled, Command = "pythonshell" },
        ]);
        foreach (var job in (string[])["runs", "silent", "script"])
            rig.Glue.Runs.Add(new(job, "1", Start.AddMinutes(-5), Start.AddMinutes(10)));
        rig.Glue.Runs.Add(new("streams", "1", Start.AddDays(-5), null));
        rig.Glue.Runs.Add(new("idle", "1", Start.AddDays(-5), Start.AddDays(-4)));

        await rig.PollAsync();
        Assert.Equal(["runs", "streams"], rig.Reporting);
        rig.Time.Advance(TimeSpan.FromMinutes(60));
        await rig.PollAsync();
        Assert.Equal(["runs", "streams"], rig.Reporting);
        rig.Time.Advance(TimeSpan.FromMinutes(60));
        await rig.PollAsync();
        Assert.Equal(["streams"], rig.Reporting);
    }

    [Fact]
    public void A_snapshot_is_written_as_gauges()
    {
        var written = GlueRig.Written(rig.Jobs, new GlueJobsSnapshot(
        [
            new(new GlueJob
            {
                Name = "load", GlueVersion = "5.0", WorkerType = "G.1X", ExecutionClass = "FLEX", Command = new() { Name = "glueetl" }, DefaultArguments = new(MetricsEnabled: true),
            })
            {
                LastRunDuration = TimeSpan.FromSeconds(90.5), Active = ImmutableSortedDictionary<string, int>.Empty.Add("RUNNING", 2).Add("WAITING", 1),
                OldestRunningStart = Start, OldestRunningFor = TimeSpan.FromSeconds(90), OldestWaitingStart = Start.AddSeconds(1), LastSuccess = 1000.5, LastFailure = 2000,
                Baseline = TimeSpan.FromSeconds(80), Threshold = TimeSpan.FromSeconds(140),
            },
            new(new GlueJob { Name = "never ran", WorkerType = "a b", Command = new() { Name = "a sentence" } }),
        ]));

        Assert.Equal(
            new Dictionary<string, double>
            {
                ["aws_glue_job_last_run_duration_seconds{load}"] = 90.5,
                ["aws_glue_job_runs_active{load,STARTING}"] = 0,
                ["aws_glue_job_runs_active{load,RUNNING}"] = 2,
                ["aws_glue_job_runs_active{load,STOPPING}"] = 0,
                ["aws_glue_job_runs_active{load,WAITING}"] = 1,
                ["aws_glue_job_oldest_running_start_timestamp_seconds{load}"] = Start.ToUnixTimeSeconds(),
                ["aws_glue_job_oldest_running_duration_seconds{load}"] = 90,
                ["aws_glue_job_oldest_waiting_start_timestamp_seconds{load}"] = Start.ToUnixTimeSeconds() + 1,
                ["aws_glue_job_last_success_timestamp_seconds{load}"] = 1000.5,
                ["aws_glue_job_last_failure_timestamp_seconds{load}"] = 2000,
                ["aws_glue_job_baseline_duration_seconds{load}"] = 80,
                ["aws_glue_job_duration_threshold_seconds{load}"] = 140,
                ["aws_glue_job_metrics_enabled{load}"] = 1,
                ["aws_glue_job_info{load,etl,5.0,G.1X,FLEX}"] = 1,
                ["aws_glue_job_runs_active{never ran,STARTING}"] = 0,
                ["aws_glue_job_runs_active{never ran,RUNNING}"] = 0,
                ["aws_glue_job_runs_active{never ran,STOPPING}"] = 0,
                ["aws_glue_job_runs_active{never ran,WAITING}"] = 0,
                ["aws_glue_job_metrics_enabled{never ran}"] = 0,
                ["aws_glue_job_info{never ran,other,,other,STANDARD}"] = 1,
            },
            written);
    }

    [Fact]
    public async Task What_ended_before_the_first_poll_is_known_but_not_counted()
    {
        AddJob("load");
        Add("load", "old", -30, 10);
        Add("load", "running", -5, 10);

        var first = await rig.PollAsync();

        Assert.Equal((0, 0), (rig.Counted(Runs, "load", "SUCCEEDED"), rig.Counted(Runs, "load", "FAILED")));
        Assert.Equal((0, 0), (rig.Counted(Dpu, "load", "STANDARD"), rig.Counted(Duration, "load")));
        Assert.Null(rig.Counted(Runs, "load", "TIMEOUT"));
        var job = Assert.Single(first.Jobs);
        Assert.Equal(TimeSpan.FromMinutes(10), job.LastRunDuration);
        Assert.Equal(1, job.Active["RUNNING"]);
        Assert.Equal(Start.AddMinutes(-5), job.OldestRunningStart);

        await PollAtAsync(6);
        Assert.Equal((1, 0), (rig.Counted(Runs, "load", "SUCCEEDED"), rig.Counted(Runs, "load", "FAILED")));
        Assert.Equal((1, 600), (rig.Counted(Duration, "load"), rig.Sum(Duration, "load")));
    }

    [Fact]
    public async Task Overlapping_polls_count_a_run_once()
    {
        AddJob("load");
        await rig.PollAsync();
        Add("load", "a", 1, 2);
        Add("load", "b", 2, 3, "FAILED");
        for (var minute = 1; minute < 30; minute++)
            await PollAtAsync(minute);

        Assert.Equal((1, 1), (rig.Counted(Runs, "load", "SUCCEEDED"), rig.Counted(Runs, "load", "FAILED")));
    }

    [Fact]
    public async Task What_ended_while_the_exporter_was_down_is_counted_when_it_is_back()
    {
        AddJob("load");
        await rig.PollAsync();
        for (var i = 0; i < 700; i++)
            Add("load", $"run{i:000}", 10 + (i * 20), 5, i % 7 == 0 ? "FAILED" : "SUCCEEDED");
        Add("load", "stopped", 20000, 5, "STOPPED");

        rig.Restart();
        await PollAtAsync(20030);

        Assert.Equal((600, 100, 1), (rig.Counted(Runs, "load", "SUCCEEDED"), rig.Counted(Runs, "load", "FAILED"), rig.Counted(Runs, "load", "STOPPED")));
        rig.Restart();
        await PollAtAsync(20031);
        Assert.Equal((600, 100, 1), (rig.Counted(Runs, "load", "SUCCEEDED"), rig.Counted(Runs, "load", "FAILED"), rig.Counted(Runs, "load", "STOPPED")));
    }

    [Fact]
    public async Task A_long_run_is_not_lost_behind_many_short_ones()
    {
        AddJob("load");
        Add("load", "long", -60, 60 * 40);
        await rig.PollAsync();
        for (var i = 0; i < 300; i++)
            Add("load", $"short{i}", 1 + (i * 5), 2);
        for (var minute = 5; minute <= 1600; minute += 145)
        {
            rig.Restart();
            var snapshot = await PollAtAsync(minute);
            Assert.Equal(Start.AddHours(-1), Assert.Single(snapshot.Jobs).OldestRunningStart);
        }

        Assert.Equal(300, rig.Counted(Runs, "load", "SUCCEEDED"));
        var last = await PollAtAsync(60 * 40);
        Assert.Equal(301, rig.Counted(Runs, "load", "SUCCEEDED"));
        Assert.Equal(TimeSpan.FromHours(40), Assert.Single(last.Jobs).LastRunDuration);
    }

    [Fact]
    public async Task A_poll_without_news_reads_one_small_page_of_each_job()
    {
        AddJob("load");
        for (var i = 0; i < 1000; i++)
            Add("load", $"run{i}", -10000 + (i * 9), 5);
        await rig.PollAsync();
        await PollAtAsync(10);
        rig.Glue.Requests.Clear();

        await PollAtAsync(11);

        var (target, body) = Assert.Single(rig.Glue.Requests);
        Assert.Equal("AWSGlue.GetJobRuns", target);
        Assert.Equal(25, (int)body["MaxResults"]!);
    }

    [Fact]
    public async Task A_run_that_Glue_tries_again_is_no_outcome_but_costs_what_it_used()
    {
        AddJob("load", maxRetries: 2);
        await rig.PollAsync();
        Add("load", "jr", 1, 2, "FAILED");
        Add("load", "jr_attempt_1", 4, 2, "FAILED", attempt: 1, previous: "jr");
        Add("load", "jr_attempt_2", 7, 3, attempt: 2, previous: "jr_attempt_1");

        await PollAtAsync(3.5);
        Assert.Equal((0, 0), (rig.Counted(Runs, "load", "FAILED"), rig.Counted(Dpu, "load", "STANDARD")));
        await PollAtAsync(5);
        Assert.Equal((0, 1200), (rig.Counted(Runs, "load", "FAILED"), rig.Counted(Dpu, "load", "STANDARD")));
        rig.Restart();
        await PollAtAsync(11);

        Assert.Equal((1, 0), (rig.Counted(Runs, "load", "SUCCEEDED"), rig.Counted(Runs, "load", "FAILED")));
        Assert.Equal((120 + 120 + 180) * 10, rig.Counted(Dpu, "load", "STANDARD"));
        Assert.Equal((1, 180), (rig.Counted(Duration, "load"), rig.Sum(Duration, "load")));
    }

    [Fact]
    public async Task The_last_attempt_counts_at_once()
    {
        AddJob("load", maxRetries: 1);
        await rig.PollAsync();
        Add("load", "jr", 1, 2, "FAILED");
        Add("load", "jr_attempt_1", 4, 2, "FAILED", attempt: 1, previous: "jr");

        await PollAtAsync(6);

        Assert.Equal(1, rig.Counted(Runs, "load", "FAILED"));
    }

    [Theory]
    [InlineData("FAILED")]
    [InlineData("TIMEOUT")]
    public async Task A_failure_that_Glue_should_have_tried_again_and_did_not_counts_after_a_while(string state)
    {
        AddJob("load", maxRetries: 1);
        await rig.PollAsync();
        Add("load", "jr", 1, 2, state);

        await PollAtAsync(7);
        Assert.NotEqual(1, rig.Counted(Runs, "load", state));
        for (var i = 0; i < 100; i++)
            Add("load", $"later{i}", 8 + i, 0.5);
        rig.Restart();
        await PollAtAsync(110);

        Assert.Equal((1, 100), (rig.Counted(Runs, "load", state), rig.Counted(Runs, "load", "SUCCEEDED")));
    }

    [Fact]
    public async Task A_run_that_somebody_repeats_much_later_stays_a_failure()
    {
        AddJob("load", maxRetries: 1);
        await rig.PollAsync();
        Add("load", "jr", 1, 2, "FAILED");
        Add("load", "by_hand", 60, 2, attempt: 1, previous: "jr");

        await PollAtAsync(70);

        Assert.Equal((1, 1), (rig.Counted(Runs, "load", "SUCCEEDED"), rig.Counted(Runs, "load", "FAILED")));
    }

    [Theory]
    [InlineData("STOPPED")]
    [InlineData("ERROR")]
    [InlineData("EXPIRED")]
    [InlineData("SUCCEEDED")]
    public async Task Only_failures_and_timeouts_are_tried_again(string state)
    {
        AddJob("load", maxRetries: 3);
        await rig.PollAsync();
        Add("load", "jr", 1, 2, state);

        await PollAtAsync(4);

        Assert.Equal(1, rig.Counted(Runs, "load", state));
    }

    [Fact]
    public async Task A_deleted_job_drops_its_series_and_hurts_no_other()
    {
        AddJob("gone");
        AddJob("stays");
        Add("gone", "a", -10, 30);
        Assert.Equal(["gone", "stays"], (await rig.PollAsync()).Jobs.Select(job => job.Name));
        rig.Glue.Jobs.RemoveAll(job => job.Name == "gone");
        Add("stays", "b", 0.2, 0.1);

        Assert.Equal(["stays"], (await PollAtAsync(1)).Jobs.Select(job => job.Name));
        Assert.Equal(1, rig.Counted(Runs, "stays", "SUCCEEDED"));
        rig.Glue.Requests.Clear();
        Assert.Equal(["stays"], (await PollAtAsync(2)).Jobs.Select(job => job.Name));
        Assert.Single(rig.Glue.Requests);
    }

    [Fact]
    public async Task A_job_created_later_is_counted_from_its_first_run()
    {
        AddJob("load");
        await rig.PollAsync();
        AddJob("new", created: 6);
        Add("new", "first ever", 6.5, 1, "FAILED");

        rig.Restart();
        await PollAtAsync(60);

        Assert.Equal((1, 0), (rig.Counted(Runs, "new", "FAILED"), rig.Counted(Runs, "new", "SUCCEEDED")));
    }

    [Fact]
    public async Task A_job_selected_later_begins_at_zero()
    {
        using var two = new GlueRig(Start, name => name == "load");
        two.Glue.Jobs.AddRange([("load", Start.AddDays(-9), 0), ("other", Start.AddDays(-9), 0)]);
        await two.PollAsync();
        two.Glue.Runs.Add(new("other", "before", Start.AddMinutes(5), Start.AddMinutes(10), "FAILED"));
        two.Glue.Runs.Add(new("other", "after", Start.AddMinutes(15), Start.AddMinutes(25), "FAILED"));

        two.Time.SetUtcNow(Start.AddMinutes(20));
        two.Restart(_ => true);
        await two.PollAsync();
        Assert.Equal(0, two.Counted(Runs, "other", "FAILED"));
        two.Time.SetUtcNow(Start.AddMinutes(30));
        await two.PollAsync();

        Assert.Equal(1, two.Counted(Runs, "other", "FAILED"));
    }

    [Fact]
    public async Task A_state_that_is_edited_afterwards_stays_counted_as_first_seen()
    {
        AddJob("load");
        await rig.PollAsync();
        Add("load", "a", 1, 1, "STOPPED");
        await PollAtAsync(3);
        rig.Glue.Runs[0] = rig.Glue.Runs[0] with { State = "SUCCEEDED", Ends = Start.AddMinutes(2.5) };
        await PollAtAsync(4);

        Assert.Equal((1, 0), (rig.Counted(Runs, "load", "STOPPED"), rig.Counted(Runs, "load", "SUCCEEDED")));
    }

    [Theory]
    [InlineData("WAITING")]
    [InlineData("STARTING")]
    public async Task A_waiting_run_is_active_but_not_in_progress(string state)
    {
        AddJob("load");
        rig.Glue.Runs.Add(new("load", "a", Start.AddMinutes(-3), Start.AddMinutes(10)) { RunsFrom = Start.AddMinutes(2), WaitingState = state });

        var waiting = Assert.Single((await rig.PollAsync()).Jobs);
        var running = Assert.Single((await PollAtAsync(3)).Jobs);

        Assert.Equal((1, null, Start.AddMinutes(-3)), (waiting.Active[state], waiting.OldestRunningStart, waiting.OldestWaitingStart));
        // When it ceased to wait, Glue does not tell: it was last seen to wait at the first poll.
        Assert.Equal((1, Start, null), (running.Active["RUNNING"], running.OldestRunningStart, running.OldestWaitingStart));
        Assert.Equal((null, TimeSpan.FromMinutes(3)), (waiting.OldestRunningFor, running.OldestRunningFor));
        rig.Restart();
        Assert.Equal(Start, Assert.Single((await PollAtAsync(4)).Jobs).OldestRunningStart);
    }

    /// <summary>A first look may come when the waiting is over, and then it is not to be told from work.</summary>
    [Theory]
    [InlineData("FLEX", false, false, 60)]
    [InlineData("FLEX", false, true, 50)]
    [InlineData("STANDARD", true, false, 60)]
    [InlineData("STANDARD", false, true, 50)]
    [InlineData("STANDARD", false, false, 0)]
    public async Task What_may_have_waited_before_the_first_look_is_not_said_to_have_run(string executionClass, bool queuing, bool tellsTime, int startMinute)
    {
        AddJob("load");
        rig.Glue.Runs.Add(new("load", "a", Start, Start.AddMinutes(90))
        {
            RunsFrom = Start.AddMinutes(50), ExecutionClass = executionClass, Queuing = queuing, TellsTime = tellsTime,
        });

        Assert.Equal(Start.AddMinutes(startMinute), Assert.Single((await PollAtAsync(60)).Jobs).OldestRunningStart);
        rig.Restart();
        Assert.Equal(Start.AddMinutes(startMinute), Assert.Single((await PollAtAsync(70)).Jobs).OldestRunningStart);
    }

    [Fact]
    public async Task DPU_seconds_carry_the_execution_class_of_the_run()
    {
        AddJob("load");
        await rig.PollAsync();
        rig.Glue.Runs.Add(new("load", "a", Start.AddMinutes(1), Start.AddMinutes(2)) { ExecutionClass = "FLEX", DpuSeconds = 123.5 });
        await PollAtAsync(3);

        Assert.Equal((123.5, 0), (rig.Counted(Dpu, "load", "FLEX"), rig.Counted(Dpu, "load", "STANDARD")));
    }

    [Theory]
    [InlineData("""{"JobRuns":[{"JobRunState":"RUNNING"}]}""", "a run has no id or no state")]
    [InlineData("""{"JobRuns":[{"Id":"a","JobRunState":"hunter2 {}"}]}""", "a run has no id or no state")]
    [InlineData("""{"JobRuns":[null]}""", "a run has no id or no state")]
    [InlineData("""{"JobRuns":[],"NextToken":"again"}""", "its pages do not end")]
    public async Task Nonsense_fails_the_collection_with_a_clear_error(string json, string told)
    {
        AddJob("load");
        rig.Glue.Interfere = (target, _) => target.EndsWith("GetJobRuns", StringComparison.Ordinal) ? FakeGlue.Json(json) : null;

        var error = await Assert.ThrowsAsync<AwsException>(rig.PollAsync);

        Assert.Contains(told, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Runs_without_times_are_counted_when_they_end_and_never_lose_another()
    {
        AddJob("load");
        await rig.PollAsync();
        var ended = false;
        rig.Glue.Interfere = (target, _) => !target.EndsWith("GetJobRuns", StringComparison.Ordinal) ? null : FakeGlue.Json(
            $$"""{"JobRuns":[{"Id":"a","JobRunState":"{{(ended ? "SUCCEEDED" : "WAITING")}}"{{(ended ? $",\"CompletedOn\":{Start.AddMinutes(4).ToUnixTimeSeconds()}" : "")}}}]}""");
        await PollAtAsync(2);
        ended = true;
        await PollAtAsync(5);

        Assert.Equal(1, rig.Counted(Runs, "load", "SUCCEEDED"));
    }

    [Fact]
    public async Task Arguments_and_error_messages_of_a_run_are_found_nowhere()
    {
        var log = new LogLines();
        AddJob("load");
        Add("load", "a", -2, 1, "FAILED");
        var published = await rig.PublishAsync(log);
        Assert.Contains("aws_glue_job_last_run_duration_seconds{account_id=\"123456789012\",region=\"eu-west-1\",job_name=\"load\"} 60", published, StringComparison.Ordinal);
        Assert.Empty(log.All);

        // The same, as broken JSON and as an error.
        rig.Glue.Interfere = (target, body) => target.EndsWith("GetJobRuns", StringComparison.Ordinal)
            ? FakeGlue.Json("""{"JobRuns":[{"Id":"a","JobRunState":"RUNNING","Arguments":{"--password":"hunter2"},"StartedOn":"hunter2"}]}""")
            : null;
        published += await rig.PublishAsync(log);
        rig.Glue.Interfere = (_, _) => FakeGlue.Error(400, "AccessDeniedException");
        published += await rig.PublishAsync(log);

        Assert.NotEmpty(log.All);
        Assert.All([published, .. log.All, .. rig.StateFiles()], text =>
        {
            Assert.DoesNotContain("hunter2", text, StringComparison.Ordinal);
            Assert.DoesNotContain("the-session-token", text, StringComparison.Ordinal);
            Assert.DoesNotContain("wJalr", text, StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task The_job_list_is_read_every_five_minutes()
    {
        AddJob("load");
        for (var minute = 0; minute < 10; minute++)
            await PollAtAsync(minute);

        Assert.Equal(2, rig.Glue.Requests.Count(request => request.Target == "AWSGlue.GetJobs"));
    }

    private void AddJob(string name, int maxRetries = 0, double created = -100000) => rig.Glue.Jobs.Add((name, Start.AddMinutes(created), maxRetries));

    private void Add(string job, string id, double starts, double minutes, string state = "SUCCEEDED", int attempt = 0, string? previous = null) =>
        rig.Glue.Runs.Add(new(job, id, Start.AddMinutes(starts), Start.AddMinutes(starts + minutes), state) { Attempt = attempt, PreviousRunId = previous });

    private Task<GlueJobsSnapshot> PollAtAsync(double minute)
    {
        rig.Time.SetUtcNow(Start.AddMinutes(minute));
        return rig.PollAsync();
    }
}
