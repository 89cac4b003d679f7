using System.Collections.Concurrent;
using System.Globalization;
using PipelineExporter.Metrics;
using PipelineExporter.Sources;
using PipelineExporter.Sources.Aws;
using PipelineExporter.State;

namespace PipelineExporter.Collectors.Aws.CloudWatch;

/// <param name="Metrics">By group, how many it asks for.</param>
/// <param name="Failure">Why something could not be found out; null when everything was.</param>
internal sealed record CloudWatchDiscoverySnapshot(IReadOnlyDictionary<string, int> Metrics, AwsException? Failure = null);

/// <summary>
/// Finds out what CloudWatch can be asked for, apart from the asking: new resources come into the plan, gone ones leave it, and
/// what could not be found out stays as it was.
/// </summary>
internal sealed class CloudWatchDiscovery(AwsSource source, CloudWatchPlan plan, Ledger ledger, AwsSpend spend) : Collector<CloudWatchDiscoverySnapshot>, IPlannedCollector
{
    /// <summary>CloudWatch lists a metric some 15 minutes after its first datapoint.</summary>
    private static readonly TimeSpan ListingDelay = TimeSpan.FromMinutes(20);

    private static readonly TimeSpan Usual = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan Soon = TimeSpan.FromMinutes(1);

    private static readonly MetricDesc Planned = MetricDesc.Gauge(
        "pipeline_exporter_cloudwatch_metrics", "Statistics of metrics that CloudWatch is asked for.", "group");

    private readonly ConcurrentDictionary<CloudWatchName, IReadOnlyList<CloudWatchMetric>> listed = new();
    private int incomplete;

    public override string Name => "cloudwatch_discovery";

    public override string Asks => "1 request for each 500 metrics of a name: `ListMetrics`, which CloudWatch bills; names are listed side by side.";

    public override string Source => source.Name;

    public override SourceIdentity? Identity => source.Identity;

    public override IReadOnlyList<MetricDesc> Metrics { get; } = [Planned];

    /// <summary>
    /// CloudWatch itself takes as long to list a new metric. Sooner, but less and less soon, after a look at which something could
    /// not be listed, or it was not known what exists, so that what was deleted came along.
    /// </summary>
    public override TimeSpan Interval => incomplete == 0 ? Usual : Soon * Math.Min(Usual / Soon, 1 << Math.Min(incomplete - 1, 8));

    /// <summary>By looking once.</summary>
    /// <exception cref="AwsException">Something could not be found out.</exception>
    public async Task<IReadOnlyList<PlannedRequests>> PlanAsync(CancellationToken cancellationToken)
    {
        var before = Listings();
        var snapshot = await CollectAsync(cancellationToken);
        return snapshot.Failure is { } failure
            ? throw failure
            : [PlannedRequests.Every(AwsService.CloudWatch, CloudWatchOperation.ListMetrics, Listings() - before, Usual)];

        long Listings() => source.Usage.Requests.GetValueOrDefault((AwsService.CloudWatch.Id, CloudWatchOperation.ListMetrics));
    }

    protected internal override async Task<CloudWatchDiscoverySnapshot> CollectAsync(CancellationToken cancellationToken)
    {
        if (plan.Discovered.IsCompleted && spend.IsExhausted)
            return new(Counts());
        try
        {
            var identity = await source.GetIdentityAsync(cancellationToken);
            var state = ledger.For(identity.Scope);
            var knew = plan.Groups.All(group => group.KnowsWhatExists);
            var asked = source.Clock.MachineNow; // what AWS has may not be known before its first answer
            var listing = new CloudWatchListing(source, listed, cancellationToken);
            var failures = new ConcurrentQueue<AwsException>();
            await Task.WhenAll(plan.Groups.Select(async group =>
            {
                try
                {
                    var queries = await group.DiscoverAsync(listing, cancellationToken);
                    // A group of which something could not be listed is looked at as of before: what is missing was not listed, no more.
                    Enter(group, queries, state, asked + source.Clock.Offset, isWhole: listing.Failures.Count == 0);
                }
                catch (AwsException e)
                {
                    failures.Enqueue(e);
                }
            }));
            var failure = failures.Concat(listing.Failures).FirstOrDefault();
            incomplete = knew && failure is null ? 0 : incomplete + 1;
            return new(Counts(), failure);
        }
        finally
        {
            if (!cancellationToken.IsCancellationRequested)
                plan.SetDiscovered();
        }
    }

    private Dictionary<string, int> Counts() => plan.Groups.ToDictionary(group => group.Name, group => plan[group].Length);

    protected internal override Exception? FailureIn(CloudWatchDiscoverySnapshot snapshot) => snapshot.Failure;

    protected internal override void Write(CloudWatchDiscoverySnapshot snapshot, MetricSink sink)
    {
        foreach (var (group, count) in snapshot.Metrics)
            sink.Set(Planned, count, group);
    }

    // A counter begins where the last look could not have seen it, or now when there was none: so a table that is new is counted
    // from its first request on, and what was there before anybody asked is not.
    private void Enter(CloudWatchGroup group, IReadOnlyList<CloudWatchQuery> queries, SourceLedger state, DateTimeOffset at, bool isWhole)
    {
        var key = $"cloudwatch.{group.Name}.discovered";
        var since = state.GetValue(key) is { } text
            ? DateTimeOffset.FromUnixTimeSeconds(long.Parse(text, CultureInfo.InvariantCulture)) - ListingDelay
            : at;
        var batch = state.Begin();
        foreach (var query in plan.NewOf(queries))
        {
            if (query.Target.Type == MetricType.Counter && state.Periods(query.Target, query.Labels) is null)
                batch.DeclarePeriods(query.Target, since, query.Cadence.Period, query.Labels);
        }

        if (isWhole)
            batch.SetValue(key, at.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture));
        batch.Commit();
        plan.Replace(group, queries, isWhole);
    }
}
