using System.Globalization;
using PipelineExporter.State;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>How far a list of events was read, in the server's time, kept in the ledger beside what was counted.</summary>
/// <param name="lookback">How far a new process looks back to fill gauges, whatever was counted before.</param>
internal sealed class Watermark(SourceLedger ledger, string collector, TimeSpan lookback)
{
    /// <summary>Each poll asks again for what the one before saw last: rows become visible up to some seconds after their time.</summary>
    public static readonly TimeSpan Overlap = TimeSpan.FromSeconds(120);

    private bool filled;

    private string ReadName => collector + ".read";

    private string BaselineName => collector + ".baseline";

    /// <summary>Begins a poll.</summary>
    /// <param name="now">The server's clock at the poll's first answer.</param>
    public Poll Begin(DateTimeOffset now)
    {
        var read = Stored(ReadName) is { } stored && stored < now ? stored : now;
        if (!filled && now - lookback < read)
            read = now - lookback;
        var baseline = Stored(BaselineName);
        return new Poll(now, read - Overlap, baseline ?? now, IsFirst: baseline is null);
    }

    /// <summary>Notes in the poll's last batch that it is complete.</summary>
    public void Store(LedgerBatch batch, Poll poll)
    {
        batch.SetValue(ReadName, Text(poll.Now));
        if (poll.IsFirst)
            batch.SetValue(BaselineName, Text(poll.Baseline));
    }

    /// <summary>The batch was committed.</summary>
    public void Stored() => filled = true;

    private DateTimeOffset? Stored(string name) =>
        ledger.GetValue(name) is { } text ? DateTimeOffset.Parse(text, CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind) : null;

    private static string Text(DateTimeOffset instant) => instant.UtcDateTime.ToString("O", CultureInfo.InvariantCulture);
}

/// <param name="Now">The server's clock.</param>
/// <param name="Since">Where the lists begin.</param>
/// <param name="Baseline">When the exporter first saw this source: what ended before is known, not counted.</param>
/// <param name="IsFirst">Nothing was ever counted of this source: all that is finished is history.</param>
internal readonly record struct Poll(DateTimeOffset Now, DateTimeOffset Since, DateTimeOffset Baseline, bool IsFirst)
{
    /// <summary>Whether an event that is new to the ledger counts.</summary>
    public bool Counts(DateTimeOffset? end) => !IsFirst && !(end < Baseline);
}
