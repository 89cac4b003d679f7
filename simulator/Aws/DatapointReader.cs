using PipelineExporter.Simulator.Control;

namespace PipelineExporter.Simulator.Aws;

/// <summary>The datapoints of one request: of each period that holds a sample, as much as can be read at an instant.</summary>
/// <param name="metrics">Null where there are none.</param>
/// <param name="wrong">Faults of the data.</param>
internal sealed class DatapointReader(MetricCatalog? metrics, GetMetricDataInput input, DateTimeOffset now, IReadOnlyList<Fault> wrong)
{
    /// <summary>How old a datapoint may be, by the seconds of which its period has to be a multiple.</summary>
    static readonly (TimeSpan Age, int Granularity)[] Retention =
        [(TimeSpan.FromDays(15), 60), (TimeSpan.FromDays(63), 300), (TimeSpan.FromDays(455), 3600)];

    /// <summary>With the fault revise_down, a datapoint older than this has half its value.</summary>
    static readonly TimeSpan ShrinksAfter = TimeSpan.FromMinutes(6);

    readonly DateTimeOffset start = RoundDown(input.StartTime!.Value, now);
    readonly bool isAscending = input.ScanBy == "TimestampAscending";

    // Used for one query after the other.
    readonly List<MetricSample> samples = [];
    readonly List<Datapoint> points = [];

    /// <summary>In the order that ScanBy asks for, each stamped at its period's start; and whether the metric cannot be read.</summary>
    public (Datapoint[] Points, bool Failed) Read(MetricStat stat)
    {
        points.Clear();
        if (metrics?.Find(stat.Metric!) is { } series && (stat.Unit ?? series.Unit) == series.Unit && OldestReadable(stat.Period!.Value, now) is { } oldest)
        {
            if (Wrong(series, FaultKind.InternalError) is not null)
                return ([], true);
            Read(series, TimeSpan.FromSeconds(stat.Period.Value), Statistic.Parse(stat.Stat!)!, start < oldest ? oldest : start);
            if (!isAscending)
                points.Reverse();
        }
        return ([.. points], false);
    }

    void Read(MetricSeries series, TimeSpan period, Statistic statistic, DateTimeOffset from)
    {
        var readAt = Wrong(series, FaultKind.Late) is { } late ? now - TimeSpan.FromSeconds(late.Latency) : now;
        var isNaN = Wrong(series, FaultKind.NaN) is not null;
        var shrunkBefore = Wrong(series, FaultKind.ReviseDown) is null ? DateTimeOffset.MinValue : now - ShrinksAfter;

        // The last period that begins before the end belongs to the answer as a whole.
        var periods = ((input.EndTime!.Value - start).Ticks + period.Ticks - 1) / period.Ticks;
        var (end, visible) = (start + (period * periods), readAt - series.PublishDelay);
        var current = long.MinValue;
        samples.Clear();
        foreach (var sample in series.Samples(from, visible < end ? visible : end))
        {
            if (!series.IsReadable(sample, metrics!.Model.Seed, readAt))
                continue;
            var index = (sample.At - start).Ticks / period.Ticks;
            if (index != current)
                Close();
            current = index;
            samples.Add(sample);
        }
        Close();

        void Close()
        {
            if (samples.Count == 0)
                return;
            var at = start + (period * current);
            var value = isNaN ? double.NaN : statistic.Of(samples);
            points.Add(new Datapoint(at.ToUnixTimeSeconds(), at < shrunkBefore ? Math.Floor(value / 2) : value));
            samples.Clear();
        }
    }

    Fault? Wrong(MetricSeries series, FaultKind kind)
    {
        foreach (var fault in wrong)
        {
            if (fault.Kind == kind && (fault.Match is not { } match || series.Has(match)))
                return fault;
        }
        return null;
    }

    /// <summary>Fine periods are kept for less long; a period that nothing is kept for answers empty.</summary>
    static DateTimeOffset? OldestReadable(int period, DateTimeOffset now)
    {
        DateTimeOffset? oldest = null;
        foreach (var (age, granularity) in Retention)
        {
            if (period % granularity == 0)
                oldest = now - age;
        }
        return oldest;
    }

    static DateTimeOffset RoundDown(DateTimeOffset start, DateTimeOffset now)
    {
        var granularity = Retention.FirstOrDefault(kept => start > now - kept.Age, Retention[^1]).Granularity;
        var seconds = start.ToUnixTimeSeconds();
        return DateTimeOffset.FromUnixTimeSeconds(seconds - (seconds % granularity));
    }
}
