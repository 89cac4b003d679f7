using System.Globalization;
using System.Text;
using PipelineExporter.Sources.Airflow;

namespace PipelineExporter.Benchmarks;

/// <summary>
/// What a poll of a large Airflow costs: the simulator, which waits 50 ms with each answer, and the exporter, each as a process of its
/// own. 1,000 DAGs make some 100,000 task instances a day; 10,000 show how the cost grows.
/// </summary>
internal static class AirflowBenchmark
{
    private const string User = "exporter";
    private const string Password = "simulator-password";

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    /// <summary>Each poll reads the last two minutes again.</summary>
    private static readonly TimeSpan Overlap = TimeSpan.FromMinutes(2);

    /// <param name="program">A built pipeline-exporter; the Release build of this checkout unless given.</param>
    public static async Task<int> RunAsync(string? program)
    {
        var bin = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../.."));
        if (!Directory.Exists(Path.Combine(bin, "Simulator.Host")))
            bin = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../bin")); // published: artifacts/publish/Benchmarks/release_…
        program ??= Path.Combine(bin, "Exporter/release/pipeline-exporter");
        var native = !File.Exists(Path.ChangeExtension(program, null) + ".dll");
        Console.WriteLine($"{program}: {(native ? "Native AOT" : "JIT")}; collecting and publishing apart: "
            + (System.Runtime.CompilerServices.RuntimeFeature.IsDynamicCodeSupported ? "JIT" : "Native AOT"));
        var report = new Report();
        foreach (var dags in (int[])[1_000, 10_000])
        {
            await using var simulator = await AirflowProgram.StartAsync(
                Path.Combine(bin, "Simulator.Host/release/pipeline-simulator"),
                address => [$"--listen-address={address.Authority}", "--smtp-listen-address=", $"--dags={dags}"],
                "simulator/faults");
            using var latency = new StringContent("""{"source":"airflow","kind":"latency","latency":0.05}""", Encoding.UTF8, "application/json");
            (await simulator.Http.PostAsync(new Uri("simulator/faults", UriKind.Relative), latency)).EnsureSuccessStatusCode();
            foreach (var edition in (int[])[2, 3])
            {
                var folder = Directory.CreateTempSubdirectory("pipeline-exporter-benchmark-");
                try
                {
                    await MeasureAsync(report, program, native, simulator.Address, edition, dags, folder.FullName);
                }
                finally
                {
                    folder.Delete(recursive: true);
                }
            }
        }

        return report.ExitCode;
    }

    private static async Task MeasureAsync(Report report, string program, bool native, Uri simulator, int edition, int dags, string folder)
    {
        var isTarget = dags == 1_000;
        var name = $"{(edition == 2 ? "v1" : "v2")}, {dags} DAGs";
        var state = Path.Combine(folder, "state");
        await using var proxy = await AirflowProxy.StartAsync(simulator);
        var configuration = Path.Combine(folder, "exporter.yml");
        await File.WriteAllTextAsync(configuration, string.Create(CultureInfo.InvariantCulture, $$"""
            airflow:
              - environment: production
                url: {{new Uri(proxy.Address, $"airflow{edition}")}}
                auth: { {{(edition == 2 ? "basic" : "token")}}: { username: {{User}}, password_env: AIRFLOW_PASSWORD } }
                poll_interval: {{Interval.TotalSeconds}}s
                lookback: {{(isTarget ? "2h" : "15m")}} # in 2 h each DAG runs once, so that every series is there; 10,000 of them are too many for the simulator
                series_limit: {{(isTarget ? 200_000 : 10_000_000)}}
            """));
        await using (var exporter = await AirflowProgram.StartAsync(
            program, address => [$"--config.file={configuration}", $"--storage.path={state}", $"--web.listen-address={address.Authority}"],
            "-/ready", ("AIRFLOW_PASSWORD", Password)))
        {
            for (var scrape = 0; scrape < 2; scrape++)
            {
                await PageAsync(exporter);
                await Task.Delay(Interval, TimeProvider.System);
            }

            await MeasureAsync(report, name, exporter, proxy, isTarget ? 6 : 3, native, isTarget, edition);
        }

        if (!isTarget)
            return;
        var endpoint = new AirflowEndpoint(
            "production", new Uri(simulator, $"airflow{edition}"),
            edition == 2 ? new AirflowCredential.Basic(User, () => Password) : new AirflowCredential.Login(User, () => Password));
        var (collecting, publishing, _) = await AirflowParts.MeasureAsync(endpoint, state, Interval, polls: 3);
        report.Line($"{name}: CPU of a poll without publishing", collecting, "s", atMost: 0.3);
        report.Line($"{name}: CPU of publishing after a poll", publishing, "s");
    }

    private static async Task MeasureAsync(
        Report report, string name, AirflowProgram exporter, AirflowProxy proxy, int polls, bool native, bool isTarget, int edition)
    {
        proxy.Take();
        var (cpu, started) = (exporter.Cpu, TimeProvider.System.GetTimestamp());
        var first = await DurationsAsync(exporter);
        var fresh = new List<(string Collector, double Seconds)>(); // one that stands since the start tells of the first poll
        for (var poll = 0; poll < polls; poll++)
        {
            await Task.Delay(Interval, TimeProvider.System);
            fresh.AddRange((await DurationsAsync(exporter)).Except(first));
        }

        var wall = fresh.Where(one => !one.Collector.Contains("airflow_dags", StringComparison.Ordinal)).GroupBy(one => one.Collector, one => one.Seconds)
            .Sum(collector => collector.Order().ElementAt(collector.Count() / 2));
        var done = TimeProvider.System.GetElapsedTime(started) / Interval;
        var requests = proxy.Take();
        var (spent, asked) = (exporter.Cpu - cpu, requests.Where(request => !request.IsRefresh).ToList());
        var page = await PageAsync(exporter);
        if (Values(page, "pipeline_exporter_collector_success").Any(success => success.Value != 1))
            throw new InvalidOperationException($"{name}: a collector failed");
        var window = asked.Max(request => request.Window) ?? TimeSpan.Zero;
        report.Line($"{name}: time of a poll, median", wall, "s", atMost: isTarget ? 1 : null);
        report.Line($"{name}: time that Airflow takes of it, mean", asked.Sum(request => request.Took.TotalSeconds) / done, "s");
        report.Line($"{name}: requests a poll", asked.Count / done, "", atMost: isTarget && edition == 2 ? 10 : null);
        report.Line($"{name}: rows read a poll", asked.Sum(request => request.Rows) / done, "");
        report.Line($"{name}: how far back a poll asks", window.TotalSeconds, "s", atMost: isTarget ? (Overlap + (2 * Interval)).TotalSeconds : null);
        report.Line($"{name}: CPU of a poll with publishing and scrapes", spent.TotalSeconds / done, "s");
        report.Line($"{name}: series", Values(page, "pipeline_exporter_collector_series").Sum(value => value.Value), "");
        report.Line($"{name}: resident memory", Report.MemoryMiB("VmRSS", exporter.ProcessId), "MiB", atMost: isTarget ? native ? 150 : 250 : null);
        report.Line($"{name}: peak resident memory", Report.MemoryMiB("VmHWM", exporter.ProcessId), "MiB");
        foreach (var endpoint in requests.GroupBy(request => request.Endpoint).OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"    {endpoint.Key,-44} {endpoint.Count() / done,6:0.0} requests, {endpoint.Sum(request => request.Rows) / done,8:0} rows"));
        }
    }

    private static async Task<IReadOnlyList<(string Collector, double Seconds)>> DurationsAsync(AirflowProgram exporter) =>
        [.. Values(await PageAsync(exporter), "pipeline_exporter_collector_duration_seconds").Select(duration => (duration.Line[..duration.Line.IndexOf(' ')], duration.Value))];

    private static Task<string> PageAsync(AirflowProgram exporter) => exporter.Http.GetStringAsync(new Uri("metrics", UriKind.Relative));

    private static IEnumerable<(string Line, double Value)> Values(string page, string family) =>
        from line in page.Split('\n')
        where line.StartsWith(family + "{", StringComparison.Ordinal)
        select (line, double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));
}
