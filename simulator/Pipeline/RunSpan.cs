namespace PipelineExporter.Simulator.Pipeline;

/// <summary>One life of a run, from its queue to its end: what it shows from a moment on, until an edit begins another.</summary>
internal sealed record RunSpan(DateTimeOffset From, DateTimeOffset QueuedAt, DateTimeOffset StartDate, DateTimeOffset EndDate, bool Failed)
{
    public RunState StateAt(DateTimeOffset at) => at < StartDate ? RunState.Queued : at < EndDate ? RunState.Running : Failed ? RunState.Failed : RunState.Success;

    /// <summary>A running run is touched by every loop of the scheduler, about each second.</summary>
    public DateTimeOffset UpdatedAt(DateTimeOffset at)
    {
        if (at >= EndDate)
            return Later(EndDate, From);
        if (at < StartDate)
            return Later(QueuedAt, From);
        var loop = new DateTimeOffset(at.UtcTicks - (at.UtcTicks % TimeSpan.TicksPerSecond), TimeSpan.Zero);
        return Later(loop, Later(StartDate, From));
    }

    static DateTimeOffset Later(DateTimeOffset x, DateTimeOffset y) => x > y ? x : y;
}
