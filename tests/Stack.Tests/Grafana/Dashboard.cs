using System.Text.Json;
using PipelineExporter.Stack.Tests.Tools;

namespace PipelineExporter.Stack.Tests.Grafana;

/// <summary>A dashboard of grafana/dashboards/, as its file has it.</summary>
/// <param name="File">Its path in the repository.</param>
internal sealed record Dashboard(string File, JsonElement Root)
{
    public const string Folder = "grafana/dashboards";

    public static IReadOnlyList<string> Files { get; } = Repository.Files(Folder, "*.json");

    public static IReadOnlyList<Dashboard> All { get; } = [.. Files.Select(Load)];

    public string Uid => Root.GetProperty("uid").GetString()!;

    /// <summary>Every panel, those of collapsed rows included, rows themselves not.</summary>
    public IReadOnlyList<Panel> Panels { get; } =
    [
        .. Root.GetProperty("panels").EnumerateArray()
            .SelectMany(panel => panel.TryGetProperty("panels", out var inner) ? inner.EnumerateArray().Prepend(panel) : [panel])
            .Where(panel => panel.GetProperty("type").GetString() != "row")
            .Select(panel => new Panel(panel)),
    ];

    public IReadOnlyList<JsonElement> Variables { get; } = [.. Root.GetProperty("templating").GetProperty("list").EnumerateArray()];

    /// <summary>Annotations that are asked of Prometheus.</summary>
    public IReadOnlyList<JsonElement> Annotations { get; } =
        [.. Root.GetProperty("annotations").GetProperty("list").EnumerateArray().Where(one => !one.TryGetProperty("builtIn", out _))];

    public static Dashboard Load(string file) =>
        new(file, JsonElement.Parse(System.IO.File.ReadAllText(Repository.File(file)), new JsonDocumentOptions { AllowDuplicateProperties = false }));

    public override string ToString() => File;
}

internal sealed class Panel(JsonElement json)
{
    public JsonElement Json => json;

    public int Id => json.GetProperty("id").GetInt32();

    public string Type => json.GetProperty("type").GetString()!;

    public string Title => json.GetProperty("title").GetString()!;

    public IReadOnlyList<Target> Targets { get; } = [.. json.GetProperty("targets").EnumerateArray().Select(target => new Target(target))];

    public JsonElement Defaults => json.GetProperty("fieldConfig").GetProperty("defaults");

    public IEnumerable<JsonElement> Overrides => json.GetProperty("fieldConfig").GetProperty("overrides").EnumerateArray();

    public override string ToString() => Title;
}

internal sealed class Target(JsonElement json)
{
    public JsonElement Json => json;

    public string RefId => json.GetProperty("refId").GetString()!;

    public string Expression => json.GetProperty("expr").GetString()!;

    public bool Instant => json.TryGetProperty("instant", out var instant) && instant.GetBoolean();
}
