namespace PipelineExporter.Collectors.Aws.CloudWatch;

/// <summary>The budgets of all accounts: what one region spends of an account, its other regions cannot spend any more.</summary>
internal sealed class AwsBudgets
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, AwsBudget> accounts = [];

    /// <param name="stored">What the state file knows of the account, asked for once.</param>
    public AwsBudget Of(string account, Func<IEnumerable<(string Scope, DateOnly Day, double Spent)>> stored)
    {
        lock (gate)
        {
            if (!accounts.TryGetValue(account, out var budget))
                accounts.Add(account, budget = new(stored()));
            return budget;
        }
    }
}

/// <summary>
/// What the regions of one account have spent on a UTC day, and what their groups would spend in one at full speed. The brake is on
/// the groups of all regions together: charts of one region give way to alerts of another.
/// </summary>
/// <remarks>
/// A region that has not found out yet what there is wants nothing. One that has fallen silent, be it yesterday, goes on wanting what
/// it wanted, since it may be back any moment; as the day goes by that becomes less, and is left to the others.
/// </remarks>
internal sealed class AwsBudget
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, Region> regions = [];

    /// <param name="stored">What each region spent before the restart: one that has not come to ask again has spent it all the same.</param>
    public AwsBudget(IEnumerable<(string Scope, DateOnly Day, double Spent)> stored)
    {
        foreach (var (scope, day, spent) in stored)
            regions[scope] = new(day, spent, [], null);
    }

    private double? Limit => regions.Values.Min(region => region.Limit);

    /// <summary>Notes what a region has spent and wants, and what it was told that the account may spend.</summary>
    /// <param name="groups">What its groups cost at full speed.</param>
    /// <returns>What all regions have spent on the day, the lowest limit of all, and by group of this region the interval from now on; null for one that stands still.</returns>
    public (double Spent, double? Limit, Dictionary<CloudWatchGroup, TimeSpan?> Intervals) Report(
        string scope, DateTimeOffset now, double spent, IReadOnlyList<GroupCost> groups, double? limit)
    {
        lock (gate)
        {
            regions[scope] = new(DayOf(now), spent, groups, limit);
            var intervals = Intervals(Limit, now);
            return (Spent(now), Limit, groups.ToDictionary(cost => cost.Group, cost => intervals[cost.Group]));
        }
    }

    /// <summary>
    /// Lets a region that has reported spend money now: no more than is left without what the groups of other regions are to have until
    /// midnight, so that nobody spends what something more important needs elsewhere. Until the region reports again nobody else can
    /// spend it, though both ask at the same time.
    /// </summary>
    /// <returns>As much of it as it may spend.</returns>
    public double Take(string scope, DateTimeOffset now, double usd)
    {
        lock (gate)
        {
            if (Limit is not { } limit)
                return usd;
            var (region, intervals) = (regions[scope], Intervals(limit, now));
            var others = regions.Where(other => other.Key != scope).Sum(other => Math.Max(other.Value.Taken,
                other.Value.Groups.Sum(cost => cost.UsdPer(UntilMidnight(now), intervals[cost.Group]))));
            var taken = Math.Clamp(Left(limit, now) - others - region.Taken, 0, usd);
            regions[scope] = region with { Taken = region.Taken + taken };
            return taken;
        }
    }

    private Dictionary<CloudWatchGroup, TimeSpan?> Intervals(double? limit, DateTimeOffset now)
    {
        var groups = regions.Values.SelectMany(region => region.Groups);
        return limit is { } usd
            ? SpendBrake.Intervals(groups, Left(usd, now), UntilMidnight(now))
            : groups.ToDictionary(cost => cost.Group, cost => (TimeSpan?)cost.Group.Interval);
    }

    private double Left(double limit, DateTimeOffset now) => limit - Spent(now);

    private double Spent(DateTimeOffset now) => regions.Values.Where(region => region.Day == DayOf(now)).Sum(region => region.Spent);

    private static DateOnly DayOf(DateTimeOffset now) => DateOnly.FromDateTime(now.UtcDateTime);

    private static TimeSpan UntilMidnight(DateTimeOffset now) => TimeSpan.FromDays(1) - now.UtcDateTime.TimeOfDay;

    /// <param name="Taken">What it is about to spend, and has not reported yet.</param>
    private sealed record Region(DateOnly Day, double Spent, IReadOnlyList<GroupCost> Groups, double? Limit, double Taken = 0);
}
