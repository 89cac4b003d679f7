using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Aws.CloudWatch;

/// <summary>What CloudWatch takes.</summary>
internal static class CloudWatchCost
{
    private const int StatisticsBilledAsOne = 5;

    /// <summary>How many metrics are billed for one question for all of these: five statistics of one are one.</summary>
    /// <param name="queries">The statistics of one metric side by side.</param>
    public static int Billed(IEnumerable<CloudWatchQuery> queries) => CloudWatchQuery.ByMetric(queries).Sum(metric => Units(metric.Statistics));

    /// <summary>Metrics billed a day, each asked for once an interval or once a period, whichever is longer.</summary>
    /// <inheritdoc cref="Billed"/>
    public static double BilledPerDay(IEnumerable<CloudWatchQuery> queries, TimeSpan interval) => CloudWatchQuery.ByMetric(queries).Sum(
        metric => Units(metric.Statistics) * (TimeSpan.FromDays(1) / metric.Cadence.StepOf(interval)));

    public static double UsdPerDay(IEnumerable<CloudWatchQuery> queries, TimeSpan interval) => BilledPerDay(queries, interval) * AwsPrices.Metric;

    private static int Units(int statistics) => (statistics + StatisticsBilledAsOne - 1) / StatisticsBilledAsOne;
}
