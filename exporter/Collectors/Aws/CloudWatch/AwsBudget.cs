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

/// <summary>What the regions of one account have spent on a UTC day, and would spend in one at full speed.</summary>
internal sealed class AwsBudget
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, (DateOnly Day, double Spent, double Planned, double? Limit)> regions = [];

    /// <param name="stored">What each region spent before the restart: one that has not come to ask again has spent it all the same.</param>
    public AwsBudget(IEnumerable<(string Scope, DateOnly Day, double Spent)> stored)
    {
        foreach (var (scope, day, spent) in stored)
            regions[scope] = (day, spent, 0, null);
    }

    /// <summary>Notes what a region has spent and plans, and what it was told that the account may spend.</summary>
    /// <returns>What all regions have spent on the day, which part of what is left is this one's, and the lowest limit of all.</returns>
    public (double Spent, double Share, double? Limit) Report(string scope, DateOnly day, double spent, double plannedPerDay, double? limit)
    {
        lock (gate)
        {
            regions[scope] = (day, spent, plannedPerDay, limit);
            var planned = regions.Values.Sum(one => one.Planned);
            return (regions.Values.Where(one => one.Day == day).Sum(one => one.Spent), planned > 0 ? plannedPerDay / planned : 1, regions.Values.Min(one => one.Limit));
        }
    }
}
