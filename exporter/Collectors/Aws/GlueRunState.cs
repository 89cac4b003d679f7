using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Aws;

/// <summary>The states of a Glue job run, and what its times mean in them.</summary>
internal static class GlueRunState
{
    public const string Succeeded = "SUCCEEDED";
    public const string Failed = "FAILED";
    public const string Timeout = "TIMEOUT";
    public const string Starting = "STARTING";
    public const string Waiting = "WAITING";

    /// <summary>The states of runs that have not ended.</summary>
    public static IReadOnlyList<string> Active { get; } = [Starting, "RUNNING", "STOPPING", Waiting];

    /// <summary>A state that AWS adds one day is told by the completion time.</summary>
    public static bool HasEnded(GlueJobRun run) => run.JobRunState switch
    {
        Succeeded or Failed or Timeout or "STOPPED" or "ERROR" or "EXPIRED" => true,
        Starting or "RUNNING" or "STOPPING" or Waiting => false,
        _ => run.CompletedOn is not null,
    };

    /// <summary>Not a failure of the job: STOPPED (by somebody), EXPIRED (never got resources), ERROR (its trigger outlived it).</summary>
    public static bool IsFailure(GlueJobRun run) => run.JobRunState is Failed or Timeout;

    public static DateTimeOffset? StartOf(GlueJobRun run) => run.StartedOn ?? run.LastModifiedOn ?? run.CompletedOn;

    /// <summary>Of a run that has ended.</summary>
    public static DateTimeOffset EndOf(GlueJobRun run) => run.CompletedOn ?? run.LastModifiedOn ?? run.StartedOn ?? DateTimeOffset.UnixEpoch;

    /// <summary>From start to end, waiting included.</summary>
    public static TimeSpan DurationOf(GlueJobRun run) =>
        run is { StartedOn: { } start, CompletedOn: { } end } ? NotNegative(end - start) : ExecutionTimeOf(run);

    /// <summary>How long the run waited for resources: the time in which it is not said to have used any. Null when that is not told.</summary>
    public static TimeSpan? WaitOf(GlueJobRun run) =>
        run is { StartedOn: { } start, CompletedOn: { } end, ExecutionTime: not null } ? NotNegative(end - start - ExecutionTimeOf(run)) : null;

    /// <summary>From start to end without waiting.</summary>
    public static TimeSpan RunningTimeOf(GlueJobRun run) => DurationOf(run) - (WaitOf(run) ?? TimeSpan.Zero);

    /// <summary>Whether it may become a label: AWS's enumerations are words in capitals.</summary>
    public static bool IsWord(string text) =>
        text.Length is > 0 and <= 32 && text.All(character => char.IsAsciiLetterUpper(character) || character == '_');

    /// <summary>FLEX runs wait for spare capacity, and those of jobs with queuing for room in the account; no other run waits.</summary>
    public static bool MayHaveWaited(GlueJobRun run) => run.ExecutionClass == "FLEX" || run.JobRunQueuingEnabled == true;

    public static TimeSpan ExecutionTimeOf(GlueJobRun run) =>
        TimeSpan.FromSeconds(Math.Clamp(run.ExecutionTime ?? 0, 0, TimeSpan.FromDays(3650).TotalSeconds));

    private static TimeSpan NotNegative(TimeSpan duration) => duration > TimeSpan.Zero ? duration : TimeSpan.Zero;
}
