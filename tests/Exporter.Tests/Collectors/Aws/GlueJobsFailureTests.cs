using PipelineExporter.Collectors.Aws;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Tests.Collectors.Aws;

/// <summary>What cannot be read is told, and hurts nothing else.</summary>
public sealed class GlueJobsFailureTests : IDisposable
{
    private const string Runs = "aws_glue_job_runs_total";

    private static readonly DateTimeOffset Start = new(2026, 11, 23, 6, 0, 0, TimeSpan.Zero);

    private readonly GlueRig rig = new(Start);

    public void Dispose() => rig.Dispose();

    [Theory]
    [InlineData("GetJobs")]
    [InlineData("GetJobRuns")]
    public async Task What_is_forbidden_is_named(string operation)
    {
        AddJobs("a", "b");
        rig.Glue.Interfere = (target, _) => target == $"AWSGlue.{operation}" ? FakeGlue.Error(400, "AccessDeniedException") : null;

        var error = await Assert.ThrowsAsync<AwsException>(rig.PollAsync);

        Assert.Contains($"Allow glue:{operation} in the IAM policy", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("AccessDeniedException", "Allow glue:GetJobRuns")]
    [InlineData("ThrottlingException", "answered 400 ThrottlingException")]
    [InlineData("{\"JobRuns\":[{\"Id\":1}]}", "AWS's API")]
    [InlineData("{\"JobRuns\":[null]}", "a run has no id or no state")]
    public async Task A_job_that_cannot_be_read_hurts_no_other_and_loses_nothing(string answer, string told)
    {
        AddJobs("a", "b", "c");
        Add("b", "0", -10, 5);
        await rig.PollAsync();
        foreach (var job in (string[])["a", "b", "c"])
            Add(job, "1", 1, 1);
        rig.Glue.Interfere = (_, body) => (string?)body["JobName"] != "b" ? null : answer[0] == '{' ? FakeGlue.Json(answer) : FakeGlue.Error(400, answer);

        var snapshot = await PollAtAsync(2.5);

        Assert.Contains("the runs of 1 of 3 jobs could not be read; of b: ", snapshot.Failure!.Message, StringComparison.Ordinal);
        if (told != "AWS's API")
            Assert.Contains(told, snapshot.Failure.Message, StringComparison.Ordinal);
        Assert.Equal((1, 0, 1), (rig.Counted(Runs, "a", "SUCCEEDED"), rig.Counted(Runs, "b", "SUCCEEDED"), rig.Counted(Runs, "c", "SUCCEEDED")));
        // It is told of as before, until that is too old.
        Assert.Equal(["a", "b", "c"], snapshot.Jobs.Select(job => job.Name));
        Assert.Equal(TimeSpan.FromMinutes(5), snapshot.Jobs[1].LastRunDuration);
        Assert.Equal(["a", "c"], (await PollAtAsync(4)).Jobs.Select(job => job.Name));
        rig.Glue.Interfere = (_, _) => null;
        Assert.Null((await PollAtAsync(5)).Failure);

        Assert.Equal(1, rig.Counted(Runs, "b", "SUCCEEDED"));
    }

    [Fact]
    public async Task It_is_published_and_the_collector_is_told_to_have_failed()
    {
        AddJobs("a", "b");
        var log = new LogLines();
        rig.Glue.Interfere = (_, body) => (string?)body["JobName"] == "b" ? FakeGlue.Error(400, "AccessDeniedException") : null;

        var page = await rig.PublishAsync(log);

        Assert.Contains("pipeline_exporter_collector_success{collector=\"glue_jobs\",source=\"aws/eu-west-1\"} 0", page, StringComparison.Ordinal);
        Assert.Contains("aws_glue_job_runs_active{account_id=\"123456789012\",region=\"eu-west-1\",job_name=\"a\",state=\"RUNNING\"} 0", page, StringComparison.Ordinal);
        Assert.Contains("Allow glue:GetJobRuns", Assert.Single(log.All), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_job_just_created_is_still_new_when_its_runs_could_not_be_read_at_first()
    {
        AddJobs("a");
        await rig.PollAsync();
        rig.Glue.Jobs.Add(new("new", Start.AddMinutes(1), 0));
        Add("new", "first ever", 2, 1);
        rig.Glue.Interfere = (_, body) => (string?)body["JobName"] == "new" ? FakeGlue.Error(400, "ThrottlingException") : null;
        Assert.NotNull((await PollAtAsync(6)).Failure);
        rig.Glue.Interfere = (_, _) => null;

        await PollAtAsync(12);

        Assert.Equal(1, rig.Counted(Runs, "new", "SUCCEEDED"));
    }

    [Theory]
    [InlineData("AccessDeniedException", "Allow glue:GetJobs in the IAM policy")]
    [InlineData("ThrottlingException", "answered 400 ThrottlingException")]
    public async Task Without_a_new_list_the_jobs_of_before_are_counted_on(string answer, string told)
    {
        AddJobs("a");
        await rig.PollAsync();
        Add("a", "1", 6, 1);
        Add("a", "2", 8, 5);
        rig.Glue.Interfere = (target, _) => target == "AWSGlue.GetJobs" ? FakeGlue.Error(400, answer) : null;

        var snapshot = await PollAtAsync(10);

        Assert.Contains("the jobs could not be listed, and are those of before: ", snapshot.Failure!.Message, StringComparison.Ordinal);
        Assert.Contains(told, snapshot.Failure.Message, StringComparison.Ordinal);
        Assert.Equal((1, 1), (rig.Counted(Runs, "a", "SUCCEEDED"), Assert.Single(snapshot.Jobs).Active["RUNNING"]));
        rig.Glue.Interfere = (_, _) => null;
        rig.Glue.Jobs.Add(new("new", Start.AddMinutes(7), 0));
        Add("new", "first ever", 8, 1);
        Assert.Null((await PollAtAsync(11)).Failure); // asked for at once, not five minutes later
        Assert.Equal(1, rig.Counted(Runs, "new", "SUCCEEDED"));
    }

    /// <summary>Of a large account, the first poll reads the runs of a week.</summary>
    [Fact]
    public async Task A_collection_that_is_cut_short_goes_on_where_it_ended()
    {
        var names = Enumerable.Range(0, 60).Select(i => $"job{i:00}").ToArray();
        AddJobs(names);
        foreach (var job in names)
        {
            for (var i = 0; i < 98; i++)
                Add(job, $"before {i}", -6000 + (60 * i), 1);
            Add(job, "meanwhile", 0, 0.5);
        }

        rig.Glue.LargestPage = 20;
        rig.Glue.Interfere = (_, _) =>
        {
            rig.Time.Advance(TimeSpan.FromSeconds(1));
            return null;
        };
        var log = new LogLines();
        var (page, polls) = ("", 0);

        while (!page.Contains("pipeline_exporter_collector_success{collector=\"glue_jobs\",source=\"aws/eu-west-1\"} 1", StringComparison.Ordinal))
        {
            Assert.True(++polls < 6, string.Join('\n', log.All));
            page = await rig.PublishAsync(log);
        }

        Assert.Contains("took longer than 120 s", log.All[0], StringComparison.Ordinal);
        Assert.All(names, job => Assert.Equal(1, rig.Counted(Runs, job, "SUCCEEDED")));
    }

    [Fact]
    public async Task Series_of_a_deleted_job_are_not_published()
    {
        AddJobs("gone", "stays");
        var log = new LogLines();
        await rig.PublishAsync(log);
        rig.Glue.Jobs.RemoveAt(0);

        var page = await rig.PublishAsync(log);

        Assert.DoesNotContain("job_name=\"gone\"", page, StringComparison.Ordinal);
        Assert.Contains("aws_glue_job_runs_total{account_id=\"123456789012\",region=\"eu-west-1\",job_name=\"stays\",state=\"SUCCEEDED\"} 0", page, StringComparison.Ordinal);
        Assert.Empty(log.All);
    }

    [Fact]
    public async Task A_job_that_is_deleted_before_its_runs_could_be_read_is_not_forgotten_at_once()
    {
        rig.Glue.Jobs.Add(new("again", Start.AddMinutes(20), 0) { Deleted = Start.AddMinutes(10) });
        Add("again", "1", -5, 10);
        rig.Glue.Interfere = (target, _) => target == "AWSGlue.GetJobRuns" ? FakeGlue.Error(400, "ThrottlingException") : null;
        await Assert.ThrowsAsync<AwsException>(rig.PollAsync);
        await PollAtAsync(15);
        rig.Glue.Interfere = (_, _) => null;

        await PollAtAsync(25);

        Assert.Equal(1, rig.Counted(Runs, "again", "SUCCEEDED"));
    }

    [Fact]
    public async Task A_deleted_job_is_forgotten_with_what_was_counted_of_it()
    {
        AddJobs("gone", "stays");
        await rig.PollAsync();
        rig.Glue.Jobs.RemoveAt(0);

        for (var day = 1; day <= 34; day++)
            await PollAtAsync(day * 24 * 60);
        Assert.NotNull(rig.Stored("glue_jobs.job.gone"));
        for (var day = 35; day <= 38; day++)
            await PollAtAsync(day * 24 * 60);

        rig.Restart();
        Assert.Null(rig.Stored("glue_jobs.job.gone"));
        Assert.NotNull(rig.Stored("glue_jobs.job.stays"));
    }

    [Theory]
    [InlineData("\"ExecutionTime\":1e300,\"DPUSeconds\":1e308")]
    [InlineData("\"ExecutionTime\":1e999,\"DPUSeconds\":-5,\"Attempt\":-3")]
    [InlineData("\"ExecutionTime\":-1,\"WorkerType\":\"G.99X\",\"NumberOfWorkers\":1e300,\"MaxCapacity\":1e300")]
    public async Task Absurd_numbers_are_no_use_and_do_not_stop_the_others(string fields)
    {
        AddJobs("a");
        await rig.PollAsync();
        var (starts, ends) = (Start.AddMinutes(1).ToUnixTimeSeconds(), Start.AddMinutes(2).ToUnixTimeSeconds());
        string Run(string id) => $$"""{"Id":"{{id}}","JobRunState":"SUCCEEDED","StartedOn":{{starts}},"CompletedOn":{{ends}},{{fields}}}""";
        rig.Glue.Interfere = (target, _) => target.EndsWith("GetJobRuns", StringComparison.Ordinal) ? FakeGlue.Json($$"""{"JobRuns":[{{Run("1")}},{{Run("2")}}]}""") : null;

        Assert.Null((await PollAtAsync(3)).Failure);

        Assert.Equal((2, 0), (rig.Counted(Runs, "a", "SUCCEEDED"), rig.Counted("aws_glue_job_dpu_seconds_total", "a", "STANDARD")));
    }

    [Fact]
    public async Task A_state_that_is_not_known_yet_is_told_and_counted_by_its_name()
    {
        AddJobs("a");
        await rig.PollAsync();
        var (starts, ends) = (Start.AddMinutes(1).ToUnixTimeSeconds(), Start.AddMinutes(2).ToUnixTimeSeconds());
        rig.Glue.Interfere = (target, _) => !target.EndsWith("GetJobRuns", StringComparison.Ordinal) ? null : FakeGlue.Json(
            $$"""{"JobRuns":[{"Id":"1","JobRunState":"PAUSED","StartedOn":{{starts}}},{"Id":"2","JobRunState":"PREEMPTED","StartedOn":{{starts}},"CompletedOn":{{ends}}}]}""");

        var job = Assert.Single((await PollAtAsync(3)).Jobs);

        Assert.Equal((1, 1), (job.Active["PAUSED"], rig.Counted(Runs, "a", "PREEMPTED")));
        Assert.Null(job.LastFailure);
    }

    [Theory]
    [InlineData("{}", false)]
    [InlineData("""{"--enable-metrics":""}""", true)]
    [InlineData("""{"--a":"--enable-metrics","--enable-metrics":"true","--password":"hunter2"}""", true)]
    [InlineData("""{"--password":"hunter2","--enable-metrics":"false"}""", false)]
    [InlineData("""{"--a":{"--enable-metrics":"true"},"--b":["--enable-metrics"]}""", false)]
    [InlineData("null", false)]
    public async Task Of_the_arguments_only_this_one_is_read(string arguments, bool enabled)
    {
        rig.Glue.Jobs.Add(new("a", Start.AddDays(-1), 0) { Arguments = arguments });

        var job = Assert.Single((await rig.PollAsync()).Jobs);

        Assert.Equal(enabled, job.Job.DefaultArguments?.MetricsEnabled ?? false);
    }

    private void AddJobs(params string[] names) => rig.Glue.Jobs.AddRange(names.Select(name => new FakeJob(name, Start.AddDays(-90), 0)));

    private void Add(string job, string id, double starts, double minutes) =>
        rig.Glue.Runs.Add(new(job, id, Start.AddMinutes(starts), Start.AddMinutes(starts + minutes)));

    private Task<GlueJobsSnapshot> PollAtAsync(double minute)
    {
        rig.Time.SetUtcNow(Start.AddMinutes(minute));
        return rig.PollAsync();
    }
}
