namespace PipelineExporter.Collectors.Aws.CloudWatch;

/// <summary>What a group costs at full speed.</summary>
internal sealed record GroupCost(CloudWatchGroup Group, double UsdPerDay)
{
    public double UsdPer(TimeSpan span) => UsdPerDay * (span / TimeSpan.FromDays(1));
}

/// <summary>
/// Makes what is left of a day's money last until its end: every group gets enough for one question an hour, the important ones
/// first; then each, in the same order, as much as it takes for its own interval. Whoever comes last is slowed down, or stands still;
/// groups of the same importance are slowed down by the same factor.
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
        var inOrder = groups.GroupBy(cost => cost.Group.Importance).OrderByDescending(equals => equals.Key).ToList();
        foreach (var equals in inOrder)
            Grant(equals, cost => cost.UsdPer(left) * Math.Min(1, cost.Group.Interval / Slowest));
        foreach (var equals in inOrder)
            Grant(equals, cost => cost.UsdPer(left) - granted[cost.Group]);
        return groups.ToDictionary(cost => cost.Group, IntervalOf);

        void Grant(IEnumerable<GroupCost> equals, Func<GroupCost, double> wanted)
        {
            var wishes = equals.Select(cost => (cost.Group, Usd: wanted(cost))).ToList();
            var sum = wishes.Sum(wish => wish.Usd);
            var part = sum > 0 ? Math.Clamp(usd / sum, 0, 1) : 1;
            foreach (var wish in wishes)
                granted[wish.Group] = granted.GetValueOrDefault(wish.Group) + (wish.Usd * part);
            usd -= sum * part;
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
