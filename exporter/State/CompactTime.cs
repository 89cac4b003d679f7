namespace PipelineExporter.State;

/// <summary>A moment, or none, in 8 bytes: a DateTimeOffset that may be null takes 24, of which 50,000 series have several.</summary>
internal readonly struct CompactTime(DateTimeOffset? at)
{
    private readonly long ticks = at?.UtcTicks ?? 0;

    public DateTimeOffset? Value => ticks == 0 ? null : new(ticks, TimeSpan.Zero);

    public static implicit operator CompactTime(DateTimeOffset? at) => new(at);
}
