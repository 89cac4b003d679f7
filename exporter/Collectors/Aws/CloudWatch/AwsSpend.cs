using System.Globalization;
using PipelineExporter.Metrics;
using PipelineExporter.Sources.Aws;
using PipelineExporter.State;

namespace PipelineExporter.Collectors.Aws.CloudWatch;

/// <summary>
/// What a source's requests cost, and the brake on it: what was spent on a day is kept in the state file, so that no restart
/// gets around the limit. For one collection at a time.
/// </summary>
/// <param name="limit">US dollars a UTC day of the account; null for none.</param>
internal sealed class AwsSpend(AwsSource source, AwsBudgets budgets, Ledger ledger, double? limit)
{
    private const string SpentKey = "aws.spent";

    private static readonly MetricDesc Requests = MetricDesc.Counter(
        "pipeline_exporter_aws_requests_total", "Requests that AWS answered, by service and operation.", "service", "operation");

    private static readonly MetricDesc Cost = MetricDesc.Counter(
        "pipeline_exporter_aws_cost_usd_total", "What AWS takes for the exporter's requests by its price list: of a group of CloudWatch's metrics, or of the requests of an operation.", "group");

    private static readonly MetricDesc Brake = MetricDesc.Gauge(
        "pipeline_exporter_aws_spend_brake", "Whether max_usd_per_day slows the group down (1) or not (0).", "group");

    private static readonly MetricDesc Limit = MetricDesc.Gauge(
        "pipeline_exporter_aws_spend_limit_usd", "What the account's requests may cost a UTC day at most: max_usd_per_day.");

    private static readonly MetricDesc Today = MetricDesc.Gauge(
        "pipeline_exporter_aws_spend_today_usd", "What the account's requests have cost since midnight UTC, all its configured regions together.");

    private readonly Dictionary<(string Service, string Operation), long> counted = [], paid = [];
    private readonly List<GaugeSample> samples = [];
    private DateOnly today;
    private double? spent;
    private double pending;
    private double left = double.PositiveInfinity;

    private AwsBudget Budget => budgets.Of(source.AccountId!, StoredOfAccount);

    public static IReadOnlyList<MetricDesc> Metrics { get; } = [Requests, Cost, Brake, Limit, Today];

    /// <summary>Works out how fast each group may go on.</summary>
    /// <returns>By group the interval; null for one that stands still.</returns>
    public IReadOnlyDictionary<CloudWatchGroup, TimeSpan?> Apply(IReadOnlyList<GroupCost> groups, SourceLedger state, DateTimeOffset now)
    {
        var day = DateOnly.FromDateTime(now.UtcDateTime);
        spent ??= Read(state.GetValue(SpentKey)) is var (storedDay, stored) && storedDay == day ? stored : 0;
        if (today != day)
            (today, spent) = (day, today == default ? spent : 0);

        var (account, lowest, speed) = Budget.Report(source.Identity!.Scope, now, spent.Value, groups, limit);
        left = lowest - account ?? double.PositiveInfinity;

        samples.Clear();
        samples.Add(new(Today, [], account));
        if (lowest is { } usd)
            samples.Add(new(Limit, [], usd));
        samples.AddRange(speed.Select(group => new GaugeSample(Brake, [group.Key.Name], group.Value == group.Key.Interval ? 0 : 1)));
        return speed;
    }

    /// <summary>Those that there is money for, the important ones first; it is kept for them.</summary>
    public List<PlannedQuestion> Afford(List<PlannedQuestion> due, DateTimeOffset now)
    {
        var wanted = CloudWatchCost.Billed(due.Select(question => question.Query)) * AwsPrices.Metric;
        var usd = Budget.Take(source.Identity!.Scope, now, wanted);
        if (usd >= wanted)
            return due;
        var most = (int)(usd / AwsPrices.Metric);
        return
        [
            .. due.GroupBy(question => (object)question.Query.Metric, ReferenceEqualityComparer.Instance)
                .OrderByDescending(metric => metric.First().Metric.Group.Importance)
                .Take(most)
                .SelectMany(metric => metric),
        ];
    }

    public void Add(string group, double usd, LedgerBatch batch)
    {
        batch.Add(Cost, usd, group);
        pending += usd;
    }

    /// <summary>Commits the batch, together with what was spent.</summary>
    /// <exception cref="StateException">Nothing was stored.</exception>
    public void Commit(LedgerBatch batch)
    {
        var requests = source.Usage.Requests.ToDictionary();
        foreach (var (operation, count) in requests)
        {
            var since = count - counted.GetValueOrDefault(operation);
            batch.Add(Requests, since, operation.Service, operation.Operation);
            if (AwsPrices.Request(operation.Service, operation.Operation) is > 0 and var price)
            {
                batch.Add(Cost, since * price, operation.Operation);
                pending += (count - paid.GetValueOrDefault(operation)) * price;
                paid[operation] = count;
            }
        }

        var (usd, total) = (pending, (spent ?? 0) + pending);
        pending = 0;
        batch.SetValue(SpentKey, string.Create(CultureInfo.InvariantCulture, $"{today:yyyy-MM-dd} {total:R}"));
        // Spent it is, stored or not.
        spent += usd;
        batch.Commit();
        foreach (var (operation, count) in requests)
            counted[operation] = count;
    }

    /// <summary>All of the account's money of the day is spent: nothing may be asked any more that is billed.</summary>
    public bool IsExhausted => left <= 0;

    public IEnumerable<GaugeSample> Samples() => samples;

    private IEnumerable<(string Scope, DateOnly Day, double Spent)> StoredOfAccount()
    {
        foreach (var (scope, text) in ledger.Stored(SpentKey, $"aws/{source.AccountId}/"))
        {
            var (day, usd) = Read(text);
            yield return (scope, day, usd);
        }
    }

    private static (DateOnly Day, double Spent) Read(string? text) =>
        text?.Split(' ') is [var date, var usd] && DateOnly.TryParseExact(date, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day)
            && double.TryParse(usd, CultureInfo.InvariantCulture, out var known) && double.IsFinite(known)
            ? (day, known)
            : default;
}
