using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using PipelineExporter.Tests.Sources.Airflow;

namespace PipelineExporter.Tests.Collectors.Airflow;

/// <summary>An Airflow whose lists hold what the test puts there: recorded rows, or its own. Rows are filtered by state, and not by time.</summary>
internal sealed class ListServer : IAsyncDisposable
{
    private readonly string prefix;
    private readonly string version;
    private FakeAirflow? server;

    private ListServer(string version) => (this.version, prefix) = (version, version[0] == '3' ? "/api/v2" : "/api/v1");

    public Uri Url => server!.Url;

    public FakeAirflow Http => server!;

    /// <summary>The server's clock.</summary>
    public DateTimeOffset Date { get; set; } = new(2026, 11, 23, 6, 0, 0, TimeSpan.Zero);

    public List<JsonNode> Runs { get; set; } = [];

    /// <summary>Runs so old that only the list of their DAG has them.</summary>
    public List<JsonNode> History { get; set; } = [];

    public List<JsonNode> Instances { get; set; } = [];

    public List<JsonNode> Dags { get; set; } = [];

    public List<JsonNode> Pools { get; set; } = [];

    public int ImportErrors { get; set; }

    /// <summary>Asked before each answer; true for one that is to fail.</summary>
    public Func<string, bool> Fails { get; set; } = _ => false;

    /// <summary>Histories by the path of their request, without prefix and unescaped.</summary>
    public Dictionary<string, List<JsonNode>> Tries { get; } = [];

    public static async Task<ListServer> StartAsync(string version)
    {
        var lists = new ListServer(version);
        lists.server = await FakeAirflow.StartAsync(lists.AnswerAsync);
        return lists;
    }

    public ValueTask DisposeAsync() => server!.DisposeAsync();

    private Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        if (!path.StartsWith(prefix + "/", StringComparison.Ordinal))
            return FakeAirflow.WriteAsync(context, 404, "application/json", "{}");
        if (Fails(path))
            return FakeAirflow.WriteAsync(context, 500, "text/html", "<html>Ooops!</html>");
        path = path[prefix.Length..];
        if (path == "/version")
            return WriteAsync(context, new JsonObject { ["version"] = version });
        if (path == "/dags")
            return WriteRowsAsync(context, "dags", Dags);
        if (path == "/importErrors")
            return WriteAsync(context, new JsonObject { ["import_errors"] = new JsonArray(), ["total_entries"] = ImportErrors });
        if (path == "/pools")
            return AnswerPoolsAsync(context);
        if (path.EndsWith("/tries", StringComparison.Ordinal))
        {
            // 2.11 knows no unknown instances, 3.x answers 404.
            return Tries.TryGetValue(path, out var tries) || version[0] == '2'
                ? WriteRowsAsync(context, "task_instances", tries ?? [])
                : FakeAirflow.WriteAsync(context, 404, "application/json", """{"detail":"not found"}""", Date);
        }
        if (path.EndsWith("/taskInstances", StringComparison.Ordinal))
        {
            var states = context.Request.Query["state"].ToArray();
            return WriteRowsAsync(context, "task_instances", Instances.Where(row => states.Contains((string?)row["state"])));
        }
        if (path.EndsWith("/dagRuns", StringComparison.Ordinal))
        {
            var states = context.Request.Query["state"].ToArray();
            var dag = path.Split('/')[2];
            return WriteRowsAsync(context, "dag_runs", Runs.Concat(dag == "~" ? [] : History).Where(run =>
                (dag == "~" || (string?)run["dag_id"] == dag) && (states.Length == 0 || states.Contains((string?)run["state"])))
                .OrderByDescending(run => context.Request.Query["order_by"] == "-start_date" ? (string?)run["start_date"] : null, StringComparer.Ordinal));
        }
        throw new InvalidOperationException($"The exporter asked for {path}.");
    }

    /// <remarks>2.x answers 500 to a page with an unlimited pool, which comes last in the order that is asked for.</remarks>
    private Task AnswerPoolsAsync(HttpContext context)
    {
        var limit = int.Parse(context.Request.Query["limit"]!, CultureInfo.InvariantCulture);
        JsonNode[] page = [.. Pools.OrderByDescending(pool => (int)pool["slots"]!).Take(limit).Select(pool => pool.DeepClone())];
        return version[0] == '2' && page.Any(pool => (int)pool["slots"]! < 0)
            ? FakeAirflow.WriteAsync(context, 500, "application/problem+json", """{"title":"Response body does not conform to specification"}""")
            : WriteAsync(context, new JsonObject { ["pools"] = new JsonArray(page), ["total_entries"] = Pools.Count });
    }

    private Task WriteRowsAsync(HttpContext context, string name, IEnumerable<JsonNode> rows)
    {
        JsonNode[] all = [.. rows.Select(row => row.DeepClone())];
        return WriteAsync(context, new JsonObject { [name] = new JsonArray(all), ["total_entries"] = all.Length });
    }

    private Task WriteAsync(HttpContext context, JsonObject body) =>
        FakeAirflow.WriteAsync(context, 200, "application/json", body.ToJsonString(), Date);
}
