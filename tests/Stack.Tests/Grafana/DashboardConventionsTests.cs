using System.Text.Json;
using System.Text.RegularExpressions;
using PipelineExporter.Stack.Tests.Tools;

namespace PipelineExporter.Stack.Tests.Grafana;

/// <summary>What every dashboard has in common. Grafana itself ignores what it does not know, so that a slip shows nowhere else.</summary>
public sealed partial class DashboardConventionsTests
{
    private static readonly string[] PanelKeys =
    [
        "datasource", "description", "fieldConfig", "gridPos", "id", "interval", "links", "options", "targets", "title", "transformations", "type",
    ];

    private static readonly string[] DashboardKeys =
    [
        "annotations", "description", "editable", "fiscalYearStartMonth", "graphTooltip", "links", "panels", "preload", "refresh", "schemaVersion",
        "tags", "templating", "time", "timepicker", "timezone", "title", "uid", "version", "weekStart",
    ];

    private static readonly string[] TargetKeys = ["datasource", "editorMode", "expr", "format", "instant", "legendFormat", "range", "refId"];

    private static readonly string[] DefaultsKeys =
        ["color", "custom", "decimals", "displayName", "links", "mappings", "max", "min", "noValue", "thresholds", "unit"];

    private static readonly Dictionary<string, string[]> OptionKeys = new()
    {
        ["bargauge"] =
        [
            "displayMode", "legend", "maxVizHeight", "minVizHeight", "minVizWidth", "namePlacement", "orientation", "reduceOptions", "showUnfilled",
            "sizing", "valueMode",
        ],
        ["stat"] = ["colorMode", "graphMode", "justifyMode", "orientation", "reduceOptions", "textMode", "wideLayout"],
        ["state-timeline"] = ["alignValue", "legend", "mergeValues", "rowHeight", "showValue", "tooltip"],
        ["table"] = ["cellHeight", "footer", "showHeader", "sortBy"],
        ["timeseries"] = ["legend", "tooltip"],
    };

    // Units of Grafana's that base units of Prometheus are shown in.
    private static readonly string[] Units = ["none", "short", "s", "bytes", "percentunit", "reqps", "ops", "Bps", "currencyUSD", "dateTimeFromNow"];

    private static readonly string[] BuiltIn = ["__all", "__rate_interval", "__range", "__url_time_range", "__field", "__data", "__value"];

    public static TheoryData<string> Files => [.. Dashboard.Files];

    [Fact]
    public void There_are_dashboards_and_no_two_share_a_uid_or_a_title()
    {
        Assert.NotEmpty(Dashboard.All);
        Assert.Equal(Dashboard.All.Count, Dashboard.All.Select(dashboard => dashboard.Uid).Distinct().Count());
        Assert.Equal(Dashboard.All.Count, Dashboard.All.Select(dashboard => dashboard.Root.GetProperty("title").GetString()).Distinct().Count());
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void A_dashboard_is_in_a_folder_and_named_as_its_uid(string file)
    {
        var dashboard = Dashboard.Load(file);

        Assert.Equal(4, file.Split('/').Length);
        Assert.Equal(Path.GetFileNameWithoutExtension(file), dashboard.Uid);
        Assert.Matches("^[a-z][a-z0-9-]{0,39}$", dashboard.Uid);
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void A_dashboard_is_of_the_last_classic_schema_and_comes_from_its_file_alone(string file)
    {
        var root = Dashboard.Load(file).Root;

        OnlyKeys(root, DashboardKeys);
        Assert.Equal(42, root.GetProperty("schemaVersion").GetInt32());
        Assert.False(root.GetProperty("editable").GetBoolean());
        Assert.Equal("utc", root.GetProperty("timezone").GetString());
        Assert.Equal("1m", root.GetProperty("refresh").GetString());
        Assert.Equal(1, root.GetProperty("graphTooltip").GetInt32());
        Assert.NotEmpty(root.GetProperty("title").GetString()!);
        Assert.NotEmpty(root.GetProperty("description").GetString()!);
        Assert.Equal("now", root.GetProperty("time").GetProperty("to").GetString());
        Assert.Contains("pipeline-exporter", root.GetProperty("tags").EnumerateArray().Select(tag => tag.GetString()));
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void A_dashboard_links_to_the_others_and_keeps_time_and_variables(string file)
    {
        var link = Assert.Single(Dashboard.Load(file).Root.GetProperty("links").EnumerateArray(), link => link.GetProperty("type").GetString() == "dashboards");

        Assert.Equal(["pipeline-exporter"], link.GetProperty("tags").EnumerateArray().Select(tag => tag.GetString()!));
        Assert.True(link.GetProperty("keepTime").GetBoolean());
        Assert.True(link.GetProperty("includeVars").GetBoolean());
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Alerts_of_each_severity_that_is_sent_are_drawn_as_annotations(string file)
    {
        var annotations = Dashboard.Load(file).Annotations.ToDictionary(one => PromQl.Parse(one.GetProperty("expr").GetString()!).Selectors.Single());

        foreach (var severity in (string[])["critical", "warning"])
            Assert.Contains(annotations.Keys, selector => selector.Metric == "ALERTS" && selector.Matchers.Contains(new("severity", "=", severity)));
        Assert.All(annotations.Keys, selector => Assert.Contains(new("alertstate", "=", "firing"), selector.Matchers));
        Assert.All(annotations.Values, FromTheChosenDataSource);
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void The_data_source_is_the_first_variable(string file)
    {
        var variable = Dashboard.Load(file).Variables[0];

        Assert.Equal("datasource", variable.GetProperty("name").GetString());
        Assert.Equal("datasource", variable.GetProperty("type").GetString());
        Assert.Equal("Data source", variable.GetProperty("label").GetString());
        Assert.Equal("prometheus", variable.GetProperty("query").GetString());
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void A_variable_is_named_as_its_label_may_take_many_values_and_narrows_those_after_it(string file)
    {
        var known = new List<string>();
        Assert.All(Dashboard.Load(file).Variables.Where(DashboardQuery.IsQuery), variable =>
        {
            var name = variable.GetProperty("name").GetString()!;
            var query = VariableQuery.Of(variable);

            FromTheChosenDataSource(variable);
            Assert.Equal(name, query.Label);
            Assert.Equal(variable.GetProperty("definition").GetString(), variable.GetProperty("query").GetProperty("query").GetString());
            Assert.Equal(2, variable.GetProperty("refresh").GetInt32()); // with the time range
            Assert.True(variable.GetProperty("multi").GetBoolean());
            Assert.True(variable.GetProperty("includeAll").GetBoolean());
            Assert.Equal(".+", variable.GetProperty("allValue").GetString());
            Assert.NotEmpty(variable.GetProperty("label").GetString()!);
            Assert.NotEmpty(variable.GetProperty("description").GetString()!);
            Assert.All(VariablesIn(query.Selector), used => Assert.Contains(used, known));
            known.Add(name);
        });
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Every_variable_that_is_used_is_declared_and_every_one_declared_is_used(string file)
    {
        var dashboard = Dashboard.Load(file);
        var declared = dashboard.Variables.Select(variable => variable.GetProperty("name").GetString()!).ToHashSet();
        var used = Strings(dashboard.Root).SelectMany(VariablesIn).ToHashSet();

        Assert.Empty(used.Except(declared).Except(BuiltIn));
        Assert.Empty(declared.Except(used));
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void An_address_that_a_dashboard_holds_is_the_one_that_alerts_link_to(string file)
    {
        var prometheus = File.ReadAllText(Repository.File("prometheus", "prometheus.yml"));

        Assert.All(Dashboard.Load(file).Variables.Where(variable => variable.GetProperty("type").GetString() == "constant"), constant =>
            Assert.Contains($"    {constant.GetProperty("name")}: {constant.GetProperty("query")}\n", prometheus, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void A_panel_says_what_it_shows_and_in_which_unit(string file) => EachPanel(file, panel =>
    {
        Assert.NotEmpty(panel.Title);
        Assert.Matches(@"\.$", panel.Json.GetProperty("description").GetString());
        Assert.Contains(panel.Defaults.GetProperty("unit").GetString(), Units);
        Assert.Equal(JsonValueKind.Object, panel.Json.GetProperty("options").ValueKind);
    });

    [Theory]
    [MemberData(nameof(Files))]
    public void A_panel_holds_only_what_Grafana_knows(string file) => EachPanel(file, panel =>
    {
        OnlyKeys(panel.Json, PanelKeys);
        OnlyKeys(panel.Json.GetProperty("fieldConfig"), ["defaults", "overrides"]);
        OnlyKeys(panel.Defaults, DefaultsKeys);
        OnlyKeys(panel.Json.GetProperty("options"), OptionKeys[panel.Type]);
        Assert.All(panel.Targets, target => OnlyKeys(target.Json, TargetKeys));
        Assert.All(panel.Overrides, one =>
        {
            OnlyKeys(one, ["matcher", "properties"]);
            Assert.Contains(one.GetProperty("matcher").GetProperty("id").GetString(), (string[])["byName", "byFrameRefID"]);
        });
    });

    [Theory]
    [MemberData(nameof(Files))]
    public void A_panel_asks_the_chosen_data_source(string file) => EachPanel(file, panel =>
    {
        FromTheChosenDataSource(panel.Json);
        Assert.NotEmpty(panel.Targets);
        Assert.All(panel.Targets, target => FromTheChosenDataSource(target.Json));
        Assert.Equal(panel.Targets.Count, panel.Targets.Select(target => target.RefId).Distinct().Count());
    });

    [Theory]
    [MemberData(nameof(Files))]
    public void What_shows_one_value_asks_for_one_instant_and_what_shows_time_for_a_range(string file) => EachPanel(file, panel =>
        Assert.All(panel.Targets, target =>
        {
            var instant = panel.Type is "stat" or "bargauge" or "table";
            Assert.Equal(instant, target.Instant);
            Assert.Equal(!instant, target.Json.GetProperty("range").GetBoolean());
            Assert.Equal(panel.Type == "table", target.Json.TryGetProperty("format", out var format) && format.GetString() == "table");
            Assert.Equal(panel.Type == "table", target.Json.GetProperty("legendFormat").GetString() == "");
            if (panel.Type is "stat" or "bargauge")
                Assert.Equal(["lastNotNull"], panel.Json.GetProperty("options").GetProperty("reduceOptions").GetProperty("calcs").EnumerateArray().Select(calc => calc.GetString()!));
        }));

    [Theory]
    [MemberData(nameof(Files))]
    public void A_line_goes_on_where_values_are_sparse_and_a_bar_stands_alone(string file) => EachPanel(file, panel =>
    {
        if (panel.Type != "timeseries")
            return;
        var custom = panel.Defaults.GetProperty("custom");
        Assert.Equal(custom.GetProperty("drawStyle").GetString() == "line", custom.GetProperty("spanNulls").GetBoolean());
    });

    [Theory]
    [MemberData(nameof(Files))]
    public void Thresholds_begin_with_what_is_below_all_of_them_and_ascend(string file) => EachPanel(file, panel =>
    {
        if (!panel.Defaults.TryGetProperty("thresholds", out var thresholds))
        {
            Assert.Contains(panel.Type, (string[])["timeseries", "table"]); // the others have no colour without
            return;
        }

        var steps = thresholds.GetProperty("steps").EnumerateArray().Select(step => step.GetProperty("value")).ToList();
        Assert.Equal(JsonValueKind.Null, steps[0].ValueKind);
        var values = steps.Skip(1).Select(step => step.GetDouble()).ToList();
        Assert.Equal(values.Distinct().Order(), values);
    });

    [Theory]
    [MemberData(nameof(Files))]
    public void Panels_have_an_id_and_a_title_of_their_own_and_lie_beside_each_other(string file)
    {
        var dashboard = Dashboard.Load(file);
        var places = dashboard.Root.GetProperty("panels").EnumerateArray().Select(panel => panel.GetProperty("gridPos")).Select(place =>
            (X: place.GetProperty("x").GetInt32(), Y: place.GetProperty("y").GetInt32(), W: place.GetProperty("w").GetInt32(), H: place.GetProperty("h").GetInt32())).ToList();
        var cells = places.SelectMany(place =>
            from x in Enumerable.Range(place.X, place.W)
            from y in Enumerable.Range(place.Y, place.H)
            select (x, y)).ToList();

        Assert.Equal(dashboard.Panels.Count, dashboard.Panels.Select(panel => panel.Id).Distinct().Count());
        Assert.Equal(dashboard.Panels.Count, dashboard.Panels.Select(panel => panel.Title).Distinct().Count());
        Assert.All(places, place => Assert.InRange(place.X + place.W, 1, 24));
        Assert.Equal(cells.Count, cells.Distinct().Count());
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void An_override_in_a_table_is_for_a_column_that_is_there(string file) => EachPanel(file, panel =>
    {
        if (panel.Type != "table")
            return;
        var organized = panel.Json.GetProperty("transformations").EnumerateArray().Single(one => one.GetProperty("id").GetString() == "organize").GetProperty("options");
        var order = organized.GetProperty("indexByName").EnumerateObject().Select(one => one.Name).ToList();
        var renamed = organized.GetProperty("renameByName").EnumerateObject().ToDictionary(one => one.Name, one => one.Value.GetString()!);
        var columns = order.Select(name => renamed.GetValueOrDefault(name, name)).ToList();
        var named = panel.Overrides.Select(one => one.GetProperty("matcher").GetProperty("options").GetString()!);
        var inLinks = Strings(panel.Json).SelectMany(text => DataField.Matches(text)).Select(match => match.Groups["name"].Value);

        Assert.Empty(renamed.Keys.Except(order));
        Assert.Empty(organized.GetProperty("excludeByName").EnumerateObject().Select(one => one.Name).Intersect(order));
        Assert.Empty(named.Concat(inLinks).Except(columns));
        Assert.Contains(panel.Json.GetProperty("options").TryGetProperty("sortBy", out var sort) ? sort[0].GetProperty("displayName").GetString() : columns[0], columns);
        // Several queries give "Value #A", "Value #B", … and one gives "Value".
        string[] values = panel.Targets.Count == 1 ? ["Value"] : [.. panel.Targets.Select(target => $"Value #{target.RefId}")];
        var shown = order.Concat(organized.GetProperty("excludeByName").EnumerateObject().Select(one => one.Name)).Where(name => name.StartsWith("Value", StringComparison.Ordinal));
        Assert.Equal(values, shown);
    });

    [Theory]
    [MemberData(nameof(Files))]
    public void A_link_leads_to_a_dashboard_that_exists_or_to_an_address_that_is_not_this_machine(string file) => Assert.All(Links(Dashboard.Load(file).Root), url =>
    {
        if (url.StartsWith("/d/", StringComparison.Ordinal))
            Assert.Contains(url[3..].Split('?', '/')[0], Dashboard.All.Select(dashboard => dashboard.Uid));
        else
            Assert.Matches(@"^(/alerting/|https://|\$\{[a-z_.]+:raw\}|\$\{__data\.fields\.url:raw\}/)", url);
    });

    [Theory]
    [MemberData(nameof(Files))]
    public void A_name_from_the_pipeline_is_escaped_in_a_link(string file) => Assert.All(Links(Dashboard.Load(file).Root), url =>
        Assert.All(Interpolated.Matches(url).Select(match => match.Value), text => Assert.Matches(
            @":(percentencode|raw|queryparam)\}$|^\$\{__url_time_range\}$|^\$\{__field\.labels\.region\}$", text)));

    internal static IEnumerable<string> VariablesIn(string text) => Variable.Matches(text).Select(match => match.Groups["name"].Value);

    private static void EachPanel(string file, Action<Panel> check) => Assert.All(Dashboard.Load(file).Panels, check);

    private static void FromTheChosenDataSource(JsonElement json) => Assert.Equal(
        ("prometheus", "${datasource}"),
        (json.GetProperty("datasource").GetProperty("type").GetString(), json.GetProperty("datasource").GetProperty("uid").GetString()));

    private static void OnlyKeys(JsonElement json, string[] keys) => Assert.Empty(json.EnumerateObject().Select(one => one.Name).Except(keys));

    private static IEnumerable<string> Strings(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Object => json.EnumerateObject().SelectMany(one => Strings(one.Value)),
        JsonValueKind.Array => json.EnumerateArray().SelectMany(Strings),
        JsonValueKind.String => [json.GetString()!],
        _ => [],
    };

    // A link is whatever has both a title and a URL.
    private static IEnumerable<string> Links(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Object when json.TryGetProperty("url", out var url) && json.TryGetProperty("title", out _) => url.GetString() is { Length: > 0 } text ? [text] : [],
        JsonValueKind.Object => json.EnumerateObject().SelectMany(one => Links(one.Value)),
        JsonValueKind.Array => json.EnumerateArray().SelectMany(Links),
        _ => [],
    };

    [GeneratedRegex(@"\$\{?(?<name>[a-zA-Z_]\w*)", RegexOptions.ExplicitCapture)]
    private static partial Regex Variable { get; }

    [GeneratedRegex(@"\$\{[^}]+\}")]
    private static partial Regex Interpolated { get; }

    [GeneratedRegex(@"\$\{__data\.fields\.(?<name>[^:}]+)", RegexOptions.ExplicitCapture)]
    private static partial Regex DataField { get; }
}
