using System.Collections.Concurrent;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Aws.CloudWatch;

/// <summary>
/// What CloudWatch lists, for one look at it: each metric name is listed once, whoever asks. ListMetrics learns of a metric some
/// 15 minutes late and forgets it two weeks after its last datapoint. Where one name cannot be listed, what was listed of it
/// before is taken, and the failure noted.
/// </summary>
internal sealed class CloudWatchListing(AwsSource source, ConcurrentDictionary<CloudWatchName, IReadOnlyList<CloudWatchMetric>> before, CancellationToken cancellationToken)
{
    private readonly ConcurrentDictionary<CloudWatchName, Lazy<Task<IReadOnlyList<CloudWatchMetric>>>> listed = new();
    private readonly ConcurrentDictionary<string, string> texts = new();
    private readonly ConcurrentQueue<AwsException> failures = new();

    public IReadOnlyCollection<AwsException> Failures => failures;

    /// <param name="name">Of the metric; null for all of the namespace.</param>
    /// <param name="dimensions">The names of a metric's dimensions: one with others is another metric.</param>
    /// <param name="fixedValue">Of which one has this value, for a namespace that holds many more.</param>
    /// <returns>Each with its dimensions in the given order.</returns>
    public Task<IReadOnlyList<CloudWatchMetric>> ListAsync(string space, string? name, string[] dimensions, CloudWatchDimension? fixedValue = null) =>
        listed.GetOrAdd(
            new(space, name, string.Join(',', dimensions), fixedValue),
            key => new(() => ReadAsync(key, dimensions))).Value;

    private async Task<IReadOnlyList<CloudWatchMetric>> ReadAsync(CloudWatchName key, string[] dimensions)
    {
        var known = before.GetValueOrDefault(key) ?? [];
        var same = known.ToHashSet(SameMetric.Comparer);
        var found = new List<CloudWatchMetric>(same.Count);
        var filters = dimensions.Select(name => new DimensionFilter(name, key.Fixed is { } one && one.Name == name ? one.Value : null)).ToArray();
        try
        {
            var pages = new AwsPages(AwsService.CloudWatch, CloudWatchOperation.ListMetrics);
            do
            {
                var page = await source.CloudWatch.ListMetricsAsync(new(key.Space, key.Name, filters, NextToken: pages.NextToken), cancellationToken);
                foreach (var metric in page.Metrics)
                {
                    if (metric is null || Exact(metric, dimensions) is not { } exact)
                        continue;
                    var metricNow = new CloudWatchMetric(key.Space, key.Name ?? Once(metric.MetricName), exact);
                    // The plan holds on to what it knows: what is listed anew is not kept beside it.
                    found.Add(same.TryGetValue(metricNow, out var metricBefore) ? metricBefore : metricNow);
                }

                pages.Read(page.NextToken);
            }
            while (pages.More);
            // A page that shifts while the list is read tells some of the one before again.
            return before[key] = [.. found.Distinct(SameMetric.Comparer)];
        }
        catch (AwsException e)
        {
            failures.Enqueue(e);
            return known;
        }
    }

    // Thousands of metrics share their names: each is kept once.
    private string Once(string text) => texts.GetOrAdd(text, text);

    private CloudWatchDimension[]? Exact(ListedMetric metric, string[] dimensions)
    {
        if (metric.Dimensions.Count != dimensions.Length)
            return null;
        var exact = new CloudWatchDimension[dimensions.Length];
        for (var i = 0; i < dimensions.Length; i++)
        {
            var name = dimensions[i];
            if (metric.Dimensions.FirstOrDefault(dimension => dimension?.Name == name) is not { Value.Length: > 0 } dimension)
                return null;
            exact[i] = new(name, Once(dimension.Value));
        }

        return exact;
    }
}

/// <summary>Compares metrics of one listing, which have the same dimensions, by their names and values.</summary>
internal sealed class SameMetric : IEqualityComparer<CloudWatchMetric>
{
    public static readonly SameMetric Comparer = new();

    public bool Equals(CloudWatchMetric? x, CloudWatchMetric? y) =>
        x is not null && y is not null && x.MetricName == y.MetricName && x.Dimensions.SequenceEqual(y.Dimensions);

    public int GetHashCode(CloudWatchMetric metric)
    {
        var hash = default(HashCode);
        hash.Add(metric.MetricName);
        for (var i = 0; i < metric.Dimensions.Count; i++)
            hash.Add(metric.Dimensions[i].Value);
        return hash.ToHashCode();
    }
}

/// <summary>What is listed in one go.</summary>
internal sealed record CloudWatchName(string Space, string? Name, string Dimensions, CloudWatchDimension? Fixed);
