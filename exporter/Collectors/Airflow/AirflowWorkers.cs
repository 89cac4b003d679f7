using System.Collections.Immutable;
using Amazon.Runtime;
using PipelineExporter.Collectors.Aws.CloudWatch;
using PipelineExporter.Metrics;
using PipelineExporter.Sources.Airflow;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>Which metrics of CloudWatch tell of an Airflow's workers.</summary>
internal sealed record WorkerCollection
{
    public required AwsSourceOptions Source { get; init; }

    /// <summary>Instead of those that the SDK finds.</summary>
    public AWSCredentials? Keys { get; init; }

    /// <summary>How long one answer is waited for.</summary>
    public required TimeSpan Timeout { get; init; }

    public required string Namespace { get; init; }

    public required string CpuMetric { get; init; }

    public required string MemoryMetric { get; init; }

    /// <summary>All dimensions of the metrics but that of the cluster.</summary>
    public required ImmutableArray<CloudWatchDimension> Dimensions { get; init; }

    /// <summary>Null when the metrics have no such dimension.</summary>
    public string? ClusterDimension { get; init; }

    /// <summary>Asked for while CloudWatch lists none: it lists a new metric some 15 minutes late.</summary>
    public ImmutableArray<string> ClustersUntilListed { get; init; } = [];

    /// <summary>Whether the metrics run to 100, and not to 1.</summary>
    public required bool IsPercent { get; init; }
}

/// <param name="Cpu">By cluster, for clusters that reported lately.</param>
/// <param name="Memory">By cluster, for clusters that reported lately.</param>
internal sealed record WorkersSnapshot(ImmutableSortedDictionary<string, double> Cpu, ImmutableSortedDictionary<string, double> Memory);

/// <summary>CPU and memory of an Airflow's workers, which its REST API does not tell: from CloudWatch, once a minute.</summary>
internal sealed partial class AirflowWorkers(AirflowEnvironment environment, WorkerCollection workers, AwsSource source)
    : AirflowCollector<WorkersSnapshot>(environment)
{
    public static readonly MetricDesc Cpu = MetricDesc.Gauge(
        "airflow_worker_cpu_utilization_ratio", "CPU in use (0 to 1), the mean of the cluster's containers over the newest minute that CloudWatch has.", "cluster");

    public static readonly MetricDesc Memory = MetricDesc.Gauge(
        "airflow_worker_memory_utilization_ratio", "Memory in use (0 to 1), the mean of the cluster's containers over the newest minute that CloudWatch has.", "cluster");

    private static readonly CloudWatchCadence Cadence = CloudWatchCadence.Minute;

    // The oldest of them has ended ten minutes ago at most.
    private const int Periods = 8;

    private static readonly TimeSpan ListEvery = TimeSpan.FromMinutes(15);

    private static readonly TimeSpan ListWhileEmptyEvery = TimeSpan.FromMinutes(5);

    private (DateTimeOffset At, ImmutableArray<string> Clusters)? listed;
    private readonly ILogger log = environment.Context.Logs.CreateLogger<AirflowWorkers>();
    private bool toldOfSilence;

    public override string Name => "airflow_workers";

    public override string Asks => "1 request: `GetMetricData`, for 2 metrics of each cluster, which CloudWatch bills; every 15 minutes `ListMetrics`.";

    public override IReadOnlyList<MetricDesc> Metrics { get; } = [Cpu, Memory];

    public override TimeSpan Interval => TimeSpan.FromMinutes(1);

    /// <summary>What CloudWatch takes for each cluster, in US dollars: two metrics a minute.</summary>
    public static double UsdPerDay => 2 * TimeSpan.FromDays(1).TotalMinutes * AwsPrices.Metric;

    /// <summary>The collector, where the configuration or the kind of environment says what to ask for.</summary>
    /// <exception cref="AwsException">An endpoint variable of the environment holds no address.</exception>
    public static IEnumerable<ICollector> For(AirflowEnvironment environment)
    {
        if (environment.Settings.Workers is { } workers)
        {
            var context = environment.Context;
            var source = new AwsSource(
                workers.Source, context.Time, outcome => context.CountRequest(environment.Identity.Scope, outcome), workers.Keys,
                new() { AttemptTimeout = workers.Timeout });
            yield return new AirflowWorkers(environment, workers, source);
        }
    }

    protected internal override async Task<WorkersSnapshot> CollectAsync(CancellationToken cancellationToken)
    {
        var clusters = await ClustersAsync(cancellationToken);
        var until = Cadence.SettledAt(source.Clock.UtcNow);
        var questions = clusters
            .SelectMany(cluster => new[] { Query(Cpu, workers.CpuMetric, cluster), Query(Memory, workers.MemoryMetric, cluster) })
            .Select(query => new MetricQuestion(query, Cadence.Period, until - Periods * Cadence.Period, until))
            .ToList();
        AwsException? failed = null;
        await foreach (var request in CloudWatchRequest.SendAllAsync(source, [.. CloudWatchRequest.Pack(questions)], Say, cancellationToken))
            failed ??= request.Failure;
        // All or nothing: a cluster that is missing reads as one that is gone.
        if (failed is not null)
            throw failed;
        if (questions.Find(question => !question.IsComplete) is { Failure: { } reason })
            throw AwsException.Malformed(AwsService.CloudWatch, CloudWatchOperation.GetMetricData, reason);
        var isSilent = questions.TrueForAll(question => question.Newest is null);
        if (isSilent && !toldOfSilence)
            LogSilence(log, Source, workers.Source.Region, workers.Namespace, workers.CpuMetric, workers.MemoryMetric);
        toldOfSilence = isSilent;
        return new(Newest(Cpu), Newest(Memory));

        ImmutableSortedDictionary<string, double> Newest(MetricDesc metric) => questions
            .Where(question => question.Query.Target == metric && question.Newest is not null)
            .ToImmutableSortedDictionary(question => question.Query.Labels[0], question => question.NewestValue, StringComparer.Ordinal);
    }

    protected internal override void Write(WorkersSnapshot snapshot, MetricSink sink)
    {
        foreach (var (cluster, ratio) in snapshot.Cpu)
            sink.Set(Cpu, ratio, cluster);
        foreach (var (cluster, ratio) in snapshot.Memory)
            sink.Set(Memory, ratio, cluster);
    }

    private CloudWatchQuery Query(MetricDesc target, string metric, string cluster) => new(
        target, [cluster],
        new(workers.Namespace, metric, workers.ClusterDimension is { } dimension ? [.. workers.Dimensions, new(dimension, cluster)] : [.. workers.Dimensions]),
        "Average", Cadence)
    {
        Divisor = workers.IsPercent ? 100 : 1,
    };

    private void Say(CloudWatchMessage message) => LogMessage(log, Source, Configuration.Printable.Text(message.Code), Configuration.Printable.Text(message.Value));

    private async Task<ImmutableArray<string>> ClustersAsync(CancellationToken cancellationToken)
    {
        if (workers.ClusterDimension is not { } dimension)
            return [""];
        var now = Environment.Context.Time.GetUtcNow();
        if (listed is { } known && now - known.At < (known.Clusters.IsEmpty ? ListWhileEmptyEvery : ListEvery))
            return known.Clusters;

        var found = new SortedSet<string>(StringComparer.Ordinal);
        var filters = workers.Dimensions.Select(fixedOne => new DimensionFilter(fixedOne.Name, fixedOne.Value)).Append(new(dimension)).ToList();
        var pages = new AwsPages(AwsService.CloudWatch, "ListMetrics");
        do
        {
            var page = await source.CloudWatch.ListMetricsAsync(
                new(workers.Namespace, workers.CpuMetric, filters, "PT3H", pages.NextToken), cancellationToken);
            // A metric with more dimensions than these is another, of a part of the cluster.
            foreach (var metric in page.Metrics)
            {
                if (metric is { Dimensions: var dimensions } && dimensions.Count == filters.Count
                    && dimensions.FirstOrDefault(candidate => candidate?.Name == dimension) is { Value.Length: > 0 } cluster)
                {
                    found.Add(cluster.Value);
                }
            }

            pages.Read(page.NextToken);
        }
        while (pages.More);
        listed = (now, found.Count > 0 ? [.. found] : workers.ClustersUntilListed);
        return listed.Value.Clusters;
    }

    [LoggerMessage(LogLevel.Warning,
        "{source}: CloudWatch has no value of the last 10 minutes in {region} of {space} {cpu} or {memory} with the dimensions asked for. Are there "
        + "containers running, and are region, namespace, names and dimensions right?")]
    private static partial void LogSilence(ILogger log, string source, string region, string space, string cpu, string memory);

    [LoggerMessage(LogLevel.Warning, "{source}: CloudWatch says of a request: {code}")]
    private static partial void LogMessage(ILogger log, string source, string code, string message);
}
