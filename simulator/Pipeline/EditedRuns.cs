namespace PipelineExporter.Simulator.Pipeline;

/// <summary>The pipeline's runs as they are with the edits.</summary>
internal sealed class EditedRuns(PipelineModel model, EditLog edits)
{
    public bool IsDeleted(DagDefinition dag, DateTimeOffset now) => edits.IsDeleted(dag.Id, now);

    /// <summary>As the model's, of which see the comment.</summary>
    public IEnumerable<DagRun> Runs(DagDefinition dag, DateTimeOffset since, DateTimeOffset now, DateTimeOffset? until = null) =>
        model.Runs(dag, since, now, until).Concat(Revived(dag, since, now)).Select(edits.Apply).Where(run => run.ChangesUntil >= since && Exists(run, now));

    /// <summary>As the model's.</summary>
    public IEnumerable<DagRun> SetOff(DagDefinition dag, DateTimeOffset from, DateTimeOffset to, DateTimeOffset now) =>
        model.SetOff(dag, from, to, now).Select(edits.Apply).Where(run => Exists(run, now));

    /// <summary>Of all DAGs, and also those that were deleted later: they have been.</summary>
    public IEnumerable<DagRun> Ever(DateTimeOffset since, DateTimeOffset now) => model.Runs(since, now)
        .Concat(model.Dags.SelectMany(dag => Revived(dag, since, now)))
        .Select(edits.Apply);

    /// <summary>No run of a DAG that ended before has failed, or was made to; null when none ever has.</summary>
    public DateTimeOffset? FirstFailure(DagDefinition dag) => Earlier(model.FirstFailure(dag), First(Edited(dag).Select(edited => edited.First)));

    /// <summary>As the model's: no run that was edited was set off before.</summary>
    public DateTimeOffset? SettledUntil(DagDefinition dag, DateTimeOffset now) => model.SettledUntil(dag, now) is { } settled
        ? Earlier(settled, First(Edited(dag).Select(edited => model.Run(edited.Run)).OfType<DagRun>().Select(run => run.RunAfter - dag.EndsWithin)))
        : null;

    /// <summary>Runs that ended before, and that an edit may have brought back.</summary>
    IEnumerable<DagRun> Revived(DagDefinition dag, DateTimeOffset since, DateTimeOffset now) => Edited(dag)
        .Where(edited => edited.First <= now)
        .Select(edited => model.Run(edited.Run))
        .OfType<DagRun>()
        .Where(run => run.EndDate < since && run.RunAfter >= PipelineModel.HistoryStart(now));

    IReadOnlyList<(RunKey Run, DateTimeOffset First)> Edited(DagDefinition dag) => edits.Of(model.Dags.IndexOf(dag));

    bool Exists(DagRun run, DateTimeOffset now) => !(run.DeletedAt <= now) && !edits.IsDeleted(run.Dag.Id, now);

    static DateTimeOffset? First(IEnumerable<DateTimeOffset> moments) => moments.Select(moment => (DateTimeOffset?)moment).Min();

    static DateTimeOffset? Earlier(DateTimeOffset? x, DateTimeOffset? y) => x is null || y < x ? y ?? x : x;
}
