namespace PipelineExporter.Sources.Aws;

/// <summary>
/// How often an operation may be called: so many requests in any second, wherever it begins. Whoever comes after them waits until
/// the first of them is a second old. It runs at half its speed, down to one a second, for each second in which AWS throttled, and
/// is back at full speed a minute later.
/// </summary>
internal sealed class AwsPace(int perSecond, TimeProvider time)
{
    /// <summary>A second, and by what one request may take longer than the next on its way to AWS, which counts those that arrive.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromSeconds(1.05);

    private static readonly TimeSpan Recovery = TimeSpan.FromMinutes(1);

    private readonly Lock gate = new();
    private readonly long start = time.GetTimestamp();

    // When the last requests were, or will be, sent.
    private readonly TimeSpan[] turns = new TimeSpan[perSecond];
    private long taken;
    private double slowedTo = perSecond;
    private TimeSpan? slowedAt;

    public Task WaitAsync(CancellationToken ct)
    {
        TimeSpan wait;
        lock (gate)
        {
            var now = time.GetElapsedTime(start);
            var rate = (int)RateAt(now);
            var turn = now;
            if (taken >= rate)
                turn = Later(turn, turns[(taken - rate) % perSecond] + Window);
            if (taken > 0)
                turn = Later(turn, turns[(taken - 1) % perSecond]); // after whoever came before, also when the speed has changed since
            turns[taken++ % perSecond] = turn;
            wait = turn - now;
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
            if (now - slowedAt < Window)
                return;
            (slowedTo, slowedAt) = (Math.Max(1, RateAt(now) / 2), now);
        }
    }

    private double RateAt(TimeSpan now) => slowedAt is { } at ? Math.Min(perSecond, slowedTo + (perSecond * ((now - at) / Recovery))) : perSecond;

    private static TimeSpan Later(TimeSpan x, TimeSpan y) => x > y ? x : y;
}
