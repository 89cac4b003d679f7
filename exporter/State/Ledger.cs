
namespace PipelineExporter.State;

/// <summary>
/// Counts each event once and keeps what was counted: counters, histograms, the keys of the events, and watermarks, over
/// overlapping polls, restarts and crashes. Published values never step back and never change unseen.
/// </summary>
internal sealed class Ledger(StateFile file, ScrapeLog scrapes, TimeProvider time, LedgerOptions options) : IDisposable
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, SourceLedger> scopes = [];
    private readonly Dictionary<string, string> owners = [];
    private long purgedDay;

    public StateFile File => file;

    /// <summary>The part of the ledger of one source; the same object each time.</summary>
    /// <exception cref="StateException">The state file cannot be read.</exception>
    public SourceLedger For(string scope)
    {
        lock (gate)
        {
            if (!scopes.TryGetValue(scope, out var ledger))
                scopes.Add(scope, ledger = new(scope, this, file, scrapes));
            return ledger;
        }
    }

    /// <summary>Takes a scope for one source, since two would add the same events to the same series.</summary>
    /// <returns>Whose it is: the source that came first.</returns>
    public string Claim(string scope, string source)
    {
        lock (gate)
        {
            if (!owners.TryGetValue(scope, out var owner))
                owners.Add(scope, owner = source);
            return owner;
        }
    }

    /// <summary>The stored values of a name, by their scopes, of those that begin like this.</summary>
    /// <exception cref="StateException">The state file cannot be read.</exception>
    public IReadOnlyDictionary<string, string> Stored(string name, string scopePrefix) => file.LoadValues(name, scopePrefix);

    public void Dispose() => file.Dispose();

    internal DateTimeOffset Now => time.GetUtcNow();

    internal TimeSpan ZeroHold => options.ZeroHold;

    internal DateTimeOffset Oldest => Now - options.KeyRetention;

    internal static long DayOf(DateTimeOffset at) => at.UtcTicks / TimeSpan.TicksPerDay;

    /// <summary>Forgets what is older than the retention: series once a day, keys little by little.</summary>
    internal void Purge()
    {
        var oldest = DayOf(Oldest);
        file.PurgeEvents(oldest);
        SourceLedger[] all;
        lock (gate)
        {
            var today = DayOf(Now);
            if (purgedDay == today)
                return;
            file.PurgeSeries(oldest);
            purgedDay = today;
            all = [.. scopes.Values];
        }
        // Each has a lock of its own, under which nobody may come to wait for this one.
        foreach (var ledger in all)
            ledger.Forget(oldest);
    }
}

/// <param name="KeyRetention">How long an event's key is kept; an older event is never new.</param>
/// <param name="ZeroHold">How long a new series stands at zero at least.</param>
internal sealed record LedgerOptions(TimeSpan KeyRetention, TimeSpan ZeroHold)
{
    public static readonly LedgerOptions Default = new(TimeSpan.FromDays(35), TimeSpan.FromSeconds(60));
}
