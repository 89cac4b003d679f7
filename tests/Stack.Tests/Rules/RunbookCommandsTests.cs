using System.Collections.Concurrent;
using System.Text;
using System.Text.RegularExpressions;
using PipelineExporter.Stack.Tests.Grafana;
using PipelineExporter.Stack.Tests.Tools;

namespace PipelineExporter.Stack.Tests.Rules;

/// <summary>What a runbook tells somebody to type at three in the morning can be typed.</summary>
public sealed partial class RunbookCommandsTests
{
    // Of cAdvisor, node_exporter and Prometheus itself.
    private static readonly string[] OfOthers = ["container_", "node_", "prometheus_", "scrape_"];

    // These are made of several calls, and know no skeleton.
    private static readonly string[] HighLevel = ["aws logs tail ", "aws s3 "];

    public static TheoryData<string> Alerts => [.. AlertRule.Names];

    [Theory]
    [MemberData(nameof(Alerts))]
    public async Task A_query_parses_and_asks_for_metrics_and_labels_that_exist(string name)
    {
        var queries = Statements(name).Where(statement => Query.IsMatch(statement)).ToList();
        Assert.NotEmpty(queries);
        var rules = new StringBuilder("groups:\n- name: runbook\n  rules:\n");
        for (var i = 0; i < queries.Count; i++)
            rules.Append($"  - record: runbook:query{i}\n    expr: |\n      {queries[i]}\n");
        using var folder = new TemporaryDirectory();
        var path = folder.File("queries.yml");
        await File.WriteAllTextAsync(path, $"{rules}", TestContext.Current.CancellationToken);

        await Command.SucceedAsync("promtool", "check", "rules", "--lint=none", path);
        Assert.All(queries.Select(PromQl.Parse).Where(query => !query.Selectors.Any(IsOfOthers)), query =>
        {
            var catalog = DeclaredMetrics.Catalog;
            Assert.All(query.Selectors, selector => Assert.True(catalog.Has(selector.Metric), $"nobody exports {selector.Metric}"));
            Assert.All(query.Selectors, selector => Assert.Subset(
                catalog.LabelsOf(selector.Metric).ToHashSet(), selector.Matchers.Select(matcher => matcher.Label).ToHashSet()));
            Assert.Empty(query.GroupingLabels.Except(query.Selectors.SelectMany(selector => catalog.LabelsOf(selector.Metric))).Except(query.AddedLabels));
        });
    }

    /// <summary>Asked for the skeleton of its input, the AWS CLI refuses commands and options that it does not know, and calls nobody.</summary>
    [Fact]
    public async Task The_AWS_CLI_knows_each_command_with_its_options()
    {
        var commands = AlertRule.Names.SelectMany(Statements)
            .Where(statement => statement.StartsWith("aws ", StringComparison.Ordinal) && !HighLevel.Any(statement.StartsWith))
            // One of each shape.
            .DistinctBy(statement => string.Join(' ', Words(statement).Where((word, at) => at < 3 || word.StartsWith("--", StringComparison.Ordinal)))).ToList();
        var refused = new ConcurrentBag<string>();

        await Parallel.ForEachAsync(commands, new ParallelOptions { MaxDegreeOfParallelism = 2, CancellationToken = TestContext.Current.CancellationToken }, async (command, _) =>
        {
            var result = await Command.RunAsync(
                "env", ["AWS_DEFAULT_REGION=eu-west-1", "AWS_EC2_METADATA_DISABLED=true", "/usr/bin/aws", .. Words(Number.Replace(command, "1")).Skip(1), "--generate-cli-skeleton", "input"]);
            if (result.ExitCode != 0)
                refused.Add($"{command}\n{result.Error}");
        });

        Assert.NotEmpty(commands);
        Assert.Empty(refused);
    }

    /// <summary>A number that was right for one table halves the capacity of another.</summary>
    [Fact]
    public void A_command_that_changes_something_leaves_its_numbers_to_who_types_it() => Assert.All(
        AlertRule.Names.SelectMany(Statements).Where(statement => Change.IsMatch(statement)),
        command => Assert.DoesNotMatch(@"[ =]\d+\b", command));

    [Fact]
    public void Who_types_a_command_of_AWS_has_chosen_account_and_region() => Assert.All(
        AlertRule.Names.Where(name => Statements(name).Any(statement => AboutOne.IsMatch(statement))),
        name => Assert.Contains("export AWS_REGION=REGION AWS_PROFILE=PROFILE", Statements(name)));

    /// <summary>Two accounts may have a job or a table of the same name.</summary>
    [Fact]
    public void A_query_about_one_job_or_table_says_of_which_account_and_region() => Assert.All(
        AlertRule.Names.SelectMany(Statements).Where(statement => Query.IsMatch(statement)).SelectMany(query => PromQl.Parse(query).Selectors)
            .Where(selector => selector.Matchers.Any(matcher => matcher is { Label: "job_name", Value: "JOB" } or { Label: "table", Value: "TABLE" })),
        selector => Assert.Superset(new HashSet<string>(["account_id", "region"]), selector.Matchers.Select(matcher => matcher.Label).ToHashSet()));

    private static bool IsOfOthers(Selector selector) => OfOthers.Any(prefix => selector.Metric.StartsWith(prefix, StringComparison.Ordinal));

    /// <summary>The lines of the blocks of code; one that is set in further goes on with the one before it.</summary>
    private static IEnumerable<string> Statements(string alert)
    {
        var text = File.ReadAllText(Repository.File("prometheus", "runbooks", $"{alert}.md"));
        foreach (var block in CodeBlock.Matches(text).Select(match => match.Groups["code"].Value.TrimEnd('\n').Split('\n')))
        {
            var indent = block[0].TakeWhile(character => character == ' ').Count();
            var statement = "";
            foreach (var line in block)
            {
                if (line.TakeWhile(character => character == ' ').Count() > indent)
                {
                    statement += $" {line.Trim()}";
                    continue;
                }

                if (statement != "")
                    yield return statement;
                statement = line.Trim();
            }

            yield return statement;
        }
    }

    private static IEnumerable<string> Words(string command) => Word.Matches(command).Select(match => match.Value.Replace("'", "", StringComparison.Ordinal));

    // Within lists: four more than the text of the item, which is set in by two at least.
    [GeneratedRegex(@"(?<=\n\n)(?<code>( {6,}\S.*\n)+)", RegexOptions.ExplicitCapture)]
    private static partial Regex CodeBlock { get; }

    // A query begins with a function, an aggregation or a metric; a command with a word alone, and YAML with a word and a colon.
    [GeneratedRegex(@"^\w+( (by|without) \([^)]*\) )?[({]|^\w+(:\w+)*$|^\w*_\w+ ", RegexOptions.ExplicitCapture)]
    private static partial Regex Query { get; }

    [GeneratedRegex("^aws [a-z-]+ (update|register|start|put|create|delete|reset|batch-stop)-", RegexOptions.ExplicitCapture)]
    private static partial Regex Change { get; }

    // Of the alert's job, bucket or table; CollectorFailing is of many accounts.
    [GeneratedRegex("^aws .*(JOB|BUCKET|TABLE)( |$)", RegexOptions.ExplicitCapture)]
    private static partial Regex AboutOne { get; }

    // Placeholders for numbers, which the AWS CLI reads before it prints a skeleton.
    [GeneratedRegex(@"\b(READ|WRITE|MAX|WORKERS)\b", RegexOptions.ExplicitCapture)]
    private static partial Regex Number { get; }

    [GeneratedRegex(@"('[^']*'|[^\s'])+")]
    private static partial Regex Word { get; }
}
