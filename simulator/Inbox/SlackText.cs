using System.Net;
using System.Text;
using System.Text.RegularExpressions;

namespace PipelineExporter.Simulator.Inbox;

/// <summary>Slack's mrkdwn as HTML: links, *bold*, _italic_, ~strike~, `code`, ```blocks```; everything else is text.</summary>
/// <remarks>Slack knows three entities, &amp;amp; &amp;lt; &amp;gt;, and takes what stands between &lt; and &gt; for a link.</remarks>
internal static partial class SlackText
{
    public static string ToHtml(string text)
    {
        var html = new StringBuilder();
        var end = 0;
        foreach (Match token in Token().Matches(text))
        {
            html.Append(Format(text[end..token.Index]));
            html.Append(token.Groups["code"] is { Success: true } code ? $"<pre>{Plain(code.Value.Trim('\n'))}</pre>"
                : token.Groups["inline"] is { Success: true } inline ? $"<code>{Plain(inline.Value)}</code>"
                : Link(token.Groups["link"].Value));
            end = token.Index + token.Length;
        }
        return html.Append(Format(text[end..])).ToString();
    }

    static string Link(string link)
    {
        var (target, label) = link.Split('|', 2) is [var url, var name] ? (url, name) : (link, link);
        if (Html.Link(Decode(target)) is { } href)
            return $"""<a href="{href}" rel="noreferrer">{Plain(label)}</a>""";
        return target.StartsWith('!') ? $"<b>@{Plain(target[1..])}</b>" : Plain($"<{link}>");
    }

    static string Format(string text)
    {
        var html = Plain(text);
        html = Bold().Replace(html, "<b>${text}</b>");
        html = Italic().Replace(html, "<i>${text}</i>");
        html = Strike().Replace(html, "<s>${text}</s>");
        return html.Replace("\n", "<br>\n", StringComparison.Ordinal);
    }

    static string Plain(string text) => Html.Encode(Decode(text)).Replace("&#xA;", "\n", StringComparison.Ordinal);

    static string Decode(string text) => WebUtility.HtmlDecode(text);

    [GeneratedRegex(@"```(?<code>.+?)```|`(?<inline>[^`\n]+)`|<(?<link>[^<>\n]+)>", RegexOptions.Singleline | RegexOptions.ExplicitCapture)]
    private static partial Regex Token();

    [GeneratedRegex(@"(?<![\w*])\*(?<text>[^*\n]+)\*(?![\w*])", RegexOptions.ExplicitCapture)]
    private static partial Regex Bold();

    [GeneratedRegex(@"(?<![\w_])_(?<text>[^_\n]+)_(?![\w_])", RegexOptions.ExplicitCapture)]
    private static partial Regex Italic();

    [GeneratedRegex(@"(?<![\w~])~(?<text>[^~\n]+)~(?![\w~])", RegexOptions.ExplicitCapture)]
    private static partial Regex Strike();
}
