namespace PipelineExporter.Collectors.Aws.CloudWatch;

/// <summary>What a group costs at full speed.</summary>
internal sealed record GroupCost(CloudWatchGroup Group, double UsdPerDay)
{
    public double UsdPer(TimeSpan span) => UsdPerDay * (span / TimeSpan.FromDays(1));

    /// <param name="interval">As it is now; null for a group that stands still.</param>
    public double UsdPer(TimeSpan span, TimeSpan? interval) => interval is { } now ? UsdPer(span) * (Group.Interval / now) : 0;
}

/// <summary>
/// Makes what is left of a day's money last until its end: in order of importance each group gets as much as it takes for its own
/// interval. Whoever comes last is slowed down, or stands still; groups of the same importance are slowed down by the same factor.
/// </summary>
internal static class SpendBrake
{
    /// <summary>What would be asked for less often stands still.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromDays(30);

    /// <param name="groups">Of all regions that share the money.</param>
    /// <param name="usd">What is left of the day's money.</param>
    /// <param name="left">What is left of the day.</param>
    /// <returns>By group the interval from now on; null for one that stands still.</returns>
    public static Dictionary<CloudWatchGroup, TimeSpan?> Intervals(IEnumerable<GroupCost> groups, double usd, TimeSpan left)
    {
        var intervals = new Dictionary<CloudWatchGroup, TimeSpan?>();
        foreach (var equals in groups.GroupBy(cost => cost.Group.Importance).OrderByDescending(equals => equals.Key))
        {
            var wanted = equals.Sum(cost => cost.UsdPer(left));
            var part = wanted > 0 ? Math.Clamp(usd / wanted, 0, 1) : 1;
            foreach (var cost in equals)
                intervals[cost.Group] = cost.UsdPerDay > 0 ? Slowed(cost.Group.Interval, part) : cost.Group.Interval;
            usd -= wanted * part;
        }

        return intervals;
    }

    // Not for what is lost in rounding.
    private static TimeSpan? Slowed(TimeSpan interval, double part) =>
        part > 1 - 1e-9 ? interval : part < interval / Longest ? null : interval / part;
}
