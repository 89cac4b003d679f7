using System.Collections.Immutable;
using PipelineExporter.Metrics;
using PipelineExporter.Sources;
using PipelineExporter.Sources.Aws;
using PipelineExporter.State;

namespace PipelineExporter.Collectors.Aws.CloudWatch;

/// <summary>One sample of a gauge.</summary>
internal readonly record struct GaugeSample(MetricDesc Gauge, string[] Labels, double Value);

/// <param name="Failure">Why some requests were not answered; null when all were.</param>
internal sealed record CloudWatchSnapshot(IReadOnlyList<GaugeSample> Samples, AwsException? Failure = null);

/// <summary>
/// Asks CloudWatch for what can be new: each metric when its next datapoint can exist, all that are due in as few calls as it
/// takes. Sums are counted period by period; of anything else the newest datapoint is shown while it is fresh.
/// </summary>
internal sealed partial class CloudWatchCollector(AwsSource source, CloudWatchPlan plan, Ledger ledger, AwsSpend spend, TimeProvider time, ILogger log)
    : Collector<CloudWatchSnapshot>, IPlannedCollector
{
    private const int MinutesOfDay = 24 * 60;

    /// <summary>Requests whose answers are stored together: each waits in memory until then.</summary>
    private const int StoredAtOnce = 7;

    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(15);

    /// <summary>So long the first collection waits for all of its groups; it goes on without those that a service keeps waiting.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(20);

    /// <summary>So far back it is looked for what implies other questions: as far as what has just come may lie.</summary>
    private static readonly TimeSpan LastMinutes = CloudWatchCadence.Minute.Delay + (CloudWatchCadence.Minute.Revisable + 1) * CloudWatchCadence.Minute.Period;

    private static readonly MetricDesc Late = MetricDesc.Gauge(
        "pipeline_exporter_cloudwatch_late_metrics", "Metrics whose newest datapoint was not there when it was asked for.", "group");

    private static readonly MetricDesc FailedMetrics = MetricDesc.Gauge(
        "pipeline_exporter_cloudwatch_failed_metrics", "Metrics that were not answered when they were last asked for.", "group");

    private static readonly MetricDesc ConfiguredInterval = MetricDesc.Gauge(
        "pipeline_exporter_cloudwatch_configured_interval_seconds", "Time from one question for the group's metrics to the next, as configured.", "group");

    private static readonly MetricDesc IntervalNow = MetricDesc.Gauge(
        "pipeline_exporter_cloudwatch_interval_seconds", "Time from one question for the group's metrics to the next, as it is now; +Inf while none is asked.", "group");

    private static readonly MetricDesc Billed = MetricDesc.Counter(
        "pipeline_exporter_cloudwatch_billed_metrics_total", "Metrics asked for with GetMetricData, as CloudWatch bills them.", "group");

    private static readonly MetricDesc Revisions = MetricDesc.Counter(
        "pipeline_exporter_cloudwatch_revisions_total", "Periods that CloudWatch changed after they were counted; the difference was counted then.", "group");

    // By gauge and resource.
    private readonly Dictionary<MetricDesc, Dictionary<string[], WindowEnds>> windows = [];

    public override string Name => "cloudwatch";

    public override string Asks => "1 request for each 500 metrics that can have a new datapoint: `GetMetricData`; CloudWatch bills each metric asked for.";

    public override string Source => source.Name;

    public override SourceIdentity? Identity => source.Identity;

    public override IReadOnlyList<MetricDesc> Metrics { get; } =
    [
        Late, FailedMetrics, ConfiguredInterval, IntervalNow, Billed, Revisions,
        .. AwsSpend.Metrics,
        .. plan.Groups.SelectMany(group => group.Metrics).Distinct(),
    ];

    public override TimeSpan Interval => Tick;

    public override SeriesFilter? Shown() => plan.Shows;

    public CloudWatchPlan Plan => plan;

    /// <summary>Of what discovery has found; minute by minute, since whatever is due together, and has one period, shares its requests.</summary>
    public Task<IReadOnlyList<PlannedRequests>> PlanAsync(CancellationToken cancellationToken)
    {
        var due = plan.Groups
            .SelectMany(group => plan[group].Select(metric => (metric.Query.Cadence.Period, Minutes: (int)metric.Query.Cadence.StepOf(group.Interval).TotalMinutes)))
            .CountBy(one => one).ToList();
        var requests = Enumerable.Range(0, MinutesOfDay).Sum(minute => due
            .Where(one => minute % one.Key.Minutes == 0)
            .GroupBy(one => one.Key.Period, one => one.Value)
            .Sum(period => (period.Sum() + CloudWatchRequest.MostQueries - 1) / CloudWatchRequest.MostQueries));
        return Task.FromResult<IReadOnlyList<PlannedRequests>>([new(AwsService.CloudWatch, CloudWatchOperation.GetMetricData, requests)]);
    }

    protected internal override async Task<CloudWatchSnapshot> CollectAsync(CancellationToken cancellationToken)
    {
        var identity = await source.GetIdentityAsync(cancellationToken);
        if (!plan.Discovered.IsCompleted)
            await Task.WhenAny(plan.Discovered, Task.Delay(LongestWait, time, cancellationToken));
        var state = ledger.For(identity.Scope);
        var now = source.Clock.UtcNow;

        var speed = spend.Apply(plan.Costs, state, now);
        var requests = CloudWatchRequest.Pack(spend.Afford(Due(state, speed, now), now)).ToList();
        await AskAsync(requests, state, speed, now, cancellationToken);
        if (requests.Count > 0)
            Follow(state, now);

        // Until what failed is answered, also when it is not yet due again.
        var metrics = plan.Groups.SelectMany(group => plan[group]);
        var failure = metrics.FirstOrDefault(metric => metric.Failure is not null)?.Failure;
        if (failure is not null && requests.Count > 0 && metrics.All(metric => metric.HasFailed))
            throw failure;
        return new([.. spend.Samples(), .. Samples(state, speed, now)], failure);
    }

    protected internal override Exception? FailureIn(CloudWatchSnapshot snapshot) => snapshot.Failure;

    protected internal override void Write(CloudWatchSnapshot snapshot, MetricSink sink)
    {
        foreach (var (gauge, labels, value) in snapshot.Samples)
            sink.Set(gauge, value, labels);
    }

    // A few answers at a time are stored, and let go, while others are on their way.
    private async Task AskAsync(
        IReadOnlyList<CloudWatchRequest> requests, SourceLedger state, IReadOnlyDictionary<CloudWatchGroup, TimeSpan?> speed, DateTimeOffset now,
        CancellationToken cancellationToken)
    {
        var batch = state.Begin();
        var counted = new List<CloudWatchRequest>();
        try
        {
            await foreach (var request in CloudWatchRequest.SendAllAsync(source, requests, Say, cancellationToken))
            {
                Count(request, batch, speed);
                counted.Add(request);
                if (counted.Count == StoredAtOnce)
                {
                    Store();
                    Garbage.CollectIfMuch();
                }
            }
        }
        catch (OperationCanceledException)
        {
            Store(); // what was answered until the time was over need not be asked, and paid, again
            throw;
        }

        Store(); // also what was spent elsewhere

        void Store()
        {
            foreach (var group in plan.Groups)
            {
                batch.Declare(Billed, group.Name);
                batch.Declare(Revisions, group.Name);
            }

            spend.Commit(batch);
            // Only what is stored was asked: otherwise it will be asked again.
            foreach (var request in counted)
            {
                Settle(request, now);
                request.Release();
            }

            counted.Clear();
            batch = state.Begin();
        }
    }

    private void Settle(CloudWatchRequest request, DateTimeOffset now)
    {
        var (failures, first) = (0, default(PlannedQuestion));
        foreach (var question in request.Questions.Cast<PlannedQuestion>())
        {
            if (question.IsComplete)
            {
                question.Metric.Answered(question.Until, question.Newest, now);
                continue;
            }

            // Once a metric: it is asked for again until it is answered. What failed as a whole is the collection's failure.
            if (request.Failure is null && !question.Metric.HasFailed && failures++ == 0)
                first = question;
            question.Metric.Failed(request.Failure, now);
        }

        if (first is not null)
            LogUnanswered(log, source.Name, failures, Printable(first.Query.Metric.ToString()), first.Query.Stat, first.Failure);
    }

    private void Follow(SourceLedger state, DateTimeOffset now)
    {
        foreach (var group in plan.Groups)
        {
            var implied = group.ImpliedBy(plan[group], Rose, now).OrderBy(one => one.Since).DistinctBy(one => one.Query.Labels, LabelValues.Comparer).ToList();
            if (implied.Count == 0)
                continue;
            var batch = state.Begin();
            foreach (var (query, since) in implied)
                batch.DeclarePeriods(query.Target, since, query.Cadence.Period, query.Labels);
            batch.Commit();
            plan.Add(group, implied.Select(one => one.Query));
        }

        DateTimeOffset? Rose(TrackedMetric metric) => state.Periods(metric.Query.Target, metric.Query.Labels)?.RoseAt(now - LastMinutes);
    }

    private List<PlannedQuestion> Due(SourceLedger state, IReadOnlyDictionary<CloudWatchGroup, TimeSpan?> speed, DateTimeOffset now)
    {
        var due = new List<PlannedQuestion>();
        foreach (var group in plan.Groups)
        {
            if (speed[group] is not { } interval)
                continue;
            foreach (var metric in plan[group])
            {
                if (metric.IsDue(now, interval)
                    && metric.Question(metric.IsCounter ? state.Periods(metric.Query.Target, metric.Query.Labels) : null, interval, now) is { } question)
                {
                    due.Add(question);
                }
            }
        }

        return due;
    }

    private void Count(CloudWatchRequest request, LedgerBatch batch, IReadOnlyDictionary<CloudWatchGroup, TimeSpan?> speed)
    {
        foreach (var group in request.Questions.Cast<PlannedQuestion>().GroupBy(question => question.Metric.Group))
        {
            // Nearly always one answer to all; more of one that was asked for by halves.
            var billed = group.GroupBy(question => question.Answers).Sum(asked => asked.Key * CloudWatchCost.Billed(asked.Select(question => question.Query)));
            batch.Add(Billed, billed, group.Key.Name);
            spend.Add(group.Key.Name, billed * AwsPrices.Metric, batch);
            foreach (var question in group)
            {
                question.EndBy(question.Query.Cadence.SettledAt(source.Clock.UtcNow));
                if (question.IsComplete)
                    Count(question, batch, speed[group.Key]!.Value);
                question.Release();
            }
        }
    }

    private static void Count(PlannedQuestion question, LedgerBatch batch, TimeSpan interval)
    {
        var (metric, query) = (question.Metric, question.Query);
        if (metric.IsCounter)
        {
            var revised = batch.CountPeriods(
                query.Target, new(question.Period, question.Until, question.Values), question.Until, query.Cadence.Revisable, metric.Remembered(interval), query.Labels);
            if (revised > 0)
                batch.Add(Revisions, revised, metric.Group.Name);
        }
        else if (question.Newest is { } start)
        {
            metric.Show(start + question.Period, question.NewestValue);
        }
    }

    private List<GaugeSample> Samples(SourceLedger state, IReadOnlyDictionary<CloudWatchGroup, TimeSpan?> speed, DateTimeOffset now)
    {
        var samples = new List<GaugeSample>();
        foreach (var group in plan.Groups)
        {
            var metrics = plan[group];
            string[] labels = [group.Name];
            samples.Add(new(Late, labels, metrics.Count(metric => metric.Late > 0)));
            samples.Add(new(FailedMetrics, labels, metrics.Count(metric => metric.HasFailed)));
            samples.Add(new(ConfiguredInterval, labels, group.Interval.TotalSeconds));
            samples.Add(new(IntervalNow, labels, speed[group]?.TotalSeconds ?? double.PositiveInfinity));
            var fresh = group.Shown([.. metrics.Where(metric => metric.At is { } at && metric.IsFresh(at, now, speed[group] ?? group.Interval))]);
            samples.AddRange(fresh.Select(metric => new GaugeSample(metric.Query.Target, metric.Query.Labels, metric.Value)));
            if (group.Timestamp is { } timestamp)
            {
                samples.AddRange(fresh.GroupBy(metric => metric.Query.Labels[..timestamp.Labels.Length], LabelValues.Comparer)
                    .Select(resource => new GaugeSample(timestamp, resource.Key, resource.Min(metric => metric.At!.Value.ToUnixTimeSeconds()))));
            }

            foreach (var window in group.Windows)
                samples.AddRange(Sums(window, metrics, speed[group] ?? group.Interval, state, now).ToList());
        }

        return samples;
    }

    // A longer interval skips windows, and so does an outage: the highest of those that ended since the last answer is shown, so that none is missed.
    private IEnumerable<GaugeSample> Sums(CloudWatchWindow window, ImmutableArray<TrackedMetric> metrics, TimeSpan interval, SourceLedger state, DateTimeOffset now)
    {
        var before = windows.GetValueOrDefault(window.Gauge);
        var shown = windows[window.Gauge] = new(LabelValues.Comparer);
        foreach (var resource in metrics.Where(metric => metric.Query.Target == window.Counter)
            .GroupBy(metric => metric.Query.Labels[..window.Gauge.Labels.Length], LabelValues.Comparer))
        {
            var sums = resource
                .Select(metric => (Metric: metric, Sums: state.Periods(metric.Query.Target, metric.Query.Labels)))
                .Where(one => one.Sums is { } sums && one.Metric.IsFresh(sums.Until, now, interval))
                .ToList();
            var ends = before?.GetValueOrDefault(resource.Key);
            if (sums.Count == 0)
            {
                if (ends is not null)
                    shown.Add(resource.Key, ends);
                continue;
            }

            var (metric, cadence) = (sums[0].Metric, sums[0].Metric.Query.Cadence);
            var until = sums.Max(one => one.Sums!.Until);
            ends = ends is null ? new(until - cadence.StepOf(interval), until) : until > ends.Until ? new(ends.Until, until) : ends;
            shown.Add(resource.Key, ends);

            var (highest, oldest) = (0.0, until - metric.Remembered(interval) * cadence.Period);
            for (var end = until; end > ends.After && end > oldest; end -= cadence.Period)
                highest = Math.Max(highest, sums.Sum(one => one.Sums!.Sum(end - window.Length, end)));
            yield return new(window.Gauge, resource.Key, highest);
        }
    }

    /// <summary>Of a window's resource the ends that it shows: after the first, until the second.</summary>
    private sealed record WindowEnds(DateTimeOffset After, DateTimeOffset Until);

    private void Say(CloudWatchMessage message) => LogMessage(log, source.Name, Printable(message.Code), Printable(message.Value));

    private static string Printable(string text) => Configuration.Printable.Text(text.Length <= 200 ? text : text[..200]);

    [LoggerMessage(LogLevel.Warning, "{source}: metrics that CloudWatch did not answer: {count}, the first being {metric}, {statistic}: {reason}")]
    private static partial void LogUnanswered(ILogger log, string source, int count, string metric, string statistic, string? reason);

    [LoggerMessage(LogLevel.Warning, "{source}: CloudWatch says of a request: {code}")]
    private static partial void LogMessage(ILogger log, string source, string code, string message);
}
