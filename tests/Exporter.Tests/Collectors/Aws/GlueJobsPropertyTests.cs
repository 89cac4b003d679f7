using CsCheck;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Tests.Collectors.Aws;

/// <summary>Whatever runs there are and whenever the exporter looks, fails or restarts: every outcome is counted once.</summary>
public sealed class GlueJobsPropertyTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 23, 0, 0, 0, TimeSpan.Zero);

    private static readonly string[] States = ["SUCCEEDED", "SUCCEEDED", "FAILED", "TIMEOUT", "STOPPED"];

    private enum Look
    {
        Poll,
        RestartAndPoll,
        FailedPoll,
    }

    // All in seconds. Runs move in even seconds and looks are at odd ones, so that nothing happens at the very same time.
    private static readonly Gen<(int Job, int Starts, int Lasts, int State, int RetryAfter, int Retries)> Chain =
        Gen.Select(Gen.Int[0, 2], Gen.Int[-4000, 12000], Gen.Int[1, 9000], Gen.Int[0, 4], Gen.Int[1, 100], Gen.Int[0, 3]);

    private static readonly Gen<(int Wait, Look Look, int FailAt)> Looking =
        Gen.Select(Gen.Int[10, 1500], Gen.Enum<Look>(), Gen.Int[1, 6]);

    [Fact]
    public async Task Nothing_is_counted_twice_and_nothing_is_lost() => await Gen
        .Select(Chain.Array[0, 40], Looking.Array[1, 25], Gen.Int[1, 12])
        .SampleAsync(async plan => await RunAsync(plan.Item1, plan.Item2, plan.Item3), iter: 150, threads: 1);

    private static async Task RunAsync(
        (int Job, int Starts, int Lasts, int State, int RetryAfter, int Retries)[] chains, (int Wait, Look Look, int FailAt)[] looks, int pageSize)
    {
        using var rig = new GlueRig(Start.AddSeconds(1));
        rig.Glue.LargestPage = pageSize;
        // The last job comes into being an hour later.
        rig.Glue.Jobs.AddRange([("none", Start.AddDays(-50), 0), ("twice", Start.AddDays(-50), 2), ("later", Start.AddHours(1), 1)]);
        foreach (var (chain, i) in chains.Select((chain, i) => (chain, i)))
            AddChain(rig, chain, i);

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

            try
            {
                await rig.PollAsync();
                first ??= rig.Time.GetUtcNow();
            }
            catch (AwsException) when (look == Look.FailedPoll)
            {
                // As planned; what was fetched so far must not have been counted.
            }

            rig.Glue.Interfere = (_, _) => null;
            rig.Time.Advance(TimeSpan.FromSeconds(2 * wait));
        }

        rig.Time.SetUtcNow(Start.AddDays(3).AddSeconds(1));
        await rig.PollAsync();
        first ??= rig.Time.GetUtcNow();
        await rig.PollAsync();

        var ended = rig.Glue.Runs.Where(run => run.Ends > first || run.Job == "later" && first < Start.AddHours(1)).ToList();
        var repeated = rig.Glue.Runs.Select(run => run.PreviousRunId).ToHashSet();
        foreach (var job in rig.Glue.Jobs.Select(job => job.Name))
        {
            var runs = ended.Where(run => run.Job == job).ToList();
            var outcomes = runs.Where(run => !repeated.Contains(run.Id)).ToList();
            string Told(Func<string, double> count, double durations, double seconds, double dpuSeconds) =>
                $"{job}: {string.Join(", ", States.Distinct().Select(state => $"{count(state)} {state}"))}, {durations} durations of {seconds} s, {dpuSeconds} DPU s";
            Assert.Equal(
                Told(state => outcomes.Count(run => run.State == state), outcomes.Count, outcomes.Sum(Seconds), runs.Sum(run => 10 * Seconds(run))),
                Told(
                    state => rig.Counted("aws_glue_job_runs_total", job, state) ?? 0, rig.Counted("aws_glue_job_run_duration_seconds", job)!.Value,
                    rig.Sum("aws_glue_job_run_duration_seconds", job), rig.Counted("aws_glue_job_dpu_seconds_total", job, "STANDARD")!.Value));
        }

        static double Seconds(FakeRun run) => (run.Ends!.Value - run.Starts).TotalSeconds;
    }

    private static void AddChain(GlueRig rig, (int Job, int Starts, int Lasts, int State, int RetryAfter, int Retries) chain, int number)
    {
        var (job, created, maxRetries) = rig.Glue.Jobs[chain.Job];
        var starts = Start.AddSeconds(2 * chain.Starts);
        if (starts < created)
            starts = created.AddSeconds(2 * number);
        string? previous = null;
        for (var attempt = 0; ; attempt++)
        {
            var isLast = attempt == Math.Min(chain.Retries, maxRetries) || States[chain.State] is not ("FAILED" or "TIMEOUT");
            // A retry that never comes, or a last attempt that succeeds after all, is for the generator to decide.
            var state = attempt > 0 && isLast && chain.Lasts % 2 == 0 ? "SUCCEEDED" : States[chain.State];
            var ends = starts.AddSeconds(2 * chain.Lasts);
            var id = $"jr_{number:00}{(attempt == 0 ? "" : $"_attempt_{attempt}")}";
            rig.Glue.Runs.Add(new(job, id, starts, ends, state) { Attempt = attempt, PreviousRunId = previous });
            if (isLast)
                return;
            (previous, starts) = (id, ends.AddSeconds(2 * chain.RetryAfter));
        }
    }
}
