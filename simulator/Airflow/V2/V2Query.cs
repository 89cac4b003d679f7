using Microsoft.AspNetCore.Http;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Airflow.V2;

/// <summary>Reads query parameters as REST v2 does: lists by repeating, unknown ones ignored.</summary>
internal sealed class V2Query(IQueryCollection query, V2Server server, AirflowOddities oddities)
{
    const int MaximumPageLimit = 100, DefaultLimit = 50;

    static readonly string[] RunStateNames = ["queued", "running", "success", "failed"];

    static readonly string[] TaskStateNames =
    [
        "removed", "scheduled", "queued", "running", "success", "restarting", "failed", "up_for_retry", "up_for_reschedule", "upstream_failed", "skipped",
        "deferred", "awaiting_input",
    ];

    static readonly string[] RunTypeNames = ["backfill", "scheduled", "manual", "operator_triggered", "asset_triggered", "asset_materialization"];

    /// <summary>Cut to 100, silently; 0 is no row.</summary>
    public int Limit => Math.Min(Count("limit", DefaultLimit), MaximumPageLimit);

    public int Offset => Count("offset", 0);

    /// <summary>Null: page by offset.</summary>
    public string? Cursor => server.HasCursors ? Text("cursor") : null;

    public string? Text(string name) => query.TryGetValue(name, out var values) ? values[^1] ?? "" : null;

    public bool? Flag(string name) => Text(name) is { } text ? text is "true" or "True" or "1" : null;

    public IReadOnlyList<string>? List(string name) => query.TryGetValue(name, out var values) ? [.. values.Select(value => value ?? "")] : null;

    public IReadOnlySet<string>? Set(string name) => List(name)?.ToHashSet();

    public IReadOnlySet<int>? Numbers(string name) => List(name)?.Select(text => Integer(name, text)).ToHashSet();

    public TimeRange Range(string name) => new(Date(name + "_gte"), Date(name + "_gt"), Date(name + "_lte"), Date(name + "_lt"));

    public NumberRange Durations() => new(Seconds("duration_gte") ?? Seconds("duration_gt"), Seconds("duration_lte") ?? Seconds("duration_lt"));

    public IReadOnlySet<RunState>? RunStates()
    {
        string[] known = oddities.HasUnknownRunState ? [.. RunStateNames, StateNames.Of(RunState.Quarantined)] : RunStateNames;
        return List("state")?.Select(name => StateNames.Run(Known("state", known, name))!.Value).ToHashSet();
    }

    public IReadOnlySet<string>? RunTypes() => List("run_type")?
        .Select(name => Known("run type", server.KnowsAwaitingInput ? RunTypeNames : RunTypeNames.Where(type => type != "operator_triggered"), name)).ToHashSet();

    /// <summary>"none" and "no_status" ask for null.</summary>
    public IReadOnlySet<TaskState>? TaskStates()
    {
        var known = TaskStateNames.Where(state => server.KnowsAwaitingInput || state != "awaiting_input")
            .Concat(oddities.HasUnknownState ? [StateNames.Of(TaskState.Quarantined)!] : []);
        return List("state")?.Select(name => name is "none" or "no_status" ? TaskState.None : StateNames.Task(Known("state", known, name))!.Value).ToHashSet();
    }

    static string Known(string what, IEnumerable<string> names, string name) => names.Contains(name)
        ? name
        : throw V2Errors.Detail(422, $"Invalid value for {what}. Valid values are {string.Join(", ", names)}");

    /// <summary>The attributes asked for, then those that make the order total.</summary>
    public Ordering<TRow> OrderBy<TRow>(string[] otherwise, string[] total, Func<string, Func<TRow, SortValue>?> attribute)
    {
        var names = List("order_by") ?? otherwise;
        var keys = names.Select(Key).ToList();
        keys.AddRange(total.Where(name => keys.TrueForAll(key => key.Name != name)).Select(Key));
        return new Ordering<TRow>(keys);

        SortKey<TRow> Key(string text)
        {
            var name = text.StartsWith('-') ? text[1..] : text;
            return new SortKey<TRow>(name, Descending: text.StartsWith('-'), attribute(name) ?? throw V2Errors.BadOrder(name));
        }
    }

    int Count(string name, int otherwise)
    {
        if (Text(name) is not { } text)
            return otherwise;
        var count = Integer(name, text);
        return count >= 0
            ? count
            : throw V2Errors.Invalid(name, "greater_than_equal", "Input should be greater than or equal to 0", text, json => json.WriteNumber("ge", 0));
    }

    static int Integer(string name, string text) => int.TryParse(text, out var value)
        ? value
        : throw V2Errors.Invalid(name, "int_parsing", "Input should be a valid integer, unable to parse string as an integer", text);

    double? Seconds(string name)
    {
        if (Text(name) is not { } text)
            return null;
        return double.TryParse(text, out var value)
            ? value
            : throw V2Errors.Invalid(name, "float_parsing", "Input should be a valid number, unable to parse string as a number", text);
    }

    DateTimeOffset? Date(string name)
    {
        if (Text(name) is not { } text)
            return null;
        return AirflowTime.TryParse(text, out var at) switch
        {
            AirflowTime.Parsed.Ok => at,
            AirflowTime.Parsed.NoZone => throw V2Errors.DatabaseError(),
            _ => throw V2Errors.Invalid(name, "datetime_from_date_parsing", "Input should be a valid datetime or date, input is too short", text,
                json => json.WriteString("error", "input is too short")),
        };
    }
}
