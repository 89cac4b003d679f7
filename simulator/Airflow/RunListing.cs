using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Airflow;

/// <summary>One page of a sorted list of runs, and how many runs the whole list has.</summary>
internal sealed record RunPage(IReadOnlyList<RunRow> Rows, int Total);

/// <summary>
/// Pages through the runs of the whole history without playing it. A run that was set off long enough ago has certainly
/// succeeded, so that it can be counted by the schedule alone, and sorted by time it cannot come before the page asked for.
/// </summary>
internal sealed class RunListing(PipelineModel model, EditedRuns pipeline, AirflowData data)
{
    public RunPage Page(RunFilter filter, Ordering<RunRow> order, int offset, int limit)
    {
        var spans = data.Spans(filter).ToList();
        var counted = filter.HasOnlyLowerBounds && order.TimeDirection is { } direction ? Counted(spans, filter, direction, offset + limit) : [];
        var (rows, played) = order.First(spans.SelectMany(span => Played(span, counted.GetValueOrDefault(span.Dag))).Where(row => filter.Holds(row, data.Edition)), offset + limit);
        var total = played + counted.Where(entry => Includes(filter, entry.Key)).Sum(entry => model.CountMoments(entry.Key, entry.Value.From, entry.Value.To));
        return new RunPage([.. rows.Skip(offset)], total);
    }

    /// <summary>The span of each DAG, from and to exclusive of its end, whose runs need not be played.</summary>
    Dictionary<DagDefinition, Span> Counted(List<DagSpan> spans, RunFilter filter, SortDirection direction, int needed)
    {
        var settled = spans
            .Where(span => !data.Oddities.IsIrregular(span.Dag))
            .Select(span => (span.Dag, From: Max(span.Since, PipelineModel.HistoryStart(data.Now)), To: pipeline.SettledUntil(span.Dag, data.Now)))
            .Where(span => span.To is not null && span.From < span.To)
            .Select(span => (span.Dag, Span: new Span(span.From, span.To!.Value)))
            .ToDictionary(entry => entry.Dag, entry => entry.Span);
        var rate = settled.Keys.Where(dag => Includes(filter, dag)).Sum(dag => 1 / model.PeriodOf(dag)!.Value.TotalSeconds);
        if (rate == 0)
            return settled;

        // So much time holds the rows that are needed, and one more a DAG for its broken period.
        var enough = TimeSpan.FromSeconds(Math.Min((needed + settled.Count + 1) / rate, 1e9));
        var longest = settled.Keys.Max(dag => dag.EndsWithin);
        var newest = settled.Values.Min(span => span.To) - enough - longest;
        var oldest = settled.Values.Max(span => span.From) + enough + longest;
        return settled
            .Select(entry => (entry.Key, Span: direction == SortDirection.NewestFirst
                ? entry.Value with { To = Min(entry.Value.To, newest) }
                : entry.Value with { From = Max(entry.Value.From, oldest) }))
            .Where(entry => entry.Span.From < entry.Span.To)
            .ToDictionary(entry => entry.Key, entry => entry.Span);
    }

    IEnumerable<RunRow> Played(DagSpan span, Span? counted)
    {
        var runs = counted is { } skipped
            ? pipeline.Runs(span.Dag, span.Since, data.Now, until: skipped.From.AddTicks(-1)).Concat(pipeline.SetOff(span.Dag, skipped.To, data.Now, data.Now))
            : pipeline.Runs(span.Dag, span.Since, data.Now);
        return runs.Where(data.Oddities.Exists).Select(data.Row);
    }

    /// <summary>Whether the filter takes this DAG's successful runs.</summary>
    bool Includes(RunFilter filter, DagDefinition dag) =>
        filter.States?.Contains(RunState.Success) != false &&
        filter.RunTypes?.Contains(data.Edition.RunType(PipelineModel.KindOf(dag))) != false &&
        Patterns.Holds(filter.DagIdPattern, dag.Id);

    static DateTimeOffset Max(DateTimeOffset x, DateTimeOffset y) => x > y ? x : y;

    static DateTimeOffset Min(DateTimeOffset x, DateTimeOffset y) => x < y ? x : y;

    /// <summary>[From, To) of the moments that set runs off.</summary>
    sealed record Span(DateTimeOffset From, DateTimeOffset To);
}

/// <summary>A DAG, and since when its runs may be in an answer.</summary>
internal sealed record DagSpan(DagDefinition Dag, DateTimeOffset Since);
