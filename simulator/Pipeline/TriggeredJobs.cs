using System.Collections.Immutable;
using System.Globalization;
using PipelineExporter.Simulator.Control;

namespace PipelineExporter.Simulator.Pipeline;

/// <summary>Glue jobs that Glue's own triggers start: no DAG knows of them, so what happens to them is nobody's but Glue's.</summary>
internal sealed class TriggeredJobs(int seed, IncidentLog incidents)
{
    /// <summary>Exports the catalog every 20 minutes; Glue tries a failed run once more.</summary>
    public static readonly GlueJob Export = new("music_streaming_catalog_export", "G.1X", NumberOfWorkers: 4, DpuPerWorker: 1, "STANDARD", "4.0") { MaxRetries = 1 };

    /// <summary>Has no hurry: FLEX, and waits for spare capacity first. It reports no metrics.</summary>
    public static readonly GlueJob Backfill = new("music_streaming_royalty_backfill", "G.1X", NumberOfWorkers: 10, DpuPerWorker: 1, "FLEX", "4.0") { HasMetrics = false };

    /// <summary>Reads events as they come, and is started anew each Monday.</summary>
    public static readonly GlueJob Stream = new("music_streaming_events_stream", "G.025X", NumberOfWorkers: 8, DpuPerWorker: 0.25, "STANDARD", "4.0") { Command = "gluestreaming" };

    public static readonly ImmutableArray<GlueJob> All = [Export, Backfill, Stream];

    /// <summary>How long the first run of an incident has been running, or waiting, when it comes to be seen.</summary>
    static readonly TimeSpan SlowHead = TimeSpan.FromSeconds(290), WaitHead = TimeSpan.FromMinutes(40);

    /// <summary>How soon Glue starts a run again that failed.</summary>
    public static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    static readonly TimeSpan Hurry = TimeSpan.FromSeconds(4);

    /// <summary>No run takes longer, but for those of an incident and of the stream.</summary>
    static readonly TimeSpan Longest = TimeSpan.FromMinutes(15);

    /// <summary>
    /// Runs that started at or before <paramref name="until"/> and did not end before <paramref name="since"/>, so far as they can be
    /// seen at <paramref name="now"/>, newest first.
    /// </summary>
    public IEnumerable<GlueJobRun> Runs(GlueJob job, DateTimeOffset since, DateTimeOffset until, DateTimeOffset now)
    {
        var (period, offset) = Schedule(job);
        var length = job == Stream ? period : Longest;
        var scheduled = Moments(period, offset, since - length, until).SelectMany(moment => Scheduled(job, moment));
        return scheduled.Concat(OfIncidents(job))
            .Where(run => run.StartedOn <= until && run.VisibleFrom <= now && run.CompletedOn >= since)
            .OrderByDescending(run => run.StartedOn);
    }

    static (TimeSpan Period, TimeSpan Offset) Schedule(GlueJob job) =>
        job == Export ? (TimeSpan.FromMinutes(20), TimeSpan.FromMinutes(5))
        : job == Backfill ? (TimeSpan.FromHours(1), TimeSpan.FromMinutes(7))
        : (TimeSpan.FromDays(7), new TimeSpan(4, 3, 0, 0)); // 1970 began on a Thursday: Mondays, at three

    static IEnumerable<DateTimeOffset> Moments(TimeSpan period, TimeSpan offset, DateTimeOffset from, DateTimeOffset to)
    {
        var first = (from - DateTimeOffset.UnixEpoch - offset).Ticks / period.Ticks;
        for (var at = DateTimeOffset.UnixEpoch + offset + (first * period); at <= to; at += period)
        {
            if (at >= from)
                yield return at;
        }
    }

    IEnumerable<GlueJobRun> Scheduled(GlueJob job, DateTimeOffset moment)
    {
        var dice = new Dice(seed, job.Name, moment.UtcTicks / TimeSpan.TicksPerSecond);
        var start = moment.AddSeconds(dice.Between(0.2, 3));
        if (job == Stream)
            return [Run(job, dice, start, null, start.AddSeconds(45), moment.AddDays(7), GlueRunState.STOPPED)];
        if (job == Export && incidents.At(IncidentKind.GlueFailure, start) is not null)
            return FailTwice(dice, start);
        DateTimeOffset? waited = job == Backfill ? start.AddSeconds(dice.Between(60.0, 300)) : null;
        var running = (waited ?? start).AddSeconds(dice.Between(8.0, 20));
        return [Run(job, dice, start, waited, running, running.AddSeconds(dice.Between(150.0, 185)), GlueRunState.SUCCEEDED)];
    }

    IEnumerable<GlueJobRun> OfIncidents(GlueJob job)
    {
        var (kind, head) = job == Export ? (IncidentKind.GlueSlow, SlowHead) : (IncidentKind.GlueQueueWait, WaitHead);
        if (job == Stream)
            yield break;
        foreach (var incident in incidents.Named(kind))
        {
            var dice = new Dice(seed, kind, incident.Start.UtcTicks);
            var (start, end) = (incident.Start - head, incident.End?.AddSeconds(1) ?? DateTimeOffset.MaxValue);
            yield return job == Export
                ? Run(job, dice, start, null, start.AddSeconds(10), end, GlueRunState.SUCCEEDED) with { VisibleFrom = incident.Start }
                : Run(job, dice, start, end, Later(end, 10), Later(end, 100), GlueRunState.SUCCEEDED) with { VisibleFrom = incident.Start };
        }

        foreach (var incident in job == Export ? incidents.Named(IncidentKind.GlueFailure) : [])
        {
            foreach (var run in FailTwice(new Dice(seed, IncidentKind.GlueFailure, incident.Start.UtcTicks), incident.Start.AddSeconds(0.1)))
                yield return run;
        }
    }

    static DateTimeOffset Later(DateTimeOffset at, double seconds) => at == DateTimeOffset.MaxValue ? at : at.AddSeconds(seconds);

    /// <summary>A run that fails, and Glue's second try of it, which fails too.</summary>
    static GlueJobRun[] FailTwice(Dice dice, DateTimeOffset start)
    {
        var first = Run(Export, dice, start, null, start.AddSeconds(1), start + Hurry, GlueRunState.FAILED);
        var again = start + Hurry + RetryDelay;
        return [first, Run(Export, dice, again, null, again.AddSeconds(1), again + Hurry, GlueRunState.FAILED) with { Attempt = 1, PreviousRunId = first.Id }];
    }

    static GlueJobRun Run(
        GlueJob job, Dice dice, DateTimeOffset start, DateTimeOffset? waited, DateTimeOffset running, DateTimeOffset end, GlueRunState state) => new()
        {
            Id = string.Create(CultureInfo.InvariantCulture, $"jr_{dice.Bits():x16}{dice.Bits():x16}{dice.Bits():x16}{dice.Bits():x16}"),
            Job = job,
            StartedOn = start,
            WaitedUntil = waited,
            RunningFrom = running,
            CompletedOn = end,
            FinalState = state,
            VisibleFrom = start,
            ErrorMessage = state == GlueRunState.FAILED ? "Py4JJavaError: An error occurred while calling o94.save" : null,
        };
}
