using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Inbox;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Airflow;

/// <summary>
/// The page of a run where Airflow's own user interface has it, so that the link of an alert leads somewhere. It asks for no
/// login: it is there for people who try the exporter, and shows what the simulator made up.
/// </summary>
internal static class RunPages
{
    public static void MapRunPages(this IEndpointRouteBuilder routes, PipelineModel model, EditLog edits, FaultInjector faults, AirflowServers servers)
    {
        routes.MapGet("/airflow2/dags/{dagId}/grid", context => WriteAsync(
            context, new AirflowData(model, edits, faults, Edition.V1, servers.Now), context.Request.Query["dag_run_id"].ToString()));
        routes.MapGet("/airflow3/dags/{dagId}/runs/{runId}", context => WriteAsync(
            context, new AirflowData(model, edits, faults, Edition.V2, servers.Now), (string)context.GetRouteValue("runId")!));
    }

    static Task WriteAsync(HttpContext context, AirflowData data, string runId)
    {
        var dagId = (string)context.GetRouteValue("dagId")!;
        if (data.FindRun(dagId, runId) is { } run)
            return Html.WritePageAsync(context, $"{dagId} {runId}", Page(data, run));
        context.Response.StatusCode = StatusCodes.Status404NotFound;
        return Html.WritePageAsync(context, "No such run", $"<h1>No such run</h1><p>{Html.Encode(dagId)} has no run {Html.Encode(runId)}.</p>");
    }

    static string Page(AirflowData data, DagRun run)
    {
        var page = new StringBuilder()
            .Append($"<h1>{Html.Encode(run.Dag.Id)}</h1><table>")
            .Append($"<tr><th>Run</th><td><code>{Html.Encode(data.Edition.RunId(run))}</code></td></tr>")
            .Append($"<tr><th>State</th><td>{State(StateNames.Of(run.StateAt(data.Now)))}</td></tr>")
            .Append($"<tr><th>Started</th><td>{Time(run.StartAt(data.Now))}</td></tr>")
            .Append($"<tr><th>Ended</th><td>{Time(run.EndAt(data.Now))}</td></tr></table>")
            .Append("<h2>Task instances</h2><table><tr><th>Task</th><th>Map index</th><th>State</th><th>Try</th><th>Started</th><th>Ended</th></tr>");
        foreach (var row in data.TaskInstances(new TaskFilter { Run = run }))
        {
            page.Append($"<tr><td>{Html.Encode(row.Task.Id)}</td><td>{(row.Instance.MapIndex < 0 ? "" : row.Instance.MapIndex)}</td>")
                .Append($"<td>{State(StateNames.Of(row.Phase.State))}</td><td>{row.Phase.Try}</td><td>{Time(row.Phase.Start)}</td><td>{Time(row.Phase.End)}</td></tr>");
        }

        return page.Append("</table>").ToString();
    }

    static string State(string? name) => name == "failed" ? """<span class="on">failed</span>""" : Html.Encode(name ?? "none");

    static string Time(DateTimeOffset? at) => at is { } time ? Html.Time(time) : "";
}
