using System.Buffers;

namespace PipelineExporter.State;

/// <summary>What a source says of a sum that it publishes period by period.</summary>
/// <param name="Period">Length of a period.</param>
/// <param name="Until">Every period that ends by then was asked for and is settled.</param>
/// <param name="Values">By the start of its period; none where nothing was published.</param>
internal readonly record struct PeriodReading(TimeSpan Period, DateTimeOffset Until, IReadOnlyList<KeyValuePair<DateTimeOffset, double>> Values);

/// <summary>
/// How far a sum was counted, and what its last periods were counted with: so each period is added once, and one that is
/// revised later adds the difference. A difference below zero becomes a debt that is withheld from what is added later, since
/// a counter that steps back reads as a reset. Immutable.
/// </summary>
internal sealed class PeriodSums
{
    private const int Header = 4;

    // An exabyte a period. What is beyond is no sum, and would drown whatever comes after: a counter never forgets.
    private const double Highest = 1e18;

    private PeriodSums(TimeSpan period, DateTimeOffset floor, DateTimeOffset until, double debt, double[] recent) =>
        (Period, Floor, Until, Debt, Recent) = (period, floor, until, debt, recent);

    public TimeSpan Period { get; }

    /// <summary>Periods that began before are remembered, and not counted.</summary>
    public DateTimeOffset Floor { get; }

    /// <summary>Every period that ends by then was counted.</summary>
    public DateTimeOffset Until { get; }

    /// <summary>What was counted too much.</summary>
    public double Debt { get; }

    /// <summary>The periods that end at <see cref="Until"/>, newest last; empty when all of them are zero.</summary>
    public double[] Recent { get; }

    /// <summary>Nothing is counted yet; the period that <paramref name="since"/> lies in will be the first that is.</summary>
    public static PeriodSums StartingAt(DateTimeOffset since, TimeSpan period)
    {
        var start = since.AddTicks(-(since.UtcTicks % period.Ticks));
        return new(period, start, start, 0, []);
    }

    /// <summary>The value counted for a period by its start; zero for one that is not remembered.</summary>
    public double this[DateTimeOffset start]
    {
        get
        {
            var index = Recent.Length - (Until - start).Ticks / Period.Ticks;
            return start < Until && index >= 0 && index < Recent.Length ? Recent[index] : 0;
        }
    }

    /// <summary>The sum of the remembered periods in a span of time.</summary>
    public double Sum(DateTimeOffset from, DateTimeOffset until)
    {
        var sum = 0.0;
        for (var i = 0; i < Recent.Length; i++)
        {
            var start = Until - Period * (Recent.Length - i);
            if (start >= from && start < until)
                sum += Recent[i];
        }

        return sum;
    }

    /// <summary>The start of the oldest period since an instant that was counted with more than zero; null when none was.</summary>
    public DateTimeOffset? RoseAt(DateTimeOffset since)
    {
        for (var i = 0; i < Recent.Length; i++)
        {
            var start = Until - Period * (Recent.Length - i);
            if (Recent[i] > 0 && start >= since && start >= Floor)
                return start;
        }

        return null;
    }

    /// <param name="revisable">How many periods may still be revised; what is older was settled for good.</param>
    /// <param name="remembered">How many are remembered, as many at least.</param>
    /// <returns>What follows, what a counter adds, and how many periods were revised.</returns>
    public (PeriodSums Next, double Addition, int Revised) Read(PeriodReading reading, int revisable, int remembered)
    {
        if (reading.Period != Period)
            return ReadInOtherPeriods(reading, revisable);
        var until = reading.Until > Until ? reading.Until : Until;
        var first = until - Period * remembered;
        var oldest = Until - Period * revisable;
        var recent = new double[remembered];
        for (var i = 0; i < remembered; i++)
            recent[i] = this[first + Period * i];

        var (difference, revised) = (-Debt, 0);
        var values = OncePerPeriod(reading.Values);
        for (var i = 0; i < values.Count; i++)
        {
            var (start, value) = values[i];
            if (start < oldest || start + Period > until || !IsSum(value))
                continue;
            var change = value - this[start];
            if (start >= Floor)
            {
                difference += change;
                revised += start < Until && change != 0 ? 1 : 0;
            }

            if (start >= first)
                recent[(start - first).Ticks / Period.Ticks] = value;
        }

        var next = new PeriodSums(Period, Floor, until, Math.Max(0, -difference), Array.TrueForAll(recent, value => value == 0) ? [] : recent);
        return (next, Math.Max(0, difference), revised);
    }

    /// <summary>As it is stored; see <see cref="FromNumbers"/>.</summary>
    /// <param name="buffer">Holds them until it is written to again.</param>
    public ReadOnlySpan<double> ToNumbers(ArrayBufferWriter<double> buffer)
    {
        buffer.ResetWrittenCount();
        buffer.Write([Period.TotalSeconds, Floor.ToUnixTimeSeconds(), Until.ToUnixTimeSeconds(), Debt]);
        buffer.Write(Recent);
        return buffer.WrittenSpan;
    }

    /// <summary>Null for no numbers.</summary>
    public static PeriodSums? FromNumbers(ReadOnlySpan<double> numbers) => numbers.Length < Header
        ? null
        : new(
            TimeSpan.FromSeconds(numbers[0]), DateTimeOffset.FromUnixTimeSeconds((long)numbers[1]), DateTimeOffset.FromUnixTimeSeconds((long)numbers[2]),
            numbers[3], numbers[Header..].ToArray());

    // After a long outage fine periods are gone at the source, and longer ones are what is left to ask for. A period that was
    // counted in part gives the rest; nothing of before can be revised any more.
    private (PeriodSums Next, double Addition, int Revised) ReadInOtherPeriods(PeriodReading reading, int revisable)
    {
        var remembered = Until - Period * revisable;
        var difference = -Debt;
        var values = OncePerPeriod(reading.Values);
        for (var i = 0; i < values.Count; i++)
        {
            var (start, value) = values[i];
            var end = start + reading.Period;
            if (end <= Until || end > reading.Until || start < Floor || (start < remembered && start < Until) || !IsSum(value))
                continue;
            difference += value - Sum(start, end);
        }

        var until = reading.Until > Until ? reading.Until : Until;
        return (new(Period, until, until, Math.Max(0, -difference), []), Math.Max(0, difference), 0);
    }

    private static bool IsSum(double value) => value is >= 0 and <= Highest;

    // A datapoint that comes while an answer is read pushes another onto both of two pages. The later word counts.
    private static IReadOnlyList<KeyValuePair<DateTimeOffset, double>> OncePerPeriod(IReadOnlyList<KeyValuePair<DateTimeOffset, double>> values)
    {
        var newestFirst = true; // as they nearly always are, and then none is there twice
        for (var i = 1; i < values.Count && newestFirst; i++)
            newestFirst = values[i].Key < values[i - 1].Key;
        if (newestFirst)
            return values;
        var latest = new Dictionary<DateTimeOffset, double>(values.Count);
        foreach (var (start, value) in values)
        {
            if (IsSum(value))
                latest[start] = value;
        }

        return [.. latest];
    }
}
