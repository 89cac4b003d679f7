using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Collectors;
using PipelineExporter.Collectors.Airflow;
using PipelineExporter.Metrics;
using PipelineExporter.Sources.Airflow;
using PipelineExporter.State;

namespace PipelineExporter.Tests.Collectors.Airflow;

/// <summary>The shipped collectors of one Airflow over a state directory, which may be killed and started again.</summary>
internal sealed class ReplayedExporter : IDisposable
{
    /// <remarks>In memory where the system has such a directory: hundreds of replays need no disk that outlives a power cut.</remarks>
    private readonly string directory = Directory.CreateDirectory(
        Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), "replay-" + Path.GetRandomFileName())).FullName;

    private static readonly AirflowCollection Defaults = new(
        new AirflowEndpoint("production", new Uri("http://127.0.0.1"), null), [], TimeSpan.FromSeconds(30), TimeSpan.FromHours(1));

    private readonly AirflowCollection settings;
    private Ledger ledger = null!;

    /// <param name="configure">Changes how the Airflow is watched.</param>
    public ReplayedExporter(Uri url, AirflowCredential? credential = null, Func<AirflowCollection, AirflowCollection>? configure = null)
    {
        settings = Defaults with { Endpoint = new AirflowEndpoint("production", url, credential ?? new AirflowCredential.Bearer(() => "a-token")) };
        settings = configure?.Invoke(settings) ?? settings;
        Start();
    }

    public static MetricDesc RunDurations { get; } = new RunMetrics(Defaults).Durations;

    public static TaskMetrics Tasks { get; } = new(Defaults);

    public static MetricDesc TaskDurations => Tasks.Durations;

    public FakeTimeProvider Time { get; } = new();

    public IReadOnlyList<ICollector> Collectors { get; private set; } = [];

    public void Restart()
    {
        ledger.Dispose();
        Start();
    }

    /// <summary>One collection of each collector, or of those named.</summary>
    public async Task PollAsync(DateTimeOffset now, params string[] names)
    {
        if (now > Time.GetUtcNow())
            Time.SetUtcNow(now);
        foreach (var collector in Collectors.Where(collector => names.Length == 0 || names.Contains(collector.Name)))
            Gauges[collector.Name] = Write(collector, (await collector.FetchAsync(default)).Write);
    }

    /// <summary>The gauges of the last collection of each collector.</summary>
    public Dictionary<string, SortedDictionary<string, double>> Gauges { get; } = [];

    /// <summary>What was counted: series with a value other than zero, labels joined by blanks.</summary>
    public SortedDictionary<string, double> Counted(MetricDesc metric) =>
        new(Series(metric).Where(series => series.Value[0] != 0).ToDictionary(series => string.Join(' ', series.Labels), series => series.Value[0]), StringComparer.Ordinal);

    public IReadOnlyList<(string[] Labels, double[] Value)> Series(MetricDesc metric) => ledger.For("airflow/production").Counted(metric);

    public void Dispose()
    {
        ledger.Dispose();
        Directory.Delete(directory, recursive: true);
    }

    private static SortedDictionary<string, double> Write(ICollector collector, Action<MetricSink> write)
    {
        var sink = new MetricSink(collector.Identity!.Labels, [.. collector.Metrics], 100_000, collector.Shown());
        write(sink);
        var samples = from family in sink.Families
                      from sample in family.Samples
                      select KeyValuePair.Create($"{family.Family.Name} {string.Join(' ', sample.Key)}".TrimEnd(), sample.Value[0]);
        return new(samples.ToDictionary(), StringComparer.Ordinal);
    }

    private void Start()
    {
        ledger = new Ledger(StateFile.Open(directory, Time, NullLogger.Instance), new ScrapeLog(), Time, LedgerOptions.Default);
        Collectors = AirflowCollectors.For(settings, new CollectorContext(ledger, Time, NullLoggerFactory.Instance, (_, _) => { }));
    }
}
