using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;

namespace PipelineExporter.Configuration;

/// <summary>The kinds of value that exporter.yml knows.</summary>
internal static partial class Values
{
    public static readonly ValueType<string> Text = new("text", "text", text =>
        text.Length is > 0 and <= 1024 && !text.Any(char.IsControl)
            ? text
            : throw new FormatException("expected one line of text of 1 to 1024 characters"));

    /// <summary>Becomes a label value and part of <c>source</c>, so it stays short and plain.</summary>
    public static readonly ValueType<string> Name = Matching("name", NamePattern(),
        "a name of at most 63 letters, digits, '.', '_' and '-' that begins with a letter or a digit");

    public static readonly ValueType<bool> Boolean = new("true or false", "true or false", text => text switch
    {
        "true" or "True" or "TRUE" => true,
        "false" or "False" or "FALSE" => false,
        _ => throw Refused(text, "true or false"),
    });

    /// <summary>Without user, query, fragment and closing slash.</summary>
    public static readonly ValueType<Uri> Url = new("URL", UrlExpected, ParseUrl);

    public static readonly ValueType<Pattern> Pattern = new("pattern", Configuration.Pattern.Expected, Configuration.Pattern.Parse);

    public static readonly ValueType<string> Region =
        Matching("region", RegionPattern(), "an AWS region such as eu-west-1");

    public static readonly ValueType<string> AccountId =
        Matching("account", AccountPattern(), "the 12 digits of an AWS account");

    public static readonly ValueType<string> RoleArn =
        Matching("ARN", RolePattern(), "the ARN of a role such as arn:aws:iam::123456789012:role/exporter");

    public static readonly ValueType<string> ExternalId =
        Matching("text", ExternalIdPattern(), "2 to 1224 letters, digits and any of +=,.@:/_-");

    public static readonly ValueType<string> LabelValue = new("text", "text", text =>
        text.Length is > 0 and <= 256 && !text.Any(char.IsControl)
            ? text
            : throw new FormatException("expected one line of text of 1 to 256 characters"));

    /// <summary>Not echoed: what stands here by mistake may be the secret itself.</summary>
    public static readonly ValueType<string> EnvironmentVariable = new("variable", EnvironmentExpected, text =>
        EnvironmentPattern().IsMatch(text) ? text : throw new FormatException($"expected {EnvironmentExpected}"));

    private const string UrlExpected = "an http or https URL such as https://airflow.example.com";
    private const string EnvironmentExpected = "the name of an environment variable: letters, digits and '_'";

    /// <summary>What <c>never</c> stands for: longer than any duration.</summary>
    public static readonly TimeSpan Never = TimeSpan.MaxValue;

    public static ValueType<TimeSpan> DurationOrNever(string least, string most)
    {
        var duration = Duration(least, most);
        return new(duration.Name, $"{duration.Expected}, or never", text => text == "never" ? Never : duration.Parse(text));
    }

    /// <summary>What <c>baseline</c> stands for: no duration.</summary>
    public static readonly TimeSpan Baseline = TimeSpan.MinValue;

    public static ValueType<TimeSpan> DurationOrBaselineOrNever(string least, string most)
    {
        var duration = DurationOrNever(least, most);
        return new(duration.Name, $"baseline, {duration.Expected}", text => text switch
        {
            "baseline" => Baseline,
            _ when text == "never" || PrometheusDuration.TryParse(text, out _) => duration.Parse(text),
            _ => throw Refused(text, "baseline, never, or a duration such as 30s, 1h30m or 35d"),
        });
    }

    /// <summary>One word of several.</summary>
    public static ValueType<string> OneOf(params string[] words) => new("word", $"one of {string.Join(", ", words)}", text =>
        words.Contains(text) ? text : throw new FormatException($"expected one of {string.Join(", ", words)}, found {Printable.Quoted(text)}{Suggestion.Hint(text, words)}"));

    public static ValueType<TimeSpan> Duration(string least, string most)
    {
        var (min, max) = (PrometheusDuration.Parse(least), PrometheusDuration.Parse(most));
        return new("duration", $"a duration from {least} to {most}", text =>
        {
            var value = PrometheusDuration.TryParse(text, out var parsed)
                ? parsed
                : throw Refused(text, "a duration such as 30s, 1h30m or 35d");
            return value >= min && value <= max ? value : throw Refused(text, $"a duration from {least} to {most}");
        });
    }

    public static ValueType<int> Integer(int least, int most) => new("number", $"a whole number from {least} to {most}", text =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most
            ? value
            : throw Refused(text, $"a whole number from {least} to {most}"));

    /// <returns>Infinity for never.</returns>
    public static ValueType<double> CountOrNever(int least, int most)
    {
        var count = Integer(least, most);
        return new(count.Name, $"{count.Expected}, or never", text => text == "never" ? double.PositiveInfinity : count.Parse(text));
    }

    public static readonly ValueType<decimal> Usd = new("US dollars", "an amount of US dollars such as 2.50", text =>
        decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value) && value is > 0 and <= 1_000_000
            ? value
            : throw Refused(text, "an amount of US dollars above 0, such as 2.50"));

    /// <summary>A label of the configuration, next to which the source and its metrics put their own.</summary>
    /// <param name="identity">The labels that the source sets itself.</param>
    public static ValueType<string> LabelName(params string[] identity) =>
        new("label", "a label name: letters, digits and '_', not beginning with a digit", name => name switch
        {
            _ when !LabelPattern().IsMatch(name) =>
                throw Refused(name, "a label name: letters, digits and '_', not beginning with a digit"),
            _ when name.StartsWith("__", StringComparison.Ordinal) =>
                throw new FormatException("names that begin with '__' belong to Prometheus: choose another"),
            _ when identity.Contains(name) =>
                throw new FormatException($"is set by the source itself: choose another name than {string.Join(", ", identity)}"),
            _ when ReservedLabels.All.Contains(name) =>
                throw new FormatException("is a label of the metrics themselves: choose another name"),
            _ => name,
        });

    private static ValueType<string> Matching(string name, Regex pattern, string expected) =>
        new(name, expected, text => pattern.IsMatch(text) ? text : throw Refused(text, expected));

    private static FormatException Refused(string text, string expected) =>
        new($"expected {expected}, found {Printable.Quoted(text)}");

    private static Uri ParseUrl(string text)
    {
        // Even a malformed URL may hold a password, so what is before an @ is never shown.
        if (text.Contains('@', StringComparison.Ordinal))
        {
            throw new FormatException($"expected {UrlExpected}, without user and password");
        }

        // Checked as text too: the parser repairs spaces and backslashes, and takes "http:/x" for a URL.
        if (!UrlPattern().IsMatch(text) || !Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Host.Length == 0)
        {
            throw Refused(text, UrlExpected);
        }

        return url.Query.Length == 0 && url.Fragment.Length == 0 && !text.EndsWith('?') && !text.EndsWith('#')
            ? new Uri(url.AbsoluteUri.TrimEnd('/'))
            : throw new FormatException($"expected {UrlExpected}, without query and fragment");
    }

    /// <summary>What is sent there does not leave this machine.</summary>
    public static bool IsLoopback(Uri url) =>
        url.Host == "localhost" || url.Host.EndsWith(".localhost", StringComparison.Ordinal)
        || (IPAddress.TryParse(url.Host, out var address) && IPAddress.IsLoopback(address));

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._-]{0,62}\z")]
    private static partial Regex NamePattern();

    [GeneratedRegex(@"\A(?i:https?)://[^\s/\\?#][^\s\\]*\z")]
    private static partial Regex UrlPattern();

    [GeneratedRegex(@"\A[a-z]{2,4}(-[a-z]+)+-[0-9]\z")]
    private static partial Regex RegionPattern();

    [GeneratedRegex(@"\A[0-9]{12}\z")]
    private static partial Regex AccountPattern();

    [GeneratedRegex(@"\Aarn:aws[a-z-]*:iam::[0-9]{12}:role/[\x21-\x7e]{1,576}\z")]
    private static partial Regex RolePattern();

    [GeneratedRegex(@"\A[A-Za-z0-9+=,.@:/_-]{2,1224}\z")]
    private static partial Regex ExternalIdPattern();

    [GeneratedRegex(@"\A[A-Za-z_][A-Za-z0-9_]*\z")]
    private static partial Regex LabelPattern();

    [GeneratedRegex(@"\A[A-Za-z_][A-Za-z0-9_]*\z")]
    private static partial Regex EnvironmentPattern();
}
