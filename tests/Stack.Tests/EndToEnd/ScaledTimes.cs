using System.Globalization;
using System.Text.RegularExpressions;

namespace PipelineExporter.Stack.Tests.EndToEnd;

/// <summary>
/// Divides each duration in the shipped configuration by sixty, so that an hour's window passes in a minute: intervals, rule
/// windows, keep_firing_for, group waits, and the exporter's polls. Nothing becomes shorter than a second.
/// </summary>
internal static partial class ScaledTimes
{
    public static string Edit(string path, string text)
    {
        if (!path.EndsWith(".yml", StringComparison.Ordinal))
            return text;
        if (Path.GetFileName(path) != "exporter.compose.yml")
            return Duration().Replace(text, Scale);

        // What it leaves to the defaults: polls every 30 s and 60 s, and new counters at 0 for 60 s.
        text = After(text, "  - environment: production\n", "    poll_interval: 1s\n");
        text = After(text, "  - region: eu-west-1\n", "    poll_interval: 1s\n");
        return $"{text}\nstate:\n  zero_hold: 1s\n";
    }

    private static string After(string text, string line, string added) =>
        text.Contains(line, StringComparison.Ordinal)
            ? text.Replace(line, line + added, StringComparison.Ordinal)
            : throw new InvalidOperationException($"The exporter's configuration has no line '{line.TrimEnd()}' to scale.");

    private static string Scale(Match match)
    {
        var unit = match.Groups["unit"].Value switch { "s" => 1, "m" => 60, "h" => 3600, _ => 86400 };
        var seconds = int.Parse(match.Groups["number"].Value, CultureInfo.InvariantCulture) * unit;
        return seconds == 0 ? "0s" : $"{Math.Max(1, seconds / 60)}s";
    }

    [GeneratedRegex(@"(?<![\w.])(?<number>\d+)(?<unit>[smhd])(?!\w)", RegexOptions.ExplicitCapture)]
    private static partial Regex Duration();
}
