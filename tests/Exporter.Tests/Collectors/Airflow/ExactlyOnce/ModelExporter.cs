using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Collectors;
using PipelineExporter.Collectors.Airflow;
using PipelineExporter.Metrics;
using PipelineExporter.Sources.Airflow;
using PipelineExporter.State;

namespace PipelineExporter.Tests.Collectors.Airflow.ExactlyOnce;

/// <summary>The shipped collectors of runs and tasks of some environments over one state file, which may be killed at any time.</summary>
internal sealed class ModelExporter : IDisposable
{
    private readonly string root = Directory.CreateDirectory(
        Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), "exactly-" + Path.GetRandomFileName())).FullName;

    private readonly (string Name, ModelNetwork Network)[] environments;
    private readonly List<AirflowConnection> connections = [];
    private int lives;
    private Ledger ledger = null!;

    public ModelExporter(FakeTimeProvider time, params (string Name, ModelNetwork Network)[] environments)
    {
        (Time, this.environments) = (time, environments);
        Start();
    }

    public FakeTimeProvider Time { get; }

    public Dictionary<string, (ICollector Runs, ICollector Tasks)> Collectors { get; } = [];

    private string Folder => Path.Combine(root, $"{lives}");

    /// <summary>Ends the process in an orderly way and starts the next.</summary>
    public void Restart()
    {
        Stop();
        Start();
    }

    /// <summary>Starts the next process from the files as they are now, as if this one had been killed.</summary>
    public void Kill()
    {
        var (from, to) = (Folder, Path.Combine(root, $"{lives + 1}"));
        Directory.CreateDirectory(to);
        foreach (var file in Directory.EnumerateFiles(from, "state.db*"))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        Stop();
        lives++;
        Start();
    }

    /// <summary>What was counted of an environment, of every series that is not zero.</summary>
    public SortedDictionary<string, double> Counted(string environment)
    {
        var counted = new SortedDictionary<string, double>(StringComparer.Ordinal);
        foreach (var metric in (MetricDesc[])[TaskMetrics.Tries, TaskMetrics.Finished, TaskMetrics.Retries, ReplayedExporter.TaskDurations, RunMetrics.Finished, ReplayedExporter.RunDurations])
        {
            foreach (var (labels, value) in ledger.For($"airflow/{environment}").Counted(metric))
            {
                var series = string.Join(' ', labels);
                if (metric.Type == MetricType.Counter)
                    counted[$"{metric.Name} {series}"] = value[0];
                else
                    (counted[$"{metric.Name} count {series}"], counted[$"{metric.Name} sum {series}"]) = (value[..^1].Sum(), value[^1]);
            }
        }

        foreach (var zero in counted.Where(series => series.Value == 0).Select(series => series.Key).ToList())
            counted.Remove(zero);
        return counted;
    }

    public void Dispose()
    {
        Stop();
        Directory.Delete(root, recursive: true);
    }

    private void Start()
    {
        ledger = new Ledger(StateFile.Open(Folder, Time, NullLogger.Instance), new ScrapeLog(), Time, LedgerOptions.Default);
        var context = new CollectorContext(ledger, Time, NullLoggerFactory.Instance, (_, _) => { });
        foreach (var (name, network) in environments)
        {
            var endpoint = new AirflowEndpoint(name, new Uri("http://airflow.example"), new AirflowCredential.Bearer(() => "a-token"));
            var connection = new AirflowConnection(endpoint, Time, _ => { }, network: new Kept(network));
            connections.Add(connection);
            var environment = new AirflowEnvironment(connection, new AirflowCollection(endpoint, [], TimeSpan.FromSeconds(30), TimeSpan.FromHours(1)), context);
            Collectors[name] = (new AirflowRuns(environment), new AirflowTasks(environment));
        }
    }

    private void Stop()
    {
        connections.ForEach(connection => connection.Dispose());
        connections.Clear();
        ledger.Dispose();
    }

    /// <summary>The network outlives the connections.</summary>
    private sealed class Kept(ModelNetwork network) : HttpMessageHandler
    {
        private readonly HttpMessageInvoker invoker = new(network, disposeHandler: false);

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            invoker.SendAsync(request, cancellationToken);

        protected override void Dispose(bool disposing)
        {
            invoker.Dispose();
            base.Dispose(disposing);
        }
    }
}
