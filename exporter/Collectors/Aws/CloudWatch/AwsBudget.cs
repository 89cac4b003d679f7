namespace PipelineExporter.Collectors.Aws.CloudWatch;

/// <summary>The budgets of all accounts: what one region spends of an account, its other regions cannot spend any more.</summary>
internal sealed class AwsBudgets
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, AwsBudget> accounts = [];

    public AwsBudget Of(string account)
    {
        lock (gate)
        {
            if (!accounts.TryGetValue(account, out var budget))
                accounts.Add(account, budget = new());
            return budget;
        }
    }
}

/// <summary>What the regions of one account have spent on a UTC day, and would spend in one at full speed.</summary>
internal sealed class AwsBudget
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, (DateOnly Day, double Spent, double Planned)> sources = [];

    /// <summary>Notes what a source has spent and plans.</summary>
    /// <returns>What all sources of the account have spent on the day, and which part of what is left is this one's.</returns>
    public (double Spent, double Share) Report(string source, DateOnly day, double spent, double plannedPerDay)
    {
        lock (gate)
        {
            sources[source] = (day, spent, plannedPerDay);
            var planned = sources.Values.Sum(one => one.Planned);
            return (sources.Values.Where(one => one.Day == day).Sum(one => one.Spent), planned > 0 ? plannedPerDay / planned : 1);
        }
    }
}
