using PipelineExporter.Metrics;
using PipelineExporter.Sources.Aws;
using PipelineExporter.State;

namespace PipelineExporter.Collectors.Aws.CloudWatch;

/// <summary>One query of the plan, and how far it was asked. Changed by the collection that asks, and nobody else.</summary>
internal sealed class TrackedMetric(CloudWatchQuery query, CloudWatchGroup group)
{
    private const int LongestBackOff = 4;

    /// <summary>So many newest periods may be missing while what came before is still shown.</summary>
    private const int LatePeriods = 2;

    private static readonly TimeSpan LongestFirstRetry = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LongestWindowed = TimeSpan.FromDays(1);

    // Of the longest window that its counter is summed over; zero where there is none.
    private readonly TimeSpan window = group.Windows.Where(window => window.Counter == query.Target).Select(window => window.Length).DefaultIfEmpty().Max();
    private readonly int turn = (int)((uint)LabelValues.Comparer.GetHashCode(query.Labels) % CloudWatchCadence.LookBackEvery);
    private CompactTime settled;
    private CompactTime asked;
    private CompactTime at;
    private int failures;

    public CloudWatchQuery Query => query;

    public CloudWatchGroup Group => group;

    public bool IsCounter => query.Target.Type == MetricType.Counter;

    /// <summary>How often in a row its newest datapoint was not there yet.</summary>
    public int Late { get; private set; }

    public bool HasFailed => failures > 0;

    /// <summary>What its last question failed with; null when it was answered, or when CloudWatch left out this metric alone.</summary>
    public AwsException? Failure { get; private set; }

    /// <summary>The end of the newest datapoint's period.</summary>
    public DateTimeOffset? At => at.Value;

    /// <summary>Of the newest datapoint, in the unit of the metric.</summary>
    public double Value { get; private set; }

    /// <summary>Whether its next datapoint can exist. At first it is asked for at the next opportunity.</summary>
    /// <param name="interval">From one question to the next, as it is now.</param>
    public bool IsDue(DateTimeOffset now, TimeSpan interval) => now >= DueAt(interval);

    /// <param name="until">Until when it was asked.</param>
    /// <param name="newest">The start of the newest datapoint; null where there was none.</param>
    public void Answered(DateTimeOffset until, DateTimeOffset? newest, DateTimeOffset now)
    {
        (settled, asked, failures, Failure) = (until, now, 0, null);
        Late = query.IsSparse || newest + query.Cadence.Period >= until ? 0 : Late + 1;
    }

    /// <summary>It is asked for again: an answer that says no more than that it failed is billed, too.</summary>
    /// <param name="failure">Of the whole request; null when there was none.</param>
    public void Failed(AwsException? failure, DateTimeOffset now) => (asked, failures, Failure) = (now, failures + 1, failure);

    public void Show(DateTimeOffset end, double value)
    {
        if (!(end < At))
            (at, Value) = (end, value);
    }

    /// <summary>Whether what ended at an instant still tells of now: <see cref="LatePeriods"/> may be late.</summary>
    /// <param name="interval">From one question to the next, as it is now.</param>
    public bool IsFresh(DateTimeOffset end, DateTimeOffset now, TimeSpan interval) =>
        now < end + query.Cadence.Delay + query.Cadence.StepOf(interval) + LatePeriods * query.Cadence.Period;

    /// <summary>How many periods of a counter the ledger has to remember, for every window that ends from one question to the next.</summary>
    /// <param name="interval">From one question to the next, as it is now.</param>
    public int Remembered(TimeSpan interval)
    {
        if (window == TimeSpan.Zero)
            return query.Cadence.Revisable;
        var span = query.Cadence.StepOf(interval < LongestWindowed ? interval : LongestWindowed) + window;
        return Math.Max(query.Cadence.Revisable, (int)(span / query.Cadence.Period));
    }

    // On a grid, so that the statistics of one metric, which are billed as one, come to be asked for together wherever they began.
    private DateTimeOffset DueAt(TimeSpan interval)
    {
        var cadence = query.Cadence;
        var step = cadence.StepOf(interval);
        if (failures > 0)
            return Asked + (interval < LongestFirstRetry ? interval : LongestFirstRetry) * BackOff(failures);
        if (Late > 0)
            return Asked + (cadence.Retry ?? step) * BackOff(Late);
        if (settled.Value is not { } until)
            return DateTimeOffset.MinValue;
        return CloudWatchCadence.FloorTo(until, step) + step + cadence.Delay;
    }

    private DateTimeOffset Asked => asked.Value ?? DateTimeOffset.MinValue;

    private static int BackOff(int times) => Math.Min(LongestBackOff, 1 << Math.Min(times - 1, 8));

    /// <summary>What to ask for; null while there can be nothing to count, and nothing of before is to be shown.</summary>
    /// <param name="sums">How far a counter was counted; null for one that the ledger does not know, and for a gauge.</param>
    /// <param name="interval">From one question to the next, as it is now.</param>
    public PlannedQuestion? Question(PeriodSums? sums, TimeSpan interval, DateTimeOffset now)
    {
        var (period, until) = (query.Cadence.Period, query.Cadence.SettledAt(now));
        if (!IsCounter)
            return new(this, period, until - Math.Min((int)(query.Cadence.StepOf(interval) / period) + LatePeriods, query.Cadence.Revisable) * period, until);
        // What is not known to the ledger has been forgotten: it begins anew.
        sums ??= PeriodSums.StartingAt(now, period);
        if (sums.Until >= until && settled.Value is null && window == TimeSpan.Zero)
            return null;
        var from = sums.Until - LookBack(sums.Until, until) * period;
        var readable = CloudWatchRetention.PeriodFor(from, now, period);
        if (readable == period)
            return new(this, period, from < until ? from : until, until);
        return new(this, readable, CloudWatchCadence.FloorTo(CloudWatchRetention.Oldest(from, now), readable), CloudWatchCadence.FloorTo(until, readable));
    }

    // Metrics take turns to look back at all of them, so that no collection is much longer than the others. What lies in a window that
    // ends now is looked at with each question: an alert may hang on it.
    private int LookBack(DateTimeOffset counted, DateTimeOffset until)
    {
        var all = query.Cadence.Revisable;
        return settled.Value is null || Turn(counted) != Turn(until)
            ? all
            : Math.Min(all, Math.Max(query.Cadence.OftenRevised ?? all, (int)(window / query.Cadence.Period)));
    }

    private long Turn(DateTimeOffset at) => (at.UtcTicks / query.Cadence.Period.Ticks + turn) / CloudWatchCadence.LookBackEvery;
}

/// <summary>How long CloudWatch keeps datapoints: fine ones 15 days, those of five minutes 63 days, those of an hour 455 days.</summary>
internal static class CloudWatchRetention
{
    private static readonly TimeSpan Margin = TimeSpan.FromHours(1);
    private static readonly TimeSpan Longest = TimeSpan.FromDays(455) - Margin;

    private static readonly (TimeSpan Age, TimeSpan Period)[] Periods =
        [(TimeSpan.FromDays(15) - Margin, TimeSpan.FromMinutes(1)), (TimeSpan.FromDays(63) - Margin, TimeSpan.FromMinutes(5)), (Longest, TimeSpan.FromHours(1))];

    /// <summary>The shortest period, no shorter than the metric's own, that datapoints of this age still have.</summary>
    public static TimeSpan PeriodFor(DateTimeOffset from, DateTimeOffset now, TimeSpan own)
    {
        foreach (var (age, period) in Periods)
        {
            if (now - from < age && period >= own)
                return period;
        }

        return own > Periods[^1].Period ? own : Periods[^1].Period;
    }

    public static DateTimeOffset Oldest(DateTimeOffset from, DateTimeOffset now) => from < now - Longest ? now - Longest : from;
}
