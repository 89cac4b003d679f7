using System.Net;
using Refit;

namespace PipelineExporter.Sources.Airflow;

/// <summary>Airflow 3.x. GET lists are clamped to 100 rows; order_by=id is the order of creation and the cheapest.</summary>
internal sealed class AirflowV2(IAirflowRestV2 rest, AirflowRequests requests, string version) : IAirflowApi
{
    /// <summary>No version has a state of this name: the question is answered 422, with those that it has.</summary>
    public const string NoState = "list_valid_states";

    private const int PageSize = 100;
    private const int LastSuccesses = 10;
    private const string InstanceList = "GET /api/v2/dags/~/dagRuns/~/taskInstances";

    /// <summary>A live instance in a state unknown today is looked for so long after its last change: the state may be a final one.</summary>
    private static readonly TimeSpan UnknownIsLive = TimeSpan.FromDays(1);

    private volatile InstanceStates? states;

    public string Version => version;

    public async Task<IReadOnlyDictionary<string, ComponentHealth>> HealthAsync(CancellationToken ct) =>
        ComponentHealth.In((await requests.AskAsync("GET /api/v2/monitor/health", rest.GetHealth, ct)).Value);

    public async Task<PoolList> PoolsAsync(CancellationToken ct)
    {
        const string what = "GET /api/v2/pools";
        var pools = await Paging.OrderedAsync<Pool, string>(
            async offset => Page(await requests.AskAsync(what, t => rest.GetPools(PageSize, offset, "id", t), ct)),
            pool => pool.Name,
            reason => requests.Fail(what, reason));
        return new PoolList(pools.Rows, Unlisted: 0);
    }

    public async Task<int> ImportErrorsAsync(CancellationToken ct) =>
        (await requests.AskAsync("GET /api/v2/importErrors", t => rest.GetImportErrors(1, t), ct)).Value.TotalEntries;

    public async Task<IReadOnlyList<Dag>> DagsAsync(CancellationToken ct)
    {
        const string what = "GET /api/v2/dags";
        var dags = await Paging.OrderedAsync<Dag, string>(
            async offset => Page(await requests.AskAsync(what, t => rest.GetDags(PageSize, offset, "dag_id", t), ct)),
            dag => dag.DagId,
            reason => requests.Fail(what, reason));
        return dags.Rows;
    }

    public Task<Dated<DagRun>> LiveRunsAsync(CancellationToken ct) => RunsAsync(AirflowStates.LiveRuns, null, null, ct);

    /// <remarks>updated_at moves at every change. end_date_gte would return rows without an end for ever.</remarks>
    public Task<Dated<DagRun>> EndedRunsAsync(DateTimeOffset since, CancellationToken ct) =>
        RunsAsync(null, AirflowRequests.Utc(since), null, ct);

    /// <remarks>Here end_date_gte is right: it takes a missing end as now, and a failed run without an end is one of the last.</remarks>
    public Task<Dated<DagRun>> FailedRunsAsync(DateTimeOffset since, CancellationToken ct) =>
        RunsAsync(AirflowStates.FailedRuns, null, AirflowRequests.Utc(since), ct);

    /// <remarks>Where a descending order puts rows without a start first, one of the next few has it.</remarks>
    public async Task<IReadOnlyList<DagRun>> LastSuccessesAsync(string dagId, CancellationToken ct)
    {
        try
        {
            var page = await requests.AskAsync(
                $"GET /api/v2/dags/{dagId}/dagRuns",
                t => rest.GetDagRuns(dagId, AirflowStates.SuccessfulRuns, null, null, "-start_date", LastSuccesses, null, null, t),
                ct);
            return [.. page.Value.DagRuns.Where(run => run.StartDate is not null)];
        }
        catch (AirflowException e) when (e.Status == HttpStatusCode.NotFound)
        {
            return []; // the DAG was deleted, and its runs with it
        }
    }

    /// <remarks>
    /// States that a version of tomorrow has are asked for too, in a list of their own: were one of them final, the whole history of
    /// it would come back.
    /// </remarks>
    public async Task<Dated<TaskInstance>> LiveTaskInstancesAsync(CancellationToken ct)
    {
        var asked = await StatesAsync(ct);
        var live = await InstancesAsync(asked.Live, null, ct);
        if (asked.Unknown.Length == 0)
            return live;
        var unknown = await InstancesAsync(asked.Unknown, AirflowRequests.Utc(live.Date - UnknownIsLive), ct);
        return live with { Rows = [.. live.Rows.Concat(unknown.Rows).DistinctBy(InstanceId.Of)] };
    }

    public async Task<Dated<TaskInstance>> FinishedTaskInstancesAsync(DateTimeOffset since, CancellationToken ct)
    {
        var asked = await StatesAsync(ct);
        return await InstancesAsync([.. asked.Finished, .. asked.Unknown], AirflowRequests.Utc(since), ct);
    }

    public async Task<IReadOnlyList<TaskInstance>> TriesAsync(TaskInstance instance, CancellationToken ct)
    {
        var (dag, run, task, map) = InstanceId.Of(instance);
        try
        {
            var answer = await requests.AskAsync(
                $"GET /api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/tries",
                t => map < 0 ? rest.GetTries(dag, run, task, t) : rest.GetMappedTries(dag, run, task, map, t),
                ct);
            return [.. answer.Value.TaskInstances.OrderBy(row => row.TryNumber)];
        }
        catch (AirflowException e) when (e.Status == HttpStatusCode.NotFound)
        {
            return []; // the run was deleted meanwhile, and its history with it
        }
    }

    private static Answer<IPage<Pool>> Page(Answer<PoolPage> answer) => new(answer.Value, answer.Date);

    private static Answer<IPage<Dag>> Page(Answer<DagPage> answer) => new(answer.Value, answer.Date);

    private Task<Dated<DagRun>> RunsAsync(string[]? states, string? updatedSince, string? endedSince, CancellationToken ct)
    {
        const string what = "GET /api/v2/dags/~/dagRuns";
        return Paging.CursorAsync<DagRun, RunId>(
            async (cursor, offset) =>
            {
                var answer = await requests.AskAsync(
                    what, t => rest.GetDagRuns("~", states, updatedSince, endedSince, "id", PageSize, offset, cursor, t), ct);
                return new Answer<IPage<DagRun>>(answer.Value, answer.Date);
            },
            RunId.Of,
            reason => requests.Fail(what, reason));
    }

    private Task<Dated<TaskInstance>> InstancesAsync(string[] states, string? updatedSince, CancellationToken ct)
    {
        return Paging.CursorAsync<TaskInstance, InstanceId>(
            async (cursor, offset) =>
            {
                var answer = await requests.AskAsync(
                    InstanceList, t => rest.GetTaskInstances(states, updatedSince, "id", PageSize, offset, cursor, t), ct);
                return new Answer<IPage<TaskInstance>>(answer.Value, answer.Date);
            },
            InstanceId.Of,
            reason => requests.Fail(InstanceList, reason));
    }

    /// <summary>The states of the server's version, found out at the first use; those known today where it does not tell. A server that
    /// fails is asked again the next time.</summary>
    private async Task<InstanceStates> StatesAsync(CancellationToken ct)
    {
        if (states is { } found)
            return found;
        try
        {
            await requests.AskAsync(InstanceList, t => rest.GetTaskInstances([NoState], null, "id", 1, 0, null, t), ct);
        }
        catch (AirflowException e) when (e.Status is { } status and not (HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden or HttpStatusCode.TooManyRequests))
        {
            if (InstanceStates.Named(e.Detail) is { } named)
                return states = named;
            if (status >= HttpStatusCode.InternalServerError)
                return InstanceStates.Known(version);
        }
        return states = InstanceStates.Known(version);
    }
}
