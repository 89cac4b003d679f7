using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using PipelineExporter.Simulator;
using PipelineExporter.Stack.Tests.Tools;

namespace PipelineExporter.Stack.Tests.BadInput;

/// <summary>
/// One run of the exporter's program in which each source but three misbehaves in its own way for a while, all at once: for each
/// <see cref="GateMode"/> an Airflow 2, an Airflow 3 and an AWS. What was seen is kept for the tests.
/// </summary>
public sealed class Outages : IAsyncLifetime
{
    /// <summary>Longer than any source needs to come back: the wait between attempts doubles while a source fails.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(240);

    // On a busy machine its first collection may take too long, and the next attempt is two minutes away.
    private const string RarelyPolled = "airflow_dags";

    private readonly TemporaryDirectory directory = new();
    private readonly Dictionary<string, Gate> gates = [];
    private readonly HttpClient http = new();
    private SimulatorHost? simulator;
    private ExporterProcess? exporter;

    // A slow machine has to get through a poll of 27 sources within the interval, or there is never a moment when all is well.
    internal static readonly TimeSpan StaleAfter = TimeSpan.FromSeconds(12);

    internal static IEnumerable<GateMode> Faults => Enum.GetValues<GateMode>().Where(mode => mode != GateMode.Open);

    /// <summary>As label <c>source</c> has them: "airflow/silent-2", "airflow/silent-3", "aws/silent".</summary>
    internal static IEnumerable<string> SourcesOf(GateMode mode) => [$"airflow/{Name(mode)}-2", $"airflow/{Name(mode)}-3", $"aws/{Name(mode)}"];

    internal static string Name(GateMode mode) => JsonNamingPolicy.KebabCaseLower.ConvertName(mode.ToString());

    /// <summary>When all was well for the last time, and nothing had just ended.</summary>
    internal MetricsPage Before { get; private set; } = null!;

    internal DateTimeOffset FaultsBegan { get; private set; }

    internal DateTimeOffset FaultsEnded { get; private set; }

    /// <summary>From the first fault until every source was well again, two a second.</summary>
    internal List<MetricsPage> Pages { get; } = [];

    internal IEnumerable<MetricsPage> Faulty => Pages.Where(page => page.At < FaultsEnded);

    /// <summary>What was logged since the first fault: at the start, when all sources come at once, one may well be late.</summary>
    internal IReadOnlyList<string> Log { get; private set; } = [];

    internal string StatusPageWhileFaulty { get; private set; } = "";

    /// <summary>What a perfect exporter would have counted between <see cref="Before"/> and the last page, by series.</summary>
    internal Dictionary<int, Counts> Truth { get; } = [];

    public async ValueTask InitializeAsync()
    {
        simulator = await SimulatorHost.StartAsync(
            new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, TestContext.Current.CancellationToken);
        foreach (var source in Enum.GetValues<GateMode>().SelectMany(SourcesOf))
            gates.Add(source, new Gate(simulator.Address, source.StartsWith("aws/", StringComparison.Ordinal)));
        await File.WriteAllTextAsync(directory.File("exporter.yml"), Configuration());
        exporter = await ExporterProcess.StartAsync(directory, ExporterProcess.SimulatorSecrets);

        await BeQuietAsync();
        FaultsBegan = TimeProvider.System.GetUtcNow();
        Set(faulty: true);
        await PostAsync("simulator/incidents", new { name = "dag_failure" });
        await WatchAsync(async page =>
            page.At > FaultsBegan + StaleAfter + TimeSpan.FromSeconds(14)
            && (await CountsAsync(2, FaultsBegan, page.At)).Runs.Keys.Any(key => key.EndsWith("failed", StringComparison.Ordinal)));
        StatusPageWhileFaulty = await exporter.PageAsync("");

        FaultsEnded = TimeProvider.System.GetUtcNow();
        Set(faulty: false);
        // What ends while the page is asked for may or may not be on it: then the next one tells.
        await WatchAsync(async page => Sources.SelectMany(source => Success(page, source)).All(one => one.Value == 1) && await AgreesAsync(page));
        Log = [.. exporter.Log.Where(line => At(line) >= FaultsBegan)];
    }

    public async ValueTask DisposeAsync()
    {
        if (exporter is not null)
            await exporter.DisposeAsync();
        foreach (var gate in gates.Values)
            await gate.DisposeAsync();
        if (simulator is not null)
            await simulator.DisposeAsync();
        http.Dispose();
        directory.Dispose();
    }

    internal IEnumerable<string> Sources => gates.Keys;

    /// <summary>The label by which a source's samples are known. Each AWS source has an account of its own.</summary>
    internal static (string Label, string Value) LabelOf(string source) => source.Split('/') is ["aws", var name]
        ? ("account_id", $"{100000000000 + (int)Enum.GetValues<GateMode>().Single(mode => Name(mode) == name)}")
        : ("environment", source["airflow/".Length..]);

    /// <summary>
    /// Whether each collector succeeded. Without those that ask so seldom that they may not notice an outage: of DAGs every five
    /// minutes, of CloudWatch's lists every quarter of an hour, and of its metrics, which these sources do without, never.
    /// </summary>
    internal static IEnumerable<KeyValuePair<string, double>> Success(MetricsPage page, string source) =>
        page.Of("pipeline_exporter_collector_success", ("source", source))
            .Select(sample => KeyValuePair.Create(sample.Labels["collector"], sample.Value)).Where(one => one.Key is not ("airflow_dags" or "airflow_import_errors" or "cloudwatch_discovery" or "cloudwatch"));

    private static DateTimeOffset At(string line) => DateTimeOffset.Parse(line["ts=".Length..line.IndexOf(' ', StringComparison.Ordinal)], CultureInfo.InvariantCulture);

    /// <summary>What a source's counters say more than before the faults.</summary>
    internal Counts Counted(MetricsPage page, string source) =>
        Counts.Of(page, LabelOf(source)).Minus(Counts.Of(Before, LabelOf(source)));

    internal Counts TruthOf(string source) => source.StartsWith("aws/", StringComparison.Ordinal)
        ? Truth[3] with { Runs = [], Tries = [], Finished = [], Retries = [] }
        : Truth[source[^1] - '0'] with { Glue = [] };

    private string Configuration() => $$"""
        airflow:
        {{string.Concat(Sources.Where(source => source.StartsWith("airflow/", StringComparison.Ordinal)).Select(source => $$"""
              - environment: {{source["airflow/".Length..]}}
                url: {{gates[source].Address}}airflow{{source[^1]}}
                auth: { {{(source[^1] == '2' ? "basic" : "token")}}: { username: exporter, password_env: AIRFLOW_PASSWORD } }
                poll_interval: 4s
                timeout: 2s
                stale_after: {{StaleAfter.TotalSeconds}}s
                lookback: 0s

            """))}}
        aws:
        {{string.Concat(Sources.Where(source => source.StartsWith("aws/", StringComparison.Ordinal)).Select(source => $$"""
              - name: {{source["aws/".Length..]}}
                region: eu-west-1
                account_id: "{{LabelOf(source).Value}}"
                endpoint_url: {{gates[source].Address}}
                poll_interval: 4s
                timeout: 2s
                stale_after: {{StaleAfter.TotalSeconds}}s
                glue: { metrics_interval: never }

            """))}}
        state: { zero_hold: 1s }
        """;

    private void Set(bool faulty)
    {
        foreach (var mode in Faults)
        {
            foreach (var source in SourcesOf(mode))
                gates[source].Become(faulty ? mode : GateMode.Open);
        }
    }

    // Until the counters hold all that has ended. Nothing did in the last seconds, so that what comes can be told from it; and since
    // a slow machine may be further behind than that, what was counted since an earlier such moment is what has ended since.
    private async Task BeQuietAsync()
    {
        var started = TimeProvider.System.GetUtcNow();
        var earlier = new List<MetricsPage>();
        while (true)
        {
            var page = await exporter!.ScrapeAsync();
            var isQuiet = page.At - started > TimeSpan.FromSeconds(5)
                && page.Of("pipeline_exporter_collector_success").All(sample => sample.Value == 1 || sample.Labels["collector"] == RarelyPolled)
                && await CountsAsync(2, page.At - TimeSpan.FromSeconds(8), page.At) == new Counts([], [], [], [], []);
            foreach (var before in earlier.Where(before => isQuiet && page.At - before.At > TimeSpan.FromSeconds(15)))
            {
                Before = before;
                if (!await AgreesAsync(page))
                    continue;
                Before = page;
                return;
            }

            if (isQuiet)
                earlier.Add(page);
            if (page.At - started > Patience)
                Assert.Fail($"No quiet moment within {Patience}.\n{string.Join('\n', exporter.Log)}");
            await Task.Delay(TimeSpan.FromMilliseconds(500));
        }
    }

    /// <summary>Whether each source has counted since <see cref="Before"/> what has ended since.</summary>
    private async Task<bool> AgreesAsync(MetricsPage page)
    {
        foreach (var version in (int[])[2, 3])
            Truth[version] = await CountsAsync(version, Before.At, page.At);
        return Sources.All(source => Counted(page, source) == TruthOf(source));
    }

    private async Task WatchAsync(Func<MetricsPage, Task<bool>> isEnough)
    {
        var started = TimeProvider.System.GetUtcNow();
        while (true)
        {
            var page = await exporter!.ScrapeAsync();
            Pages.Add(page);
            if (await isEnough(page) || page.At - started > Patience) // The tests tell what is missing.
                return;
            await Task.Delay(TimeSpan.FromMilliseconds(500));
        }
    }

    private async Task<Counts> CountsAsync(int airflow, DateTimeOffset from, DateTimeOffset to)
    {
        static string Utc(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.ffffffZ", CultureInfo.InvariantCulture);
        var truth = await http.GetFromJsonAsync<JsonElement>(
            new Uri(simulator!.Address, $"simulator/truth?from={Utc(from)}&to={Utc(to)}&airflow={airflow}"));
        return Counts.Of(truth);
    }

    private async Task PostAsync(string path, object body) =>
        (await http.PostAsync(new Uri(simulator!.Address, path), JsonContent.Create(body))).EnsureSuccessStatusCode();
}
