using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Aws;

/// <summary>What a run is to its job.</summary>
internal enum GlueVerdict
{
    /// <summary>It has not ended.</summary>
    Active,

    /// <summary>It has failed, and Glue may be about to run it again.</summary>
    Undecided,

    /// <summary>It has failed, and another run took its place.</summary>
    Retried,

    /// <summary>An outcome of the job.</summary>
    Final,
}

/// <summary>
/// Glue starts a run that FAILED or hit its TIMEOUT again up to the job's MaxRetries times: a new run whose PreviousRunId names
/// the old one and whose Attempt is higher. The old one is then no outcome of the job. While attempts are left and no such run
/// is to be seen, the verdict waits, for <see cref="RetryGrace"/> at most.
/// </summary>
internal static class GlueVerdicts
{
    /// <summary>How soon after a failure Glue has started the retry.</summary>
    internal static readonly TimeSpan RetryGrace = TimeSpan.FromMinutes(5);

    /// <param name="next">Runs whose PreviousRunId names this one.</param>
    public static GlueVerdict Of(GlueJobRun run, GlueJob job, IEnumerable<GlueJobRun> next, DateTimeOffset now)
    {
        if (!GlueRunState.HasEnded(run))
            return GlueVerdict.Active;
        if (!GlueRunState.IsFailure(run))
            return GlueVerdict.Final;
        var decided = GlueRunState.EndOf(run) + RetryGrace;
        if (next.Any(retry => retry.Attempt > run.Attempt && !(GlueRunState.StartOf(retry) > decided)))
            return GlueVerdict.Retried;
        return run.Attempt < job.MaxRetries && now < decided ? GlueVerdict.Undecided : GlueVerdict.Final;
    }
}
