using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Airflow.V1;

internal sealed partial class AirflowV1
{
    void MapWrites(IEndpointRouteBuilder routes)
    {
        const string Dag = Api + "/dags/{dagId}", Run = Dag + "/dagRuns/{runId}", Task = Run + "/taskInstances/{taskId}";
        Write(routes, HttpMethods.Post, Dag + "/clearTaskInstances", Access.ReadTasks, WritesJson.Default.ClearBody, ClearTasks);
        Write(routes, HttpMethods.Post, Run + "/clear", Access.ReadRuns, WritesJson.Default.ClearBody, ClearRun);
        Write(routes, HttpMethods.Patch, Run, Access.ReadRuns, WritesJson.Default.StateBody, SetRunState);
        Write(routes, HttpMethods.Patch, Task, Access.ReadTasks, WritesJson.Default.StateBody, SetTaskState);
        Write(routes, HttpMethods.Patch, Task + "/{mapIndex:int:min(0)}", Access.ReadTasks, WritesJson.Default.StateBody, SetTaskState);
        Delete(routes, Run, Access.ReadRuns, DeleteRun);
        Delete(routes, Dag, Access.Dags, DeleteDag);
    }

    /// <summary>A change that reads a body, and answers with a row or with rows.</summary>
    void Write<TBody>(
        IEndpointRouteBuilder routes, string method, string path, Access needed, JsonTypeInfo<TBody> type, Func<Call, TBody, Action<Utf8JsonWriter>> change)
        where TBody : class =>
        routes.MapMethods(path, [method], context => GuardAsync(context, [], needed | Access.Write, async call =>
        {
            var body = await ReadAsync(context.Request, type, context.RequestAborted);
            await AirflowAnswer.SendV1Async(context, 200, "application/json", change(call, body), text: null);
        }));

    void Delete(IEndpointRouteBuilder routes, string path, Access needed, Action<Call> change) =>
        routes.MapMethods(path, [HttpMethods.Delete], context => GuardAsync(context, [], needed | Access.Write, call =>
        {
            change(call);
            return AirflowAnswer.SendV1Async(context, 204, "application/json", write: null, text: null);
        }));

    static async Task<TBody> ReadAsync<TBody>(HttpRequest request, JsonTypeInfo<TBody> type, CancellationToken ct) where TBody : class
    {
        if (!request.HasJsonContentType())
            throw V1Errors.Problem(415, "Unsupported Media Type", $"Invalid Content-type ({request.ContentType}), expected JSON data", "about:blank");
        try
        {
            if (await JsonSerializer.DeserializeAsync(request.Body, type, ct) is { } body)
                return body;
        }
        catch (JsonException)
        {
            throw V1Errors.BadRequest("Request body is not valid JSON");
        }
        throw V1Errors.BadRequest("None is not of type 'object'");
    }

    Action<Utf8JsonWriter> ClearTasks(Call call, ClearBody body)
    {
        var dagId = call.Route("dagId");
        _ = call.Data.FindDag(dagId) ?? throw V1Errors.NotFound("DAG not found", $"Dag id {dagId} not found");
        if (body.DagRunId is not { } runId)
            throw V1Errors.BadRequest("dag_run_id is missing: runs cannot be chosen by date here");
        var run = call.Data.FindRun(dagId, runId) ?? throw V1Errors.NotFound("Dag Run not found", $"Dag Run id {runId} not found in dag {dagId}");
        var writes = new AirflowWrites(edits, call.Data);
        var rows = writes.Choose(run, body with { OnlyFailed = body.OnlyFailed ?? true });
        if (body.DryRun == false)
            writes.Clear(run, rows, resetRun: body.ResetDagRuns ?? false, killsRunning: true);
        return json =>
        {
            var row = new RowWriter(json, zulu: false);
            json.WriteStartObject();
            json.WriteStartArray("task_instances");
            foreach (var task in rows)
            {
                json.WriteStartObject();
                row.Text("dag_id", dagId);
                row.Text("dag_run_id", runId);
                row.Time("execution_date", Edition.V1.LogicalDate(run));
                row.Text("task_id", task.Task.Id);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        };
    }

    Action<Utf8JsonWriter> ClearRun(Call call, ClearBody body)
    {
        var run = FindRun(call);
        var writes = new AirflowWrites(edits, call.Data);
        var rows = writes.Choose(run, new ClearBody());
        if (body.DryRun != false)
            return json => Collection(call, json, "task_instances", rows, rows.Count, (row, task) => V1Rows.Task(row, task, call.Server));
        writes.Clear(run, rows, resetRun: true, killsRunning: true);
        return RunNow(call);
    }

    Action<Utf8JsonWriter> SetRunState(Call call, StateBody body)
    {
        var run = FindRun(call);
        if (body.State is null || StateNames.Run(body.State) is not { } state || state == RunState.Running)
            throw V1Errors.BadRequest($"{{'state': ['Must be one of: success, failed, queued.']}}");
        new AirflowWrites(edits, call.Data).SetState(run, state);
        return RunNow(call);
    }

    /// <summary>The answer says nothing.</summary>
    Action<Utf8JsonWriter> SetTaskState(Call call, StateBody body)
    {
        if (body.NewState is null || StateNames.Task(body.NewState) is not { } state || state is not (TaskState.Success or TaskState.Failed or TaskState.Skipped))
            throw V1Errors.BadRequest($"'{body.NewState}' is not one of ['success', 'failed', 'skipped'] - 'new_state'");
        var row = FindTask(call);
        if (body.DryRun == false)
            new AirflowWrites(edits, call.Data).SetState(row.Run, [row], state);
        return json =>
        {
            json.WriteStartObject();
            json.WriteEndObject();
        };
    }

    void DeleteRun(Call call)
    {
        var (dagId, runId) = (call.Route("dagId"), call.Route("runId"));
        new AirflowWrites(edits, call.Data).Delete(call.Data.FindRun(dagId, runId) ??
            throw V1Errors.NotFound("Not Found", $"DAGRun with DAG ID: '{dagId}' and DagRun ID: '{runId}' not found"));
    }

    void DeleteDag(Call call)
    {
        var dagId = call.Route("dagId");
        var dag = call.Data.FindDag(dagId) ?? throw V1Errors.NotFound("Not Found", $"Dag with id: '{dagId}' not found");
        if (!new AirflowWrites(edits, call.Data).TryDelete(dag))
            throw V1Errors.Problem(409, "Conflict", $"Task instances of dag with id: '{dagId}' are still running", V1Errors.Docs + "AlreadyExists");
    }

    static Action<Utf8JsonWriter> RunNow(Call call) => json => Single(call, json, row => V1Rows.Run(row, call.Data.Row(FindRun(call))));
}
