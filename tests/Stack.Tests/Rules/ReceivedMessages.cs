using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace PipelineExporter.Stack.Tests.Rules;

/// <summary>A mail, as the simulator's inbox gives it.</summary>
/// <param name="Text">The body of type text/plain.</param>
/// <param name="Html">The body of type text/html.</param>
internal sealed partial record ReceivedMail(string Subject, IReadOnlyList<ReceivedHeader> Headers, string Text, string Html)
{
    public static ReceivedMail Read(JsonElement mail) => mail.Deserialize<ReceivedMail>(Inbox.Json)!;

    public IEnumerable<string> Header(string name) =>
        Headers.Where(header => header.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(header => header.Value);

    public IEnumerable<string> HtmlLinks() => Href.Matches(Html).Select(match => WebUtility.HtmlDecode(match.Groups["url"].Value));

    /// <summary>What a reader sees of the HTML, piece by piece.</summary>
    public IReadOnlyList<string> HtmlTexts() =>
        [.. HtmlText.Matches(Html).Select(match => WebUtility.HtmlDecode(match.Groups["text"].Value).Trim())];

    [GeneratedRegex("href=\"(?<url>[^\"]*)\"", RegexOptions.ExplicitCapture)]
    private static partial Regex Href { get; }

    [GeneratedRegex(">(?<text>[^<]+)<", RegexOptions.ExplicitCapture)]
    private static partial Regex HtmlText { get; }
}

internal sealed record ReceivedHeader(string Name, string Value);

/// <summary>A Slack message as Alertmanager sends it: a channel and one attachment.</summary>
internal sealed record ReceivedSlackMessage(string Channel, IReadOnlyList<SlackAttachment> Attachments)
{
    public SlackAttachment Attachment => Assert.Single(Attachments);

    public static ReceivedSlackMessage Read(JsonElement message) => message.GetProperty("payload").Deserialize<ReceivedSlackMessage>(Inbox.Json)!;
}

internal sealed partial record SlackAttachment(
    string Title, string TitleLink, string Text, string Fallback, string Color, IReadOnlyList<string> MrkdwnIn)
{
    public IReadOnlyList<(string Url, string Text)> Links() =>
        [.. Link.Matches(Text).Select(match => (match.Groups["url"].Value, match.Groups["text"].Value))];

    [GeneratedRegex("<(?<url>[^|>]+)[|](?<text>[^>]+)>", RegexOptions.ExplicitCapture)]
    private static partial Regex Link { get; }
}

file static class Inbox
{
    public static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };
}
