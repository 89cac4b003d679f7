namespace PipelineExporter.Sources.Aws;

/// <summary>
/// The time as AWS has it, learnt from the Date of its answers: requests are signed by it, so that a machine whose clock is
/// wrong can still sign, and what AWS dates is compared with it.
/// </summary>
internal sealed class AwsClock(TimeProvider time)
{
    private long offsetTicks;

    /// <summary>How far AWS is ahead of this machine; zero before the first answer.</summary>
    public TimeSpan Offset => new(Interlocked.Read(ref offsetTicks));

    public DateTimeOffset UtcNow => MachineNow + Offset;

    /// <summary>As this machine has it. With the offset that is known after an answer, it is when AWS was asked.</summary>
    public DateTimeOffset MachineNow => time.GetUtcNow();

    public void Observe(DateTimeOffset? date)
    {
        if (date is { } known)
            Interlocked.Exchange(ref offsetTicks, (known - MachineNow).Ticks);
    }
}
