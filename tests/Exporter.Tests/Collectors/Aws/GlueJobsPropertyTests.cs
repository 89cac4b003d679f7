using CsCheck;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Tests.Collectors.Aws;

/// <summary>
/// Whatever runs there are, waiting, repeated or late to appear, and whenever the exporter looks, fails, fails for one job, or
/// restarts: every outcome is counted once, and so is every retry.
/// </summary>
public sealed class GlueJobsPropertyTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 23, 0, 0, 0, TimeSpan.Zero);

    private static readonly string[] States = ["SUCCEEDED", "SUCCEEDED", "FAILED", "TIMEOUT", "STOPPED", "EXPIRED"];

    private enum Look
    {
        Poll,
        RestartAndPoll,
        FailedPoll,
        PollWithoutOneJob,
    }

    /// <summary>Every time in steps of two seconds. Runs move in even seconds and looks are at odd ones, so that nothing happens at the very same time.</summary>
    private sealed record Chain(int Job, int Starts, int Lasts, int State, int RetryAfter, int Retries)
    {
        public int Waits { get; init; }

        /// <summary>How long after its start a run appears in lists.</summary>
        public int Late { get; init; }
    }

    // A retry is seen five minutes after the failure at the latest, its lateness included.
    private static readonly Gen<Chain> Chains =
        from chain in Gen.Select(Gen.Int[0, 3], Gen.Int[-4000, 12000], Gen.Int[1, 9000], Gen.Int[0, 5], Gen.Int[1, 100], Gen.Int[0, 3])
        from waits in Gen.Frequency((2, Gen.Const(0)), (1, Gen.Int[1, 900]))
        from late in Gen.Int[0, 40]
        select new Chain(chain.Item1, chain.Item2, chain.Item3, chain.Item4, chain.Item5, chain.Item6) { Waits = waits, Late = late };

    private static readonly Gen<(int Wait, Look Look, int FailAt)> Looking =
        Gen.Select(Gen.Int[10, 1500], Gen.Enum<Look>(), Gen.Int[1, 6]);

    [Fact]
    public async Task Nothing_is_counted_twice_and_nothing_is_lost() => await Gen
        .Select(Chains.Array[0, 40], Looking.Array[1, 25], Gen.Int[1, 12])
        .SampleAsync(async plan => await RunAsync(plan.Item1, plan.Item2, plan.Item3), iter: 200, threads: 1);

    private static async Task RunAsync(Chain[] chains, (int Wait, Look Look, int FailAt)[] looks, int pageSize)
    {
        using var rig = new GlueRig(Start.AddSeconds(1));
        rig.Glue.LargestPage = pageSize;
        rig.Glue.Jobs.AddRange([
            new("none", Start.AddDays(-50), 0), new("twice", Start.AddDays(-50), 2),
            new("later", Start.AddHours(1), 1), // comes into being an hour later
            new("again", Start.AddHours(3), 1) { Deleted = Start.AddHours(2) }, // is deleted, and made again with all it had
        ]);
        foreach (var (chain, i) in chains.Select((chain, i) => (chain, i)))
            AddChain(rig, chain, i);

        // When each job was first listed, with or without its runs; null in a world where nobody looks.
        var known = new Dictionary<string, DateTimeOffset>();
        DateTimeOffset? first = null;
        foreach (var (wait, look, failAt) in looks)
        {
            if (look == Look.RestartAndPoll)
                rig.Restart();
            if (look == Look.FailedPoll)
            {
                var left = failAt;
                rig.Glue.Interfere = (_, _) => --left <= 0 ? FakeGlue.Error(400, "AccessDeniedException") : null;
            }

            if (look == Look.PollWithoutOneJob)
                rig.Glue.Interfere = (_, body) => (string?)body["JobName"] == rig.Glue.Jobs[failAt % 4].Name ? FakeGlue.Json("""{"JobRuns":[null]}""") : null;
            // A poll asks for the list first, if it is due.
            await LookAsync(mayFail: look is Look.FailedPoll or Look.PollWithoutOneJob, isListed: look != Look.FailedPoll || failAt > 1);
            rig.Glue.Interfere = (_, _) => null;
            rig.Time.Advance(TimeSpan.FromSeconds(2 * wait));
        }

        rig.Time.SetUtcNow(Start.AddDays(3).AddSeconds(1));
        await LookAsync(mayFail: false);
        await rig.PollAsync();

        var repeated = rig.Glue.Runs.Select(run => run.PreviousRunId).ToHashSet();
        foreach (var job in rig.Glue.Jobs)
        {
            var runs = rig.Glue.Runs.Where(run => run.Job == job.Name && run.Ends > CountedFrom(job)).ToList();
            var outcomes = runs.Where(run => !repeated.Contains(run.Id)).ToList();
            string Told(Func<string, double> count, double retries, double durations, double seconds, double waits, double waited, double dpuSeconds) =>
                $"{job.Name}: {string.Join(", ", States.Distinct().Select(state => $"{count(state)} {state}"))}, {retries} retries, "
                + $"{durations} durations of {seconds} s, {waits} waits of {waited} s, {dpuSeconds} DPU s";
            Assert.Equal(
                Told(
                    state => outcomes.Count(run => run.State == state), runs.Count - outcomes.Count, outcomes.Count, outcomes.Sum(Lasted),
                    outcomes.Count, outcomes.Sum(run => Lasted(run) - run.Seconds), runs.Sum(run => 10 * run.Seconds)),
                Told(
                    state => rig.Counted("aws_glue_job_runs_total", job.Name, state) ?? 0, rig.Counted("aws_glue_job_retries_total", job.Name)!.Value,
                    rig.Counted("aws_glue_job_run_duration_seconds", job.Name)!.Value, rig.Sum("aws_glue_job_run_duration_seconds", job.Name),
                    rig.Counted("aws_glue_job_queue_wait_seconds", job.Name)!.Value, rig.Sum("aws_glue_job_queue_wait_seconds", job.Name),
                    rig.Counted("aws_glue_job_dpu_seconds_total", job.Name, "STANDARD")!.Value));
        }

        async Task LookAsync(bool mayFail, bool isListed = true)
        {
            var now = rig.Time.GetUtcNow();
            try
            {
                Assert.True((await rig.PollAsync()).Failure is null || mayFail);
            }
            catch (AwsException) when (mayFail)
            {
                // As planned; what was fetched so far must not have been counted.
                if (!isListed)
                    return;
            }

            first ??= now;
            foreach (var job in rig.Glue.Jobs.Where(job => job.CreatedAt(now) is not null))
                known.TryAdd(job.Name, now);
        }

        // A job that was there at the first look begins with it; one that came later with its creation.
        DateTimeOffset CountedFrom(FakeJob job) => job.CreatedAt(first!.Value) is not null ? known[job.Name] : job.Created;

        static double Lasted(FakeRun run) => (run.Ends!.Value - run.Starts).TotalSeconds;
    }

    private static void AddChain(GlueRig rig, Chain chain, int number)
    {
        var job = rig.Glue.Jobs[chain.Job];
        var starts = Start.AddSeconds(2 * chain.Starts);
        if (job.Deleted is null && starts < job.Created)
            starts = job.Created.AddSeconds(2 * number);
        string? previous = null;
        for (var attempt = 0; ; attempt++)
        {
            var isLast = attempt == Math.Min(chain.Retries, job.MaxRetries) || States[chain.State] is not ("FAILED" or "TIMEOUT");
            // A retry that never comes, or a last attempt that succeeds after all, is for the generator to decide.
            var state = attempt > 0 && isLast && chain.Lasts % 2 == 0 ? "SUCCEEDED" : States[chain.State];
            var ends = starts.AddSeconds(2 * (chain.Waits + chain.Lasts));
            var id = $"jr_{number:00}{(attempt == 0 ? "" : $"_attempt_{attempt}")}";
            rig.Glue.Runs.Add(new(job.Name, id, starts, ends, state)
            {
                Attempt = attempt, PreviousRunId = previous, RunsFrom = starts.AddSeconds(2 * chain.Waits), VisibleFrom = starts.AddSeconds(2 * chain.Late),
            });
            if (isLast)
                return;
            (previous, starts) = (id, ends.AddSeconds(2 * chain.RetryAfter));
        }
    }
}
