using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Airflow.V1;

/// <summary>Reads query parameters as REST v1 does: unknown ones, bad dates and bad numbers are refused.</summary>
internal sealed class V1Query
{
    /// <summary>Answers of lists are cut to this many rows, silently.</summary>
    const int MaximumPageLimit = 100;

    readonly IQueryCollection query;

    /// <exception cref="AirflowRefusal">A parameter is not in the specification.</exception>
    public V1Query(IQueryCollection query, IReadOnlySet<string> known)
    {
        this.query = query;
        var extra = query.Keys.Where(name => !known.Contains(name)).ToList();
        if (extra.Count > 0)
            throw V1Errors.BadRequest($"Extra query parameter(s) {string.Join(", ", extra)} not in spec", title: null);
    }

    /// <summary>0, the default and everything above the maximum are the maximum.</summary>
    public int Limit()
    {
        var limit = Integer("limit") ?? MaximumPageLimit;
        if (limit < 0)
            throw V1Errors.BadRequest(detail: null, title: "Page limit must be a positive integer");
        return limit is 0 or > MaximumPageLimit ? MaximumPageLimit : limit;
    }

    /// <summary>Not cut; 0 is no row; a negative one breaks the server.</summary>
    public int TaskInstanceLimit()
    {
        var limit = Integer("limit") ?? MaximumPageLimit;
        return limit < 0 ? throw V1Errors.Html(500, "Internal Server Error") : limit;
    }

    public int Offset()
    {
        var offset = Integer("offset") ?? 0;
        return offset >= 0
            ? offset
            : throw V1Errors.BadRequest($"{offset} is less than the minimum of 0\n\nFailed validating 'minimum' in schema:\n    {{'type': 'integer', 'minimum': 0}}\n\nOn instance:\n    {offset}");
    }

    public TimeRange Range(string name) => new(Gte: Date(name + "_gte"), Lte: Date(name + "_lte"));

    public NumberRange Numbers(string name) => new(Gte: Number(name + "_gte"), Lte: Number(name + "_lte"));

    /// <summary>Repeated or separated by commas.</summary>
    public IReadOnlyList<string>? List(string name) =>
        query.TryGetValue(name, out var values) ? [.. values.SelectMany(value => (value ?? "").Split(','))] : null;

    public IReadOnlySet<string>? Set(string name) => List(name)?.ToHashSet();

    public string? Text(string name) => query.TryGetValue(name, out var values) ? values[^1] : null;

    public bool? Flag(string name) => Text(name) is { } text ? text is "true" or "True" or "1" : null;

    /// <summary>Names that are no state find nothing.</summary>
    public IReadOnlySet<RunState>? RunStates() =>
        List("state")?.Select(StateNames.Run).Where(state => state is not null).Select(state => state!.Value).ToHashSet();

    /// <summary>Names that are no state break the server.</summary>
    public IReadOnlySet<TaskState>? TaskStates(bool knowsQuarantined) =>
        List("state")?.Select(name => StateNames.Task(name) is { } state and not TaskState.AwaitingInput && (state != TaskState.Quarantined || knowsQuarantined) ? state : throw V1Errors.Html(500, "Internal Server Error")).ToHashSet();

    /// <summary>One attribute, "-" before it for descending.</summary>
    public SortKey<TRow> OrderBy<TRow>(string otherwise, IReadOnlyList<string> allowed, Func<string, Func<TRow, SortValue>?> attribute)
    {
        var text = Text("order_by") ?? otherwise;
        var name = text.TrimStart('-');
        return allowed.Contains(name) && attribute(name) is { } value
            ? new SortKey<TRow>(name, text.StartsWith('-'), value)
            : throw V1Errors.BadRequest($"Ordering with '{name}' is disallowed or the attribute does not exist on the model");
    }

    int? Integer(string name)
    {
        if (Text(name) is not { } text)
            return null;
        return int.TryParse(text, out var value) ? value : throw V1Errors.BadRequest($"Wrong type, expected 'integer' for query parameter '{name}'");
    }

    double? Number(string name)
    {
        if (Text(name) is not { } text)
            return null;
        return double.TryParse(text, out var value) ? value : throw V1Errors.BadRequest($"Wrong type, expected 'number' for query parameter '{name}'");
    }

    /// <summary>A zone is required.</summary>
    DateTimeOffset? Date(string name)
    {
        if (!query.TryGetValue(name, out StringValues values))
            return null;
        var text = values[^1] ?? "";
        return AirflowTime.TryParse(text, out var at) == AirflowTime.Parsed.Ok
            ? at
            : throw V1Errors.BadRequest($"'{text}' is not a 'date-time'\n\nFailed validating 'format' in schema:\n    {{'type': 'string', 'format': 'date-time'}}\n\nOn instance:\n    '{text}'");
    }
}
