using PipelineExporter.Collectors.Aws;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Tests.Collectors.Aws;

/// <summary>What is usual of a job, what is too slow, and when it last succeeded and failed.</summary>
public sealed class GlueJobHistoryTests : IDisposable
{
    private const string Over = "aws_glue_job_runs_over_threshold_total";

    private static readonly DateTimeOffset Start = new(2026, 11, 23, 6, 0, 0, TimeSpan.Zero);

    private readonly GlueRig rig = new(Start);

    public void Dispose() => rig.Dispose();

    [Theory]
    [InlineData(100, 160)] // a minute above
    [InlineData(300, 360)] // both are the same
    [InlineData(1000, 1200)] // 120 %
    public void A_run_may_take_a_fifth_longer_and_a_minute_at_least(double baseline, double threshold) =>
        Assert.Equal(TimeSpan.FromSeconds(threshold), GlueJobHistory.ThresholdOf(TimeSpan.FromSeconds(baseline)));

    [Fact]
    public async Task Baseline_and_threshold_are_there_at_once_from_the_successes_of_30_days()
    {
        AddJob();
        for (var day = 1; day <= 60; day++)
            Add($"day {day}", -1440 * day, day <= 29 ? 10 + (day % 3) : 100); // 10, 11 or 12 minutes; and longer ago 100
        Add("failed", -100, 90, "FAILED");
        Add("stopped", -90, 90, "STOPPED");
        Add("live", -600, 6000);

        var job = await PollAsync(0);

        Assert.Equal((TimeSpan.FromMinutes(11), TimeSpan.FromMinutes(13.2)), (job.Baseline, job.Threshold));
    }

    [Fact]
    public async Task Six_successes_are_too_few_and_of_an_even_number_the_middle_is_taken()
    {
        AddJob();
        for (var i = 0; i < 6; i++)
            Add($"run {i}", -100 + (10 * i), 4 + (i % 2));

        var few = await PollAsync(0);
        Add("seventh", 1, 4);
        Add("eighth", 6, 5);
        var seven = await PollAsync(6);
        var eight = await PollAsync(12);

        Assert.Equal((null, null), (few.Baseline, few.Threshold));
        Assert.Equal(TimeSpan.FromMinutes(4), seven.Baseline);
        Assert.Equal(TimeSpan.FromMinutes(4.5), eight.Baseline);
    }

    [Fact]
    public async Task A_run_ages_out_of_the_baseline_after_30_days()
    {
        AddJob();
        for (var i = 0; i < 7; i++)
            Add($"run {i}", -1440 + (100 * i), 10);

        Assert.NotNull((await PollAsync(0)).Baseline);
        Assert.NotNull((await PollAsync(28.9 * 1440)).Baseline);
        Assert.Null((await PollAsync(29.1 * 1440)).Baseline);
        rig.Restart();
        Assert.Null((await PollAsync(29.1 * 1440)).Baseline);
    }

    [Fact]
    public async Task A_slow_run_is_counted_once_against_the_threshold_of_before_and_a_restart_changes_nothing()
    {
        AddJob();
        AddUsual();
        await PollAsync(0); // 10 minutes are usual, 12 may be
        Add("just so", 1, 12);
        Add("slow", 20, 12.1);
        Add("slow and failed", 40, 30, "FAILED");

        await PollAsync(15);
        Assert.Equal(0, rig.Counted(Over, "load"));
        rig.Restart();
        await PollAsync(33);
        Assert.Equal(1, rig.Counted(Over, "load"));
        rig.Restart();
        await PollAsync(80);
        await PollAsync(81);

        Assert.Equal(2, rig.Counted(Over, "load"));
    }

    [Fact]
    public async Task Runs_that_ended_while_the_exporter_was_down_are_judged_by_what_was_usual_before()
    {
        AddJob();
        AddUsual();
        await PollAsync(0);
        for (var i = 0; i < 40; i++)
            Add($"slow {i}", 10 + (30 * i), 20);

        rig.Restart();
        var job = await PollAsync(2000);

        Assert.Equal(40, rig.Counted(Over, "load"));
        Assert.Equal(TimeSpan.FromMinutes(20), job.Baseline);
    }

    [Fact]
    public async Task What_a_run_waited_is_not_held_against_it()
    {
        AddJob();
        AddUsual();
        await PollAsync(0);
        rig.Glue.Runs.Add(new("load", "waited", Start.AddMinutes(1), Start.AddMinutes(36)) { RunsFrom = Start.AddMinutes(26) });

        var waiting = await PollAsync(25);
        var running = await PollAsync(27);
        await PollAsync(40);

        Assert.Equal((Start.AddMinutes(1), null), (waiting.OldestWaitingStart, waiting.OldestRunningStart));
        Assert.Equal((null, Start.AddMinutes(25)), (running.OldestWaitingStart, running.OldestRunningStart));
        Assert.Equal(0, rig.Counted(Over, "load"));
        Assert.Equal((1, 25 * 60), (rig.Counted("aws_glue_job_queue_wait_seconds", "load"), rig.Sum("aws_glue_job_queue_wait_seconds", "load")));
        Assert.Equal(35 * 60, rig.Sum("aws_glue_job_run_duration_seconds", "load"));
    }

    [Fact]
    public async Task A_configured_threshold_goes_first_and_never_is_never()
    {
        rig.Threshold = (_, fromBaseline) => fromBaseline is null ? null : TimeSpan.FromMinutes(5);
        rig.Restart();
        AddJob();
        AddUsual();
        await PollAsync(0);
        Add("longer", 1, 6);
        Assert.Equal(TimeSpan.FromMinutes(5), (await PollAsync(10)).Threshold);
        Assert.Equal(1, rig.Counted(Over, "load"));

        rig.Threshold = (_, _) => null;
        rig.Restart();
        Add("forever", 11, 600);
        Assert.Null((await PollAsync(700)).Threshold);
        Assert.Equal(1, rig.Counted(Over, "load"));
    }

    [Fact]
    public async Task Streaming_jobs_run_for_ever_and_have_no_baseline()
    {
        rig.Glue.Jobs.Add(new("load", Start.AddDays(-90), 0) { Command = "gluestreaming" });
        AddUsual();
        Add("stream", -80 * 1440, (80 * 1440) + 60); // for 80 days: longer than a batch run can
        for (var i = 0; i < 300; i++)
            Add($"later {i}", -5000 + i, 1);
        rig.Threshold = (_, _) => TimeSpan.FromMinutes(5);
        rig.Restart();

        var live = await PollAsync(0);
        var ended = await PollAsync(61);

        Assert.Equal((null, null, Start.AddDays(-80)), (live.Baseline, live.Threshold, live.OldestRunningStart));
        Assert.Equal((1, null), (rig.Counted("aws_glue_job_runs_total", "load", "SUCCEEDED"), rig.Counted(Over, "load")));
        Assert.Equal(Seconds(60), ended.LastSuccess);
    }

    [Fact]
    public async Task Last_success_and_failure_are_found_however_old_and_looked_for_once()
    {
        AddJob();
        Add("failure", -85 * 1440, 10, "FAILED");
        Add("success", -80 * 1440, 10);
        for (var i = 0; i < 900; i++)
            Add($"stopped {i}", (-79 * 1440) + (120 * i), 10, i % 3 == 0 ? "STOPPED" : i % 3 == 1 ? "EXPIRED" : "ERROR");

        var job = await PollAsync(0);
        Assert.Equal((Seconds((-80 * 1440) + 10), Seconds((-85 * 1440) + 10)), (job.LastSuccess, job.LastFailure));
        Assert.Equal(5, Pages());

        rig.Restart();
        rig.Glue.Requests.Clear();
        job = await PollAsync(1);
        Assert.Equal((Seconds((-80 * 1440) + 10), Seconds((-85 * 1440) + 10)), (job.LastSuccess, job.LastFailure));
        Assert.Equal(2, Pages()); // back to 30 days
        rig.Glue.Requests.Clear();
        await PollAsync(2);
        Assert.Equal(1, Pages());
    }

    [Fact]
    public async Task That_there_is_no_failure_is_looked_for_once_too()
    {
        AddJob();
        for (var i = 0; i < 900; i++)
            Add($"run {i}", (-79 * 1440) + (120 * i), 10);
        Assert.Null((await PollAsync(0)).LastFailure);
        rig.Restart();
        rig.Glue.Requests.Clear();

        Assert.Null((await PollAsync(1)).LastFailure);
        Assert.Equal(2, Pages());
        Add("failure", 2, 1, "TIMEOUT");
        Assert.Equal(Seconds(3), (await PollAsync(4)).LastFailure);
    }

    [Fact]
    public async Task A_failure_that_Glue_repeated_is_none_on_whatever_page_the_retry_is()
    {
        AddJob(maxRetries: 1);
        for (var i = 0; i < 20; i++)
        {
            Add($"run {i}", -10000 + (100 * i), 10, "FAILED");
            Add($"run {i} again", -9988 + (100 * i), 10, attempt: 1, previous: $"run {i}");
        }

        rig.Glue.LargestPage = 3;

        Assert.Null((await PollAsync(0)).LastFailure);
    }

    [Fact]
    public async Task A_job_that_was_deleted_and_made_again_has_no_baseline_of_its_first_life()
    {
        rig.Glue.Jobs.Add(new("load", Start.AddHours(2), 0) { Deleted = Start.AddHours(1) });
        AddUsual();

        Assert.NotNull((await PollAsync(0)).Baseline);
        var again = await PollAsync(180);

        Assert.Null(again.Baseline);
        Assert.NotNull(again.LastSuccess);
    }

    [Fact]
    public async Task A_time_in_the_future_is_not_believed()
    {
        AddJob();
        AddUsual();
        Add("nonsense", 500000, 10);
        rig.Glue.Runs[^1] = rig.Glue.Runs[^1] with { VisibleFrom = Start };
        var (starts, ends) = (Start.AddMinutes(500000).ToUnixTimeSeconds(), Start.AddMinutes(500010).ToUnixTimeSeconds());
        rig.Glue.Interfere = (target, body) => target.EndsWith("GetJobRuns", StringComparison.Ordinal)
            ? FakeGlue.Json(rig.Glue.Answer(target, body).Content.ReadAsStringAsync().Result.Replace(
                $"\"StartedOn\":{starts},\"LastModifiedOn\":{starts},\"JobRunState\":\"RUNNING\"",
                $"\"StartedOn\":{starts},\"CompletedOn\":{ends},\"JobRunState\":\"SUCCEEDED\"", StringComparison.Ordinal))
            : null;

        var job = await PollAsync(0);
        for (var i = 0; i < 60; i++)
            Add($"after {i}", 1 + (2 * i), 1);
        rig.Restart();
        await PollAsync(200);

        Assert.Equal(Seconds(-20), job.LastSuccess);
        Assert.Equal(TimeSpan.FromMinutes(10), job.Baseline);
        Assert.Equal(61, rig.Counted("aws_glue_job_runs_total", "load", "SUCCEEDED")); // and the nonsense, once
    }

    [Fact]
    public async Task A_history_that_cannot_be_read_is_told_and_read_later_and_counts_are_not_lost_over_it()
    {
        AddJob();
        AddUsual();
        await PollAsync(0);
        for (var i = 0; i < 300; i++)
            Add($"run {i}", -10000 + (20 * i), 10);
        Add("news", 1, 1);
        rig.Restart();
        rig.Glue.Interfere = (_, body) => body["NextToken"] is not null ? FakeGlue.Error(400, "InvalidInputException") : null;
        rig.Time.SetUtcNow(Start.AddMinutes(3));

        var snapshot = await rig.PollAsync();

        Assert.Contains("of load: ", snapshot.Failure!.Message, StringComparison.Ordinal);
        Assert.Equal(TimeSpan.FromMinutes(10), Assert.Single(snapshot.Jobs).Baseline); // as kept
        Assert.Equal(1, rig.Counted("aws_glue_job_runs_total", "load", "SUCCEEDED"));
        rig.Glue.Interfere = (_, _) => null;
        rig.Time.SetUtcNow(Start.AddMinutes(4));
        Assert.Null((await rig.PollAsync()).Failure);
    }

    private static double Seconds(double minute) => Start.AddMinutes(minute).ToUnixTimeSeconds();

    private int Pages() => rig.Glue.Requests.Count(request => request.Target.EndsWith("GetJobRuns", StringComparison.Ordinal));

    private void AddJob(int maxRetries = 0) => rig.Glue.Jobs.Add(new("load", Start.AddDays(-90), maxRetries));

    /// <summary>Ten runs of ten minutes.</summary>
    private void AddUsual()
    {
        for (var i = 0; i < 10; i++)
            Add($"usual {i}", -300 + (30 * i), 10);
    }

    private void Add(string id, double starts, double minutes, string state = "SUCCEEDED", int attempt = 0, string? previous = null) =>
        rig.Glue.Runs.Add(new("load", id, Start.AddMinutes(starts), Start.AddMinutes(starts + minutes), state) { Attempt = attempt, PreviousRunId = previous });

    private async Task<GlueJobStatus> PollAsync(double minute)
    {
        rig.Time.SetUtcNow(Start.AddMinutes(minute));
        var snapshot = await rig.PollAsync();
        Assert.Null(snapshot.Failure);
        return Assert.Single(snapshot.Jobs);
    }
}
