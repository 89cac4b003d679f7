namespace PipelineExporter.Sources.Aws;

/// <summary>
/// How often an operation may be called: a token bucket that holds one second's worth of requests, where whoever comes when it
/// is empty waits for its turn. It runs at half its speed, down to one a second, for each second in which AWS throttled, and is
/// back at full speed a minute later.
/// </summary>
internal sealed class AwsPace(int perSecond, TimeProvider time)
{
    private static readonly TimeSpan Held = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Recovery = TimeSpan.FromMinutes(1);

    private readonly Lock gate = new();
    private readonly long start = time.GetTimestamp();
    private TimeSpan fullAt;
    private double slowedTo = perSecond;
    private TimeSpan? slowedAt;

    public Task WaitAsync(CancellationToken ct)
    {
        TimeSpan wait;
        lock (gate)
        {
            var now = time.GetElapsedTime(start);
            fullAt = (fullAt > now ? fullAt : now) + Held / RateAt(now);
            wait = fullAt - now - Held;
        }

        return wait > TimeSpan.Zero ? Task.Delay(wait, time, ct) : Task.CompletedTask;
    }

    /// <summary>AWS refused a request for coming too soon.</summary>
    public void Throttled()
    {
        lock (gate)
        {
            var now = time.GetElapsedTime(start);
            // Requests that were under way together are refused together.
            if (now - slowedAt < Held)
                return;
            (slowedTo, slowedAt) = (Math.Max(1, RateAt(now) / 2), now);
            // What the bucket held is gone.
            fullAt = fullAt > now + Held ? fullAt : now + Held;
        }
    }

    private double RateAt(TimeSpan now) => slowedAt is { } at ? Math.Min(perSecond, slowedTo + (perSecond * ((now - at) / Recovery))) : perSecond;
}
