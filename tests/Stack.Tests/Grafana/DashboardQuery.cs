using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace PipelineExporter.Stack.Tests.Grafana;

/// <summary>A query of a dashboard as Grafana sends it when a reader opens it: every variable at "All".</summary>
/// <param name="Place">The panel's title, or which variable or annotation it is for.</param>
/// <param name="Instant">Asked for one instant, not for a range.</param>
internal sealed partial record DashboardQuery(string Dashboard, string Place, string RefId, string Expression, bool Instant)
{
    /// <param name="rateInterval">$__rate_interval: at least four scrape intervals.</param>
    /// <param name="range">$__range: the time range that the reader chose.</param>
    public static IReadOnlyList<DashboardQuery> All(TimeSpan rateInterval, TimeSpan range) =>
        [.. Grafana.Dashboard.All.SelectMany(dashboard => Of(dashboard, rateInterval, range))];

    public static IEnumerable<DashboardQuery> Of(Dashboard dashboard, TimeSpan rateInterval, TimeSpan range)
    {
        var values = dashboard.Variables.ToDictionary(variable => variable.GetProperty("name").GetString()!, Value);
        values["__rate_interval"] = Seconds(rateInterval);
        values["__range"] = Seconds(range);

        string Filled(string text) => Variable.Replace(text, match => values[match.Groups["name"].Value]);

        var panels = dashboard.Panels.SelectMany(panel => panel.Targets.Select(target =>
            new DashboardQuery(dashboard.File, panel.Title, target.RefId, Filled(target.Expression), target.Instant)));
        var variables = dashboard.Variables.Where(IsQuery).Select(variable => new DashboardQuery(
            dashboard.File, $"variable {variable.GetProperty("name")}", "A", Filled(VariableQuery.Of(variable).Selector), true));
        var annotations = dashboard.Annotations.Select(annotation => new DashboardQuery(
            dashboard.File, $"annotation {annotation.GetProperty("name")}", "A", Filled(annotation.GetProperty("expr").GetString()!), false));
        return panels.Concat(variables).Concat(annotations);
    }

    /// <summary>Asks Prometheus and returns how many series answer with at least one value that is a number.</summary>
    /// <exception cref="InvalidOperationException">Prometheus refuses the query; with its reason.</exception>
    public async Task<int> CountSeriesAsync(HttpClient http, Uri prometheus, DateTimeOffset from, DateTimeOffset to, CancellationToken ct)
    {
        var seconds = Math.Max(1, Math.Ceiling((to - from).TotalSeconds / 1000));
        using var form = new FormUrlEncodedContent(Instant
            ? [new("query", Expression), new("time", Unix(to))]
            : [new("query", Expression), new("start", Unix(from)), new("end", Unix(to)), new("step", seconds.ToString(CultureInfo.InvariantCulture))]);
        using var response = await http.PostAsync(new Uri(prometheus, Instant ? "api/v1/query" : "api/v1/query_range"), form, ct);
        var answer = JsonElement.Parse(await response.Content.ReadAsStringAsync(ct));
        if (answer.GetProperty("status").GetString() != "success")
            throw new InvalidOperationException($"{this}: {answer.GetProperty("error").GetString()}\n{Expression}");
        return answer.GetProperty("data").GetProperty("result").EnumerateArray().Count(HasNumber);
    }

    public override string ToString() => $"{Dashboard}: {Place}, {RefId}";

    internal static bool IsQuery(JsonElement variable) => variable.GetProperty("type").GetString() == "query";

    private static string Value(JsonElement variable) => variable.GetProperty("type").GetString() switch
    {
        "query" => variable.GetProperty("allValue").GetString()!,
        "constant" => variable.GetProperty("query").GetString()!,
        _ => variable.GetProperty("name").GetString()!,
    };

    private static bool HasNumber(JsonElement series)
    {
        var values = series.TryGetProperty("values", out var many) ? many.EnumerateArray() : Enumerable.Repeat(series.GetProperty("value"), 1);
        return values.Any(value => double.TryParse(value[1].GetString(), CultureInfo.InvariantCulture, out var number) && !double.IsNaN(number));
    }

    private static string Seconds(TimeSpan time) => $"{Math.Ceiling(time.TotalSeconds).ToString(CultureInfo.InvariantCulture)}s";

    private static string Unix(DateTimeOffset time) => (time.ToUnixTimeMilliseconds() / 1000.0).ToString(CultureInfo.InvariantCulture);

    [GeneratedRegex(@"\$\{?(?<name>[a-zA-Z_]\w*)(:\w+)?\}?", RegexOptions.ExplicitCapture)]
    private static partial Regex Variable { get; }
}

/// <summary><c>label_values(selector, label)</c>, the query of a variable.</summary>
internal sealed partial record VariableQuery(string Selector, string Label)
{
    public static VariableQuery Of(JsonElement variable)
    {
        var query = variable.GetProperty("query").GetProperty("query").GetString()!;
        var match = LabelValues.Match(query);
        return match.Success
            ? new(match.Groups["selector"].Value, match.Groups["label"].Value)
            : throw new FormatException($"'{query}' is not label_values(selector, label)");
    }

    [GeneratedRegex(@"^label_values\((?<selector>.+), (?<label>\w+)\)$", RegexOptions.ExplicitCapture)]
    private static partial Regex LabelValues { get; }
}
