using System.Text.RegularExpressions;

namespace PipelineExporter.Simulator.Tests.Control;

/// <summary>The shipped rules still say what <see cref="AwsConditions"/> looks at: who changes one changes the other.</summary>
public sealed partial class AwsConditionsTests
{
    [Theory]
    [InlineData("GlueJobSlow", "1", "1h")]
    [InlineData("GlueJobFailed", "1", "1h")]
    [InlineData("GlueQueueWait", "1800", "")]
    [InlineData("GlueHeapHigh", "0.9, 0", "5m, 5m")]
    [InlineData("GlueExecutorsStarved", "2, 0", "5m, 5m, 5m")]
    [InlineData("S3ErrorRate", "50, 0.01, 50, 0.2", "10m, 10m")]
    [InlineData("S3Latency", "1, 50", "5m, 5m, 9m")]
    [InlineData("DynamoDBThrottling", "0, 10", "10m, 5m, 10m")]
    [InlineData("DynamoDBLatency", "0.1, 10", "5m, 1h, 9m")]
    [InlineData("DynamoDBErrors", "10", "10m")]
    public void The_rule_has_these_thresholds_and_windows(string alert, string thresholds, string windows)
    {
        var expression = ExpressionOf(alert);

        Assert.Equal(thresholds, string.Join(", ", Threshold().Matches(expression).Select(match => match.Value)));
        Assert.Equal(windows, string.Join(", ", Range().Matches(expression).Select(match => match.Groups[1].Value)));
    }

    [Fact]
    public void No_other_rule_is_about_Glue_S3_or_DynamoDB() => Assert.Equal(
        typeof(AwsConditionsTests).GetMethod(nameof(The_rule_has_these_thresholds_and_windows))!.GetCustomAttributes(typeof(InlineDataAttribute), false)
            .Select(data => (string)((InlineDataAttribute)data).Data[0]!).Order(StringComparer.Ordinal),
        Rules().SelectMany(rules => Alert().Matches(rules).Select(match => match.Groups["name"].Value)).Order(StringComparer.Ordinal));

    static string ExpressionOf(string alert) =>
        Rules().SelectMany(rules => Alert().Matches(rules)).Single(match => match.Groups["name"].Value == alert).Groups["expr"].Value;

    static IEnumerable<string> Rules() =>
        new[] { "glue", "s3", "dynamodb" }.Select(family => File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Rules", $"{family}.rules.yml")));

    [GeneratedRegex(@"- alert: (?<name>\w+)\n\s+expr: \|\n(?<expr>.*?)\n        (for|keep_firing_for):", RegexOptions.Singleline | RegexOptions.ExplicitCapture)]
    private static partial Regex Alert();

    [GeneratedRegex(@"(?<=> |>= |\+ )[\d.]+|[\d.]+(?= \* )")]
    private static partial Regex Threshold();

    [GeneratedRegex(@"\[(\d+[smhd])(?::\d+[smhd])?\]")]
    private static partial Regex Range();
}
