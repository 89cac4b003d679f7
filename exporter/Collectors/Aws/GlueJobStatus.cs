using System.Collections.Immutable;
using PipelineExporter.Metrics;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Aws;

/// <summary>What is told of a job besides what is counted. Times and durations are null when there is none.</summary>
internal sealed record GlueJobStatus(GlueJob Job)
{
    private static readonly MetricDesc LastDurationDesc = MetricDesc.Gauge(
        "aws_glue_job_last_run_duration_seconds", "Time from start to end of the run of the job that ended last, waiting included.", "job_name");

    private static readonly MetricDesc ActiveDesc = MetricDesc.Gauge(
        "aws_glue_job_runs_active", "Runs of the job that have not ended, by state.", "job_name", "state");

    private static readonly MetricDesc OldestRunningDesc = MetricDesc.Gauge(
        "aws_glue_job_oldest_running_start_timestamp_seconds",
        "Start of the oldest run of the job that is in progress, not waiting or starting; of one that did so first, when it was last seen to; of one that may have (FLEX, queuing), when it was first seen.", "job_name");

    private static readonly MetricDesc OldestRunningForDesc = MetricDesc.Gauge(
        "aws_glue_job_oldest_running_duration_seconds",
        "How long the oldest run of the job had been running, not waiting or starting, when its runs were last read. Compare this with a limit: until they are read again, the run may have ended.", "job_name");

    private static readonly MetricDesc OldestWaitingDesc = MetricDesc.Gauge(
        "aws_glue_job_oldest_waiting_start_timestamp_seconds", "Since when the run of the job waits for resources, or starts, that has done so longest.", "job_name");

    private static readonly MetricDesc ThresholdDesc = MetricDesc.Gauge(
        "aws_glue_job_duration_threshold_seconds",
        "How long a run of the job may take, waiting not included: 120 % of its baseline and a minute above it at least, or as configured (thresholds.glue_job_duration); absent for never too long.",
        "job_name");

    private static readonly MetricDesc MetricsEnabledDesc = MetricDesc.Gauge(
        "aws_glue_job_metrics_enabled", "Whether the job's default arguments let its runs report metrics to CloudWatch (--enable-metrics): 1 or 0.", "job_name");

    private static readonly MetricDesc InfoDesc = MetricDesc.Gauge(
        "aws_glue_job_info", "What the job is: its type (etl, streaming, pythonshell, ray), and what it runs on.", "job_name", "type", "glue_version", "worker_type", "execution_class");

    public static IReadOnlyList<MetricDesc> Metrics { get; } =
    [
        LastDurationDesc, ActiveDesc, OldestRunningDesc, OldestRunningForDesc, OldestWaitingDesc, GlueJobHistory.LastSuccess, GlueJobHistory.LastFailure,
        GlueJobHistory.Baseline, ThresholdDesc, MetricsEnabledDesc, InfoDesc,
    ];

    public string Name => Job.Name;

    /// <summary>Of the run that ended last.</summary>
    public TimeSpan? LastRunDuration { get; init; }

    /// <summary>Number of runs by state, for runs that have not ended.</summary>
    public ImmutableSortedDictionary<string, int> Active { get; init; } = ImmutableSortedDictionary<string, int>.Empty;

    /// <summary>Of the runs that are neither waiting nor starting.</summary>
    public DateTimeOffset? OldestRunningStart { get; init; }

    /// <summary>Until the runs were read.</summary>
    public TimeSpan? OldestRunningFor { get; init; }

    /// <summary>Of the others.</summary>
    public DateTimeOffset? OldestWaitingStart { get; init; }

    /// <summary>Unix time.</summary>
    public double? LastSuccess { get; init; }

    /// <summary>Unix time.</summary>
    public double? LastFailure { get; init; }

    public TimeSpan? Baseline { get; init; }

    public TimeSpan? Threshold { get; init; }

    public void Write(MetricSink sink)
    {
        foreach (var state in GlueRunState.Active.Union(Active.Keys))
            sink.Set(ActiveDesc, Active.GetValueOrDefault(state), Name, state);
        SetIfAny(LastDurationDesc, LastRunDuration?.TotalSeconds);
        SetIfAny(OldestRunningDesc, OldestRunningStart?.ToUnixTimeMilliseconds() / 1000.0);
        SetIfAny(OldestRunningForDesc, OldestRunningFor?.TotalSeconds);
        SetIfAny(OldestWaitingDesc, OldestWaitingStart?.ToUnixTimeMilliseconds() / 1000.0);
        SetIfAny(GlueJobHistory.LastSuccess, LastSuccess);
        SetIfAny(GlueJobHistory.LastFailure, LastFailure);
        SetIfAny(GlueJobHistory.Baseline, Baseline?.TotalSeconds);
        SetIfAny(ThresholdDesc, Threshold?.TotalSeconds);
        sink.Set(MetricsEnabledDesc, Job.DefaultArguments is { MetricsEnabled: true } ? 1 : 0, Name);
        sink.Set(InfoDesc, 1, Name, TypeOf(Job.Command?.Name), Word(Job.GlueVersion), Word(Job.WorkerType), GlueRunMetrics.ExecutionClassOf(Job.ExecutionClass));

        void SetIfAny(MetricDesc metric, double? value)
        {
            if (value is { } number)
                sink.Set(metric, number, Name);
        }
    }

    private static string TypeOf(string? command) => Word(command is { Length: > 4 } && command.StartsWith("glue", StringComparison.Ordinal) ? command[4..] : command);

    // AWS's names and version numbers; anything else is no text to be told.
    private static string Word(string? text) =>
        text is null ? "" : text.Length is > 0 and <= 32 && text.All(character => char.IsAsciiLetterOrDigit(character) || character is '.' or '_' or '-') ? text : "other";
}
