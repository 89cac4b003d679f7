namespace PipelineExporter.Collectors.Aws.CloudWatch;

/// <summary>One query of a request, for one span of time, and what was answered to it.</summary>
/// <param name="From">Inclusive.</param>
/// <param name="Until">Exclusive; what is not settled by then is not read.</param>
internal record MetricQuestion(CloudWatchQuery Query, TimeSpan Period, DateTimeOffset From, DateTimeOffset Until)
{
    private List<KeyValuePair<DateTimeOffset, double>>? values;

    public DateTimeOffset Until { get; private set; } = Until;

    /// <summary>By the start of its period, in the unit of the metric; in no order.</summary>
    public IReadOnlyList<KeyValuePair<DateTimeOffset, double>> Values => values ?? [];

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
    public void Release() => values = null;

    /// <summary>Takes datapoints, but those that are none or not settled.</summary>
    /// <param name="starts">Of their periods.</param>
    public void Add(IReadOnlyList<DateTimeOffset> starts, IReadOnlyList<double> given)
    {
        // Of ten thousand metrics a minute, lists that grow by doubling are megabytes.
        values ??= new(given.Count);
        for (var i = 0; i < given.Count; i++)
        {
            var (start, value) = (starts[i], given[i] / Query.Divisor);
            if (!double.IsFinite(value) || start < From || start + Period > Until)
                continue;
            values.Add(new(start, value));
            if (!(start <= Newest))
                (Newest, NewestValue) = (start, value);
        }
    }
}

/// <summary>A question of the plan.</summary>
internal sealed record PlannedQuestion(TrackedMetric Metric, TimeSpan Period, DateTimeOffset From, DateTimeOffset Until)
    : MetricQuestion(Metric.Query, Period, From, Until);
