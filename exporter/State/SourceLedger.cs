using PipelineExporter.Metrics;

namespace PipelineExporter.State;

/// <summary>The counters, histograms, event keys and watermarks of one source.</summary>
internal sealed class SourceLedger
{
    private static readonly TimeSpan LongestUnstored = TimeSpan.FromHours(1);

    private readonly string scope;
    private readonly Ledger ledger;
    private readonly StateFile file;
    private readonly ScrapeLog scrapes;
    private readonly Lock gate = new();
    private readonly Dictionary<string, Dictionary<string[], Series>> families = [];
    private readonly Dictionary<string, StoredFamily> shapes;
    private readonly Dictionary<string, MetricDesc> bound = [];
    private readonly Dictionary<string, string> values;

    internal SourceLedger(string scope, Ledger ledger, StateFile file, ScrapeLog scrapes)
    {
        (this.scope, this.ledger, this.file, this.scrapes) = (scope, ledger, file, scrapes);
        values = file.LoadValues(scope);
        shapes = file.LoadFamilies(scope).ToDictionary(shape => shape.Name);
        foreach (var stored in file.LoadSeries(scope))
        {
            // Zero was the last value published: the series is held as one just born.
            var newborn = Array.TrueForAll(stored.Shown, number => number == 0);
            var shown = stored.Shown.AsSpan().SequenceEqual(stored.Value) ? stored.Value : stored.Shown; // one array, as while it is not held
            Family(stored.Family)[stored.Labels] =
                new(stored.Family, stored.Labels, stored.Value, shown, newborn)
                {
                    TouchedDay = stored.TouchedDay,
                    Periods = stored.Periods,
                    StoredUntil = stored.Periods?.Until,
                };
        }
    }

    /// <summary>Events and series of before are forgotten.</summary>
    public DateTimeOffset Oldest => ledger.Oldest;

    /// <summary>Whether the event was recorded before.</summary>
    public bool Contains(EventKey key) => file.ContainsEvent(key);

    /// <summary>A watermark or another text stored under this name; null when there is none.</summary>
    public string? GetValue(string name)
    {
        lock (gate)
            return values.GetValueOrDefault(name);
    }

    /// <summary>The names, of those that begin like this, under which a text is stored.</summary>
    public IReadOnlyList<string> ValueNames(string prefix)
    {
        lock (gate)
            return [.. values.Keys.Where(name => name.StartsWith(prefix, StringComparison.Ordinal))];
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
                .Where(series => series.Held && series.ShownSince.Value is { } at
                    && scrapes.ScrapedTwiceSince(series.ShownFrom) && (!series.Newborn || now - at >= ledger.ZeroHold))
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

    /// <summary>Writes the published value of each counted series of these families, and returns those that no page has shown yet.</summary>
    public IReadOnlyList<Series> Write(IEnumerable<MetricDesc> metrics, MetricSink sink)
    {
        lock (gate)
        {
            var unseen = new List<Series>();
            foreach (var metric in metrics.Where(metric => metric.Type != MetricType.Gauge))
            {
                var family = Bind(metric);
                foreach (var series in family.Values)
                {
                    if (!sink.Add(metric, series.Shown, series.Labels, family.Count))
                        (series.Held, series.ShownSince) = (true, default); // should it come back, what was counted meanwhile is seen to be added
                    else if (series.Held && series.ShownSince.Value is null)
                        unseen.Add(series);
                }
            }

            return unseen;
        }
    }

    /// <summary>Notes that the page of <paramref name="generation"/> is the first to show these series.</summary>
    public void Published(IReadOnlyList<Series> unseen, long generation)
    {
        lock (gate)
        {
            var now = ledger.Now;
            foreach (var series in unseen)
                (series.ShownFrom, series.ShownSince) = (generation, now);
        }
    }

    /// <summary>What was counted, published or not; of a gauge, what is kept.</summary>
    internal IReadOnlyList<(string[] Labels, double[] Value)> Counted(MetricDesc metric)
    {
        lock (gate)
            return [.. Bind(metric).Values.Select(series => (series.Labels, series.Value))];
    }

    /// <summary>The kept value of a gauge; null when there is none.</summary>
    public double? Kept(MetricDesc gauge, params ReadOnlySpan<string> labelValues)
    {
        lock (gate)
            return Bind(gauge).GetAlternateLookup<ReadOnlySpan<string>>().TryGetValue(labelValues, out var series) ? series.Value[0] : null;
    }

    /// <summary>How far a sum was counted; null when it never was.</summary>
    public PeriodSums? Periods(MetricDesc counter, params ReadOnlySpan<string> labelValues)
    {
        lock (gate)
            return Bind(counter).GetAlternateLookup<ReadOnlySpan<string>>().TryGetValue(labelValues, out var series) ? series.Periods : null;
    }

    internal void Commit(LedgerBatch batch)
    {
        ledger.Purge();
        lock (gate)
        {
            var today = Ledger.DayOf(ledger.Now);
            var change = new StateChange();
            foreach (var (key, day) in batch.Events)
                change.Events.Add(key, day);
            foreach (var (name, value) in batch.Values.Where(text => values.GetValueOrDefault(text.Key) != text.Value))
                change.Values.Add((scope, name), value);
            var updates = new List<(Series Series, double[] Value, PeriodSums? Periods, bool Stored, bool New)>(batch.Additions.Values.Sum(family => family.Count));
            foreach (var (metric, additions) in batch.Additions)
            {
                var family = Bind(metric);
                foreach (var (labels, addition) in additions)
                {
                    var known = family.TryGetValue(labels, out var series);
                    series ??= new(metric.Name, labels, new double[metric.Width], new double[metric.Width], newborn: true);
                    var periods = addition.Periods ?? series.Periods;
                    var adds = Array.Exists(addition.Numbers, number => number != 0);
                    if (known && !adds && series.TouchedDay == today && !MustStore(periods, series))
                    {
                        updates.Add((series, series.Value, periods, false, false));
                        continue;
                    }

                    var value = adds ? Sum(series.Value, addition.Numbers) : series.Value;
                    if (!Array.TrueForAll(value, double.IsFinite))
                        throw new MetricException(metric.Name, "cannot count that far");
                    change.Series.Add(Row(series, value, series.Held ? series.Shown : value, today) with { Periods = periods });
                    updates.Add((series, value, periods, true, !known));
                }
            }

            foreach (var (metric, family, labels, kept) in batch.Kept.SelectMany(one => one.Value.Select(gauge => (one.Key, Bind(one.Key), gauge.Key, gauge.Value))))
            {
                var known = family.TryGetValue(labels, out var series);
                if (!known && kept is null)
                    continue;
                series ??= new(metric.Name, labels, [0], [0], newborn: true);
                var value = kept is { } number ? [number] : series.Value;
                if (known && value[0].Equals(series.Value[0]) && series.TouchedDay == today)
                    continue;
                change.Series.Add(Row(series, value, value, today));
                updates.Add((series, value, null, true, !known));
            }

            if (!change.IsEmpty)
                file.Commit(change);

            // Memory follows the disk: had the commit failed, nothing would have changed.
            foreach (var (series, value, periods, isStored, isNew) in updates)
            {
                series.Periods = periods;
                if (!isStored)
                    continue;
                series.Value = value;
                series.TouchedDay = today;
                series.StoredUntil = periods?.Until;
                if (!series.Held)
                    series.Shown = value;
                if (isNew)
                    Family(series.Family)[series.Labels] = series;
            }

            foreach (var (name, value) in batch.Values)
            {
                if (value is null)
                    values.Remove(name);
                else
                    values[name] = value;
            }
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

    // What is read twice after a restart is not counted twice: of sums that stay at zero the state file need not know each step.
    private static bool MustStore(PeriodSums? periods, Series series) =>
        periods is not null && !ReferenceEquals(periods, series.Periods)
        && (series.StoredUntil.Value is not { } stored || periods.Until - stored >= LongestUnstored || periods.Debt != (series.Periods?.Debt ?? 0)
            || !periods.Recent.AsSpan().SequenceEqual(series.Periods is { } before ? before.Recent : []));

    private static double[] Sum(double[] left, double[] right)
    {
        var sum = new double[left.Length];
        for (var i = 0; i < sum.Length; i++)
            sum[i] = left[i] + right[i];
        return sum;
    }

    private StoredSeries Row(Series series, double[] value, double[] shown, long touchedDay) =>
        new(scope, series.Family, series.Labels, value, shown, touchedDay) { Periods = series.Periods };

    private Dictionary<string[], Series> Family(string name)
    {
        if (!families.TryGetValue(name, out var family))
            families.Add(name, family = new(LabelValues.Comparer));
        return family;
    }

    // The series of a metric.
    private Dictionary<string[], Series> Bind(MetricDesc metric)
    {
        var family = Family(metric.Name);
        if (bound.GetValueOrDefault(metric.Name) != metric)
        {
            Fit(metric, family);
            bound[metric.Name] = metric;
        }

        return family;
    }

    // What an earlier version or configuration stored in another shape is fitted, and stored so, first.
    private void Fit(MetricDesc metric, Dictionary<string[], Series> family)
    {
        var stored = shapes.GetValueOrDefault(metric.Name);
        var sameLabels = stored is not null && stored.Labels.AsSpan().SequenceEqual(metric.Labels.AsSpan());
        if (sameLabels && stored!.Buckets.AsSpan().SequenceEqual(metric.Buckets.AsSpan()))
            return;
        var change = new StateChange();
        var shape = new StoredFamily(scope, metric.Name, [.. metric.Labels], [.. metric.Buckets]);
        change.Families.Add(shape);
        // With other labels they are other series: those begin anew.
        var fitted = sameLabels
            ? family.Values.Select(series => (series, Value: Numbers(series.Value), Shown: Numbers(series.Shown))).ToList()
            : [];
        change.Series.AddRange(fitted.Select(fit => Row(fit.series, fit.Value, fit.Shown, fit.series.TouchedDay)));
        file.Commit(change);

        shapes[metric.Name] = shape;
        if (!sameLabels)
            family.Clear();
        foreach (var (series, value, shown) in fitted)
            (series.Value, series.Shown) = (value, shown);

        // Of the observations in an old bucket no more is known than its upper bound; their sum stays what it was.
        double[] Numbers(double[] old)
        {
            var numbers = new double[metric.Width];
            for (var i = 0; i < old.Length - 1; i++)
                numbers[i < stored!.Buckets.Length ? metric.BucketOf(stored.Buckets[i]) : metric.Buckets.Length] += old[i];
            numbers[^1] = old[^1];
            return numbers;
        }
    }
}
