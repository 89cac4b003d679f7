using System.Text.Json;
using System.Text.RegularExpressions;

namespace PipelineExporter.Simulator.Tests.Airflow;

/// <summary>The members of a JSON value and their types, over all elements of its arrays.</summary>
internal sealed partial class JsonShape
{
    /// <summary>Free-form: what people put in there is theirs.</summary>
    static readonly HashSet<string> Free = ["conf", "rendered_fields"];

    readonly Dictionary<string, HashSet<string>> members = [];
    readonly Dictionary<string, int> objects = [];
    readonly Dictionary<string, int> seen = [];

    JsonShape()
    {
    }

    public static JsonShape Of(params IEnumerable<JsonElement> values)
    {
        var shape = new JsonShape();
        foreach (var value in values)
            shape.Add("", "", value);
        return shape;
    }

    /// <summary>What differs, one line a member. Where null stands against a type, the specification has to allow it.</summary>
    public IEnumerable<string> DifferencesFrom(JsonShape recorded, IReadOnlySet<string> nullable)
    {
        foreach (var missing in recorded.members.Keys.Except(members.Keys).Where(HasParentOf))
            yield return $"{missing} is missing";
        foreach (var invented in members.Keys.Except(recorded.members.Keys).Where(recorded.HasParentOf))
            yield return $"{invented} is invented";
        foreach (var path in members.Keys.Intersect(recorded.members.Keys))
        {
            var (mine, theirs) = (members[path], recorded.members[path]);
            if (mine.Except(theirs).Any(type => type != "null") && theirs.Any(type => type != "null"))
                yield return $"{path} is {string.Join('|', mine)}, recorded {string.Join('|', theirs)}";
            if (mine.Contains("null") != theirs.Contains("null") && !nullable.Contains(Name(path)))
                yield return $"{path} is {string.Join('|', mine)}, recorded {string.Join('|', theirs)}, and may not be null";
        }
        foreach (var path in members.Keys.Where(path => path.Length > 0 && !path.EndsWith("[]", StringComparison.Ordinal)))
        {
            if (seen[path] != objects.GetValueOrDefault(Parent(path)))
                yield return $"{path} stands in only {seen[path]} of {objects.GetValueOrDefault(Parent(path))} objects";
        }
    }

    /// <summary>Only where an object (or list) stands, not a null, a member can be missed.</summary>
    bool HasParentOf(string path) => path.EndsWith("[]", StringComparison.Ordinal) ? members.ContainsKey(Parent(path)) : objects.ContainsKey(Parent(path));

    public IReadOnlyCollection<string> Members => members.Keys;

    void Add(string path, string name, JsonElement value)
    {
        if (!members.TryGetValue(path, out var types))
            members[path] = types = [];
        types.Add(Type(value));
        seen[path] = seen.GetValueOrDefault(path) + 1;
        if (Free.Contains(name))
            return;
        if (value.ValueKind == JsonValueKind.Object)
        {
            objects[path] = objects.GetValueOrDefault(path) + 1;
            foreach (var member in value.EnumerateObject())
                Add($"{path}.{member.Name}", member.Name, member.Value);
        }
        else if (value.ValueKind == JsonValueKind.Array)
        {
            foreach (var item in value.EnumerateArray())
                Add(path + "[]", name, item);
        }
    }

    /// <summary>Dates are types of their own: Airflow 2 and 3 write them differently.</summary>
    static string Type(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String when DateZ().IsMatch(value.GetString()!) => "date Z",
        JsonValueKind.String when DateOffset().IsMatch(value.GetString()!) => "date +00:00",
        JsonValueKind.Number => value.GetRawText().Contains('.') ? "float" : "integer",
        JsonValueKind.True or JsonValueKind.False => "boolean",
        _ => value.ValueKind.ToString().ToLowerInvariant(),
    };

    static string Parent(string path) => path.EndsWith("[]", StringComparison.Ordinal) ? path[..^2] : path[..Math.Max(0, path.LastIndexOf('.'))];

    static string Name(string path) => path[(path.LastIndexOf('.') + 1)..].Replace("[]", "", StringComparison.Ordinal);

    [GeneratedRegex(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z$")]
    private static partial Regex DateZ();

    [GeneratedRegex(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00$")]
    private static partial Regex DateOffset();
}
