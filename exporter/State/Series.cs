namespace PipelineExporter.State;

/// <summary>
/// One series of a counter or histogram. <see cref="Value"/> is what was counted, <see cref="Shown"/> what is published:
/// they differ while the series is held, so that Prometheus sees a value before it sees it change.
/// </summary>
internal sealed class Series(string family, string[] labels, double[] value, double[] shown, bool newborn)
{
    public string Family { get; } = family;

    public string[] Labels { get; } = labels;

    public double[] Value { get; set; } = value;

    public double[] Shown { get; set; } = shown;

    /// <summary>The UTC day it was last counted or declared.</summary>
    public long TouchedDay { get; set; }

    /// <summary>Of a sum that comes period by period: how far it was counted; null for any other.</summary>
    public PeriodSums? Periods { get; set; }

    /// <summary>How far the state file knows <see cref="Periods"/> to be counted.</summary>
    public CompactTime StoredUntil { get; set; }

    /// <summary>Never published with another value than zero.</summary>
    public bool Newborn { get; } = newborn;

    public bool Held { get; set; } = true;

    /// <summary>The first page that shows the held value.</summary>
    public long ShownFrom { get; set; }

    /// <summary>When that page was published; none before.</summary>
    public CompactTime ShownSince { get; set; }
}
