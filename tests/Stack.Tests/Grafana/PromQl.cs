using System.Text.RegularExpressions;

namespace PipelineExporter.Stack.Tests.Grafana;

/// <summary>A selector of a query: <c>metric{label="value"}[range]</c>, and the function that it stands in.</summary>
/// <param name="Range">What stands between the brackets; null for an instant vector.</param>
/// <param name="At">What stands after '@': the one moment that is asked about, whatever the moment of the query.</param>
/// <param name="Function">The function or aggregation whose parenthesis is the innermost around it; empty for none.</param>
internal sealed record Selector(string Metric, IReadOnlyList<LabelMatcher> Matchers, string? Range, string? At, string Function);

internal sealed record LabelMatcher(string Label, string Operator, string Value);

/// <summary>
/// What a PromQL query names. It knows the shape of the language and not its rules: whether a query is valid is promtool's to
/// say. Grafana's variables may stand in it.
/// </summary>
internal sealed partial class PromQl
{
    private static readonly string[] Groupings = ["by", "without", "on", "ignoring", "group_left", "group_right"];

    private static readonly string[] Words = ["and", "or", "unless", "bool", "offset", "inf", "nan"];

    private static readonly string[] Aggregations =
    [
        "sum", "min", "max", "avg", "group", "stddev", "stdvar", "count", "count_values", "bottomk", "topk", "quantile",
    ];

    private readonly List<string> tokens;
    private readonly List<Selector> selectors = [];
    private readonly List<string> groupingLabels = [];
    private readonly HashSet<string> addedLabels = [];
    private int at;

    private PromQl(string query) => tokens = [.. Token.Matches(query).Select(match => match.Value)];

    public IReadOnlyList<Selector> Selectors => selectors;

    /// <summary>Every label named in by, without, on, ignoring, group_left and group_right.</summary>
    public IReadOnlyList<string> GroupingLabels => groupingLabels;

    /// <summary>Labels that label_replace and label_join write.</summary>
    public IReadOnlySet<string> AddedLabels => addedLabels;

    /// <exception cref="FormatException">Something in it is no PromQL at all.</exception>
    public static PromQl Parse(string query)
    {
        var parsed = new PromQl(query);
        parsed.Read();
        return parsed;
    }

    private void Read()
    {
        var functions = new Stack<string>();
        var aggregation = "";
        while (at < tokens.Count)
        {
            var token = tokens[at++];
            if (token == "(")
            {
                functions.Push(aggregation);
                aggregation = "";
            }
            else if (token == ")")
            {
                if (!functions.TryPop(out _))
                    throw new FormatException("a parenthesis closes that was not opened");
            }
            else if (token == "{")
            {
                at--;
                selectors.Add(ReadSelector("", functions));
            }
            else if (!IsName(token) || Words.Contains(token.ToLowerInvariant()))
            {
                continue;
            }
            else if (Groupings.Contains(token))
            {
                if (Next == "(")
                    ReadGrouping();
            }
            else if (Aggregations.Contains(token) && (Next == "(" || Groupings.Contains(Next)))
            {
                aggregation = token;
            }
            else if (Next == "(")
            {
                ReadFunction(token);
                aggregation = token;
            }
            else
            {
                selectors.Add(ReadSelector(token, functions));
            }
        }

        if (functions.Count > 0)
            throw new FormatException("a parenthesis is not closed");
    }

    private string Next => at < tokens.Count ? tokens[at] : "";

    // label_replace(vector, "destination", …) and label_join likewise: the first string at its own depth.
    private void ReadFunction(string name)
    {
        if (name is not ("label_replace" or "label_join"))
            return;
        var depth = 0;
        for (var i = at; i < tokens.Count; i++)
        {
            depth += tokens[i] is "(" or "{" ? 1 : tokens[i] is ")" or "}" ? -1 : 0;
            if (depth == 1 && tokens[i][0] is '"' or '\'')
            {
                addedLabels.Add(tokens[i][1..^1]);
                return;
            }
        }
    }

    private void ReadGrouping()
    {
        Expect("(");
        while (Next != ")")
        {
            var label = Take();
            if (!IsName(label))
                throw new FormatException($"'{label}' is no label");
            groupingLabels.Add(label);
            if (Next == ",")
                at++;
        }

        Expect(")");
    }

    private Selector ReadSelector(string metric, Stack<string> functions)
    {
        var matchers = new List<LabelMatcher>();
        if (Next == "{")
        {
            Expect("{");
            while (Next != "}")
            {
                matchers.Add(new(Take(), Take(), Take()[1..^1]));
                if (Next == ",")
                    at++;
            }

            Expect("}");
        }

        string? range = null;
        if (Next.StartsWith('['))
            range = Take()[1..^1].Trim();
        return new(metric, matchers, range, ReadAt(), functions.TryPeek(out var function) ? function : "");
    }

    // "@ end()", "@ start()" or "@ 1700000000".
    private string? ReadAt()
    {
        if (Next != "@")
            return null;
        Expect("@");
        var moment = Take();
        if (Next != "(")
            return moment;
        Expect("(");
        Expect(")");
        return $"{moment}()";
    }

    private string Take() => at < tokens.Count ? tokens[at++] : throw new FormatException("the query ends too early");

    private void Expect(string token)
    {
        if (Take() is var found && found != token)
            throw new FormatException($"'{token}' was expected, not '{found}'");
    }

    private static bool IsName(string token) => Name.IsMatch(token);

    [GeneratedRegex("""
        "(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\[[^\]]*\]|\$\{?\w+(?::\w+)?\}?|[0-9][0-9a-zA-Z_.]*|[a-zA-Z_:][a-zA-Z0-9_:]*|=~|!~|!=|==|>=|<=|[^\s]
        """)]
    private static partial Regex Token { get; }

    [GeneratedRegex("^[a-zA-Z_:][a-zA-Z0-9_:]*$")]
    private static partial Regex Name { get; }
}
