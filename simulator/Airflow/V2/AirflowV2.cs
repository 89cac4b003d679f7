using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Airflow.V2;

/// <summary>Airflow 3 with REST v2 and tokens, under /airflow3.</summary>
internal sealed partial class AirflowV2(PipelineModel model, EditLog edits, FaultInjector faults, AirflowServers servers)
{
    const string Root = "/airflow3";
    const string Api = Root + "/api/v2";
    const string Any = "~";

    readonly V2Tokens tokens = new(servers);

    public void Map(IEndpointRouteBuilder routes)
    {
        var login = new V2Login(tokens);
        routes.MapPost(Root + "/auth/token", context => GuardAsync(context, _ => login.AnswerAsync(context, forCli: false)));
        routes.MapPost(Root + "/auth/token/cli", context => GuardAsync(context, _ => login.AnswerAsync(context, forCli: true)));
        routes.MapGet(Root + "/auth/token", context => GuardAsync(context, _ => throw V2Login.NotForAll()));

        Open(routes, "/monitor/health", Health);
        Open(routes, "/version", Version);
        Get(routes, Access.Dags, "/dags", Dags);
        Get(routes, Access.Dags, "/dags/{dagId}", Dag);
        Get(routes, Access.ReadRuns, "/dags/{dagId}/dagRuns", Runs);
        Get(routes, Access.ReadRuns, "/dags/{dagId}/dagRuns/{runId}", Run);
        const string Tasks = "/dags/{dagId}/dagRuns/{runId}/taskInstances";
        Get(routes, Access.ReadTasks, Tasks, TaskInstances);
        Get(routes, Access.ReadTasks, Tasks + "/{taskId}", TaskInstance);
        Get(routes, Access.ReadTasks, Tasks + "/{taskId}/tries", Tries);
        Get(routes, Access.ReadTasks, Tasks + "/{taskId}/tries/{tryNumber:int}", Try);
        Get(routes, Access.ReadTasks, Tasks + "/{taskId}/{mapIndex:int}", TaskInstance);
        Get(routes, Access.ReadTasks, Tasks + "/{taskId}/{mapIndex:int}/tries", Tries);
        Get(routes, Access.ReadTasks, Tasks + "/{taskId}/{mapIndex:int}/tries/{tryNumber:int}", Try);
        Get(routes, Access.Pools, "/pools", Pools);
        Get(routes, Access.Pools, "/pools/{name}", Pool);
        Get(routes, Access.ReadImportErrors, "/importErrors", ImportErrors);

        MapWrites(routes);

        Gone(routes, Api + "/{**path}", "API route not found");
        Gone(routes, Root + "/{**path}", "API route not found");
        Gone(routes, Root + "/api/v1/{**path}", "/api/v1 has been removed in Airflow 3, please use its upgraded version /api/v2 instead.");
        Gone(routes, Root + "/health", "Moved in Airflow 3. Please change config to check `/api/v2/monitor/health`");
    }

    /// <summary>One request that may be answered.</summary>
    sealed record Call(HttpContext Context, AirflowData Data, V2Query Query, V2Server Server)
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

    void Get(IEndpointRouteBuilder routes, Access needed, string path, Action<Call, Utf8JsonWriter> answer) => routes.MapGet(Api + path, context => GuardAsync(context, now =>
    {
        Admit(context, needed);
        return AnswerAsync(context, answer, now);
    }));

    /// <exception cref="AirflowRefusal">Nobody known, or somebody who may not.</exception>
    void Admit(HttpContext context, Access needed)
    {
        var user = context.Features.Get<AirflowUser>() ?? tokens.Check(context.Request.Headers.Authorization);
        if (user.Lacks(needed))
            throw V2Errors.Detail(403, "Forbidden");
    }

    void Gone(IEndpointRouteBuilder routes, string path, string error) =>
        routes.MapFallback(path, context => GuardAsync(context, _ => throw V2Errors.NoSuchRoute(error)));

    async Task GuardAsync(HttpContext context, Func<DateTimeOffset, Task> answer)
    {
        var now = servers.Now;
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
        var call = CallOf(context, now);
        return AirflowAnswer.SendV2Async(context, 200, "application/json", json => answer(call, json), text: null);
    }

    Call CallOf(HttpContext context, DateTimeOffset now)
    {
        var server = new V2Server(servers.Settings.Airflow3Version);
        var data = new AirflowData(model, edits, faults, server.Edition, now);
        return new Call(context, data, new V2Query(context.Request.Query, server, data.Oddities), server);
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
        Component("scheduler", call.Data.SchedulerHeartbeat);
        Component("triggerer", call.Data.TriggererHeartbeat);
        Component("dag_processor", call.Data.DagProcessorHeartbeat);
        json.WriteEndObject();

        void Component(string name, DateTimeOffset heartbeat)
        {
            json.WriteStartObject(name);
            row.Text("status", "healthy");
            row.Time($"latest_{name}_heartbeat", heartbeat);
            json.WriteEndObject();
        }
    }

    static void Version(Call call, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("version", call.Server.Version.ToString(3));
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
        var (excludeStale, hasImportErrors) = (query.Flag("exclude_stale") != false, query.Flag("has_import_errors"));
        var dags = call.Data.Dags.Where(dag =>
            !(excludeStale && call.Data.Oddities.IsStale(dag)) &&
            (tags is null || (allTags ? tags.All(tag => dag.Tags.Contains(tag)) : dag.Tags.Any(tags.Contains))) &&
            (owners is null || dag.Owners.Any(owners.Contains)) &&
            (paused is null || dag.IsPaused == paused) &&
            (hasImportErrors is null || call.Data.Oddities.IsBroken(dag) == hasImportErrors) &&
            (lastRunState is null || LastState(dag) == lastRunState) &&
            Patterns.Holds(query.Text("dag_id_pattern"), dag.Id) &&
            Patterns.Holds(query.Text("dag_display_name_pattern"), dag.Id));
        Collection(call, json, "dags", order.Sort(dags), (row, dag) => V2Rows.Dag(row, dag, call.Data));

        string? LastState(DagDefinition dag) => call.Data.LastRun(dag) is { } run ? StateNames.Of(call.Data.Row(run).State) : null;
    }

    static void Dag(Call call, Utf8JsonWriter json) => Single(call, json, row => V2Rows.Dag(row, call.Dag(), call.Data));

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
        Paged(call, json, "dag_runs", RunsPage(call.Data, filter, order, query), (row, run) => V2Rows.Run(row, run, call.Server));
    }

    static void Run(Call call, Utf8JsonWriter json)
    {
        var run = FindRun(call);
        Single(call, json, row => V2Rows.Run(row, call.Data.Row(run), call.Server));
    }

    static DagRun FindRun(Call call) => call.Data.FindRun(call.Route("dagId"), call.Route("runId")) ??
        throw V2Errors.Detail(404, $"The DagRun with dag_id: `{call.Route("dagId")}` and run_id: `{call.Route("runId")}` was not found");

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
        Paged(call, json, "task_instances", TaskInstancesPage(call.Data, filter, order, query), V2Rows.Task);
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
        Single(call, json, row => V2Rows.Task(row, instance));
    }

    static void Tries(Call call, Utf8JsonWriter json)
    {
        var instance = call.TaskInstance().Instance;
        var tries = call.Data.Tries(instance).ToList();
        json.WriteStartObject();
        Rows(call, json, "task_instances", tries, (row, phase) => V2Rows.Try(row, instance, phase));
        json.WriteNumber("total_entries", tries.Count);
        json.WriteEndObject();
    }

    static void Try(Call call, Utf8JsonWriter json)
    {
        var instance = call.TaskInstance().Instance;
        var number = int.Parse(call.Route("tryNumber"));
        var phases = call.Data.Tries(instance).Where(phase => phase.Try == number).ToList();
        if (phases.Count == 0)
            throw V2Errors.NoSuchTask(call.Route("dagId"), call.Route("runId"), call.Route("taskId"), call.MapIndex, number);
        Single(call, json, row => V2Rows.Try(row, instance, phases[^1]));
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
        Collection(call, json, "pools", order.Sort(named), V2Rows.Pool);
    }

    static void Pool(Call call, Utf8JsonWriter json)
    {
        var name = call.Route("name");
        var pool = call.Data.Pools().FirstOrDefault(pool => pool.Pool.Name == name) ?? throw V2Errors.Detail(404, $"The Pool with name: `{name}` was not found");
        Single(call, json, row => V2Rows.Pool(row, pool));
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
        Collection(call, json, "import_errors", order.Sort(named), V2Rows.ImportError);
    }

    static void Single(Call call, Utf8JsonWriter json, Action<RowWriter> write)
    {
        json.WriteStartObject();
        write(new RowWriter(json, zulu: true, absent: call.Server.Absent));
        json.WriteEndObject();
    }

    static void Rows<TRow>(Call call, Utf8JsonWriter json, string name, IEnumerable<TRow> rows, Action<RowWriter, TRow> write)
    {
        var row = new RowWriter(json, zulu: true, absent: call.Server.Absent);
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
    static void Collection<TRow>(Call call, Utf8JsonWriter json, string name, IReadOnlyList<TRow> rows, Action<RowWriter, TRow> write)
    {
        json.WriteStartObject();
        Rows(call, json, name, rows.Skip(call.Query.Offset).Take(call.Query.Limit), write);
        json.WriteNumber("total_entries", rows.Count);
        json.WriteEndObject();
    }

    static void Paged<TRow>(Call call, Utf8JsonWriter json, string name, V2Page<TRow> page, Action<RowWriter, TRow> write)
    {
        json.WriteStartObject();
        Rows(call, json, name, page.Rows, write);
        json.WriteNumber("total_entries", page.Total);
        if (call.Server.HasCursors)
        {
            new RowWriter(json, zulu: true).Number("total_entries_limit", page.TotalLimit);
            json.WriteString("next_cursor", page.Next);
            json.WriteString("previous_cursor", page.Previous);
        }
        json.WriteEndObject();
    }
}
