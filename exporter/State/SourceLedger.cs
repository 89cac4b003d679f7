using PipelineExporter.Metrics;
using PipelineExporter.Scraping;

namespace PipelineExporter.State;

/// <summary>The counters, histograms, event keys and watermarks of one source.</summary>
internal sealed class SourceLedger
{
    private readonly string scope;
    private readonly Ledger ledger;
    private readonly StateFile file;
    private readonly ScrapeLog scrapes;
    private readonly Lock gate = new();
    private readonly Dictionary<string, Dictionary<string[], Series>> families = [];
    private readonly HashSet<string> bound = [];
    private readonly HashSet<string> unstoredBuckets = [];
    private readonly Dictionary<string, string> values;

    internal SourceLedger(string scope, Ledger ledger, StateFile file, ScrapeLog scrapes)
    {
        (this.scope, this.ledger, this.file, this.scrapes) = (scope, ledger, file, scrapes);
        values = file.LoadValues(scope);
        foreach (var stored in file.LoadSeries(scope))
        {
            // Zero was the last value published: the series is held as one just born.
            var newborn = Array.TrueForAll(stored.Shown, number => number == 0);
            Family(stored.Family)[stored.Labels] =
                new(stored.Family, stored.Labels, stored.Value, stored.Shown, newborn) { TouchedDay = stored.TouchedDay };
        }
    }

    /// <summary>Whether the event was recorded before.</summary>
    public bool Contains(EventKey key) => file.ContainsEvent(key);

    /// <summary>A watermark or another text stored under this name; null when there is none.</summary>
    public string? GetValue(string name)
    {
        lock (gate)
            return values.GetValueOrDefault(name);
    }

    /// <summary>Starts a change that takes effect as a whole when it is committed, or not at all.</summary>
    public LedgerBatch Begin() => new(this, ledger);

    /// <summary>
    /// Ends the hold of series that were scraped twice (and, just born, stood long enough), and stores the values that they
    /// will show from now on.
    /// </summary>
    /// <exception cref="StateException">Nothing changed.</exception>
    public void Advance(IEnumerable<MetricDesc> metrics)
    {
        lock (gate)
        {
            var now = ledger.Now;
            var released = metrics.Where(metric => metric.Type != MetricType.Gauge).SelectMany(metric => Bind(metric).Values)
                .Where(series => series.Held && series.ShownSince is var (generation, at)
                    && scrapes.ScrapedTwiceSince(generation) && (!series.Newborn || now - at >= ledger.ZeroHold))
                .ToList();
            var change = new StateChange();
            foreach (var series in released.Where(series => !series.Shown.AsSpan().SequenceEqual(series.Value)))
                change.Series.Add(Row(series, series.Value, series.Value, series.TouchedDay));
            if (!change.IsEmpty)
                file.Commit(change);
            foreach (var series in released)
                (series.Held, series.Shown) = (false, series.Value);
        }
    }

    /// <summary>Writes the published value of each series of these families.</summary>
    public void Write(IEnumerable<MetricDesc> metrics, MetricSink sink)
    {
        lock (gate)
        {
            foreach (var metric in metrics.Where(metric => metric.Type != MetricType.Gauge))
            {
                foreach (var series in Bind(metric).Values)
                    sink.Add(metric, series.Shown, series.Labels);
            }
        }
    }

    /// <summary>Notes that a page with the values last written is published as <paramref name="generation"/>.</summary>
    public void Published(IEnumerable<MetricDesc> metrics, long generation)
    {
        lock (gate)
        {
            var now = ledger.Now;
            foreach (var metric in metrics.Where(metric => metric.Type != MetricType.Gauge))
            {
                foreach (var series in Bind(metric).Values)
                {
                    if (series.Held)
                        series.ShownSince ??= (generation, now);
                }
            }
        }
    }

    /// <summary>What was counted, published or not.</summary>
    internal IReadOnlyList<(string[] Labels, double[] Value)> Counted(MetricDesc metric)
    {
        lock (gate)
            return [.. Bind(metric).Values.Select(series => (series.Labels, series.Value))];
    }

    internal void Commit(LedgerBatch batch)
    {
        ledger.PurgeDaily();
        lock (gate)
        {
            var today = Ledger.DayOf(ledger.Now);
            var change = new StateChange();
            foreach (var (key, day) in batch.Events)
                change.Events.Add(key, day);
            foreach (var (name, value) in batch.Values)
                change.Values.Add((scope, name), value);
            var updates = new List<(Series Series, double[] Value, bool New)>();
            foreach (var (metric, additions) in batch.Additions)
            {
                var family = Bind(metric);
                if (unstoredBuckets.Contains(metric.Name))
                {
                    change.Buckets[metric.Name] = [.. metric.Buckets];
                    change.Series.AddRange(family.Values.Select(series => Row(series, series.Value, series.Shown, series.TouchedDay)));
                }

                foreach (var (labels, addition) in additions)
                {
                    var known = family.TryGetValue(labels, out var series);
                    series ??= new(metric.Name, labels, new double[metric.Width], new double[metric.Width], newborn: true);
                    var adds = Array.Exists(addition, number => number != 0);
                    if (known && !adds && series.TouchedDay == today)
                        continue;
                    var value = adds ? Sum(series.Value, addition) : series.Value;
                    change.Series.Add(Row(series, value, series.Held ? series.Shown : value, today));
                    updates.Add((series, value, !known));
                }
            }

            if (!change.IsEmpty)
                file.Commit(change);

            // Memory follows the disk: had the commit failed, nothing would have changed.
            unstoredBuckets.ExceptWith(change.Buckets.Keys);
            foreach (var (series, value, isNew) in updates)
            {
                series.Value = value;
                series.TouchedDay = today;
                if (!series.Held)
                    series.Shown = value;
                if (isNew)
                    Family(series.Family)[series.Labels] = series;
            }

            foreach (var (name, value) in batch.Values)
                values[name] = value;
        }
    }

    internal void Forget(long oldestDay)
    {
        lock (gate)
        {
            foreach (var family in families.Values)
            {
                foreach (var series in family.Values.Where(series => series.TouchedDay < oldestDay).ToList())
                    family.Remove(series.Labels);
            }
        }
    }

    private static double[] Sum(double[] left, double[] right)
    {
        var sum = new double[left.Length];
        for (var i = 0; i < sum.Length; i++)
            sum[i] = left[i] + right[i];
        return sum;
    }

    private StoredSeries Row(Series series, double[] value, double[] shown, long touchedDay) =>
        new(scope, series.Family, series.Labels, value, shown, touchedDay);

    private Dictionary<string[], Series> Family(string name)
    {
        if (!families.TryGetValue(name, out var family))
            families.Add(name, family = new(LabelValues.Comparer));
        return family;
    }

    // Fits what was stored to what the metric is today: it may have had other labels or other buckets when it was stored.
    private Dictionary<string[], Series> Bind(MetricDesc metric)
    {
        var family = Family(metric.Name);
        if (!bound.Add(metric.Name))
            return family;
        var storedBuckets = metric.Type == MetricType.Histogram ? file.LoadBuckets(metric.Name) : null;
        var otherBuckets = storedBuckets is not null && !storedBuckets.AsSpan().SequenceEqual(metric.Buckets.AsSpan());
        foreach (var series in family.Values.ToList())
        {
            if (otherBuckets)
                (series.Value, series.Shown) = (Rebucket(metric, series.Value), Rebucket(metric, series.Shown));
            if (series.Labels.Length != metric.Labels.Length || series.Value.Length != metric.Width)
                family.Remove(series.Labels);
        }

        if (metric.Type == MetricType.Histogram && (storedBuckets is null || otherBuckets))
            unstoredBuckets.Add(metric.Name);
        return family;
    }

    // Each old bucket goes where its mean belongs now: count and sum of the series stay what they were.
    private static double[] Rebucket(MetricDesc metric, double[] old)
    {
        var numbers = new double[metric.Width];
        var buckets = old.Length / 2;
        for (var i = 0; i < buckets; i++)
        {
            if (old[i] == 0)
                continue;
            var bucket = metric.BucketOf(old[buckets + i] / old[i]);
            numbers[bucket] += old[i];
            numbers[metric.Buckets.Length + 1 + bucket] += old[buckets + i];
        }

        return numbers;
    }
}
