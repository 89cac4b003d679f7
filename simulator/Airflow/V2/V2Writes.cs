using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Airflow.V2;

internal sealed partial class AirflowV2
{
    void MapWrites(IEndpointRouteBuilder routes)
    {
        const string Dag = "/dags/{dagId}", Run = Dag + "/dagRuns/{runId}", Task = Run + "/taskInstances/{taskId}";
        Write(routes, HttpMethods.Post, Dag + "/clearTaskInstances", Access.ReadTasks, WritesJson.Default.ClearBody, ClearTasks);
        Write(routes, HttpMethods.Post, Run + "/clear", Access.ReadRuns, WritesJson.Default.ClearBody, ClearRun);
        Write(routes, HttpMethods.Patch, Run, Access.ReadRuns, WritesJson.Default.StateBody, SetRunState);
        Write(routes, HttpMethods.Patch, Task, Access.ReadTasks, WritesJson.Default.StateBody, SetTaskState);
        Write(routes, HttpMethods.Patch, Task + "/{mapIndex:int}", Access.ReadTasks, WritesJson.Default.StateBody, SetTaskState);
        Delete(routes, Run, Access.ReadRuns, DeleteRun);
        Delete(routes, Dag, Access.Dags, DeleteDag);
    }

    /// <summary>A change that reads a body, and answers with a row or with rows.</summary>
    void Write<TBody>(
        IEndpointRouteBuilder routes, string method, string path, Access needed, JsonTypeInfo<TBody> type, Func<Call, TBody, Action<Utf8JsonWriter>> change)
        where TBody : class =>
        routes.MapMethods(Api + path, [method], context => GuardAsync(context, async now =>
        {
            Admit(context, needed | Access.Write);
            var body = await ReadAsync(context.Request, type, context.RequestAborted);
            await AirflowAnswer.SendV2Async(context, 200, "application/json", change(CallOf(context, now), body), text: null);
        }));

    void Delete(IEndpointRouteBuilder routes, string path, Access needed, Action<Call> change) =>
        routes.MapMethods(Api + path, [HttpMethods.Delete], context => GuardAsync(context, now =>
        {
            Admit(context, needed | Access.Write);
            change(CallOf(context, now));
            return AirflowAnswer.SendV2Async(context, 204, "application/json", write: null, text: null);
        }));

    static async Task<TBody> ReadAsync<TBody>(HttpRequest request, JsonTypeInfo<TBody> type, CancellationToken ct) where TBody : class
    {
        try
        {
            if (request.HasJsonContentType() && await JsonSerializer.DeserializeAsync(request.Body, type, ct) is { } body)
                return body;
        }
        catch (JsonException)
        {
            throw V2Errors.InvalidBody("json_invalid", "JSON decode error", []);
        }
        throw V2Errors.InvalidBody("model_attributes_type", "Input should be a valid dictionary or object to extract fields from", []);
    }

    Action<Utf8JsonWriter> ClearTasks(Call call, ClearBody body)
    {
        var dag = call.Dag();
        if (body.DagRunId is not { } runId)
            throw V2Errors.Detail(400, "dag_run_id is missing: runs cannot be chosen by date here");
        var run = call.Data.FindRun(dag.Id, runId) ?? throw V2Errors.Detail(404, $"Dag Run id {runId} not found in dag {dag.Id}");
        var writes = new AirflowWrites(edits, call.Data);
        var rows = writes.Choose(run, body with { OnlyFailed = body.OnlyFailed ?? true });
        if (body.DryRun == false)
        {
            writes.Clear(run, rows, resetRun: body.ResetDagRuns ?? true, killsRunning: false);
            rows = Now(call, run, rows);
        }
        return json => Paged(call, json, "task_instances", V2Page<TaskRow>.ByOffset(rows, rows.Count), V2Rows.Task);
    }

    Action<Utf8JsonWriter> ClearRun(Call call, ClearBody body)
    {
        var run = FindRun(call);
        var writes = new AirflowWrites(edits, call.Data);
        var rows = writes.Choose(run, new ClearBody { OnlyFailed = body.OnlyFailed });
        if (body.DryRun != false)
        {
            return json =>
            {
                json.WriteStartObject();
                Rows(call, json, "task_instances", rows, V2Rows.Task);
                json.WriteNumber("total_entries", rows.Count);
                json.WriteEndObject();
            };
        }
        writes.Clear(run, rows, resetRun: true, killsRunning: false);
        return RunNow(call);
    }

    Action<Utf8JsonWriter> SetRunState(Call call, StateBody body)
    {
        var run = FindRun(call);
        if (body.State is { } name)
        {
            if (StateNames.Run(name) is not { } state || state == RunState.Running)
                throw V2Errors.InvalidBody("enum", "Input should be 'queued', 'success' or 'failed'", ["state"]);
            new AirflowWrites(edits, call.Data).SetState(run, state);
        }
        return RunNow(call);
    }

    Action<Utf8JsonWriter> SetTaskState(Call call, StateBody body)
    {
        var row = call.TaskInstance();
        IReadOnlyList<TaskRow> rows = [row];
        if (body.NewState is { } name)
        {
            if (StateNames.Task(name) is not { } state || state is not (TaskState.Success or TaskState.Failed or TaskState.Skipped))
                throw V2Errors.Detail(422, $"'{name}' is not in ['failed', 'skipped', 'success']");
            new AirflowWrites(edits, call.Data).SetState(row.Run, rows, state);
            rows = Now(call, row.Run, rows);
        }
        return json => Paged(call, json, "task_instances", V2Page<TaskRow>.ByOffset(rows, rows.Count), V2Rows.Task);
    }

    void DeleteRun(Call call) => new AirflowWrites(edits, call.Data).Delete(FindRun(call));

    void DeleteDag(Call call)
    {
        var dag = call.Dag();
        if (!new AirflowWrites(edits, call.Data).TryDelete(dag))
            throw V2Errors.Detail(409, $"Task instances of dag with id: '{dag.Id}' are still running");
    }

    static Action<Utf8JsonWriter> RunNow(Call call) => json => Single(call, json, row => V2Rows.Run(row, call.Data.Row(FindRun(call)), call.Server));

    /// <summary>Rows as they are after a change.</summary>
    static IReadOnlyList<TaskRow> Now(Call call, DagRun run, IReadOnlyList<TaskRow> rows)
    {
        var changed = call.Data.FindRun(run.Dag.Id, call.Data.Edition.RunId(run))!;
        return [.. rows.Select(row => call.Data.FindTask(changed, row.Task.Id, row.Instance.MapIndex)!)];
    }
}
