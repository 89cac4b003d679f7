using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace PipelineExporter.Simulator.Aws;

/// <summary>
/// The input of a query request: a form whose names are paths, such as <c>Dimensions.member.1.Name</c>. Seen from one place in it,
/// so that an element of a list reads like a request of its own.
/// </summary>
internal sealed class QueryParameters(IFormCollection form, string prefix = "")
{
    public string? Text(string name) => form[prefix + name] is [var value] ? value : null;

    /// <exception cref="AwsException">The value is no number.</exception>
    public int? Integer(string name) => Text(name) is not { } text ? null
        : int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number
        : throw Malformed(text, name, "an integer");

    /// <exception cref="AwsException">The value is no ISO 8601 instant.</exception>
    public DateTimeOffset? Instant(string name) => Text(name) is not { } text ? null
        : DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var instant) ? instant
        : throw Malformed(text, name, "a timestamp");

    public bool? Boolean(string name) => Text(name) is { } text ? text.Equals("true", StringComparison.OrdinalIgnoreCase) : null;

    public QueryParameters? Structure(string name) =>
        form.Keys.Any(key => key.StartsWith($"{prefix}{name}.", StringComparison.Ordinal))
            ? new QueryParameters(form, $"{prefix}{name}.")
            : null;

    /// <summary>The elements of a list, in the order of their numbers; null where the list was not sent.</summary>
    public List<QueryParameters>? List(string name)
    {
        var start = $"{prefix}{name}.member.";
        var numbers = form.Keys
            .Where(key => key.StartsWith(start, StringComparison.Ordinal))
            .Select(key => key[start.Length..].Split('.')[0])
            .Where(number => number.All(char.IsAsciiDigit))
            .Distinct()
            .OrderBy(number => number.Length).ThenBy(number => number)
            .Select(number => new QueryParameters(form, $"{start}{number}."))
            .ToList();
        return numbers.Count == 0 ? null : numbers;
    }

    AwsException Malformed(string text, string name, string kind) =>
        new("MalformedInput", $"'{text}' at '{prefix}{name}' is not {kind}");
}
