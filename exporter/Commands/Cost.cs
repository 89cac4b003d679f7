using System.CommandLine;
using System.Globalization;
using Amazon.Runtime;
using Microsoft.Extensions.Logging.Abstractions;
using PipelineExporter.Collectors;
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
            if (configuration.Aws.IsEmpty)
                await output.WriteLineAsync("The configuration names no AWS source: nothing of it costs anything.");
            var failed = false;
            foreach (var (settings, collectors) in CollectorCatalog.AwsCollectorsOf(configuration, context, keys))
                failed |= !await TellAsync(settings, collectors.OfType<IPlannedCollector>().ToList(), output, cancellationToken);
            return failed ? 1 : 0;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<bool> TellAsync(
        AwsSettings settings, IReadOnlyList<IPlannedCollector> collectors, TextWriter output, CancellationToken cancellationToken)
    {
        var table = new List<string[]> { new[] { "collector", "asks", "every", "requests/day", "billed metrics/day", "USD/day" } };
        var problems = new List<string>();
        var other = 0.0;
        foreach (var collector in collectors)
        {
            var plan = await CollectorPlan.OfAsync(collector, cancellationToken);
            if (plan.Problem is { } problem)
                problems.Add($"{collector.Name} could not be looked at: {problem}");
            foreach (var planned in plan.Requests)
            {
                other += planned.UsdADay;
                table.Add([collector.Name, planned.Operation, Text(collector.Interval), Number(planned.ADay), "", planned.UsdADay > 0 ? Usd(planned.UsdADay) : "0"]);
            }
        }

        var cloudWatch = collectors.OfType<CloudWatchCollector>().Single().Plan;
        var groups = cloudWatch.Groups.Select(group => (Group: group, Queries: cloudWatch[group].Select(metric => metric.Query).ToList())).ToList();
        foreach (var (group, queries) in groups)
        {
            table.Add([
                "cloudwatch", $"{group.Name}: {CloudWatchCost.Billed(queries).ToString(CultureInfo.InvariantCulture)} metrics", Text(group.Interval), "",
                Number(CloudWatchCost.BilledPerDay(queries, group.Interval)), Usd(CloudWatchCost.UsdPerDay(queries, group.Interval))]);
        }

        var total = other + cloudWatch.Costs.Sum(cost => cost.UsdPerDay);
        table.Add(["total", "", "", "", "", Usd(total)]);

        await output.WriteLineAsync($"aws/{settings.Name}: a day by AWS's price list of 2026-09, if every metric has a datapoint whenever it is asked for; idle ones are asked for less often.");
        await WriteAsync(table, output);
        await output.WriteLineAsync("What other intervals would change, in USD a day:");
        await WriteAsync([.. groups.Select(one => Changes(one.Group, one.Queries))], output);
        await TellBrakeAsync(settings, cloudWatch, total, other, output);
        foreach (var problem in problems)
            await output.WriteLineAsync(problem);
        await output.WriteLineAsync();
        return problems.Count == 0;
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

    private static async Task TellBrakeAsync(AwsSettings settings, CloudWatchPlan plan, double total, double other, TextWriter output)
    {
        if (settings.MaxUsdPerDay is not { } limit)
            return;
        if (total <= (double)limit)
        {
            await output.WriteLineAsync($"max_usd_per_day: {limit} is enough.");
            return;
        }

        var slowed = SpendBrake.Intervals(plan.Costs, (double)limit - other, Day)
            .Where(group => group.Value != group.Key.Interval)
            .Select(group => group.Value is { } interval ? $"{group.Key.Name} every {interval.TotalMinutes.ToString("0", CultureInfo.InvariantCulture)}m" : $"{group.Key.Name} not at all");
        await output.WriteLineAsync($"max_usd_per_day: {limit} is exceeded: {string.Join(", ", slowed)}.");
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
}
