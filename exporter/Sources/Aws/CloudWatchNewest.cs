namespace PipelineExporter.Sources.Aws;

/// <summary>Reads the newest datapoint of each of some metrics.</summary>
internal static class CloudWatchNewest
{
    private const string Operation = "GetMetricData";
    private const int QueriesPerCall = 500;

    /// <param name="from">Inclusive.</param>
    /// <param name="until">Exclusive.</param>
    /// <returns>By the query's id; nothing for a metric without a datapoint.</returns>
    /// <exception cref="AwsException">CloudWatch did not answer as asked.</exception>
    public static async Task<IReadOnlyDictionary<string, double>> ReadAsync(
        ICloudWatchApi cloudWatch, IEnumerable<MetricDataQuery> queries, DateTimeOffset from, DateTimeOffset until, CancellationToken cancellationToken)
    {
        var newest = new Dictionary<string, (DateTimeOffset At, double Value)>();
        foreach (var some in queries.Chunk(QueriesPerCall))
        {
            var pages = new AwsPages(AwsService.CloudWatch, Operation);
            do
            {
                var page = await cloudWatch.GetMetricDataAsync(new(some, from, until, "TimestampDescending", pages.NextToken), cancellationToken);
                foreach (var result in page.MetricDataResults)
                {
                    Check(result, some[0].MetricStat.Metric.Namespace);
                    for (var i = 0; i < result.Values.Count; i++)
                    {
                        if (!newest.TryGetValue(result.Id, out var best) || best.At < result.Timestamps[i])
                            newest[result.Id] = (result.Timestamps[i], result.Values[i]);
                    }
                }

                pages.Read(page.NextToken);
            }
            while (pages.More);
        }

        return newest.ToDictionary(datapoint => datapoint.Key, datapoint => datapoint.Value.Value);
    }

    private static void Check(MetricDataResult? result, string name)
    {
        if (result is null || result.Timestamps.Count != result.Values.Count)
            throw AwsException.Malformed(AwsService.CloudWatch, Operation, "its times and values do not fit each other");
        if (result.StatusCode is "Forbidden" or "InternalError")
            throw new AwsException(AwsService.CloudWatch.Id, Operation, result.StatusCode, $"CloudWatch answered {result.StatusCode} for a metric of namespace {name}");
    }
}
