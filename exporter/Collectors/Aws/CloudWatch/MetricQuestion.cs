using System.Collections;

namespace PipelineExporter.Collectors.Aws.CloudWatch;

/// <summary>One query of a request, for one span of time, and what was answered to it.</summary>
/// <param name="From">Inclusive.</param>
/// <param name="Until">Exclusive; what is not settled by then is not read.</param>
internal record MetricQuestion(CloudWatchQuery Query, TimeSpan Period, DateTimeOffset From, DateTimeOffset Until)
{
    private IReadOnlyList<KeyValuePair<DateTimeOffset, double>> values = [];

    public DateTimeOffset Until { get; private set; } = Until;

    /// <summary>By the start of its period, in the unit of the metric; in no order.</summary>
    public IReadOnlyList<KeyValuePair<DateTimeOffset, double>> Values => values;

    /// <summary>Pages that came in answer to it; CloudWatch bills each.</summary>
    public int Answers { get; set; }

    /// <summary>All pages of the answer were read.</summary>
    public bool IsComplete { get; set; }

    /// <summary>Why it was not answered.</summary>
    public string? Failure { get; set; }

    public DateTimeOffset? Newest { get; private set; }

    public double NewestValue { get; private set; }

    /// <summary>Learns what was settled when it was answered, where it was asked by a clock that was ahead.</summary>
    public void EndBy(DateTimeOffset settled)
    {
        if (settled < Until)
            Until = CloudWatchCadence.FloorTo(settled, Period);
    }

    /// <summary>Lets go of the values, once they were counted.</summary>
    public void Release() => values = [];

    /// <summary>Takes datapoints, but those that are none or not settled.</summary>
    /// <param name="starts">Of their periods.</param>
    public void Add(IReadOnlyList<DateTimeOffset> starts, IReadOnlyList<double> given)
    {
        var page = new Datapoints(starts, given, Query.Divisor);
        var taken = 0;
        for (var i = 0; i < page.Count; i++)
        {
            if (!Takes(page[i]))
                continue;
            taken++;
            if (!(page[i].Key <= Newest))
                (Newest, NewestValue) = (page[i].Key, page[i].Value);
        }

        // Nearly always the one page, and as it came: copies of what 50,000 metrics have are 15 MB a minute.
        values = values.Count == 0 && taken == page.Count ? page : [.. values, .. page.Where(Takes)];
    }

    private bool Takes(KeyValuePair<DateTimeOffset, double> point) =>
        double.IsFinite(point.Value) && point.Key >= From && point.Key + Period <= Until;

    /// <summary>What an answer gives in two lists.</summary>
    private sealed class Datapoints(IReadOnlyList<DateTimeOffset> starts, IReadOnlyList<double> values, double divisor)
        : IReadOnlyList<KeyValuePair<DateTimeOffset, double>>
    {
        public int Count => values.Count;

        public KeyValuePair<DateTimeOffset, double> this[int index] => new(starts[index], values[index] / divisor);

        public IEnumerator<KeyValuePair<DateTimeOffset, double>> GetEnumerator() => Enumerable.Range(0, Count).Select(i => this[i]).GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}

/// <summary>A question of the plan.</summary>
internal sealed record PlannedQuestion(TrackedMetric Metric, TimeSpan Period, DateTimeOffset From, DateTimeOffset Until)
    : MetricQuestion(Metric.Query, Period, From, Until);
