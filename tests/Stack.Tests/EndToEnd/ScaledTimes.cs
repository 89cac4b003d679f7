using System.Globalization;
using System.Text.RegularExpressions;

namespace PipelineExporter.Stack.Tests.EndToEnd;

/// <summary>
/// Divides each duration in the shipped configuration by sixty, so that an hour's window passes in a minute: intervals, rule
/// windows, keep_firing_for, group waits, and the exporter's polls. Nothing becomes shorter than a second.
/// </summary>
internal static partial class ScaledTimes
{
    public static string Edit(string path, string text) =>
        path.EndsWith(".yml", StringComparison.Ordinal) ? Duration().Replace(text, Scale) : text;

    private static string Scale(Match match)
    {
        var unit = match.Groups["unit"].Value switch { "s" => 1, "m" => 60, "h" => 3600, _ => 86400 };
        var seconds = int.Parse(match.Groups["number"].Value, CultureInfo.InvariantCulture) * unit;
        return seconds == 0 ? "0s" : $"{Math.Max(1, seconds / 60)}s";
    }

    [GeneratedRegex(@"(?<![\w.])(?<number>\d+)(?<unit>[smhd])(?!\w)", RegexOptions.ExplicitCapture)]
    private static partial Regex Duration();
}
