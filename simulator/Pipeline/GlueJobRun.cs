namespace PipelineExporter.Simulator.Pipeline;

/// <summary>A Glue job of the pipeline, as GetJobs describes it.</summary>
internal sealed record GlueJob(string Name, string WorkerType, int NumberOfWorkers, double DpuPerWorker, string ExecutionClass, string GlueVersion);

internal enum GlueRunState { STARTING, RUNNING, SUCCEEDED, FAILED }

/// <summary>One run of a Glue job, from its start to its end, wherever in it "now" is.</summary>
internal sealed record GlueJobRun
{
    /// <summary>jr_ and 64 hexadecimal digits.</summary>
    public required string Id { get; init; }

    public required GlueJob Job { get; init; }

    /// <summary>0: Glue itself retries nothing here; an Airflow retry is another run.</summary>
    public int Attempt { get; init; }

    public required DateTimeOffset StartedOn { get; init; }

    /// <summary>When STARTING became RUNNING: what is before it is not ExecutionTime.</summary>
    public required DateTimeOffset RunningFrom { get; init; }

    public required DateTimeOffset CompletedOn { get; init; }

    /// <summary>The state after CompletedOn.</summary>
    public required GlueRunState FinalState { get; init; }

    /// <summary>Null unless it failed.</summary>
    public string? ErrorMessage { get; init; }

    public GlueRunState StateAt(DateTimeOffset at) =>
        at >= CompletedOn ? FinalState : at >= RunningFrom ? GlueRunState.RUNNING : GlueRunState.STARTING;

    public DateTimeOffset? CompletedOnAt(DateTimeOffset at) => at >= CompletedOn ? CompletedOn : null;

    /// <summary>The last change of state.</summary>
    public DateTimeOffset LastModifiedOnAt(DateTimeOffset at) => at >= CompletedOn ? CompletedOn : at >= RunningFrom ? RunningFrom : StartedOn;

    /// <summary>Whole seconds; 0 until it runs; grows while it runs.</summary>
    public int ExecutionTimeAt(DateTimeOffset at) =>
        at < RunningFrom ? 0 : (int)((at < CompletedOn ? at : CompletedOn) - RunningFrom).TotalSeconds;

    /// <summary>Only of a completed run, as Glue does.</summary>
    public double? DpuSecondsAt(DateTimeOffset at) =>
        at < CompletedOn ? null : ExecutionTimeAt(at) * Job.NumberOfWorkers * Job.DpuPerWorker;
}

/// <summary>One datapoint of glue.driver.aggregate.elapsedTime: milliseconds since the one before, sent every 30 s.</summary>
internal sealed record ElapsedTimeDelta(DateTimeOffset At, double Milliseconds);
