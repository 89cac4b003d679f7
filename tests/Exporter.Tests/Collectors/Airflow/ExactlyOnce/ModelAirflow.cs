namespace PipelineExporter.Tests.Collectors.Airflow.ExactlyOnce;

/// <summary>The rows of an Airflow's database, changed as an Airflow 2.11 or 3.3 was recorded to change them.</summary>
/// <param name="isThree">Airflow 3.</param>
internal sealed class ModelAirflow(bool isThree)
{
    private const int MostRuns = 20;

    private DateTimeOffset last;
    private int created;

    public bool IsThree => isThree;

    public List<ModelRun> Runs { get; } = [];

    /// <summary>Every try that ran to its end, whatever became of it.</summary>
    public List<(ModelInstance Instance, int Number)> Ended { get; } = [];

    /// <summary>What happened, for whoever reads a counterexample.</summary>
    public List<string> Journal { get; } = [];

    public IEnumerable<ModelInstance> Instances => Runs.SelectMany(run => run.Instances);

    /// <summary>One change.</summary>
    /// <param name="action">What is done.</param>
    /// <param name="who">Chooses the run or instance among those it can be done to.</param>
    /// <param name="what">Chooses among variants.</param>
    /// <param name="now">The clock of the process that writes; rows are visible from now on, their dates may lie behind.</param>
    public void Do(ModelAction action, int who, int what, DateTimeOffset now)
    {
        if (Change(action, who, what, now) is { } target)
            Journal.Add($"{last:HH:mm:ss.fff} {action}: {target}");
    }

    /// <returns>The run or instance that was changed; null when there was none.</returns>
    private object? Change(ModelAction action, int who, int what, DateTimeOffset now)
    {
        switch (action)
        {
            case ModelAction.StartRun when Runs.Count < MostRuns:
                return Start(who, what, Stamp(now));
            case ModelAction.StepRun when Pick(Runs, who, run => !run.IsOver) is { } run:
                StepRun(run, what, Stamp(now));
                return run;
            case ModelAction.Step when Pick(Instances, who, CanStep) is { } instance:
                for (var step = 0; step <= what % 5 && CanStep(instance); step++)
                    Step(instance, what >> (3 * step), Stamp(now));
                return instance;
            case ModelAction.Clear when Pick(Instances, who, _ => true) is { } instance:
                Clear(instance, Stamp(now));
                if (what % 2 == 0)
                    instance.Run.Requeue(Stamp(now));
                return instance;
            case ModelAction.ClearRun when Pick(Runs, who, _ => true) is { } run:
                run.Instances.ForEach(instance => Clear(instance, Stamp(now)));
                run.Requeue(Stamp(now));
                return run;
            case ModelAction.Edit when Pick(Instances, who, _ => true) is { } instance:
                Edit(instance, what % 2 == 0 ? "success" : "failed", Stamp(now));
                return instance;
            case ModelAction.EditRun when Pick(Runs, who, _ => true) is { } run:
                run.Set(what % 3 == 0 ? "queued" : what % 3 == 1 ? "success" : "failed", Stamp(now));
                return run;
            case ModelAction.TimeOut when Pick(Runs, who, run => run.State == "running") is { } run:
                TimeOut(run, Stamp(now));
                return run;
            case ModelAction.Delete when Pick(Runs, who, _ => true) is { } run:
                Runs.Remove(run);
                run.IsDeleted = true;
                return run;
            case ModelAction.Crash when isThree && Pick(Instances, who, row => row.State is "running" or "queued") is { } instance:
                EndTry(instance, "failed", Stamp(now));
                instance.Keep(isReal: true);
                (instance.State, instance.FollowsFailure) = (null, true);
                return instance;
            case ModelAction.Grow when Pick(Runs, who, run => run.Instances.Count < 6) is { } run:
                run.Instances.Add(new(run, "part", run.Instances.Max(row => row.Map) + 1, retries: 1) { Updated = Stamp(now) });
                return run;
            case ModelAction.Shrink when Pick(Instances, who, row => row is { State: null, Map: >= 0 }) is { } instance:
                (instance.State, instance.Updated) = ("removed", Stamp(now));
                return instance;
            case ModelAction.Touch when Pick(Instances, who, _ => true) is { } instance:
                instance.Updated = Stamp(now);
                instance.Run.Updated = Stamp(now);
                return instance;
            case ModelAction.RewriteEnd when !isThree && Pick(Runs, who, run => run is { IsOver: true, StartDate: not null }) is { EndDate: { } end } run && last - end < TimeSpan.FromSeconds(12):
                run.EndDate = Stamp(now); // the dying task of a killed run writes it once more
                return run;
            default:
                return null; // nothing there to do it to
        }
    }

    private static T? Pick<T>(IEnumerable<T> all, int who, Func<T, bool> can)
        where T : class
    {
        T[] able = [.. all.Where(can)];
        return able.Length == 0 ? null : able[who % able.Length];
    }

    private static bool CanStep(ModelInstance row) => row.State is not ("success" or "failed" or "skipped" or "upstream_failed");

    /// <summary>The dates that one database row gets never stand still or go back.</summary>
    private DateTimeOffset Stamp(DateTimeOffset now) => last = now > last ? now : last + TimeSpan.FromMilliseconds(1);

    private ModelRun Start(int who, int what, DateTimeOffset now)
    {
        var run = new ModelRun(who % 2 == 0 ? "music" : "kpi", $"run-{++created}", what % 3 == 0 ? "manual" : "scheduled", isThree)
        {
            // A backfill's runs are of days long ago.
            LogicalDate = what % 5 == 0 ? now - TimeSpan.FromDays(400) : now,
            Updated = now,
        };
        run.Instances.AddRange([new(run, "extract", -1, 2), new(run, "load", -1, 0), new(run, "part", 0, 1), new(run, "part", 1, 1)]);
        run.Instances.ForEach(row => row.Updated = now);
        Runs.Add(run);
        if (what % 2 == 0)
            run.Set("running", Stamp(now));
        return run;
    }

    private static void StepRun(ModelRun run, int what, DateTimeOffset now) =>
        run.Set(run.State == "queued" ? "running" : what % 3 == 0 ? "failed" : "success", now);

    private void Step(ModelInstance row, int what, DateTimeOffset now)
    {
        row.Updated = now;
        switch (row.State)
        {
            case null when what % 16 == 1 && row.Try == 0 && row.Map >= 0: // mapped over nothing
                row.State = "skipped";
                break;
            case null when what % 16 is 2 or 3:
                Decide(row, what % 2 == 0 ? "skipped" : "upstream_failed", now);
                break;
            case null when what % 16 == 4: // an empty operator succeeds without a process
                Schedule(row);
                row.Begin(now);
                EndTry(row, "success", now);
                break;
            case null or "up_for_retry":
                Schedule(row);
                break;
            case "scheduled":
                (row.State, row.Queued) = ("queued", now);
                break;
            case "queued" when what % 8 == 0: // the executor could not start it
                EndTry(row, "failed", now);
                RetryOrRest(row);
                break;
            case "queued":
                row.Begin(now);
                break;
            case "running" when row.IsDoomed:
                EndTry(row, "failed", now);
                break;
            case "running" when what % 8 == 4:
                (row.State, row.Resumes) = ("deferred", true);
                break;
            case "running" when what % 8 == 5:
                (row.State, row.Resumes, row.EndDate, row.Reschedules) = ("up_for_reschedule", true, now, true);
                break;
            case "running" when what % 8 == 6:
                EndTry(row, "skipped", now);
                break;
            case "running" when what % 8 is 2 or 3:
                EndTry(row, "failed", now);
                if (what % 16 is 2 or 3)
                    RetryOrRest(row);
                break;
            case "running":
                EndTry(row, "success", now);
                break;
            case "deferred" or "up_for_reschedule":
                row.State = "scheduled";
                break;
            case "restarting":
                (row.State, row.MaxTries, row.Own) = (null, row.Try + row.Retries, null);
                break;
            case "removed":
                row.State = null;
                break;
            default:
                throw new InvalidOperationException(row.State);
        }
    }

    private static void Schedule(ModelInstance row)
    {
        row.State = "scheduled";
        row.Try++;
        row.Own = new ModelTry(row.FollowsFailure);
        (row.FollowsFailure, row.Resumes, row.Reschedules, row.IsDoomed) = (false, false, false, false);
    }

    private void EndTry(ModelInstance row, string state, DateTimeOffset now)
    {
        (row.State, row.EndDate, row.Updated) = (state, now, now);
        Ended.Add((row, row.Try));
    }

    private static void RetryOrRest(ModelInstance row)
    {
        if (row.Try > row.MaxTries)
            return;
        row.Keep(isReal: true);
        (row.State, row.FollowsFailure) = ("up_for_retry", true);
    }

    /// <summary>By the scheduler, without a try.</summary>
    private static void Decide(ModelInstance row, string state, DateTimeOffset now)
    {
        row.State = state;
        row.StartDate ??= now;
        row.EndDate ??= now;
    }

    private void Clear(ModelInstance row, DateTimeOffset now)
    {
        row.Updated = now;
        // Cleared once more, with nothing between.
        row.FollowsFailure &= row.State is null && row.MaxTries == row.Try + row.Retries;
        switch (row.State)
        {
            case "running" when isThree:
                EndTry(row, "failed", now);
                row.Keep(isReal: true);
                row.State = "restarting";
                return;
            case "running":
                row.Keep(isReal: true, state: "failed", end: now);
                row.IsDoomed = true;
                return;
            case "restarting":
                return;
            case "scheduled" or "queued" when !row.Resumes:
                // Written down as failed although it never ran. Airflow 3 shows no difference to one that did.
                row.EndDate = now;
                row.Keep(isReal: isThree, state: "failed");
                if (isThree)
                    Ended.Add((row, row.Try));
                break;
            case "scheduled" or "queued" or "deferred" or "up_for_reschedule":
                EndTry(row, "failed", now);
                row.Keep(isReal: true);
                break;
            case null:
                if (row.History.TrueForAll(known => known.Try != row.Try))
                    row.EndDate = now;
                row.Keep(isReal: false, state: "failed");
                break;
            default:
                row.Keep(isReal: row.Own is not null);
                // Failed by hand after one clear, and cleared again before it ran: that reads like a try that failed and is retried.
                row.FollowsFailure = row is { State: "failed", Own: null, Try: >= 1 } && row.MaxTries == row.Try + row.Retries;
                break;
        }
        (row.State, row.Own, row.MaxTries) = (null, null, row.Try + row.Retries);
    }

    private void Edit(ModelInstance row, string state, DateTimeOffset now)
    {
        row.FollowsFailure = false;
        if (row.Own is not null && row.State is "running" or "scheduled" or "queued" or "deferred" or "up_for_reschedule")
        {
            if (row.StartDate is null)
                row.StartDate = now;
            EndTry(row, state, now);
        }
        Decide(row, state, now);
        row.Updated = now;
    }

    private void TimeOut(ModelRun run, DateTimeOffset now)
    {
        run.Set("failed", now);
        foreach (var row in run.Instances.Where(row => row.State is not null && CanStep(row) && row.State != "removed"))
        {
            if (row.State == "running")
                row.StartDate = isThree ? null : row.StartDate;
            if (row.State is not ("up_for_retry" or "restarting"))
            {
                if (row.State is "running" or "deferred" or "up_for_reschedule")
                    row.EndDate = null;
                Ended.Add((row, row.Try));
            }
            (row.State, row.Updated, row.FollowsFailure) = ("skipped", now, false);
        }
    }
}

internal enum ModelAction
{
    StartRun,
    StepRun,
    Step,
    Clear,
    ClearRun,
    Edit,
    EditRun,
    TimeOut,
    Delete,
    Crash,
    Grow,
    Shrink,
    Touch,
    RewriteEnd,
}

internal sealed class ModelRun(string dag, string id, string type, bool isThree)
{
    public string Dag => dag;

    public string Id => id;

    public string Type => type;

    public string State { get; private set; } = "queued";

    public DateTimeOffset LogicalDate { get; init; }

    public DateTimeOffset? StartDate { get; private set; }

    public DateTimeOffset? EndDate { get; set; }

    public DateTimeOffset Updated { get; set; }

    public bool IsDeleted { get; set; }

    /// <summary>Which of the run's finishes is the last.</summary>
    public int Finish { get; private set; }

    public bool IsOver => State is "success" or "failed";

    public List<ModelInstance> Instances { get; } = [];

    public override string ToString() => $"{dag} {id} {State} {StartDate:HH:mm:ss.fff}..{EndDate:HH:mm:ss.fff}";

    public void Set(string state, DateTimeOffset now)
    {
        Updated = now;
        if (state == State)
            return;
        if (state == "queued")
            (StartDate, EndDate) = (null, null);
        else if (state == "running")
            (StartDate, EndDate) = (StartDate ?? now, null);
        else if (!IsOver)
            (EndDate, Finish) = (now, Finish + 1);
        State = state;
    }

    /// <summary>Clearing resets a run that is over; one that runs is left as it is.</summary>
    public void Requeue(DateTimeOffset now)
    {
        if (IsOver)
            Set("queued", now);
        else if (isThree)
            Updated = now;
    }
}

/// <param name="IsRetry">Airflow ran it because the try before had failed.</param>
internal sealed record ModelTry(bool IsRetry);

internal sealed class ModelInstance(ModelRun run, string task, int map, int retries)
{
    public ModelRun Run => run;

    public string Task => task;

    public int Map => map;

    public int Retries { get; } = retries;

    public string? State { get; set; }

    public int Try { get; set; }

    public int MaxTries { get; set; } = retries;

    public DateTimeOffset? StartDate { get; set; }

    public DateTimeOffset? EndDate { get; set; }

    public DateTimeOffset? Queued { get; set; }

    public DateTimeOffset Updated { get; set; }

    /// <summary>The try that the row stands for; null before the first and once it was cleared.</summary>
    public ModelTry? Own { get; set; }

    /// <summary>The try goes on after a pause.</summary>
    public bool Resumes { get; set; }

    /// <summary>Each look of a sensor gets a start of its own.</summary>
    public bool Reschedules { get; set; }

    /// <summary>Cleared while it runs (2.x): it is killed and fails.</summary>
    public bool IsDoomed { get; set; }

    /// <summary>The next try is one because this one failed.</summary>
    public bool FollowsFailure { get; set; }

    public List<ModelRow> History { get; } = [];

    public override string ToString() => $"{run.Id} {task} {map} {Row()}, was {string.Join(" ", History)}";

    public void Begin(DateTimeOffset now)
    {
        State = "running";
        if (!Resumes || Reschedules)
            StartDate = now;
        EndDate = null;
        Resumes = false;
    }

    /// <summary>Copies the row into the history, which has one row a number.</summary>
    public void Keep(bool isReal, string? state = null, DateTimeOffset? end = null)
    {
        if (History.TrueForAll(row => row.Try != Try))
            History.Add(Row() with { State = state ?? State, EndDate = end ?? EndDate, IsReal = isReal });
    }

    public ModelRow Row() => new(Try, MaxTries, State, StartDate, EndDate, Own?.IsRetry == true, IsReal: Own is not null);

    /// <summary>What /tries answers: a row that waits for its retry is left out, since the history has that try.</summary>
    public IEnumerable<ModelRow> Tries => State == "up_for_retry" ? History : [.. History, Row()];
}

/// <param name="IsReal">Stands for a try, and not for what was cleared or decided without one.</param>
internal sealed record ModelRow(
    int Try, int MaxTries, string? State, DateTimeOffset? StartDate, DateTimeOffset? EndDate, bool IsRetry, bool IsReal)
{
    public override string ToString() => $"{Try}/{MaxTries} {State ?? "null"} {StartDate:HH:mm:ss.fff}..{EndDate:HH:mm:ss.fff}";
}
