using System.Globalization;
using System.Text.RegularExpressions;

namespace PipelineExporter.Configuration;

/// <summary>
/// Durations as Prometheus writes them: units from large to small, each at most once, and a bare 0. A year has 365 days.
/// https://prometheus.io/docs/prometheus/latest/configuration/configuration/, placeholder "duration".
/// </summary>
internal static partial class PrometheusDuration
{
    private static readonly (string Unit, TimeSpan Length)[] Units =
    [
        ("y", TimeSpan.FromDays(365)), ("w", TimeSpan.FromDays(7)), ("d", TimeSpan.FromDays(1)), ("h", TimeSpan.FromHours(1)),
        ("m", TimeSpan.FromMinutes(1)), ("s", TimeSpan.FromSeconds(1)), ("ms", TimeSpan.FromMilliseconds(1)),
    ];

    public static TimeSpan Parse(string text) =>
        TryParse(text, out var value) ? value : throw new FormatException($"{Printable.Quoted(text)} is no duration");

    public static bool TryParse(string text, out TimeSpan value)
    {
        value = TimeSpan.Zero;
        var match = Shape().Match(text);
        if (!match.Success || text.Length == 0)
        {
            return false;
        }

        var total = 0m;
        foreach (var (unit, length) in Units)
        {
            if (match.Groups[unit] is { Success: true } group)
            {
                total += decimal.Parse(group.ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture) * length.Ticks;
            }
        }

        if (total > long.MaxValue)
        {
            return false;
        }

        value = new TimeSpan((long)total);
        return true;
    }

    // Twelve digits a unit: enough for any duration, and no number that a decimal could not hold.
    [GeneratedRegex("""
        \A(?:0|
        (?:(?<y>[0-9]{1,12})y)?(?:(?<w>[0-9]{1,12})w)?(?:(?<d>[0-9]{1,12})d)?(?:(?<h>[0-9]{1,12})h)?
        (?:(?<m>[0-9]{1,12})m)?(?:(?<s>[0-9]{1,12})s)?(?:(?<ms>[0-9]{1,12})ms)?)\z
        """, RegexOptions.IgnorePatternWhitespace | RegexOptions.ExplicitCapture)]
    private static partial Regex Shape();
}
