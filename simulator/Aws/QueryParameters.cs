using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace PipelineExporter.Simulator.Aws;

/// <summary>
/// The input of a query request: a form whose names are paths, such as <c>Dimensions.member.1.Name</c>. Seen from one place in it,
/// so that an element of a list reads like a request of its own.
/// </summary>
internal sealed class QueryParameters
{
    readonly string path;
    readonly Dictionary<string, QueryParameters> parts = [];
    string? value;

    public QueryParameters(IFormCollection form)
        : this("")
    {
        foreach (var (name, values) in form)
        {
            var place = this;
            foreach (var part in name.Split('.'))
            {
                if (!place.parts.TryGetValue(part, out var next))
                    place.parts.Add(part, next = new($"{place.path}{part}."));
                place = next;
            }
            place.value = values is [var single] ? single : null;
        }
    }

    QueryParameters(string path) => this.path = path;

    public string? Text(string name) => parts.GetValueOrDefault(name)?.value;

    /// <exception cref="AwsException">The value is no number.</exception>
    public int? Integer(string name) => Text(name) is not { } text ? null
        : int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number
        : throw Malformed(text, name, "an integer");

    /// <exception cref="AwsException">The value is no ISO 8601 instant.</exception>
    public DateTimeOffset? Instant(string name) => Text(name) is not { } text ? null
        : DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var instant) ? instant
        : throw Malformed(text, name, "a timestamp");

    public bool? Boolean(string name) => Text(name) is { } text ? text.Equals("true", StringComparison.OrdinalIgnoreCase) : null;

    public QueryParameters? Structure(string name) => parts.GetValueOrDefault(name) is { parts.Count: > 0 } structure ? structure : null;

    /// <summary>The elements of a list, in the order of their numbers; null where the list was not sent.</summary>
    public List<QueryParameters>? List(string name) => Structure(name)?.Structure("member")?.Elements() is { Count: > 0 } elements ? elements : null;

    List<QueryParameters> Elements() => [.. parts
        .Where(part => part.Key.All(char.IsAsciiDigit))
        .OrderBy(part => part.Key.Length).ThenBy(part => part.Key, StringComparer.Ordinal)
        .Select(part => part.Value)];

    AwsException Malformed(string text, string name, string kind) =>
        new("MalformedInput", $"'{text}' at '{path}{name}' is not {kind}");
}
