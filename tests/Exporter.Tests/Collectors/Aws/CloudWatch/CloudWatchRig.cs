using System.Collections.Immutable;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Collectors;
using PipelineExporter.Collectors.Aws.CloudWatch;
using PipelineExporter.Metrics;
using PipelineExporter.Sources.Aws;
using PipelineExporter.State;

namespace PipelineExporter.Tests.Collectors.Aws.CloudWatch;

/// <summary>A group of metrics that a test makes up: counters and a gauge of tables.</summary>
internal sealed class FakeGroup(TimeSpan interval) : CloudWatchGroup(interval)
{
    public static readonly MetricDesc Requests = MetricDesc.Counter("test_requests_total", "Requests.", "table", "operation");
    public static readonly MetricDesc RequestsLately = MetricDesc.Gauge("test_requests_last_5m", "Requests of five minutes.", "table");
    public static readonly MetricDesc Reads = MetricDesc.Counter("test_reads_total", "Reads, of which no window tells.", "table");
    public static readonly MetricDesc Latency = MetricDesc.Gauge("test_latency_seconds", "Latency.", "table");
    public static readonly MetricDesc Size = MetricDesc.Gauge("test_size_bytes", "Size, once a day.", "table");
    public static readonly MetricDesc At = MetricDesc.Gauge("test_timestamp_seconds", "Age.", "table");

    public override string Name => "test";

    public override string Setting => "test.interval";

    public override CloudWatchImportance Importance { get; } = CloudWatchImportance.Alerts;

    public override IReadOnlyList<MetricDesc> Metrics { get; } = [Requests, RequestsLately, Reads, Latency, Size, At];

    public override IReadOnlyList<CloudWatchWindow> Windows { get; } = [new(RequestsLately, Requests, TimeSpan.FromMinutes(5))];

    public override MetricDesc Timestamp => At;

    public bool IsSparse { get; set; }

    /// <summary>Asked for although CloudWatch does not list them.</summary>
    public List<(string Table, string Operation)> Declared { get; } = [];

    public override async Task<IReadOnlyList<CloudWatchQuery>> DiscoverAsync(CloudWatchListing listing, CancellationToken cancellationToken)
    {
        var requests = await listing.ListAsync("AWS/DynamoDB", "Requests", ["TableName", "Operation"]);
        var reads = await listing.ListAsync("AWS/DynamoDB", "Reads", ["TableName"]);
        var latencies = await listing.ListAsync("AWS/DynamoDB", "Latency", ["TableName"]);
        var sizes = await listing.ListAsync("AWS/S3", "Size", ["TableName"]);
        return
        [
            .. requests.Select(metric => new CloudWatchQuery(Requests, [metric.Dimensions[0].Value, metric.Dimensions[1].Value], metric, "Sum", CloudWatchCadence.Minute) { IsSparse = IsSparse }),
            .. Declared.Select(one => new CloudWatchQuery(
                Requests, [one.Table, one.Operation], new("AWS/DynamoDB", "Requests", [new("TableName", one.Table), new("Operation", one.Operation)]), "Sum", CloudWatchCadence.Minute) { IsSparse = true }),
            .. reads.Select(metric => new CloudWatchQuery(Reads, [metric.Dimensions[0].Value], metric, "Sum", CloudWatchCadence.Minute)),
            .. latencies.Select(metric => new CloudWatchQuery(Latency, [metric.Dimensions[0].Value], metric, "Average", CloudWatchCadence.Minute) { Divisor = 1000 }),
            .. sizes.Select(metric => new CloudWatchQuery(Size, [metric.Dimensions[0].Value], metric, "Average", CloudWatchCadence.Day)),
        ];
    }
}

/// <summary>A group whose service does not answer when it is asked what there is.</summary>
internal sealed class HangingGroup() : CloudWatchGroup(TimeSpan.FromMinutes(1))
{
    public override string Name => "hanging";

    public override string Setting => "hanging.interval";

    public override CloudWatchImportance Importance => CloudWatchImportance.Alerts;

    public override IReadOnlyList<MetricDesc> Metrics => [];

    public override async Task<IReadOnlyList<CloudWatchQuery>> DiscoverAsync(CloudWatchListing listing, CancellationToken cancellationToken)
    {
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
        return [];
    }
}

/// <summary>A CloudWatch, and an exporter's engine with a state file, which can be restarted as after a crash.</summary>
internal sealed class CloudWatchRig : IDisposable
{
    private DirectoryInfo directory = NewDirectory();

    private readonly Func<CloudWatchGroup[]> groups;
    private readonly int retries;
    private AwsSource source = null!;

    public CloudWatchRig(Func<CloudWatchGroup[]>? groups = null, DateTimeOffset? start = null, int retries = 1)
    {
        this.retries = retries;
        Time = new(start ?? new DateTimeOffset(2026, 11, 23, 12, 0, 30, TimeSpan.Zero));
        this.groups = groups ?? (() => [new FakeGroup(TimeSpan.FromMinutes(1))]);
        CloudWatch = new(Time);
        Start();
    }

    public FakeTimeProvider Time { get; }

    public DateTimeOffset Now => Time.GetUtcNow();

    public FakeCloudWatch CloudWatch { get; }

    /// <summary>From the next restart on.</summary>
    public double? MaxUsdPerDay { get; set; }

    /// <summary>Of this process.</summary>
    public AwsBudgets Budgets { get; private set; } = null!;

    public LogLines Log { get; } = new();

    public Ledger Ledger { get; private set; } = null!;

    public CloudWatchPlan Plan { get; private set; } = null!;

    public CloudWatchDiscovery Discovery { get; private set; } = null!;

    public CloudWatchCollector Collector { get; private set; } = null!;

    /// <summary>What a new process finds: the state file, and nothing remembered.</summary>
    public void Restart()
    {
        Stop();
        Start();
    }

    /// <summary>What a new process finds after kill -9: the files as they were at that moment, whatever the old one does with its own.</summary>
    public void Kill()
    {
        var copy = NewDirectory();
        foreach (var file in directory.GetFiles("state.db*"))
            file.CopyTo(Path.Combine(copy.FullName, file.Name));
        Stop();
        directory.Delete(recursive: true);
        directory = copy;
        Start();
    }

    public async Task DiscoverAsync()
    {
        if ((await Discovery.CollectAsync(CancellationToken.None)).Failure is { } failure)
            throw failure;
    }

    /// <summary>One collection; gives the gauges, by name and labels.</summary>
    public async Task<Dictionary<string, double>> CollectAsync() =>
        (await Collector.CollectAsync(CancellationToken.None)).Samples
            .ToDictionary(sample => $"{sample.Gauge.Name}({string.Join(',', sample.Labels)})", sample => sample.Value);

    /// <summary>Collects every 15 seconds, as the exporter does, and gives the last gauges.</summary>
    public async Task<Dictionary<string, double>> RunAsync(TimeSpan span)
    {
        var gauges = await CollectAsync();
        for (var end = Now + span; Now < end;)
        {
            Time.Advance(Collector.Interval);
            gauges = await CollectAsync();
        }

        return gauges;
    }

    public double? Counted(MetricDesc counter, params string[] labels)
    {
        var (found, value) = Ledger.For(source.Identity!.Scope).Counted(counter).SingleOrDefault(series => series.Labels.SequenceEqual(labels));
        return found is null ? null : value[0];
    }

    /// <summary>All series of a counter.</summary>
    public IEnumerable<(string[] Labels, double Value)> All(MetricDesc counter) =>
        Ledger.For(source.Identity!.Scope).Counted(counter).Select(series => (series.Labels, series.Value[0]));

    /// <summary>The counter of the exporter itself of this name, of the group of the tests.</summary>
    public double Own(string name, string group = "test") => Counted(Collector.Metrics.Single(metric => metric.Name == name), group) ?? 0;

    /// <summary>Makes every commit fail from now on, or work again.</summary>
    public void BreakCommits(bool broken)
    {
        using var connection = new SqliteConnection($"Data Source={Ledger.File.Path};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = broken ? "CREATE TRIGGER s BEFORE INSERT ON series BEGIN SELECT RAISE(ABORT, 'no luck'); END" : "DROP TRIGGER s";
        command.ExecuteNonQuery();
    }

    public void Dispose()
    {
        Stop();
        directory.Delete(recursive: true);
    }

    // In memory where there is such a directory: commits wait for the disk.
    private static DirectoryInfo NewDirectory() => Directory.Exists("/dev/shm")
        ? Directory.CreateDirectory($"/dev/shm/cloudwatch-{Guid.NewGuid():N}")
        : Directory.CreateTempSubdirectory("cloudwatch-");

    private void Start()
    {
        Ledger = new(StateFile.Open(directory.FullName, Time, Log), new ScrapeLog(), Time, LedgerOptions.Default);
        Budgets = new();
        source = CloudWatch.Source(retries);
        Plan = new(groups().ToImmutableArray());
        var spend = new AwsSpend(source, Budgets, Ledger, MaxUsdPerDay);
        Discovery = new(source, Plan, Ledger, spend);
        Collector = new(source, Plan, Ledger, spend, Time, Log);
    }

    private void Stop()
    {
        Ledger.Dispose();
        // The source is not disposed of: it would take the stand-in with it.
    }
}
