using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;

namespace PipelineExporter.Tests.Collectors.Airflow.ExactlyOnce;

/// <summary>Answers the exporter's requests from the rows of a <see cref="ModelAirflow"/>, and notes what it showed. In memory: no socket.</summary>
internal sealed class ModelNetwork(ModelAirflow airflow, string version) : HttpMessageHandler
{
    private const int PageSize = 100;

    private static readonly string[] Known =
        ["state", "updated_at_gte", "updated_at_lte", "end_date_gte", "order_by", "limit", "offset", "cursor", "fields"];

    private readonly string prefix = airflow.IsThree ? "/api/v2" : "/api/v1";
    private readonly string zone = airflow.IsThree ? "Z" : "+00:00";

    /// <summary>Called before each answer: time passes, and rows change.</summary>
    public Action Passing { get; set; } = () => { };

    /// <summary>The web server's clock.</summary>
    public Func<DateTimeOffset> Clock { get; set; } = () => default;

    /// <summary>What the header of an answer tells of it.</summary>
    private DateTimeOffset Date => new(Clock().UtcTicks / TimeSpan.TicksPerSecond * TimeSpan.TicksPerSecond, TimeSpan.Zero);

    /// <summary>Called for each request; true for one that is to fail.</summary>
    public Func<bool> Fails { get; set; } = () => false;

    public Shown Shown { get; private set; } = new();

    public Shown TakeShown()
    {
        var shown = Shown;
        Shown = new();
        return shown;
    }

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Passing();
        var answer = Fails() ? Answer(HttpStatusCode.InternalServerError, "<html>Ooops!</html>") : Answer(request.RequestUri!);
        answer.RequestMessage = request;
        return Task.FromResult(answer);
    }

    private HttpResponseMessage Answer(Uri target)
    {
        var path = target.AbsolutePath;
        if (!path.StartsWith(prefix + "/", StringComparison.Ordinal))
            return Answer(HttpStatusCode.NotFound, "{}");
        var query = QueryHelpers.ParseQuery(target.Query);
        var parts = Uri.UnescapeDataString(path[(prefix.Length + 1)..]).Split('/');
        if (query.Keys.Except(Known).ToList() is [var unknown, ..])
            return Answer(HttpStatusCode.BadRequest, $$"""{"detail":"{{unknown}}"}""");
        return parts switch
        {
            ["version"] => Answer(HttpStatusCode.OK, $$"""{"version":"{{version}}"}"""),
            ["dags", var dag, "dagRuns"] => Runs(dag, query),
            ["dags", "~", "dagRuns", "~", "taskInstances"] => Instances(query),
            ["dags", _, "dagRuns", var run, "taskInstances", var task, "tries"] => Tries(run, task, -1),
            ["dags", _, "dagRuns", var run, "taskInstances", var task, var map, "tries"] => Tries(run, task, int.Parse(map, CultureInfo.InvariantCulture)),
            _ => throw new InvalidOperationException($"The exporter asked for {path}."),
        };
    }

    private HttpResponseMessage Runs(string dag, Dictionary<string, StringValues> query)
    {
        var (states, updated, ended) = (query.GetValueOrDefault("state"), Since(query, "updated_at_gte"), Since(query, "end_date_gte"));
        var rows = airflow.Runs.Where(run =>
            (dag == "~" || run.Dag == dag)
            && (states.Count == 0 || states.Contains(run.State))
            && !(run.Updated < updated)
            && (ended is null || (airflow.IsThree ? !(run.EndDate < ended) : run.EndDate >= ended)));
        if (query["order_by"] == "-start_date")
            rows = rows.OrderByDescending(run => run.StartDate ?? DateTimeOffset.MaxValue); // nulls first
        else if (states.Count == 0 || states.Contains("running"))
            Shown.Runs.AddRange(rows.Select(run => new ShownRun(run, run.Finish, run.State, run.StartDate, run.EndDate)));
        if (states.Contains("running"))
            Shown.RunsDate ??= Date;
        return Page(query, "dag_runs", [.. rows.Select(Json)]);
    }

    private HttpResponseMessage Instances(Dictionary<string, StringValues> query)
    {
        var (states, since, until) = (query["state"], Since(query, "updated_at_gte"), Since(query, "updated_at_lte"));
        ModelInstance[] rows =
            [.. airflow.Instances.Where(row => states.Contains(row.State) && !(row.Updated < since) && !(row.Updated > until))];
        Shown.Instances.AddRange(rows.Select(row => ShownInstance.Of(row, airflow.IsThree)));
        if (states.Contains("running"))
            Shown.InstancesDate ??= Date;
        return Page(query, "task_instances", [.. rows.Select(row => Json(row, row.Row()))]);
    }

    private HttpResponseMessage Tries(string run, string task, int map)
    {
        if (airflow.Instances.FirstOrDefault(row => row.Run.Id == run && row.Task == task && row.Map == map) is { } found)
            return Answer(HttpStatusCode.OK, new JsonObject { ["task_instances"] = new JsonArray([.. found.Tries.Select(row => Json(found, row))]) }.ToJsonString());
        Shown.Gone.Add((run, task, map));
        return airflow.IsThree
            ? Answer(HttpStatusCode.NotFound, """{"detail":"not found"}""")
            : Answer(HttpStatusCode.OK, """{"task_instances":[],"total_entries":0}""");
    }

    /// <remarks>All rows are in one page here, and cursors are those of a last page: how pages are read has tests of its own.</remarks>
    private HttpResponseMessage Page(Dictionary<string, StringValues> query, string name, JsonNode[] rows)
    {
        if (rows.Length > PageSize)
            throw new InvalidOperationException("The model has grown too large for a page.");
        return Answer(HttpStatusCode.OK, new JsonObject { [name] = new JsonArray([.. rows.Take(int.Parse(query["limit"]!, CultureInfo.InvariantCulture))]), ["total_entries"] = rows.Length }.ToJsonString());
    }

    private HttpResponseMessage Answer(HttpStatusCode status, string body)
    {
        var answer = new HttpResponseMessage(status) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        answer.Headers.Date = Date;
        return answer;
    }

    private JsonNode Json(ModelRun run) => new JsonObject
    {
        ["dag_id"] = run.Dag, ["dag_run_id"] = run.Id, ["run_type"] = run.Type, ["state"] = run.State,
        ["start_date"] = Text(run.StartDate), ["end_date"] = Text(run.EndDate), ["logical_date"] = Text(run.LogicalDate),
    };

    private JsonNode Json(ModelInstance instance, ModelRow row)
    {
        var json = new JsonObject
        {
            ["dag_id"] = instance.Run.Dag, ["dag_run_id"] = instance.Run.Id, ["task_id"] = instance.Task, ["map_index"] = instance.Map,
            ["try_number"] = row.Try, ["max_tries"] = row.MaxTries, ["state"] = row.State,
            ["start_date"] = Text(row.StartDate), ["end_date"] = Text(row.EndDate), ["queued_when"] = Text(instance.Queued),
        };
        json[airflow.IsThree ? "logical_date" : "execution_date"] = Text(instance.Run.LogicalDate);
        return json;
    }

    private string? Text(DateTimeOffset? at) =>
        at is { } instant ? instant.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff", CultureInfo.InvariantCulture) + zone : null;

    private static DateTimeOffset? Since(Dictionary<string, StringValues> query, string name) =>
        query.TryGetValue(name, out var text) ? DateTimeOffset.Parse(text!, CultureInfo.InvariantCulture) : null;
}

/// <summary>What the server answered during one collection.</summary>
internal sealed class Shown
{
    /// <summary>The server's clock at the first answer with instances.</summary>
    public DateTimeOffset? InstancesDate { get; set; }

    public DateTimeOffset? RunsDate { get; set; }

    public List<ShownInstance> Instances { get; } = [];

    public List<ShownRun> Runs { get; } = [];

    /// <summary>Whose history could not be told any more.</summary>
    public HashSet<(string Run, string Task, int Map)> Gone { get; } = [];
}

internal sealed record ShownRun(ModelRun Run, int Finish, string State, DateTimeOffset? Start, DateTimeOffset? End);

/// <param name="Row">The row of a list.</param>
/// <param name="StandsForTry">Whether it is that of its last try, and was not cleared since.</param>
/// <param name="Earlier">The tries that its history tells of.</param>
internal sealed record ShownInstance(ModelInstance Instance, ModelRow Row, bool StandsForTry, IReadOnlyList<ModelRow> Earlier)
{
    /// <remarks>In Airflow 2 a try without a start of its own cannot be told from one that was cleared before it ran, nor can one that was
    /// cleared before it ran from a real one, where the start that it carries has left no other trace.</remarks>
    public static ShownInstance Of(ModelInstance instance, bool isThree)
    {
        var rows = instance.Tries.ToList();
        return new(instance, instance.Row(), instance.Own is not null, [.. instance.History.Where(row => row.Try >= 1 && (isThree ? row.IsReal : IsTold(row, rows)))]);
    }

    public static bool IsTold(ModelRow row, IReadOnlyList<ModelRow> all) =>
        row.StartDate is { } start && !all.Any(other => other.Try < row.Try && other.StartDate == start);
}
