using PipelineExporter.Metrics;
using PipelineExporter.Sources.Aws;
using PipelineExporter.State;

namespace PipelineExporter.Collectors.Aws;

/// <summary>What is counted of Glue runs: each run once, when it is settled.</summary>
internal static class GlueRunMetrics
{
    public static readonly MetricDesc Runs = MetricDesc.Counter(
        "aws_glue_job_runs_total", "Runs of the job that ended for good, by the state they ended in; retries by Glue count as one run.", "job_name", "state");

    public static readonly MetricDesc Retries = MetricDesc.Counter(
        "aws_glue_job_retries_total", "Runs of the job that failed or timed out and were started again by Glue.", "job_name");

    public static readonly MetricDesc DpuSeconds = MetricDesc.Counter(
        "aws_glue_job_dpu_seconds_total",
        "DPU seconds that ended runs of the job used, attempts that Glue retried included. AWS bills each for a minute at least, which is not in it.", "job_name", "execution_class");

    public static readonly MetricDesc Duration = MetricDesc.Histogram(
        "aws_glue_job_run_duration_seconds", "Time from start to end of runs of the job, waiting included.",
        [30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 21600], "job_name");

    public static readonly MetricDesc QueueWait = MetricDesc.Histogram(
        "aws_glue_job_queue_wait_seconds",
        "How long runs of the job waited for resources: their time from start to end less the time in which they used any.",
        [10, 30, 60, 120, 300, 600, 1200, 1800, 3600], "job_name");

    public static readonly MetricDesc OverThreshold = MetricDesc.Counter(
        "aws_glue_job_runs_over_threshold_total",
        "Runs of the job that took longer, waiting not included, than aws_glue_job_duration_threshold_seconds was when they ended.", "job_name");

    public static IReadOnlyList<MetricDesc> Metrics { get; } = [Runs, Retries, DpuSeconds, Duration, QueueWait, OverThreshold];

    /// <summary>Lets a job's counters stand at zero before any run has ended.</summary>
    public static void Declare(LedgerBatch batch, GlueJob job)
    {
        batch.Declare(Runs, job.Name, GlueRunState.Succeeded);
        batch.Declare(Runs, job.Name, GlueRunState.Failed);
        batch.Declare(Retries, job.Name);
        batch.Declare(DpuSeconds, job.Name, ExecutionClassOf(job.ExecutionClass));
        batch.Declare(Duration, job.Name);
        batch.Declare(QueueWait, job.Name);
        if (!job.IsStreaming)
            batch.Declare(OverThreshold, job.Name);
    }

    /// <summary>Counts a run that is settled, for the first and only time.</summary>
    /// <param name="threshold">Of its running time; null: it cannot take too long.</param>
    public static void Count(LedgerBatch batch, GlueJob job, GlueJobRun run, GlueVerdict verdict, TimeSpan? threshold)
    {
        batch.Add(DpuSeconds, GlueCapacity.DpuSeconds(run), job.Name, ExecutionClassOf(run.ExecutionClass ?? job.ExecutionClass));
        if (verdict is GlueVerdict.Retried)
        {
            batch.Add(Retries, 1, job.Name);
            return;
        }

        batch.Add(Runs, 1, job.Name, run.JobRunState);
        batch.Observe(Duration, GlueRunState.DurationOf(run).TotalSeconds, job.Name);
        if (GlueRunState.WaitOf(run) is { } wait)
            batch.Observe(QueueWait, wait.TotalSeconds, job.Name);
        if (GlueRunState.RunningTimeOf(run) > threshold)
            batch.Add(OverThreshold, 1, job.Name);
    }

    public static string ExecutionClassOf(string? name) => name is not null && GlueRunState.IsWord(name) ? name : "STANDARD";
}
