using System.Text.Json;

namespace PipelineExporter.Simulator.Airflow.V2;

/// <summary>REST v2 refuses in JSON: a text or a list under "detail", or a text under "error" where no route is.</summary>
internal static class V2Errors
{
    public static AirflowRefusal Detail(int status, string detail) => Json(status, json => json.WriteString("detail", detail));

    public static AirflowRefusal NoSuchRoute(string error = "API route not found") => Json(404, json => json.WriteString("error", error));

    public static AirflowRefusal NoSuchDag(string dagId) => Detail(404, $"The Dag with ID: `{dagId}` was not found");

    public static AirflowRefusal NoSuchTask(string dagId, string runId, string taskId, int mapIndex, int? tryNumber = null) => Detail(404,
        $"The Task Instance with dag_id: `{dagId}`, run_id: `{runId}`, task_id: `{taskId}`" + (tryNumber is { } number
            ? $", try_number: `{number}` and map_index: `{mapIndex}` was not found"
            : $" and map_index: `{mapIndex}` was not found"));

    public static AirflowRefusal BadOrder(string name) => Detail(400, $"Ordering with '{name}' is disallowed or the attribute does not exist on the model");

    /// <summary>What validation says of one parameter; <paramref name="context"/> writes its ctx object.</summary>
    public static AirflowRefusal Invalid(string parameter, string type, string message, string input, Action<Utf8JsonWriter>? context = null) => Json(422, json =>
    {
        json.WriteStartArray("detail");
        json.WriteStartObject();
        json.WriteString("type", type);
        json.WriteStartArray("loc");
        json.WriteStringValue("query");
        json.WriteStringValue(parameter);
        json.WriteEndArray();
        json.WriteString("msg", message);
        json.WriteString("input", input);
        if (context is not null)
        {
            json.WriteStartObject("ctx");
            context(json);
            json.WriteEndObject();
        }
        json.WriteEndObject();
        json.WriteEndArray();
    });

    /// <summary>What validation says of a body, or of a member of it.</summary>
    public static AirflowRefusal InvalidBody(string type, string message, string[] path) => Json(422, json =>
    {
        json.WriteStartArray("detail");
        json.WriteStartObject();
        json.WriteString("type", type);
        json.WriteStartArray("loc");
        foreach (var name in path.Prepend("body"))
            json.WriteStringValue(name);
        json.WriteEndArray();
        json.WriteString("msg", message);
        json.WriteEndObject();
        json.WriteEndArray();
    });

    /// <summary>The database refuses a date without a zone.</summary>
    public static AirflowRefusal DatabaseError() => Json(500, json =>
    {
        json.WriteStartObject("detail");
        json.WriteString("reason", "Database error");
        json.WriteString("statement", "hidden");
        json.WriteString("orig_error", "hidden");
        json.WriteString("message", "Serious error when handling your request. Check logs for more details - you will find it in api server when you look for ID 6SZCFMld");
        json.WriteEndObject();
    });

    static AirflowRefusal Json(int status, Action<Utf8JsonWriter> member) => new(status, "application/json", json =>
    {
        json.WriteStartObject();
        member(json);
        json.WriteEndObject();
    });
}
