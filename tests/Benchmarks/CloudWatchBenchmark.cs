using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace PipelineExporter.Benchmarks;

/// <summary>
/// What collecting CloudWatch costs: the simulator, which waits 50 ms with each answer, and the exporter, each as a process of its
/// own; 1,250 tables of eight metrics and what that grows to, and 1,000 buckets of two daily metrics.
/// </summary>
internal static partial class CloudWatchBenchmark
{
    private const int MetricsOfTable = 8;

    // The simulator compiles its code during the first of them: the others are told of.
    private const int WarmUps = 2;
    private const int FirstStarts = 3;

    // What is due of a minute comes before or after its end: of few minutes, one more or less would be told.
    private const int LaterMinutes = 5;

    // Each collection is seen (they are 15 s apart), and reading the page takes little from what is measured beside it.
    private static readonly TimeSpan ScrapeInterval = TimeSpan.FromSeconds(5);

    private static readonly (string Name, string Value)[] Keys = [("AWS_ACCESS_KEY_ID", "SIMULATOR"), ("AWS_SECRET_ACCESS_KEY", "simulator-secret")];

    // The libraries' precompiled code takes a fifth longer than code that is compiled for the machine.
    private static readonly (string Name, string Value) FasterCode = ("DOTNET_ReadyToRun", "0");

    /// <param name="program">A built pipeline-exporter; the Release build of this checkout unless given.</param>
    /// <param name="part">Only what this names: tables, or so many of them, interval or buckets; the last two count and can share the machine.</param>
    public static async Task<int> RunAsync(string? program, string? part)
    {
        var bin = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../.."));
        program ??= Path.Combine(bin, "Exporter/release/pipeline-exporter");
        var native = !File.Exists(Path.ChangeExtension(program, null) + ".dll");
        var simulator = Path.Combine(bin, "Simulator.Host/release/pipeline-simulator");
        Console.WriteLine($"{program}: {(native ? "Native AOT" : "JIT")}");
        var report = new Report();
        int[] sizes = int.TryParse(part, CultureInfo.InvariantCulture, out var only) ? [only] : part is null or "tables" ? [125, 1_250, 6_250] : [];
        foreach (var tables in sizes)
        {
            // Against which it is measured: others at 10,000 and 50,000 series.
            (double? First, double? Cpu, double? Memory, double? Later)? targets = tables switch
            {
                1_250 when native => (0.6, 0.3, 60, 0.3),
                6_250 when native => (5, 1.3, 120, 2.5),
                _ => null,
            };
            await TablesAsync(report, program, simulator, tables, targets);
        }

        if (sizes.Length > 1)
            report.Table([.. sizes.Select(Series)]);
        if (part is null or "interval")
            await EveryFiveMinutesAsync(report, program, simulator);
        if (part is null or "buckets")
            await BucketsAsync(report, program, simulator);
        return report.ExitCode;
    }

    private static async Task TablesAsync(
        Report report, string program, string simulator, int tables, (double? First, double? Cpu, double? Memory, double? Later)? targets)
    {
        var name = Series(tables);
        await using var run = await RunningAsync(program, simulator, [$"--tables={tables}"], "load_table_*", """
              dynamodb: { tables: ["load_table_*"], poll_interval: 1d }
            """);
        // Sums are counted from the start on, so that the first collection has nothing to ask of them.
        var starts = new List<FirstCollection>();
        for (var start = 0; start < WarmUps + FirstStarts; start++)
        {
            if (start > 0)
                await run.StartAnewAsync();
            starts.Add(await FirstCollectionAsync(run.Exporter, billed: 0));
        }

        Tell(report, $"{name}: first start", starts[WarmUps..], targets);

        // Later collections: all that is due of a minute at once.
        await Task.Delay(TimeSpan.FromMinutes(2), TimeProvider.System);
        var exporter = run.Exporter;
        var (cpu, durations) = (exporter.Cpu, new List<double>());
        var (requests, billed) = (await AnsweredAsync(exporter, "GetMetricData"), await BilledAsync(exporter));
        var scrapesAMinute = (int)(TimeSpan.FromMinutes(1) / ScrapeInterval);
        using var timer = new PeriodicTimer(ScrapeInterval);
        for (var scrape = 0; scrape < LaterMinutes * scrapesAMinute; scrape++)
        {
            await timer.WaitForNextTickAsync();
            durations.Add(Duration(await PageAsync(exporter), "cloudwatch"));
        }

        // The collection of each minute that asked for most: those between have little to do.
        var longest = durations.Chunk(scrapesAMinute).Select(minute => minute.Max()).Order().ToList();
        report.Line($"{name}: a later collection, median of five minutes", longest[longest.Count / 2], "s", atMost: targets?.Later);
        report.Line($"{name}: the slowest of them", longest[^1], "s");
        report.Line($"{name}: requests for data a minute", (await AnsweredAsync(exporter, "GetMetricData") - requests) / LaterMinutes, "");
        report.Line($"{name}: metrics billed a minute", (await BilledAsync(exporter) - billed) / LaterMinutes, "", atMost: tables * MetricsOfTable * 1.05);
        report.Line($"{name}: CPU a minute, publishing and a scrape every five seconds included", (exporter.Cpu - cpu).TotalSeconds / LaterMinutes, "s");
        report.Line($"{name}: resident memory", Report.MemoryMiB("VmRSS", exporter.ProcessId), "MiB");
        report.Line($"{name}: its peak", Report.MemoryMiB("VmHWM", exporter.ProcessId), "MiB", atMost: targets?.Memory);

        // With a state file every metric is asked for at once, of all that was missed.
        billed = await BilledAsync(exporter);
        await run.RestartAsync(after: TimeSpan.FromMinutes(2));
        Tell(report, $"{name}: restart", [await FirstCollectionAsync(run.Exporter, billed + (tables * MetricsOfTable))], targets);
    }

    private static string Series(int tables) => $"{tables * MetricsOfTable} series";

    private static async Task<FirstCollection> FirstCollectionAsync(AirflowProgram exporter, double billed)
    {
        var page = await UntilAsync(exporter, page => Duration(page, "cloudwatch") > 0);
        var (cpu, memory) = (exporter.Cpu, Report.MemoryMiB("VmHWM", exporter.ProcessId));
        // Both collectors of CloudWatch: the one that lists, and the one that asks as soon as it knows what for.
        var seconds = Math.Max(Duration(page, "cloudwatch_discovery"), Duration(page, "cloudwatch"));
        // Counters move once they have been seen at what they were before.
        await UntilAsync(exporter, page => BilledOn(page) > 0 && BilledOn(page) >= billed);
        return new(seconds, cpu.TotalSeconds, memory);
    }

    private static void Tell(
        Report report, string name, List<FirstCollection> starts, (double? First, double? Cpu, double? Memory, double? Later)? targets)
    {
        double Median(Func<FirstCollection, double> figure) => starts.Select(figure).Order().ElementAt(starts.Count / 2);
        report.Line($"{name}: first collection, discovery included", Median(start => start.Seconds), "s", atMost: targets?.First);
        report.Line($"{name}: CPU until then, the start of the process included", Median(start => start.Cpu), "s", atMost: targets?.Cpu);
        report.Line($"{name}: peak resident memory, the largest", starts.Max(start => start.MiB), "MiB", atMost: targets?.Memory);
    }

    private static async Task EveryFiveMinutesAsync(Report report, string program, string simulator)
    {
        const int tables = 1_250;
        var name = $"{tables * MetricsOfTable} series every 5 minutes";
        await using var run = await RunningAsync(program, simulator, [$"--tables={tables}"], "load_table_*", """
              dynamodb: { tables: ["load_table_*"], poll_interval: 1d, capacity_interval: 5m, throttles_interval: 5m, operations_interval: 5m }
            """);
        // Sums are asked for from the first five minutes on.
        await ScrapeAsync(run.Exporter, minutes: 10);
        var billed = await BilledAsync(run.Exporter);
        await ScrapeAsync(run.Exporter, minutes: 15);
        report.Line($"{name}: metrics billed a minute", (await BilledAsync(run.Exporter) - billed) / 15, "", atMost: tables * MetricsOfTable / 5 * 1.05);
    }

    private static async Task ScrapeAsync(AirflowProgram exporter, int minutes)
    {
        for (var i = 0; i < minutes * 4; i++)
        {
            await Task.Delay(TimeSpan.FromSeconds(15), TimeProvider.System);
            await PageAsync(exporter);
        }
    }

    private static async Task BucketsAsync(Report report, string program, string simulator)
    {
        const int buckets = 1_000;
        await using var run = await RunningAsync(program, simulator, [$"--buckets={buckets}"], "load-bucket-*", """
              s3: { buckets: ["load-bucket-*"], poll_interval: 1d, requests_interval: never }
            """);
        await UntilAsync(run.Exporter, page => BilledOn(page) >= buckets * 2);
        report.Line($"{buckets} buckets: metrics billed at the start", await BilledAsync(run.Exporter), "", atMost: buckets * 2);
        await ScrapeAsync(run.Exporter, minutes: 5);
        report.Line($"{buckets} buckets: metrics billed 5 minutes later", await BilledAsync(run.Exporter), "", atMost: buckets * 2);
        report.Line($"{buckets} buckets: metrics billed a day, by the command cost", await PlannedAsync(program, run.Configuration), "", atMost: 4_000);
    }

    /// <summary>What the exporter's command "cost" says that a day will bill.</summary>
    private static async Task<double> PlannedAsync(string program, string configuration)
    {
        var start = new ProcessStartInfo(program, ["cost", $"--config.file={configuration}"]) { UseShellExecute = false, RedirectStandardOutput = true };
        foreach (var (name, value) in Keys)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var text = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"cost ended with code {process.ExitCode}: {text}");
        return BilledADay.Matches(text).Sum(match => double.Parse(match.Groups["billed"].Value, NumberStyles.AllowThousands, CultureInfo.InvariantCulture));
    }

    [GeneratedRegex(@"^ *cloudwatch +\w+: \d+ metrics +\w+ +(?<billed>[\d,]+) ", RegexOptions.Multiline, matchTimeoutMilliseconds: 1000)]
    private static partial Regex BilledADay { get; }

    private static async Task<Run> RunningAsync(string program, string simulator, string[] load, string selected, string keys)
    {
        var folder = Directory.CreateTempSubdirectory("pipeline-exporter-benchmark-");
        var aws = await AirflowProgram.StartAsync(
            simulator, address => [$"--listen-address={address.Authority}", "--smtp-listen-address=", .. load], "simulator/faults", FasterCode);
        using var latency = new StringContent("""{"source":"*","kind":"latency","latency":0.05}""", Encoding.UTF8, "application/json");
        (await aws.Http.PostAsync(new Uri("simulator/faults", UriKind.Relative), latency)).EnsureSuccessStatusCode();
        var configuration = Path.Combine(folder.FullName, "exporter.yml");
        await File.WriteAllTextAsync(configuration, $"""
            aws:
              - region: eu-west-1
                account_id: "123456789012"
                endpoint_url: {aws.Address}
                series_limit: 1000000
            {keys.Replace("\n", "\n  ", StringComparison.Ordinal).Insert(0, "  ")}
            state: {"{ zero_hold: 0s }"}
            """);
        Console.WriteLine($"{selected}: {string.Join(' ', load)}");
        var run = new Run(program, aws, folder, configuration);
        await run.RestartAsync();
        return run;
    }

    private static async Task<string> UntilAsync(AirflowProgram exporter, Func<string, bool> isThere)
    {
        for (var i = 0; i < 1200; i++)
        {
            var page = await PageAsync(exporter);
            if (isThere(page))
                return page;
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
        }

        throw new TimeoutException("what was waited for did not come about within a minute");
    }

    private static async Task<double> AnsweredAsync(AirflowProgram exporter, string operation = "")
    {
        var page = await PageAsync(exporter);
        return page.Split('\n')
            .Where(line => line.StartsWith("pipeline_exporter_source_requests_total{", StringComparison.Ordinal) && operation.Length == 0
                || operation.Length > 0 && line.StartsWith("pipeline_exporter_aws_requests_total{", StringComparison.Ordinal) && line.Contains($"\"{operation}\"", StringComparison.Ordinal))
            .Sum(Value);
    }

    private static async Task<double> BilledAsync(AirflowProgram exporter) => BilledOn(await PageAsync(exporter));

    private static double BilledOn(string page) => Sum(page, "pipeline_exporter_cloudwatch_billed_metrics_total");

    private static Task<string> PageAsync(AirflowProgram exporter) => exporter.Http.GetStringAsync(new Uri("metrics", UriKind.Relative));

    private static double Duration(string page, string collector) => page.Split('\n')
        .Where(line => line.StartsWith($"pipeline_exporter_collector_duration_seconds{{collector=\"{collector}\",", StringComparison.Ordinal)).Sum(Value);

    private static double Sum(string page, string family) => page.Split('\n').Where(line => line.StartsWith(family + "{", StringComparison.Ordinal)).Sum(Value);

    private static double Value(string line) => double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture);

    /// <param name="Seconds">Of the longer of both collectors.</param>
    /// <param name="Cpu">Of the process from its start on, in seconds.</param>
    /// <param name="MiB">Resident, at the most.</param>
    private sealed record FirstCollection(double Seconds, double Cpu, double MiB);

    private sealed class Run(string program, AirflowProgram aws, DirectoryInfo folder, string configuration) : IAsyncDisposable
    {
        private AirflowProgram? exporter;

        public AirflowProgram Exporter => exporter!;

        public string Configuration => configuration;

        private string State => Path.Combine(folder.FullName, "state");

        /// <summary>As after the installation: with nothing in the state file.</summary>
        public async Task StartAnewAsync()
        {
            await StopAsync();
            Directory.Delete(State, recursive: true);
            await RestartAsync();
        }

        public async Task RestartAsync(TimeSpan after = default)
        {
            await StopAsync();
            await Task.Delay(after, TimeProvider.System);
            exporter = await AirflowProgram.StartAsync(
                program,
                address => [$"--config.file={configuration}", $"--storage.path={State}", $"--web.listen-address={address.Authority}"],
                "-/healthy", Keys);
        }

        public async ValueTask DisposeAsync()
        {
            await StopAsync();
            await aws.DisposeAsync();
            folder.Delete(recursive: true);
        }

        private async Task StopAsync()
        {
            if (exporter is not null)
                await exporter.DisposeAsync();
            exporter = null;
        }
    }
}
