namespace PipelineExporter.Sources.Airflow;

/// <summary>A token bucket that holds one second's worth of requests: whoever comes when it is empty waits for its turn.</summary>
internal sealed class MwaaPace(int perSecond, TimeProvider time)
{
    private static readonly TimeSpan Held = TimeSpan.FromSeconds(1);

    private readonly Lock gate = new();
    private readonly TimeSpan refill = Held / perSecond;
    private readonly long start = time.GetTimestamp();
    private TimeSpan fullAt;

    public Task WaitAsync(CancellationToken ct)
    {
        TimeSpan wait;
        lock (gate)
        {
            var now = time.GetElapsedTime(start);
            fullAt = (fullAt > now ? fullAt : now) + refill;
            wait = fullAt - now - Held;
        }
        return wait > TimeSpan.Zero ? Task.Delay(wait, time, ct) : Task.CompletedTask;
    }
}
