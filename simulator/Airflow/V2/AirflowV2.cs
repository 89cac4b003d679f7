using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Airflow.V2;

/// <summary>Airflow 3.3 with REST v2 and tokens, under /airflow3.</summary>
internal sealed class AirflowV2(PipelineModel model, FaultInjector faults, TimeProvider time)
{
    const string Root = "/airflow3";
    const string Api = Root + "/api/v2";
    const string Any = "~";

    readonly V2Tokens tokens = new(time);

    public void Map(IEndpointRouteBuilder routes)
    {
        var login = new V2Login(tokens);
        routes.MapPost(Root + "/auth/token", context => GuardAsync(context, _ => login.AnswerAsync(context, V2Tokens.Lifetime)));
        routes.MapPost(Root + "/auth/token/cli", context => GuardAsync(context, _ => login.AnswerAsync(context, V2Tokens.CliLifetime)));
        routes.MapGet(Root + "/auth/token", context => GuardAsync(context, _ => throw V2Login.NotForAll()));

        Open(routes, "/monitor/health", Health);
        Open(routes, "/version", Version);
        Get(routes, "/dags", Dags);
        Get(routes, "/dags/{dagId}", Dag);
        Get(routes, "/dags/{dagId}/dagRuns", Runs);
        Get(routes, "/dags/{dagId}/dagRuns/{runId}", Run);
        const string Tasks = "/dags/{dagId}/dagRuns/{runId}/taskInstances";
        Get(routes, Tasks, TaskInstances);
        Get(routes, Tasks + "/{taskId}", TaskInstance);
        Get(routes, Tasks + "/{taskId}/tries", Tries);
        Get(routes, Tasks + "/{taskId}/tries/{tryNumber:int}", Try);
        Get(routes, Tasks + "/{taskId}/{mapIndex:int}", TaskInstance);
        Get(routes, Tasks + "/{taskId}/{mapIndex:int}/tries", Tries);
        Get(routes, Tasks + "/{taskId}/{mapIndex:int}/tries/{tryNumber:int}", Try);
        Get(routes, "/pools", Pools);
        Get(routes, "/pools/{name}", Pool);
        Get(routes, "/importErrors", ImportErrors);

        Gone(routes, Api + "/{**path}", "API route not found");
        Gone(routes, Root + "/{**path}", "API route not found");
        Gone(routes, Root + "/api/v1/{**path}", "/api/v1 has been removed in Airflow 3, please use its upgraded version /api/v2 instead.");
        Gone(routes, Root + "/health", "Moved in Airflow 3. Please change config to check `/api/v2/monitor/health`");
    }

    /// <summary>One request that may be answered.</summary>
    sealed record Call(HttpContext Context, AirflowData Data, V2Query Query)
    {
        public string Route(string name) => (string)Context.GetRouteValue(name)!;

        public DagDefinition Dag() => Data.FindDag(Route("dagId")) ?? throw V2Errors.NoSuchDag(Route("dagId"));

        /// <summary>The DAG of the path; null for ~.</summary>
        public DagDefinition? ChosenDag() => Route("dagId") == Any ? null : Dag();

        public int MapIndex => (Context.GetRouteValue("mapIndex") as string ?? Query.Text("map_index")) is { } text && int.TryParse(text, out var index) ? index : -1;

        /// <exception cref="AirflowRefusal">There is no such instance; ~ names none.</exception>
        public TaskRow TaskInstance()
        {
            var run = Data.FindRun(Route("dagId"), Route("runId"));
            return (run is null ? null : Data.FindTask(run, Route("taskId"), MapIndex)) ??
                throw V2Errors.NoSuchTask(Route("dagId"), Route("runId"), Route("taskId"), MapIndex);
        }
    }

    void Open(IEndpointRouteBuilder routes, string path, Action<Call, Utf8JsonWriter> answer) =>
        routes.MapGet(Api + path, context => GuardAsync(context, now => AnswerAsync(context, answer, now)));

    void Get(IEndpointRouteBuilder routes, string path, Action<Call, Utf8JsonWriter> answer) => routes.MapGet(Api + path, context => GuardAsync(context, now =>
    {
        tokens.Check(context.Request.Headers.Authorization);
        return AnswerAsync(context, answer, now);
    }));

    void Gone(IEndpointRouteBuilder routes, string path, string error) =>
        routes.MapFallback(path, context => GuardAsync(context, _ => throw V2Errors.NoSuchRoute(error)));

    async Task GuardAsync(HttpContext context, Func<DateTimeOffset, Task> answer)
    {
        var now = time.GetUtcNow();
        context.Response.Headers.Date = now.ToString("R");
        if (await faults.StrikeAsync(context, AirflowData.Source, context.Request.Path, (c, status) => SendAsync(c, Failure(status))))
            return;
        try
        {
            if (context.Request.Path.Value is [.., '/'])
                throw V2Errors.NoSuchRoute();
            await answer(now);
        }
        catch (AirflowRefusal refusal)
        {
            await SendAsync(context, refusal);
        }
    }

    Task AnswerAsync(HttpContext context, Action<Call, Utf8JsonWriter> answer, DateTimeOffset now)
    {
        var call = new Call(context, new AirflowData(model, faults, Edition.V2, now), new V2Query(context.Request.Query));
        return AirflowAnswer.SendV2Async(context, 200, "application/json", json => answer(call, json), text: null);
    }

    static Task SendAsync(HttpContext context, AirflowRefusal refusal) =>
        AirflowAnswer.SendV2Async(context, refusal.Status, refusal.ContentType, refusal.WriteJson, refusal.Text);

    static AirflowRefusal Failure(int status) => V2Errors.Detail(status, status >= 500 ? "Internal Server Error" : "Too Many Requests");

    /// <summary>Unlike all other dates of REST v2, these end in +00:00.</summary>
    static void Health(Call call, Utf8JsonWriter json)
    {
        var row = new RowWriter(json, zulu: false);
        json.WriteStartObject();
        json.WriteStartObject("metadatabase");
        row.Text("status", "healthy");
        json.WriteEndObject();
        Component("scheduler", call.Data.SchedulerHeartbeat, call.Data.IsSchedulerHealthy);
        Component("triggerer", call.Data.TriggererHeartbeat, healthy: true);
        Component("dag_processor", call.Data.DagProcessorHeartbeat, healthy: true);
        json.WriteEndObject();

        void Component(string name, DateTimeOffset heartbeat, bool healthy)
        {
            json.WriteStartObject(name);
            row.Text("status", healthy ? "healthy" : "unhealthy");
            row.Time($"latest_{name}_heartbeat", heartbeat);
            json.WriteEndObject();
        }
    }

    static void Version(Call call, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("version", V2Rows.Version);
        json.WriteString("git_version", ".release:simulated");
        json.WriteEndObject();
    }

    static void Dags(Call call, Utf8JsonWriter json)
    {
        var query = call.Query;
        var lastRunState = query.Text("last_dag_run_state");
        if (lastRunState is not null && StateNames.Run(lastRunState) is null)
        {
            const string States = "'queued', 'running', 'success' or 'failed'";
            throw V2Errors.Invalid("last_dag_run_state", "enum", "Input should be " + States, lastRunState, ctx => ctx.WriteString("expected", States));
        }
        var order = query.OrderBy<DagDefinition>(["dag_id"], ["dag_id"], name => name switch
        {
            "dag_id" or "dag_display_name" => dag => SortValue.Of(dag.Id),
            "next_dagrun" => dag => SortValue.Of(call.Data.NextRun(dag)),
            "start_date" or "last_run_start_date" => dag => SortValue.Of(call.Data.LastRun(dag)?.StartDate),
            "state" or "last_run_state" => dag => SortValue.Of(LastState(dag)),
            _ => null,
        });
        var (tags, owners, paused) = (query.Set("tags"), query.Set("owners"), query.Flag("paused"));
        var allTags = query.Text("tags_match_mode") == "all";
        var dags = call.Data.Dags.Where(dag =>
            (tags is null || (allTags ? tags.All(tag => dag.Tags.Contains(tag)) : dag.Tags.Any(tags.Contains))) &&
            (owners is null || dag.Owners.Any(owners.Contains)) &&
            (paused is null || dag.IsPaused == paused) &&
            query.Flag("has_import_errors") is not true &&
            (lastRunState is null || LastState(dag) == lastRunState) &&
            Patterns.Holds(query.Text("dag_id_pattern"), dag.Id) &&
            Patterns.Holds(query.Text("dag_display_name_pattern"), dag.Id));
        Collection(json, "dags", order.Sort(dags), query, (row, dag) => V2Rows.Dag(row, dag, call.Data));

        string? LastState(DagDefinition dag) => call.Data.LastRun(dag) is { } run ? StateNames.Of(run.StateAt(call.Data.Now)) : null;
    }

    static void Dag(Call call, Utf8JsonWriter json) => Single(json, row => V2Rows.Dag(row, call.Dag(), call.Data));

    static void Runs(Call call, Utf8JsonWriter json)
    {
        var query = call.Query;
        var order = query.OrderBy(["id"], ["id"], name => Sortable.Run(name, Edition.V2));
        var filter = new RunFilter
        {
            DagId = call.ChosenDag()?.Id,
            States = query.RunStates(),
            RunTypes = query.RunTypes(),
            LogicalDate = query.Range("logical_date"),
            RunAfter = query.Range("run_after"),
            StartDate = query.Range("start_date"),
            EndDate = query.Range("end_date"),
            UpdatedAt = query.Range("updated_at"),
            Duration = query.Durations(),
            DagIdPattern = query.Text("dag_id_pattern"),
            RunIdPattern = query.Text("run_id_pattern"),
        };
        Paged(json, "dag_runs", RunsPage(call.Data, filter, order, query), V2Rows.Run);
    }

    static void Run(Call call, Utf8JsonWriter json)
    {
        var (dagId, runId) = (call.Route("dagId"), call.Route("runId"));
        var run = call.Data.FindRun(dagId, runId) ??
            throw V2Errors.Detail(404, $"The DagRun with dag_id: `{dagId}` and run_id: `{runId}` was not found");
        Single(json, row => V2Rows.Run(row, new RunRow(run, call.Data.Now)));
    }

    static void TaskInstances(Call call, Utf8JsonWriter json)
    {
        var query = call.Query;
        var order = query.OrderBy(["map_index"], ["id"], name => Sortable.Task(name, Edition.V2));
        var dag = call.ChosenDag();
        var filter = new TaskFilter
        {
            DagId = dag?.Id,
            Run = ChosenRun(call, dag),
            States = query.TaskStates(),
            TaskIds = query.Set("task_id"),
            Pools = query.Set("pool"),
            Queues = query.Set("queue"),
            Operators = query.Set("operator"),
            NamesExecutor = query.Set("executor") is not null,
            TryNumbers = query.Numbers("try_number"),
            MapIndexes = query.Numbers("map_index"),
            LogicalDate = query.Range("logical_date"),
            RunAfter = query.Range("run_after"),
            StartDate = query.Range("start_date"),
            EndDate = query.Range("end_date"),
            UpdatedAt = query.Range("updated_at"),
            Duration = query.Durations(),
            DagIdPattern = query.Text("dag_id_pattern"),
            RunIdPattern = query.Text("run_id_pattern"),
            TaskNamePattern = query.Text("task_display_name_pattern"),
        };
        Paged(json, "task_instances", TaskInstancesPage(call.Data, filter, order, query), V2Rows.Task);
    }

    static V2Page<RunRow> RunsPage(AirflowData data, RunFilter filter, Ordering<RunRow> order, V2Query query)
    {
        if (query.Cursor is { } cursor)
            return V2Page<RunRow>.ByCursor(data.Runs(filter), order, cursor, query.Limit);
        var page = data.Runs(filter, order, query.Offset, query.Limit);
        return V2Page<RunRow>.ByOffset(page.Rows, page.Total);
    }

    static V2Page<TaskRow> TaskInstancesPage(AirflowData data, TaskFilter filter, Ordering<TaskRow> order, V2Query query)
    {
        if (query.Cursor is { } cursor)
            return V2Page<TaskRow>.ByCursor(data.TaskInstances(filter), order, cursor, query.Limit);
        var (rows, total) = order.First(data.TaskInstances(filter), query.Offset + query.Limit);
        return V2Page<TaskRow>.ByOffset([.. rows.Skip(query.Offset)], total);
    }

    /// <summary>Null for ~.</summary>
    static DagRun? ChosenRun(Call call, DagDefinition? dag)
    {
        var runId = call.Route("runId");
        if (runId == Any)
            return null;
        if (dag is null)
            throw V2Errors.Detail(400, "dag_id is required when dag_run_id is specified");
        return call.Data.FindRun(dag.Id, runId) ?? throw V2Errors.Detail(404, $"DagRun with dag_id: `{dag.Id}` and run_id: `{runId}` was not found");
    }

    static void TaskInstance(Call call, Utf8JsonWriter json)
    {
        var instance = call.TaskInstance();
        Single(json, row => V2Rows.Task(row, instance));
    }

    static void Tries(Call call, Utf8JsonWriter json)
    {
        var instance = call.TaskInstance().Instance;
        var tries = instance.TriesAt(call.Data.Now).ToList();
        json.WriteStartObject();
        Rows(json, "task_instances", tries, (row, phase) => V2Rows.Try(row, instance, phase));
        json.WriteNumber("total_entries", tries.Count);
        json.WriteEndObject();
    }

    static void Try(Call call, Utf8JsonWriter json)
    {
        var instance = call.TaskInstance().Instance;
        var number = int.Parse(call.Route("tryNumber"));
        var phases = instance.TriesAt(call.Data.Now).Where(phase => phase.Try == number).ToList();
        if (phases.Count == 0)
            throw V2Errors.NoSuchTask(call.Route("dagId"), call.Route("runId"), call.Route("taskId"), call.MapIndex, number);
        Single(json, row => V2Rows.Try(row, instance, phases[^1]));
    }

    static void Pools(Call call, Utf8JsonWriter json)
    {
        var pools = call.Data.Pools();
        var order = call.Query.OrderBy<PoolRow>(["id"], ["id"], name => name switch
        {
            "id" => pool => SortValue.Of((Int128)pools.ToList().IndexOf(pool)),
            "pool" or "name" => pool => SortValue.Of(pool.Pool.Name),
            _ => null,
        });
        var named = pools.Where(pool => Patterns.Holds(call.Query.Text("pool_name_pattern"), pool.Pool.Name));
        Collection(json, "pools", order.Sort(named), call.Query, V2Rows.Pool);
    }

    static void Pool(Call call, Utf8JsonWriter json)
    {
        var name = call.Route("name");
        var pool = call.Data.Pools().FirstOrDefault(pool => pool.Pool.Name == name) ?? throw V2Errors.Detail(404, $"The Pool with name: `{name}` was not found");
        Single(json, row => V2Rows.Pool(row, pool));
    }

    static void ImportErrors(Call call, Utf8JsonWriter json)
    {
        var order = call.Query.OrderBy<ImportErrorRow>(["id"], ["id"], name => name switch
        {
            "id" or "import_error_id" => error => SortValue.Of((Int128)error.Id),
            "timestamp" => error => SortValue.Of(error.ParsedAt),
            "filename" => error => SortValue.Of(error.File),
            "bundle_name" or "stacktrace" => _ => default,
            _ => null,
        });
        var named = call.Data.ImportErrors().Where(error => Patterns.Holds(call.Query.Text("filename_pattern"), error.File));
        Collection(json, "import_errors", order.Sort(named), call.Query, V2Rows.ImportError);
    }

    static void Single(Utf8JsonWriter json, Action<RowWriter> write)
    {
        json.WriteStartObject();
        write(new RowWriter(json, zulu: true));
        json.WriteEndObject();
    }

    static void Rows<TRow>(Utf8JsonWriter json, string name, IEnumerable<TRow> rows, Action<RowWriter, TRow> write)
    {
        var row = new RowWriter(json, zulu: true);
        json.WriteStartArray(name);
        foreach (var item in rows)
        {
            json.WriteStartObject();
            write(row, item);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    /// <summary>A list without cursor.</summary>
    static void Collection<TRow>(Utf8JsonWriter json, string name, IReadOnlyList<TRow> rows, V2Query query, Action<RowWriter, TRow> write)
    {
        json.WriteStartObject();
        Rows(json, name, rows.Skip(query.Offset).Take(query.Limit), write);
        json.WriteNumber("total_entries", rows.Count);
        json.WriteEndObject();
    }

    static void Paged<TRow>(Utf8JsonWriter json, string name, V2Page<TRow> page, Action<RowWriter, TRow> write)
    {
        json.WriteStartObject();
        Rows(json, name, page.Rows, write);
        json.WriteNumber("total_entries", page.Total);
        new RowWriter(json, zulu: true).Number("total_entries_limit", page.TotalLimit);
        json.WriteString("next_cursor", page.Next);
        json.WriteString("previous_cursor", page.Previous);
        json.WriteEndObject();
    }
}
