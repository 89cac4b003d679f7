using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Airflow.V1;

/// <summary>Airflow 2.11 with REST v1 and basic auth, under /airflow2.</summary>
internal sealed class AirflowV1(PipelineModel model, FaultInjector faults, TimeProvider time)
{
    const string Root = "/airflow2";
    const string Api = Root + "/api/v1";
    const string Any = "~";

    static readonly string[] Ranges = ["execution_date", "start_date", "end_date", "updated_at"];

    /// <summary>
    /// Without ORDER BY, rows come as they lie in the table: each change moves a row to the end, under the feet of whoever
    /// pages by offset.
    /// </summary>
    static readonly Ordering<TaskRow> AsTheyLie = new(
    [
        new("updated_at", Descending: false, row => SortValue.Of(row.UpdatedAt)),
        new("id", Descending: false, row => SortValue.Of(row.Id.Number)),
    ]);

    static readonly string[] RunOrder =
        ["id", "state", "dag_id", "execution_date", "dag_run_id", "start_date", "end_date", "updated_at", "external_trigger", "conf"];

    public void Map(IEndpointRouteBuilder routes)
    {
        Open(routes, Root + "/health", Health);
        Open(routes, Api + "/health", Health);
        Open(routes, Api + "/version", Version);
        Get(routes, Api + "/dags", Dags, "limit", "offset", "order_by", "tags", "only_active", "paused", "fields", "dag_id_pattern");
        Get(routes, Api + "/dags/{dagId}", Dag, "fields");
        Get(routes, Api + "/dags/{dagId}/dagRuns", Runs, [.. Bounds(Ranges), "limit", "offset", "order_by", "state", "fields"]);
        Get(routes, Api + "/dags/{dagId}/dagRuns/{runId}", Run, "fields");
        const string Tasks = Api + "/dags/{dagId}/dagRuns/{runId}/taskInstances";
        Get(routes, Tasks, TaskInstances, [.. Bounds([.. Ranges, "duration"]), "limit", "offset", "state", "pool", "queue", "executor"]);
        Get(routes, Tasks + "/{taskId}", TaskInstance);
        Get(routes, Tasks + "/{taskId}/tries", Tries, "limit", "offset", "order_by");
        Get(routes, Tasks + "/{taskId}/{mapIndex:int:min(0)}", TaskInstance);
        Get(routes, Tasks + "/{taskId}/{mapIndex:int:min(0)}/tries", Tries, "limit", "offset", "order_by");
        Get(routes, Api + "/pools", Pools, "limit", "offset", "order_by");
        Get(routes, Api + "/pools/{name}", Pool);
        Get(routes, Api + "/importErrors", ImportErrors, "limit", "offset", "order_by");
        routes.MapFallback(Api + "/{**path}", context => SendAsync(context, V1Errors.NoSuchPath()));
        routes.MapFallback(Root + "/{**path}", context => SendAsync(context, V1Errors.Html(404, "Airflow 404")));
    }

    /// <summary>One request that may be answered.</summary>
    sealed record Call(HttpContext Context, AirflowData Data, V1Query Query)
    {
        public string Route(string name) => (string)Context.GetRouteValue(name)!;

        public string? Chosen(string name) => Route(name) is var value && value == Any ? null : value;
    }

    void Open(IEndpointRouteBuilder routes, string path, Action<Call, Utf8JsonWriter> answer) =>
        routes.MapMethods(path, [HttpMethods.Get, HttpMethods.Head], context => AnswerAsync(context, answer, [], needsLogin: false));

    void Get(IEndpointRouteBuilder routes, string path, Action<Call, Utf8JsonWriter> answer, params string[] parameters)
    {
        var known = parameters.ToHashSet();
        routes.MapMethods(path, [HttpMethods.Get, HttpMethods.Head], context => AnswerAsync(context, answer, known, needsLogin: true));
    }

    static IEnumerable<string> Bounds(IEnumerable<string> names) => names.SelectMany(name => new[] { name + "_gte", name + "_lte" });

    async Task AnswerAsync(HttpContext context, Action<Call, Utf8JsonWriter> answer, HashSet<string> known, bool needsLogin)
    {
        var now = time.GetUtcNow();
        context.Response.Headers.Date = now.ToString("R");
        if (await faults.StrikeAsync(context, AirflowData.Source, context.Request.Path, (c, status) => SendAsync(c, Failure(status))))
            return;
        try
        {
            if (needsLogin && !MayEnter(context.Request))
                throw V1Errors.Forbidden();
            var call = new Call(context, new AirflowData(model, faults, Edition.V1, now), new V1Query(context.Request.Query, known));
            await AirflowAnswer.SendV1Async(context, 200, "application/json", json => answer(call, json), text: null);
        }
        catch (AirflowRefusal refusal)
        {
            await SendAsync(context, refusal);
        }
    }

    static Task SendAsync(HttpContext context, AirflowRefusal refusal) =>
        AirflowAnswer.SendV1Async(context, refusal.Status, refusal.ContentType, refusal.WriteJson, refusal.Text);

    static AirflowRefusal Failure(int status) =>
        status >= 500 ? V1Errors.Html(status, "Internal Server Error") : V1Errors.Problem(status, "Too Many Requests", null, "about:blank");

    /// <summary>Only basic auth counts.</summary>
    static bool MayEnter(HttpRequest request)
    {
        if (request.Headers.Authorization is not [{ } header] || !header.StartsWith("Basic ", StringComparison.OrdinalIgnoreCase))
            return false;
        var encoded = header.AsSpan(6).Trim();
        return Base64.IsValid(encoded) && Encoding.UTF8.GetString(Convert.FromBase64String(encoded.ToString())) == $"{Credentials.User}:{Credentials.Password}";
    }

    /// <summary>The DAG processor runs in the scheduler and reports nothing of its own.</summary>
    static void Health(Call call, Utf8JsonWriter json)
    {
        var row = new RowWriter(json, zulu: false);
        json.WriteStartObject();
        Component("dag_processor", null, status: null);
        json.WriteStartObject("metadatabase");
        row.Text("status", "healthy");
        json.WriteEndObject();
        Component("scheduler", call.Data.SchedulerHeartbeat, call.Data.IsSchedulerHealthy ? "healthy" : "unhealthy");
        Component("triggerer", call.Data.TriggererHeartbeat, "healthy");
        json.WriteEndObject();

        void Component(string name, DateTimeOffset? heartbeat, string? status)
        {
            json.WriteStartObject(name);
            row.Time($"latest_{name}_heartbeat", heartbeat);
            row.Text("status", status);
            json.WriteEndObject();
        }
    }

    static void Version(Call call, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("git_version", "");
        json.WriteString("version", V1Rows.Version);
        json.WriteEndObject();
    }

    static void Dags(Call call, Utf8JsonWriter json)
    {
        var order = call.Query.OrderBy<DagDefinition>("dag_id", ["dag_id"], _ => dag => SortValue.Of(dag.Id));
        var tags = call.Query.Set("tags");
        var paused = call.Query.Flag("paused");
        var pattern = call.Query.Text("dag_id_pattern");
        var fields = Fields(call.Query, V1Rows.DagFields,
            name => V1Errors.BadRequest($"Invalid fields for <DAGSchema(many=False)>: OrderedSet(['{name}']).", "DAGCollectionSchema error"));
        var dags = call.Data.Dags.Where(dag =>
            (tags is null || dag.Tags.Any(tags.Contains)) && (paused is null || dag.IsPaused == paused) && Patterns.Holds(pattern, dag.Id));
        Collection(json, "dags", Sorted(dags, order), call.Query.Offset(), call.Query.Limit(), (row, dag) => V1Rows.Dag(row, dag, call.Data), fields);
    }

    static void Dag(Call call, Utf8JsonWriter json)
    {
        var id = call.Route("dagId");
        var dag = call.Data.FindDag(id) ?? throw V1Errors.NotFound("DAG not found", $"The DAG with dag_id: {id} was not found");
        Single(json, row => V1Rows.Dag(row, dag, call.Data));
    }

    static void Runs(Call call, Utf8JsonWriter json)
    {
        var query = call.Query;
        var order = query.OrderBy("id", RunOrder, name => Sortable.Run(name, Edition.V1));
        var fields = Fields(query, V1Rows.RunFields, name => V1Errors.BadRequest($"{name} not in DAGRunSchema", "DAGRunCollectionSchema error"));
        var filter = new RunFilter
        {
            DagId = call.Chosen("dagId"),
            States = query.RunStates(),
            LogicalDate = query.Range("execution_date"),
            StartDate = query.Range("start_date"),
            EndDate = query.Range("end_date"),
            UpdatedAt = query.Range("updated_at"),
        };
        var total = new Ordering<RunRow>([order, new SortKey<RunRow>("id", Descending: false, Sortable.Run("id", Edition.V1)!)]);
        var page = call.Data.Runs(filter, total, query.Offset(), query.Limit());
        Collection(json, "dag_runs", page.Rows, page.Total, V1Rows.Run, fields);
    }

    static void Run(Call call, Utf8JsonWriter json)
    {
        var (dagId, runId) = (call.Route("dagId"), call.Route("runId"));
        var run = call.Data.FindRun(dagId, runId) ??
            throw V1Errors.NotFound("DAGRun not found", $"DAGRun with DAG ID: '{dagId}' and DagRun ID: '{runId}' not found");
        Single(json, row => V1Rows.Run(row, new RunRow(run, call.Data.Now)));
    }

    static void TaskInstances(Call call, Utf8JsonWriter json)
    {
        var query = call.Query;
        var filter = new TaskFilter
        {
            DagId = call.Chosen("dagId"),
            States = query.TaskStates(),
            Pools = query.Set("pool"),
            Queues = query.Set("queue"),
            NamesExecutor = query.Set("executor") is not null,
            LogicalDate = query.Range("execution_date"),
            StartDate = query.Range("start_date"),
            EndDate = query.Range("end_date"),
            UpdatedAt = query.Range("updated_at"),
            Duration = query.Numbers("duration"),
        };
        var (offset, limit) = (query.Offset(), query.TaskInstanceLimit());

        var (rows, total) = AsTheyLie.First(Rows(call, filter), offset + limit);
        Collection(json, "task_instances", rows.Skip(offset), total, V1Rows.Task);
    }

    static IEnumerable<TaskRow> Rows(Call call, TaskFilter filter)
    {
        if (call.Chosen("runId") is not { } runId)
            return call.Data.TaskInstances(filter);
        var dags = filter.DagId is { } dagId ? [dagId] : call.Data.Dags.Select(dag => dag.Id);
        return dags.Select(dag => call.Data.FindRun(dag, runId)).OfType<DagRun>().SelectMany(run => call.Data.TaskInstances(filter with { Run = run }));
    }

    static void TaskInstance(Call call, Utf8JsonWriter json)
    {
        var (taskId, mapIndex) = (call.Route("taskId"), MapIndex(call));
        var run = call.Data.FindRun(call.Route("dagId"), call.Route("runId"));
        if (run is null || !run.Dag.Tasks.Any(task => task.Id == taskId))
            throw V1Errors.NotFound("Task instance not found", detail: null);
        var instance = call.Data.FindTask(run, taskId, mapIndex) ?? throw V1Errors.NotFound("Task instance not found",
            mapIndex < 0 ? "Task instance is mapped, add the map_index value to the URL" : null);
        Single(json, row => V1Rows.Task(row, instance));
    }

    /// <summary>What is not there, and ~, is an empty list; limit and order are ignored.</summary>
    static void Tries(Call call, Utf8JsonWriter json)
    {
        var run = call.Data.FindRun(call.Route("dagId"), call.Route("runId"));
        var instance = run is null ? null : call.Data.FindTask(run, call.Route("taskId"), MapIndex(call))?.Instance;
        var tries = instance?.TriesAt(call.Data.Now).ToList() ?? [];
        Collection(json, "task_instances", tries, 0, int.MaxValue, (row, phase) => V1Rows.Try(row, instance!, phase));
    }

    static int MapIndex(Call call) => call.Context.GetRouteValue("mapIndex") is string text ? int.Parse(text) : -1;

    /// <summary>One pool without limit, in the page, spoils all of the page: its open slots are infinite.</summary>
    static void Pools(Call call, Utf8JsonWriter json)
    {
        var order = call.Query.OrderBy<PoolRow>("id", ["id", "name", "slots"], name => name switch
        {
            "name" => pool => SortValue.Of(pool.Pool.Name),
            "slots" => pool => SortValue.Of((Int128)pool.Pool.Slots),
            _ => pool => SortValue.Of((Int128)(pool.Pool.Slots < 0 ? int.MaxValue : Catalog.Pools.IndexOf(pool.Pool))),
        });
        var pools = Sorted(call.Data.Pools(), order);
        var (offset, limit) = (call.Query.Offset(), call.Query.Limit());
        var unlimited = pools.Skip(offset).Take(limit).ToList().FindIndex(pool => pool.Pool.Slots < 0);
        if (unlimited >= 0)
            throw Infinite("schema['allOf'][0]['properties']['pools']['items']['properties']['open_slots']", $"['pools'][{unlimited}]['open_slots']");
        Collection(json, "pools", pools, offset, limit, V1Rows.Pool);
    }

    static void Pool(Call call, Utf8JsonWriter json)
    {
        var name = call.Route("name");
        var pool = call.Data.Pools().FirstOrDefault(pool => pool.Pool.Name == name) ?? throw V1Errors.NotFound("Not Found", $"Pool with name:'{name}' not found");
        if (pool.Pool.Slots < 0)
            throw Infinite("schema['properties']['open_slots']", "['open_slots']");
        Single(json, row => V1Rows.Pool(row, pool));
    }

    static AirflowRefusal Infinite(string schema, string instance) => V1Errors.BadAnswer(
        $"inf is not of type 'integer'\n\nFailed validating 'type' in {schema}:\n    {{'type': 'integer',\n     'readOnly': True,\n" +
        $"     'description': 'The number of free slots at the moment.'}}\n\nOn instance{instance}:\n    inf");

    static void ImportErrors(Call call, Utf8JsonWriter json)
    {
        var order = call.Query.OrderBy<ImportErrorRow>("import_error_id", ["import_error_id", "timestamp", "filename"], name => name switch
        {
            "timestamp" => error => SortValue.Of(error.ParsedAt),
            "filename" => error => SortValue.Of(error.File),
            _ => error => SortValue.Of((Int128)error.Id),
        });
        Collection(json, "import_errors", Sorted(call.Data.ImportErrors(), order), call.Query.Offset(), call.Query.Limit(), V1Rows.ImportError);
    }

    static List<TRow> Sorted<TRow>(IEnumerable<TRow> rows, SortKey<TRow> key) => new Ordering<TRow>([key]).Sort(rows);

    static IReadOnlySet<string>? Fields(V1Query query, IReadOnlySet<string> known, Func<string, AirflowRefusal> refuse)
    {
        if (query.Set("fields") is not { } fields)
            return null;
        return fields.FirstOrDefault(name => !known.Contains(name)) is { } unknown ? throw refuse(unknown) : fields;
    }

    static void Single(Utf8JsonWriter json, Action<RowWriter> write)
    {
        json.WriteStartObject();
        write(new RowWriter(json, zulu: false));
        json.WriteEndObject();
    }

    static void Collection<TRow>(
        Utf8JsonWriter json, string name, IReadOnlyList<TRow> rows, int offset, int limit, Action<RowWriter, TRow> write, IReadOnlySet<string>? fields = null) =>
        Collection(json, name, rows.Skip(offset).Take(limit), rows.Count, write, fields);

    static void Collection<TRow>(
        Utf8JsonWriter json, string name, IEnumerable<TRow> page, int total, Action<RowWriter, TRow> write, IReadOnlySet<string>? fields = null)
    {
        var row = new RowWriter(json, zulu: false, fields);
        json.WriteStartObject();
        json.WriteStartArray(name);
        foreach (var item in page)
        {
            json.WriteStartObject();
            write(row, item);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteNumber("total_entries", total);
        json.WriteEndObject();
    }
}
