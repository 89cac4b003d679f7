namespace PipelineExporter.Collectors.Aws.CloudWatch;

/// <summary>What a group costs at full speed.</summary>
internal sealed record GroupCost(CloudWatchGroup Group, double UsdPerDay)
{
    public double UsdPer(TimeSpan span) => UsdPerDay * (span / TimeSpan.FromDays(1));
}

/// <summary>
/// Makes what is left of a day's money last until its end: every group gets enough for one question an hour, the important ones
/// first; then each, in the same order, as much as it takes for its own interval. Whoever comes last is slowed down, or stands still.
/// </summary>
internal static class SpendBrake
{
    private static readonly TimeSpan Slowest = TimeSpan.FromHours(1);
    private static readonly TimeSpan Longest = TimeSpan.FromDays(30);

    /// <param name="usd">What is left of the day's money.</param>
    /// <param name="left">What is left of the day.</param>
    /// <returns>By group the interval from now on; null for one that stands still.</returns>
    public static Dictionary<CloudWatchGroup, TimeSpan?> Intervals(IReadOnlyList<GroupCost> groups, double usd, TimeSpan left)
    {
        var granted = new Dictionary<CloudWatchGroup, double>();
        var inOrder = groups.OrderByDescending(cost => cost.Group.Importance).ToList();
        foreach (var cost in inOrder)
            Grant(cost, cost.UsdPer(left) * Math.Min(1, cost.Group.Interval / Slowest));
        foreach (var cost in inOrder)
            Grant(cost, cost.UsdPer(left) - granted[cost.Group]);
        return groups.ToDictionary(cost => cost.Group, IntervalOf);

        void Grant(GroupCost cost, double wanted)
        {
            var grant = Math.Clamp(wanted, 0, Math.Max(0, usd));
            usd -= grant;
            granted[cost.Group] = granted.GetValueOrDefault(cost.Group) + grant;
        }

        TimeSpan? IntervalOf(GroupCost cost)
        {
            var (wanted, grant) = (cost.UsdPer(left), granted[cost.Group]);
            return wanted <= grant * (1 + 1e-9) ? cost.Group.Interval
                : grant <= 0 ? null
                : cost.Group.Interval * Math.Min(wanted / grant, Longest / cost.Group.Interval);
        }
    }
}
