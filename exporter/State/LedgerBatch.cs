using System.Runtime.InteropServices;
using PipelineExporter.Metrics;

namespace PipelineExporter.State;

/// <summary>
/// One change of a source's ledger: events seen for the first time, what they add, and how far the source was read. For one
/// thread; nothing is stored or visible before <see cref="Commit"/>.
/// </summary>
internal sealed class LedgerBatch(SourceLedger source, Ledger ledger)
{
    internal Dictionary<EventKey, long> Events { get; } = [];

    internal Dictionary<MetricDesc, Dictionary<string[], Addition>> Additions { get; } = [];

    /// <summary>New values of kept gauges; null: of one that only goes on being kept.</summary>
    internal Dictionary<MetricDesc, Dictionary<string[], double?>> Kept { get; } = [];

    internal Dictionary<string, string?> Values { get; } = [];

    /// <summary>
    /// Records an event. True the first time ever; false for one known, and for one so old that its key may have been
    /// forgotten already.
    /// </summary>
    public bool TryRecord(EventKey key, DateTimeOffset at)
    {
        if (at < ledger.Oldest || Contains(key))
            return false;
        Events.Add(key, Ledger.DayOf(at));
        return true;
    }

    /// <summary>Whether the event was recorded, by this batch or before.</summary>
    public bool Contains(EventKey key) => Events.ContainsKey(key) || source.Contains(key);

    /// <summary>Makes a series exist, at 0 when it is new.</summary>
    public void Declare(MetricDesc metric, params ReadOnlySpan<string> labelValues) => AdditionTo(metric, labelValues);

    /// <summary>Adds to a counter; <paramref name="amount"/> is finite and not negative.</summary>
    public void Add(MetricDesc counter, double amount, params ReadOnlySpan<string> labelValues)
    {
        if (counter.Type != MetricType.Counter)
            throw new MetricException(counter.Name, "is not a counter");
        Check(counter, amount);
        AdditionTo(counter, labelValues).Numbers[0] += amount;
    }

    /// <summary>Adds one observation to a histogram, in the metric's unit, finite and not negative.</summary>
    public void Observe(MetricDesc histogram, double value, params ReadOnlySpan<string> labelValues)
    {
        if (histogram.Type != MetricType.Histogram)
            throw new MetricException(histogram.Name, "is not a histogram");
        Check(histogram, value);
        var numbers = AdditionTo(histogram, labelValues).Numbers;
        numbers[histogram.BucketOf(value)]++;
        numbers[^1] += value;
    }

    /// <summary>
    /// Counts the periods of a sum: each once, the difference of one that was revised, nothing of what began before
    /// <paramref name="since"/>.
    /// </summary>
    /// <param name="since">Where counting begins; of a series that is known, it is where it began.</param>
    /// <param name="revisable">How many periods may still be revised.</param>
    /// <param name="remembered">How many are remembered, as many at least.</param>
    /// <param name="labelValues">Are kept as they are.</param>
    /// <returns>How many were.</returns>
    public int CountPeriods(MetricDesc counter, PeriodReading reading, DateTimeOffset since, int revisable, int remembered, string[] labelValues)
    {
        ref var addition = ref AdditionOfPeriods(counter, labelValues);
        var (next, amount, revised) = (addition.Periods ?? PeriodSums.StartingAt(since, reading.Period)).Read(reading, revisable, remembered);
        Check(counter, amount);
        addition.Numbers[0] += amount;
        addition.Periods = next;
        return revised;
    }

    /// <summary>Makes a sum exist, at 0 when it is new: its periods are counted from <paramref name="since"/> on.</summary>
    /// <param name="labelValues">Are kept as they are.</param>
    public void DeclarePeriods(MetricDesc counter, DateTimeOffset since, TimeSpan period, string[] labelValues) =>
        AdditionOfPeriods(counter, labelValues).Periods ??= PeriodSums.StartingAt(since, period);

    /// <summary>Keeps the value of a gauge over restarts, until it is replaced or not touched for as long as event keys are kept.</summary>
    public void Keep(MetricDesc gauge, double value, params ReadOnlySpan<string> labelValues) => KeptValue(gauge, labelValues) = value;

    /// <summary>Lets a gauge, if one is kept, be kept on as it is.</summary>
    public void Touch(MetricDesc gauge, params ReadOnlySpan<string> labelValues) => KeptValue(gauge, labelValues) ??= null;

    /// <summary>Stores a text under a name, in the same transaction as what was counted.</summary>
    public void SetValue(string name, string value) => Values[name] = value;

    /// <summary>Forgets a text, if there is one of this name.</summary>
    public void RemoveValue(string name) => Values[name] = null;

    /// <summary>Stores all of it in one transaction; then, and only then, it counts.</summary>
    /// <exception cref="StateException">Nothing was stored or counted; the next poll will see the events again.</exception>
    public void Commit() => source.Commit(this);

    private static void Check(MetricDesc metric, double value)
    {
        if (!double.IsFinite(value) || value < 0)
            throw new MetricException(metric.Name, $"cannot count {value}");
    }

    private ref double? KeptValue(MetricDesc gauge, ReadOnlySpan<string> labelValues)
    {
        if (gauge.Type != MetricType.Gauge)
            throw new MetricException(gauge.Name, "is counted, not kept");
        gauge.CheckLabelValues(labelValues);
        ref var family = ref CollectionsMarshal.GetValueRefOrAddDefault(Kept, gauge, out _);
        family ??= new(LabelValues.Comparer);
        return ref CollectionsMarshal.GetValueRefOrAddDefault(family.GetAlternateLookup<ReadOnlySpan<string>>(), labelValues, out _);
    }

    private ref Addition AdditionOfPeriods(MetricDesc counter, string[] labelValues)
    {
        if (counter.Type != MetricType.Counter)
            throw new MetricException(counter.Name, "is not a counter");
        ref var addition = ref CollectionsMarshal.GetValueRefOrAddDefault(AdditionsTo(counter, labelValues), labelValues, out _);
        addition.Numbers ??= new double[counter.Width];
        addition.Periods ??= source.Periods(counter, labelValues);
        return ref addition;
    }

    private Addition AdditionTo(MetricDesc metric, ReadOnlySpan<string> labelValues)
    {
        if (metric.Type == MetricType.Gauge)
            throw new MetricException(metric.Name, "is a gauge, which is not counted");
        var family = AdditionsTo(metric, labelValues).GetAlternateLookup<ReadOnlySpan<string>>();
        ref var addition = ref CollectionsMarshal.GetValueRefOrAddDefault(family, labelValues, out _);
        addition.Numbers ??= new double[metric.Width];
        return addition;
    }

    private Dictionary<string[], Addition> AdditionsTo(MetricDesc metric, ReadOnlySpan<string> labelValues)
    {
        metric.CheckLabelValues(labelValues);
        ref var family = ref CollectionsMarshal.GetValueRefOrAddDefault(Additions, metric, out _);
        return family ??= new(LabelValues.Comparer);
    }
}

/// <summary>What a batch adds to one series.</summary>
internal struct Addition
{
    /// <summary>As many as the metric's <see cref="MetricDesc.Width"/>.</summary>
    public double[] Numbers;

    /// <summary>How far its periods are counted then; null for what is not counted period by period, or goes on as it is.</summary>
    public PeriodSums? Periods;
}
