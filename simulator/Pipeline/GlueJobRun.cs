namespace PipelineExporter.Simulator.Pipeline;

/// <summary>A Glue job of the pipeline, as GetJobs describes it.</summary>
internal sealed record GlueJob(string Name, string WorkerType, int NumberOfWorkers, double DpuPerWorker, string ExecutionClass, string GlueVersion)
{
    /// <summary>glueetl, or gluestreaming for a job that never ends by itself.</summary>
    public string Command { get; init; } = "glueetl";

    /// <summary>How often Glue starts a failed run again.</summary>
    public int MaxRetries { get; init; }

    /// <summary>--enable-metrics: without, CloudWatch hears nothing of it.</summary>
    public bool HasMetrics { get; init; } = true;
}

internal enum GlueRunState { WAITING, STARTING, RUNNING, SUCCEEDED, FAILED, STOPPED }

/// <summary>One run of a Glue job, from its start to its end, wherever in it "now" is.</summary>
internal sealed record GlueJobRun
{
    static readonly TimeSpan ElapsedTimeInterval = TimeSpan.FromSeconds(30);

    /// <summary>jr_ and 64 hexadecimal digits.</summary>
    public required string Id { get; init; }

    public required GlueJob Job { get; init; }

    /// <summary>The n-th time that Glue itself tries again; an Airflow retry is another run of attempt 0.</summary>
    public int Attempt { get; init; }

    /// <summary>The run that Glue tries again with this one.</summary>
    public string? PreviousRunId { get; init; }

    /// <summary>Until then no capacity was to be had; null for a run that did not wait.</summary>
    public DateTimeOffset? WaitedUntil { get; init; }

    /// <summary>Nobody can see it before: the first run of an incident has a past.</summary>
    public DateTimeOffset VisibleFrom { get; init; }

    public required DateTimeOffset StartedOn { get; init; }

    /// <summary>When STARTING became RUNNING: what is before it is not ExecutionTime.</summary>
    public required DateTimeOffset RunningFrom { get; init; }

    public required DateTimeOffset CompletedOn { get; init; }

    /// <summary>The state after CompletedOn.</summary>
    public required GlueRunState FinalState { get; init; }

    /// <summary>Null unless it failed.</summary>
    public string? ErrorMessage { get; init; }

    public GlueRunState StateAt(DateTimeOffset at) =>
        at >= CompletedOn ? FinalState : at >= RunningFrom ? GlueRunState.RUNNING : at < WaitedUntil ? GlueRunState.WAITING : GlueRunState.STARTING;

    public DateTimeOffset? CompletedOnAt(DateTimeOffset at) => at >= CompletedOn ? CompletedOn : null;

    /// <summary>The last change of state.</summary>
    public DateTimeOffset LastModifiedOnAt(DateTimeOffset at) =>
        at >= CompletedOn ? CompletedOn : at >= RunningFrom ? RunningFrom : at >= WaitedUntil ? WaitedUntil.Value : StartedOn;

    /// <summary>Whole seconds; 0 until it runs; grows while it runs.</summary>
    public int ExecutionTimeAt(DateTimeOffset at) =>
        at < RunningFrom ? 0 : (int)((at < CompletedOn ? at : CompletedOn) - RunningFrom).TotalSeconds;

    /// <summary>
    /// The datapoints of glue.driver.aggregate.elapsedTime in [from, to), oldest first: one every 30 s, and one at the end. None was
    /// sent before the run could be seen: what CloudWatch once told stays as it is.
    /// </summary>
    public IEnumerable<ElapsedTimeDelta> ElapsedTime(DateTimeOffset from, DateTimeOffset to)
    {
        // The datapoint at from itself is of the interval before it.
        var skipped = from > RunningFrom ? ((from - RunningFrom).Ticks - 1) / ElapsedTimeInterval.Ticks : 0;
        for (var last = RunningFrom + (skipped * ElapsedTimeInterval); last < CompletedOn && last < to;)
        {
            var next = CompletedOn - last < ElapsedTimeInterval ? CompletedOn : last + ElapsedTimeInterval;
            if (next >= from && next < to && next >= VisibleFrom)
                yield return new ElapsedTimeDelta(next, (next - last).TotalMilliseconds);
            last = next;
        }
    }

    /// <summary>Only of a completed run, as Glue does.</summary>
    public double? DpuSecondsAt(DateTimeOffset at) =>
        at < CompletedOn ? null : ExecutionTimeAt(at) * Job.NumberOfWorkers * Job.DpuPerWorker;
}

/// <summary>One datapoint of glue.driver.aggregate.elapsedTime: milliseconds since the one before, sent every 30 s.</summary>
internal sealed record ElapsedTimeDelta(DateTimeOffset At, double Milliseconds);
