using System.CommandLine;
using System.Globalization;
using Amazon.Runtime;
using Microsoft.Extensions.Logging.Abstractions;
using PipelineExporter.Collectors;
using PipelineExporter.Collectors.Airflow;
using PipelineExporter.Collectors.Aws;
using PipelineExporter.Collectors.Aws.CloudWatch;
using PipelineExporter.Configuration;
using PipelineExporter.State;

namespace PipelineExporter.Commands;

/// <summary><c>cost</c>: what the configured AWS sources will ask for a day and what AWS takes for it, and what other settings would.</summary>
internal static class Cost
{
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);
    private static readonly TimeSpan[] Alternatives = [TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(15)];

    public static Command Command()
    {
        var file = Flags.ConfigFile();
        var command = new Command("cost", "Tell what a day of the configured AWS sources costs, before it is spent: looks once at what there is to watch.") { file };
        command.SetAction((parsed, cancellationToken) =>
            RunAsync(ExporterConfiguration.Load(file.Of(parsed)!), null, parsed.InvocationConfiguration.Output, cancellationToken));
        return command;
    }

    /// <param name="keys">Instead of those that the SDK finds.</param>
    /// <returns>0, or 1 when a source could not be looked at.</returns>
    public static async Task<int> RunAsync(ExporterConfiguration configuration, AWSCredentials? keys, TextWriter output, CancellationToken cancellationToken)
    {
        // Nothing is counted here: what discovery would remember is thrown away.
        var folder = Directory.CreateTempSubdirectory("pipeline-exporter-cost-");
        try
        {
            using var ledger = new Ledger(
                StateFile.Open(folder.FullName, TimeProvider.System, NullLogger.Instance), new ScrapeLog(), TimeProvider.System, LedgerOptions.Default);
            var context = new CollectorContext(ledger, TimeProvider.System, NullLoggerFactory.Instance, static (_, _) => { });
            var workers = configuration.Airflow.Where(airflow => AirflowOnAws.Workers(airflow, keys) is not null).ToList();
            if (configuration.Aws.IsEmpty && workers.Count == 0)
                await output.WriteLineAsync("The configuration names no AWS source: nothing of it costs anything.");
            var estimates = new List<Estimate>();
            foreach (var (settings, collectors) in CollectorCatalog.AwsCollectorsOf(configuration, context, keys))
                estimates.Add(await Estimate.OfAsync(settings, collectors.OfType<IPlannedCollector>().ToList(), cancellationToken));
            foreach (var estimate in estimates)
                await TellAsync(estimate, [.. estimates.Where(other => other.Account == estimate.Account)], output);
            foreach (var airflow in workers)
                await output.WriteLineAsync($"airflow/{airflow.Environment}: CloudWatch is asked for two metrics of each cluster of its workers every minute, {Usd(AirflowWorkers.UsdPerDay)} USD a day and cluster; no max_usd_per_day holds them.");
            return estimates.TrueForAll(estimate => !estimate.Problems.Any()) ? 0 : 1;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <param name="account">Of the same account, this one included.</param>
    private static async Task TellAsync(Estimate estimate, IReadOnlyList<Estimate> account, TextWriter output)
    {
        var table = new List<string[]> { new[] { "collector", "asks", "every", "requests/day", "billed metrics/day", "USD/day" } };
        foreach (var (collector, plan) in estimate.Plans)
        {
            foreach (var planned in plan.Requests)
                table.Add([collector.Name, planned.Operation, Text(collector.Interval), Number(planned.ADay), "", planned.UsdADay > 0 ? Usd(planned.UsdADay) : "0"]);
        }

        var cloudWatch = estimate.CloudWatch;
        var groups = cloudWatch.Groups.Select(group => (Group: group, Queries: cloudWatch[group].Select(metric => metric.Query).ToList())).ToList();
        foreach (var (group, queries) in groups)
        {
            table.Add([
                "cloudwatch", $"{group.Name}: {CloudWatchCost.Billed(queries).ToString(CultureInfo.InvariantCulture)} metrics", Text(group.Interval), "",
                Number(CloudWatchCost.BilledPerDay(queries, group.Interval)), Usd(CloudWatchCost.UsdPerDay(queries, group.Interval))]);
        }

        table.Add(["total", "", "", "", "", Usd(estimate.Total)]);

        await output.WriteLineAsync($"aws/{estimate.Settings.Name}: a day by AWS's price list of 2026-09, if every metric has a datapoint whenever it is asked for; idle ones are asked for less often.");
        await WriteAsync(table, output);
        await output.WriteLineAsync("What other intervals would change, in USD a day:");
        await WriteAsync([.. groups.Select(one => Changes(one.Group, one.Queries))], output);
        await TellBrakeAsync(estimate, account, output);
        foreach (var problem in estimate.Problems)
            await output.WriteLineAsync(problem);
        await output.WriteLineAsync();
    }

    private static string[] Changes(CloudWatchGroup group, IReadOnlyList<CloudWatchQuery> queries)
    {
        var now = CloudWatchCost.UsdPerDay(queries, group.Interval);
        return
        [
            group.Setting, Text(group.Interval),
            .. Alternatives.Where(interval => interval != group.Interval && (interval > group.Interval || group.Interval <= Alternatives[^1]))
                .Select(interval => $"{Text(interval)}: {Signed(CloudWatchCost.UsdPerDay(queries, interval) - now)}"),
            $"never: {Signed(-now)}",
        ];
    }

    // The brake is of the account: the lowest limit holds for all of its regions, and their groups are slowed down in one order.
    private static async Task TellBrakeAsync(Estimate estimate, IReadOnlyList<Estimate> account, TextWriter output)
    {
        if (account.Min(one => one.Settings.MaxUsdPerDay) is not { } limit)
            return;
        var total = account.Sum(one => one.Total);
        var together = account.Count > 1 ? $"the {account.Count} regions of account {estimate.Account}, {Usd(total)} USD a day together" : null;
        if (total <= (double)limit)
        {
            await output.WriteLineAsync($"max_usd_per_day: {limit} is enough{(together is null ? "" : $" for {together}")}.");
            return;
        }

        var intervals = SpendBrake.Intervals(account.SelectMany(one => one.CloudWatch.Costs), (double)limit - account.Sum(one => one.Requests), Day);
        var slowed = estimate.CloudWatch.Groups
            .Where(group => intervals[group] != group.Interval)
            .Select(group => intervals[group] is { } interval ? $"{group.Name} every {interval.TotalMinutes.ToString("0", CultureInfo.InvariantCulture)}m" : $"{group.Name} not at all")
            .DefaultIfEmpty("no group of this region is slowed down");
        await output.WriteLineAsync($"max_usd_per_day: {limit} is exceeded{(together is null ? "" : $" by {together}")}: {string.Join(", ", slowed)}.");
    }

    private static async Task WriteAsync(IReadOnlyList<string[]> rows, TextWriter output)
    {
        for (var i = 0; i < rows.Count; i++)
        {
            var cells = rows[i].Select((cell, column) => cell.PadRight(rows.Where(row => row.Length > column).Max(row => row[column].Length)));
            await output.WriteLineAsync($"  {string.Join("  ", cells)}".TrimEnd());
        }
    }

    private static string Text(TimeSpan interval) => interval switch
    {
        { TotalDays: >= 1 } => $"{interval.TotalDays.ToString("0.#", CultureInfo.InvariantCulture)}d",
        { TotalHours: >= 1 } => $"{interval.TotalHours.ToString("0.#", CultureInfo.InvariantCulture)}h",
        { TotalMinutes: >= 1 } => $"{interval.TotalMinutes.ToString("0.#", CultureInfo.InvariantCulture)}m",
        _ => $"{interval.TotalSeconds.ToString("0", CultureInfo.InvariantCulture)}s",
    };

    private static string Number(double number) => number.ToString("#,##0", CultureInfo.InvariantCulture);

    private static string Usd(double usd) => usd.ToString(usd < 0.995 ? "0.####" : "#,##0.00", CultureInfo.InvariantCulture);

    private static string Signed(double usd) => (usd < 0 ? "-" : "+") + Usd(Math.Abs(usd));

    /// <summary>What a source will ask for.</summary>
    /// <param name="Account">Of one that could not be found out, a name that no other has.</param>
    private sealed record Estimate(AwsSettings Settings, string Account, CloudWatchPlan CloudWatch, IReadOnlyList<(IPlannedCollector Collector, CollectorPlan Plan)> Plans)
    {
        /// <summary>US dollars a day for requests.</summary>
        public double Requests => Plans.Sum(one => one.Plan.Requests.Sum(planned => planned.UsdADay));

        public double Total => Requests + CloudWatch.Costs.Sum(cost => cost.UsdPerDay);

        public IEnumerable<string> Problems =>
            Plans.Where(one => one.Plan.Problem is not null).Select(one => $"{one.Collector.Name} could not be looked at: {one.Plan.Problem}");

        public static async Task<Estimate> OfAsync(AwsSettings settings, IReadOnlyList<IPlannedCollector> collectors, CancellationToken cancellationToken)
        {
            var plans = new List<(IPlannedCollector, CollectorPlan)>();
            foreach (var collector in collectors)
                plans.Add((collector, await CollectorPlan.OfAsync(collector, cancellationToken)));
            var account = collectors[0].Identity?.Labels.First(label => label.Key == "account_id").Value ?? $"of aws/{settings.Name}";
            return new(settings, account, collectors.OfType<CloudWatchCollector>().Single().Plan, plans);
        }
    }
}
