using PipelineExporter.Metrics;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Aws.CloudWatch;

/// <summary>When the datapoints of a metric come about.</summary>
/// <param name="Period">From one datapoint to the next.</param>
/// <param name="Delay">A datapoint can be read so long after the end of its period, and seldom changes much afterwards.</param>
internal sealed record CloudWatchCadence(TimeSpan Period, TimeSpan Delay)
{
    /// <summary>In periods; see <see cref="OftenRevised"/>.</summary>
    public const int LookBackEvery = 5;

    public static readonly CloudWatchCadence Minute = new(TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(2)) { Revisable = 14, OftenRevised = 3 };

    public static readonly CloudWatchCadence FiveMinutes = new(TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(5)) { Revisable = 4 };

    /// <summary>A day's datapoint comes some time on the next day.</summary>
    public static readonly CloudWatchCadence Day = new(TimeSpan.FromDays(1), TimeSpan.FromHours(14)) { Retry = TimeSpan.FromHours(3) };

    /// <summary>Periods that are looked at again, because their values may still change; it is not billed, as metrics are and not datapoints.</summary>
    public int Revisable { get; init; } = 2;

    /// <summary>
    /// Of these the newest, if not all: they are looked at with each question, and all of them once in <see cref="LookBackEvery"/> periods,
    /// since most of a collection's work is to read datapoints that have not changed. So no period is looked at for the last time
    /// before <see cref="Revisable"/> - <see cref="LookBackEvery"/> + 1 have come after it.
    /// </summary>
    public int? OftenRevised { get; init; }

    /// <summary>After how long a datapoint that is late is asked for again; null: after the group's interval.</summary>
    public TimeSpan? Retry { get; init; }

    /// <summary>An interval in whole periods, one at least: no datapoint comes between.</summary>
    public TimeSpan StepOf(TimeSpan interval) => Period * Math.Max(1, Math.Round(interval / Period));

    /// <summary>The end of the newest period whose datapoint can be read.</summary>
    public DateTimeOffset SettledAt(DateTimeOffset now) => FloorTo(now - Delay, Period);

    public static DateTimeOffset FloorTo(DateTimeOffset at, TimeSpan period) => at.AddTicks(-(at.UtcTicks % period.Ticks));
}

/// <summary>One statistic of one metric, and the one series that is made of it.</summary>
/// <param name="Target">A counter: the statistic is Sum or SampleCount, and each period is counted. A gauge: the newest datapoint is shown.</param>
/// <param name="Labels">Of the series.</param>
/// <param name="Metric">With its exact dimensions. The statistics of one metric share one object: CloudWatch bills them as one.</param>
internal sealed record CloudWatchQuery(MetricDesc Target, string[] Labels, CloudWatchMetric Metric, string Stat, CloudWatchCadence Cadence)
{
    /// <summary>How many of CloudWatch's units make one of the metric's.</summary>
    public double Divisor { get; init; } = 1;

    /// <summary>It has a datapoint only when something happens: none is nothing to wait for.</summary>
    public bool IsSparse { get; init; }

    /// <summary>
    /// How many statistics each metric has, in their order, and its cadence. They are counted as they stand, side by side: of many
    /// thousands, every few seconds, groups would be made for nothing.
    /// </summary>
    public static IEnumerable<(int Statistics, CloudWatchCadence Cadence)> ByMetric(IEnumerable<CloudWatchQuery> queries)
    {
        CloudWatchQuery? last = null;
        var statistics = 0;
        foreach (var query in queries)
        {
            if (last is not null && !ReferenceEquals(query.Metric, last.Metric))
            {
                yield return (statistics, last.Cadence);
                statistics = 0;
            }

            (last, statistics) = (query, statistics + 1);
        }

        if (last is not null)
            yield return (statistics, last.Cadence);
    }
}
