using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Collectors;
using PipelineExporter.Collectors.Aws;
using PipelineExporter.Metrics;
using PipelineExporter.Scraping;
using PipelineExporter.Sources.Aws;
using PipelineExporter.State;
using PipelineExporter.Tests.Scraping;

namespace PipelineExporter.Tests.Collectors.Aws;

/// <summary>A Glue, and an exporter's Glue collectors with a state file, which can be restarted as after a crash.</summary>
internal sealed class GlueRig : IDisposable
{
    // In memory where there is such a directory: commits wait for the disk.
    private readonly DirectoryInfo directory = Directory.Exists("/dev/shm")
        ? Directory.CreateDirectory($"/dev/shm/glue-jobs-{Guid.NewGuid():N}")
        : Directory.CreateTempSubdirectory("glue-jobs-");

    private readonly Func<string, bool> isSelected;
    private Ledger ledger = null!;
    private GlueJobCatalog catalog = null!;
    private AwsSource source = null!;

    public GlueRig(DateTimeOffset start, Func<string, bool>? isSelected = null)
    {
        this.isSelected = isSelected ?? (_ => true);
        Time = new(start);
        Glue = new(Time);
        Start();
    }

    public FakeTimeProvider Time { get; }

    public FakeGlue Glue { get; }

    public GlueJobs Jobs { get; private set; } = null!;

    /// <summary>The jobs that were told to report to CloudWatch after the last collection.</summary>
    public IReadOnlyCollection<string> Reporting { get; private set; } = [];

    /// <summary>By default as the exporter's: what follows from the baseline.</summary>
    public Func<string, TimeSpan?, TimeSpan?> Threshold { get; set; } = (_, fromBaseline) => fromBaseline;

    /// <summary>What a new process finds: the state file, and nothing remembered.</summary>
    public void Restart(Func<string, bool>? nowSelected = null)
    {
        Stop();
        Start(nowSelected);
    }

    public Task<GlueJobsSnapshot> PollAsync() => Jobs.CollectAsync(CancellationToken.None);

    /// <summary>Runs the collector once as the exporter does; gives what is published then.</summary>
    public async Task<string> PublishAsync(LogLines log)
    {
        var store = new SnapshotStore();
        await new CollectorRunner(Jobs, ledger, store, RunnerOptions.For(Jobs.Interval), Time, log).RunOnceAsync(CancellationToken.None);
        return store.Page.Text();
    }

    /// <summary>The counted value of a series, null when there is none; of a histogram its number of observations.</summary>
    public double? Counted(string metric, params string[] labels)
    {
        var family = Jobs.Metrics.Single(candidate => candidate.Name == metric);
        var (found, value) = ledger.For(source.Identity!.Scope).Counted(family).SingleOrDefault(series => series.Labels.SequenceEqual(labels));
        return found is null ? null : family.Type == MetricType.Histogram ? value[..^1].Sum() : value[0];
    }

    /// <summary>The sum of a histogram's observations.</summary>
    public double Sum(string metric, params string[] labels)
    {
        var family = Jobs.Metrics.Single(candidate => candidate.Name == metric);
        return ledger.For(source.Identity!.Scope).Counted(family).Single(series => series.Labels.SequenceEqual(labels)).Value[^1];
    }

    /// <summary>A text of the state file; null when there is none of this name.</summary>
    public string? Stored(string name) => ledger.For("aws/123456789012/eu-west-1").GetValue(name);

    /// <summary>What the state file and its companions hold, as text.</summary>
    public IEnumerable<string> StateFiles()
    {
        foreach (var file in directory.GetFiles("state.db*"))
        {
            using var reader = new StreamReader(file.Open(FileMode.Open, FileAccess.Read, FileShare.ReadWrite), System.Text.Encoding.Latin1);
            yield return reader.ReadToEnd();
        }
    }

    public static IReadOnlyDictionary<string, double> Written<T>(Collector<T> collector, T snapshot)
    {
        var sink = new MetricSink([], collector.Metrics, 1000);
        collector.Write(snapshot, sink);
        return sink.Families.SelectMany(family => family.Samples.Select(sample => ($"{family.Family.Name}{{{string.Join(',', sample.Key)}}}", sample.Value[0])))
            .ToDictionary(sample => sample.Item1, sample => sample.Item2);
    }

    public void Dispose()
    {
        Stop();
        Glue.Dispose();
        directory.Delete(recursive: true);
    }

    private void Start(Func<string, bool>? nowSelected = null)
    {
        ledger = new(StateFile.Open(directory.FullName, Time, NullLogger.Instance), new ScrapeLog(), Time, LedgerOptions.Default);
        source = Glue.Source();
        catalog = new(source, nowSelected ?? isSelected, Time);
        Jobs = new(source, catalog, ledger, Time, new(nowSelected ?? isSelected, Threshold, TimeSpan.FromMinutes(1))) { Reporting = jobs => Reporting = jobs };
    }

    private void Stop()
    {
        catalog.Dispose();
        ledger.Dispose();
    }
}
