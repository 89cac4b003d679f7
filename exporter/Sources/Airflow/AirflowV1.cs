using System.Net;

namespace PipelineExporter.Sources.Airflow;

/// <summary>Airflow 2.x. Lists are clamped to 100 rows, task instances alone are not, and have no order.</summary>
/// <param name="instancePage">How many task instances to ask for at once.</param>
internal sealed class AirflowV1(IAirflowRestV1 rest, AirflowRequests requests, string version, int instancePage) : IAirflowApi
{
    private const int PageSize = 100;
    private const int LastSuccesses = 10;
    private const string InstanceList = "GET /api/v1/dags/~/dagRuns/~/taskInstances";

    /// <summary>Once in so many polls the whole list of pools is tried again: an unlimited pool may have got a limit.</summary>
    private const int WholeListEvery = 20;

    /// <summary>Narrower windows are not worth a request: then the same one is read again.</summary>
    private static readonly TimeSpan NarrowestWindow = TimeSpan.FromSeconds(1);

    private static readonly string[] RunFields = ["dag_id", "dag_run_id", "run_type", "state", "start_date", "end_date", "data_interval_end", "logical_date"];
    private static readonly string[] DagFields = ["dag_id", "is_paused", "schedule_interval", "owners", "tags", "next_dagrun_create_after"];

    /// <summary>Older 2.x know no `fields` and answer 400; then they send everything.</summary>
    private volatile bool knowsFields = true;

    /// <summary>Null while the whole list can be asked for.</summary>
    private ListablePools? listable;

    public string Version => version;

    /// <summary>The history of tries is part of the API since 2.10.</summary>
    private bool KnowsTries { get; } = AirflowConnection.IsAtLeast(version, 2, 10);

    public async Task<IReadOnlyDictionary<string, ComponentHealth>> HealthAsync(CancellationToken ct) =>
        ComponentHealth.In((await requests.AskAsync("GET /api/v1/health", rest.GetHealth, ct)).Value);

    /// <remarks>
    /// A page that holds an unlimited pool (slots -1) is answered 500: its open slots are infinite and fail the server's own check.
    /// Ordered by -slots such pools come last, so that all the others can be listed by asking for fewer.
    /// </remarks>
    public async Task<PoolList> PoolsAsync(CancellationToken ct)
    {
        if (listable is { Uses: < WholeListEvery } known)
        {
            listable = known with { Uses = known.Uses + 1 };
            try
            {
                var list = await PoolsAsync(known.Count, ct);
                if (list.Pools.Count + list.Unlisted == known.Total)
                    return list;
            }
            catch (AirflowException e) when (e.Status == HttpStatusCode.InternalServerError)
            {
                // The pools have changed: find out anew.
            }
        }
        listable = null;
        try
        {
            return await PoolsAsync(int.MaxValue, ct);
        }
        catch (AirflowException refused) when (refused.Status == HttpStatusCode.InternalServerError)
        {
            return await ListablePoolsAsync(refused, ct);
        }
    }

    public async Task<int> ImportErrorsAsync(CancellationToken ct) =>
        (await requests.AskAsync("GET /api/v1/importErrors", t => rest.GetImportErrors(1, t), ct)).Value.TotalEntries;

    public async Task<IReadOnlyList<Dag>> DagsAsync(CancellationToken ct)
    {
        const string what = "GET /api/v1/dags";
        var dags = await Paging.OrderedAsync<Dag, string>(
            async offset =>
            {
                var answer = await WithFieldsAsync(
                    DagFields, fields => requests.AskAsync(what, t => rest.GetDags(PageSize, offset, "dag_id", fields, t), ct));
                return new Answer<IPage<Dag>>(answer.Value, answer.Date);
            },
            dag => dag.DagId,
            reason => requests.Fail(what, reason));
        return dags.Rows;
    }

    public Task<Dated<DagRun>> LiveRunsAsync(CancellationToken ct) => RunsAsync(AirflowStates.LiveRuns, null, ct);

    /// <remarks>updated_at of runs goes backwards when a killed task ends, so that end_date has to tell.</remarks>
    public Task<Dated<DagRun>> EndedRunsAsync(DateTimeOffset since, CancellationToken ct) => RunsAsync(null, since, ct);

    public Task<Dated<DagRun>> FailedRunsAsync(DateTimeOffset since, CancellationToken ct) => RunsAsync(AirflowStates.FailedRuns, since, ct);

    /// <remarks>Where a descending order puts rows without a start first, one of the next few has it.</remarks>
    public async Task<IReadOnlyList<DagRun>> LastSuccessesAsync(string dagId, CancellationToken ct)
    {
        try
        {
            var page = await WithFieldsAsync(
                RunFields,
                fields => requests.AskAsync(
                    $"GET /api/v1/dags/{dagId}/dagRuns",
                    t => rest.GetDagRuns(dagId, AirflowStates.SuccessfulRuns, null, "-start_date", LastSuccesses, 0, fields, t),
                    ct));
            return [.. page.Value.DagRuns.Where(run => run.StartDate is not null)];
        }
        catch (AirflowException e) when (e.Status == HttpStatusCode.NotFound)
        {
            return []; // through MWAA, a DAG whose id is too long to be asked for
        }
    }

    public async Task<Dated<TaskInstance>> LiveTaskInstancesAsync(CancellationToken ct)
    {
        // What moves between two pages of a live list is in the next poll's; only what has ended must not be missed.
        var (list, _) = await Paging.UnorderedAsync<TaskInstance, InstanceId>(
            offset => AskInstancesAsync(AirflowStates.LiveInstances, null, null, offset, ct), InstanceId.Of, passes: 2);
        return list;
    }

    /// <remarks>
    /// Without an order, pages may skip rows. So a window that does not fit in one page is halved, the older half first: a row that
    /// changes meanwhile moves into a later window, and the last window has no upper end.
    /// </remarks>
    public async Task<Dated<TaskInstance>> FinishedTaskInstancesAsync(DateTimeOffset since, CancellationToken ct)
    {
        var rows = new OrderedDictionary<InstanceId, TaskInstance>();
        DateTimeOffset? date = null;
        var windows = new Stack<(DateTimeOffset From, DateTimeOffset? To)>([(since, null)]);
        while (windows.TryPop(out var window))
        {
            var first = await AskInstancesAsync(AirflowStates.FinishedInstances, window.From, window.To, 0, ct);
            date ??= first.Date;
            var page = first.Value;
            if (page.Rows.Count < page.TotalEntries)
            {
                var width = (window.To ?? first.Date) - window.From;
                if (width > NarrowestWindow)
                {
                    var middle = window.From + width / 2;
                    windows.Push((middle, window.To));
                    windows.Push((window.From, middle));
                    continue;
                }
            }
            var inWindow = page.Rows.Count < page.TotalEntries ? await WholeWindowAsync(window.From, window.To, ct) : page.Rows;
            foreach (var row in inWindow)
                rows[InstanceId.Of(row)] = row;
        }
        return new Dated<TaskInstance>([.. rows.Values], date!.Value);
    }

    /// <remarks>
    /// Clearing an instance that waits writes a failed try that never ran, with no start or with that of a lower try. An unknown
    /// instance is answered with an empty list.
    /// </remarks>
    public async Task<IReadOnlyList<TaskInstance>> TriesAsync(TaskInstance instance, CancellationToken ct)
    {
        if (!KnowsTries)
            return [];
        var (dag, run, task, map) = InstanceId.Of(instance);
        try
        {
            var answer = await requests.AskAsync(
                $"GET /api/v1/dags/{dag}/dagRuns/{run}/taskInstances/{task}/tries",
                t => map < 0 ? rest.GetTries(dag, run, task, t) : rest.GetMappedTries(dag, run, task, map, t),
                ct);
            var rows = answer.Value.TaskInstances;
            return [.. rows.Where(row => !IsMadeUp(row, rows)).OrderBy(row => row.TryNumber)];
        }
        catch (AirflowException e) when (e.Status == HttpStatusCode.NotFound)
        {
            return [];
        }
    }

    private static bool IsMadeUp(TaskInstance row, IReadOnlyList<TaskInstance> rows) =>
        row.StartDate is null || rows.Any(other => other.TryNumber < row.TryNumber && other.StartDate == row.StartDate);

    /// <summary>As many pools as can be listed: those that are not unlimited.</summary>
    private async Task<PoolList> ListablePoolsAsync(AirflowException refused, CancellationToken ct)
    {
        try
        {
            var total = (await AskPoolsAsync(1, 0, ct)).TotalEntries;
            for (var count = total - 1; count > 0; count--)
            {
                try
                {
                    var list = await PoolsAsync(count, ct);
                    listable = new ListablePools(count, total, 0);
                    return list;
                }
                catch (AirflowException e) when (e.Status == HttpStatusCode.InternalServerError)
                {
                    // One more unlimited pool.
                }
            }
        }
        catch (AirflowException e) when (e.Status == HttpStatusCode.InternalServerError)
        {
            // Not even the largest pool can be listed: all are unlimited, or it is another error.
        }
        throw refused;
    }

    /// <summary>The first <paramref name="count"/> pools, largest first.</summary>
    private async Task<PoolList> PoolsAsync(int count, CancellationToken ct)
    {
        var pools = new OrderedDictionary<string, Pool>();
        for (var offset = 0; ;)
        {
            var page = await AskPoolsAsync(Math.Min(PageSize, count - offset), offset, ct);
            foreach (var pool in page.Pools)
                pools[pool.Name] = pool;
            offset += page.Pools.Count;
            if (page.Pools.Count == 0 || offset >= Math.Min(count, page.TotalEntries))
                return new PoolList([.. pools.Values], Math.Max(0, page.TotalEntries - offset));
        }
    }

    private async Task<PoolPage> AskPoolsAsync(int limit, int offset, CancellationToken ct) =>
        (await requests.AskAsync("GET /api/v1/pools", t => rest.GetPools(limit, offset, "-slots", t), ct)).Value;

    private async Task<Dated<DagRun>> RunsAsync(string[]? states, DateTimeOffset? endedSince, CancellationToken ct)
    {
        const string what = "GET /api/v1/dags/~/dagRuns";
        var since = endedSince is { } instant ? AirflowRequests.Utc(instant) : null;
        return await Paging.OrderedAsync<DagRun, RunId>(
            async offset =>
            {
                var answer = await WithFieldsAsync(
                    RunFields,
                    fields => requests.AskAsync(what, t => rest.GetDagRuns("~", states, since, "id", PageSize, offset, fields, t), ct));
                return new Answer<IPage<DagRun>>(answer.Value, answer.Date);
            },
            RunId.Of,
            reason => requests.Fail(what, reason));
    }

    private async Task<Answer<IPage<TaskInstance>>> AskInstancesAsync(
        string[] states, DateTimeOffset? from, DateTimeOffset? to, int offset, CancellationToken ct)
    {
        var (gte, lte) = (from is { } f ? AirflowRequests.Utc(f) : null, to is { } u ? AirflowRequests.Utc(u) : null);
        var answer = await requests.AskAsync(
            InstanceList, t => rest.GetTaskInstances(states, gte, lte, instancePage, offset, t), ct);
        return new Answer<IPage<TaskInstance>>(answer.Value, answer.Date);
    }

    /// <summary>A window too narrow to be halved, such as of thousands of instances changed by one statement.</summary>
    private async Task<IReadOnlyList<TaskInstance>> WholeWindowAsync(DateTimeOffset from, DateTimeOffset? to, CancellationToken ct)
    {
        var (list, complete) = await Paging.UnorderedAsync<TaskInstance, InstanceId>(
            offset => AskInstancesAsync(AirflowStates.FinishedInstances, from, to, offset, ct), InstanceId.Of, passes: 5);
        return complete
            ? list.Rows
            : throw requests.Fail(InstanceList, "its pages kept skipping rows; the next poll asks again");
    }

    private async Task<Answer<T>> WithFieldsAsync<T>(string[] fields, Func<string[]?, Task<Answer<T>>> ask)
        where T : class
    {
        if (knowsFields)
        {
            try
            {
                return await ask(fields);
            }
            catch (AirflowException e) when (e.Status == HttpStatusCode.BadRequest)
            {
                // Asked again without, which fails as well if it was not the fields that the server minded.
            }
        }
        var answer = await ask(null);
        knowsFields = false;
        return answer;
    }

    /// <summary>How many pools could be listed beside unlimited ones, of how many, and how often that was relied on.</summary>
    private sealed record ListablePools(int Count, int Total, int Uses);
}
