using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.InteropServices;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Aws;

/// <summary>
/// What ListMetrics lists, in an order in which what is new shifts nothing: first what the catalog holds, then what single runs of jobs
/// sent, job by job, the newest run first.
/// </summary>
internal sealed class MetricListing
{
    /// <summary>A metric is listed from 15 minutes after its first datapoint to two weeks after its last.</summary>
    static readonly TimeSpan Delay = TimeSpan.FromMinutes(15);
    static readonly TimeSpan Retention = TimeSpan.FromDays(14);
    static readonly TimeSpan RecentlyActive = TimeSpan.FromHours(3);

    readonly MetricCatalog catalog;
    readonly ImmutableArray<MetricSeries> candidates;
    readonly ImmutableArray<DimensionFilter> filters;
    readonly DateTimeOffset from, now;

    public MetricListing(MetricCatalog catalog, ListMetricsInput input, DateTimeOffset now)
    {
        (this.catalog, this.now) = (catalog, now);
        candidates = catalog.Named(input.Namespace, input.MetricName);
        filters = [.. input.Dimensions ?? []];
        from = now - (input.RecentlyActive is null ? Retention : RecentlyActive);
    }

    /// <summary>Each metric from a place on, with its own.</summary>
    public IEnumerable<(MetricSeries Series, MetricPlace Place)> From(MetricPlace start) =>
        start.Run is null ? Held(start.Series).Concat(OfRuns(start: null)) : OfRuns(start);

    IEnumerable<(MetricSeries Series, MetricPlace Place)> Held(int first)
    {
        for (var i = first; i < candidates.Length; i++)
        {
            if (filters.All(filter => Fits(candidates[i], filter)) && IsListed(candidates[i]))
                yield return (candidates[i], new MetricPlace(i));
        }
    }

    /// <summary>Too many to be held: a job's runs are looked through as far as a page is long.</summary>
    IEnumerable<(MetricSeries Series, MetricPlace Place)> OfRuns(MetricPlace? start)
    {
        var ids = filters.Where(filter => filter.Name == SparkMetrics.JobRunId && filter.Value is not null).Select(filter => filter.Value).ToList();
        if (ids.Contains(SparkMetrics.AllRuns))
            yield break;
        var jobs = candidates.Index()
            .Where(one => one.Item.OfRun is not null && filters.All(filter => filter.Name == SparkMetrics.JobRunId || Fits(one.Item, filter)))
            .GroupBy(one => one.Item.Dimensions.First(dimension => dimension.Name == SparkMetrics.JobName).Value)
            .SkipWhile(job => job.Last().Index < start?.Series);
        foreach (var job in jobs)
        {
            foreach (var run in Runs(job.Key, start?.Run).Where(run => ids.TrueForAll(id => id == run.Id)))
            {
                foreach (var (index, series) in job.Where(one => run.Id != start?.Run!.Id || one.Index >= start.Value.Series))
                    yield return (series.OfRun!(run.Id), new MetricPlace(index, new RunPlace(run.StartedOn, run.Id)));
            }
            start = null;
        }
    }

    /// <summary>Those that have sent anything.</summary>
    /// <param name="first">Null: the newest.</param>
    IEnumerable<GlueJobRun> Runs(string job, RunPlace? first)
    {
        var to = now - Delay;
        return catalog.Model.GlueJobRuns(job, from, first?.StartedOn ?? to, to)
            .SkipWhile(run => run.StartedOn == first?.StartedOn && run.Id != first.Id)
            .Where(run => run.ElapsedTime(from, to).Any());
    }

    static bool Fits(MetricSeries series, DimensionFilter filter)
    {
        foreach (var dimension in series.Dimensions)
        {
            if (dimension.Name == filter.Name && dimension.Value == (filter.Value ?? dimension.Value))
                return true;
        }
        return false;
    }

    bool IsListed(MetricSeries series)
    {
        var to = now - (series.PublishDelay > Delay ? series.PublishDelay : Delay);
        return Days.Backwards(from, to).Any(day => series.Samples(day.From, day.To).Any());
    }
}

/// <summary>A place in a listing, of which the next page's token tells.</summary>
/// <param name="Series">A number among the candidates.</param>
/// <param name="Run">Null for the series over all runs.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct MetricPlace(int Series, RunPlace? Run = null)
{
    const string Kind = "metrics";

    public string Token => Run is { } run
        ? PageToken.Write(Kind, Text(Series), Text(run.StartedOn.UtcTicks), run.Id)
        : PageToken.Write(Kind, Text(Series));

    /// <summary>Null when it is no token of a listing.</summary>
    public static MetricPlace? Parse(string token) => PageToken.Read(token, Kind) switch
    {
        [var series] when IsInt(series, out var number) => new MetricPlace(number),
        [var series, var ticks, var id] when IsInt(series, out var number)
            && long.TryParse(ticks, NumberStyles.None, CultureInfo.InvariantCulture, out var start) && start <= DateTimeOffset.MaxValue.UtcTicks =>
            new MetricPlace(number, new RunPlace(new DateTimeOffset(start, TimeSpan.Zero), id)),
        _ => null,
    };

    static bool IsInt(string text, out int number) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);

    static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}

internal sealed record RunPlace(DateTimeOffset StartedOn, string Id);
