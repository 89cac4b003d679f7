using System.Collections.Immutable;
using System.Globalization;
using PipelineExporter.Sources.Aws;
using PipelineExporter.State;

namespace PipelineExporter.Collectors.Aws;

/// <summary>How far a job's runs are counted, kept in the ledger.</summary>
/// <param name="Baseline">Runs that ended by then are not counted.</param>
/// <param name="Watermark">Every run that started earlier is settled.</param>
internal sealed record GlueJobProgress(DateTimeOffset Baseline, DateTimeOffset Watermark)
{
    private const string ListedKey = "glue_jobs.listed";
    private const string JobKey = "glue_jobs.job.";

    // A job may be created a moment before it is listed.
    private static readonly TimeSpan ListingDelay = TimeSpan.FromMinutes(1);

    // A job seen for the first time may have runs in progress: of batch jobs for seven days at most, and what they waited.
    private static readonly TimeSpan LongestRun = TimeSpan.FromDays(8);

    // And those of streaming jobs go on for ever.
    private static readonly TimeSpan LongestStream = TimeSpan.FromDays(3650);

    /// <summary>Runs in progress that were seen waiting or starting, or may have waited before they were seen, and until when.</summary>
    public ImmutableDictionary<string, DateTimeOffset> WaitedUntil { get; init; } = ImmutableDictionary<string, DateTimeOffset>.Empty;

    public static GlueJobProgress Of(GlueJob job, SourceLedger state, DateTimeOffset now)
    {
        if (state.GetValue(KeyOf(job.Name))?.Split(' ') is [var baseline, var watermark, .. var waited])
        {
            return new(Parse(baseline), Parse(watermark))
            {
                WaitedUntil = waited.Select(one => one.Split('=')).ToImmutableDictionary(one => Uri.UnescapeDataString(one[0]), one => Parse(one[1])),
            };
        }

        // A job created since the last poll has no past to leave out; any other was there before anybody asked for it.
        var isNew = state.GetValue(ListedKey) is { } listed && job.CreatedOn >= Parse(listed) - ListingDelay;
        var from = isNew ? job.CreatedOn!.Value : now;
        return new(from, from - (job.IsStreaming ? LongestStream : LongestRun));
    }

    public void Store(string job, LedgerBatch batch) => batch.SetValue(KeyOf(job), string.Join(' ',
        [Format(Baseline), Format(Watermark), .. WaitedUntil.Select(run => $"{Uri.EscapeDataString(run.Key)}={Format(run.Value)}")]));

    /// <summary>Jobs created before <paramref name="readAt"/> are no longer new.</summary>
    public static void StoreListed(DateTimeOffset readAt, LedgerBatch batch) => batch.SetValue(ListedKey, Format(readAt));

    /// <summary>Forgets jobs that are gone, when what was counted of them has been forgotten.</summary>
    public static void Forget(IReadOnlyDictionary<string, GlueJob> jobs, SourceLedger state, LedgerBatch batch)
    {
        var counted = state.Counted(GlueRunMetrics.Retries).Select(series => series.Labels[0]).ToHashSet();
        foreach (var job in state.ValueNames(JobKey).Select(key => key[JobKey.Length..]).Where(job => !jobs.ContainsKey(job) && !counted.Contains(job)))
            batch.RemoveValue(KeyOf(job));
    }

    private static string KeyOf(string job) => JobKey + job;

    private static string Format(DateTimeOffset at) => at.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture);

    private static DateTimeOffset Parse(string text) => DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(text, CultureInfo.InvariantCulture));
}
