using System.Text;
using System.Text.Json;

namespace PipelineExporter.Simulator.Inbox;

/// <summary>A Slack message as its channel would show it: text, blocks, and attachments with their colour, fields and buttons.</summary>
internal static class SlackHtml
{
    public static string Render(SlackMessage message)
    {
        var payload = message.Payload;
        var html = new StringBuilder()
            .Append($"""<div class="message" id="slack-{message.Id}"><b>{Html.Encode(Text(payload, "channel") ?? message.Path)}</b> """)
            .Append($"{Html.Encode(Text(payload, "username"))} {Html.Time(message.ReceivedAt)}");
        Append(html, "div", Text(payload, "text"));
        foreach (var block in Items(payload, "blocks"))
            html.Append(Block(block));
        foreach (var attachment in Items(payload, "attachments"))
            html.Append(Attachment(attachment));
        return html.Append("</div>\n").ToString();
    }

    static string Attachment(JsonElement attachment)
    {
        var color = Text(attachment, "color");
        var html = new StringBuilder($"""<div class="attachment {(color is "good" or "warning" or "danger" ? color : "")}">""");
        Append(html, "div", Text(attachment, "pretext"));
        if (Text(attachment, "title") is { Length: > 0 } title)
            html.Append(Html.Link(Text(attachment, "title_link")) is { } href
                ? $"""<div><a href="{href}" rel="noreferrer"><b>{SlackText.ToHtml(title)}</b></a></div>"""
                : $"<div><b>{SlackText.ToHtml(title)}</b></div>");
        Append(html, "div", Text(attachment, "text"));
        Fields(html, attachment);
        foreach (var block in Items(attachment, "blocks"))
            html.Append(Block(block));
        foreach (var action in Items(attachment, "actions"))
            html.Append(Button(Text(action, "text"), Text(action, "url")));
        Append(html, "div", Text(attachment, "footer"));
        return html.Append("</div>").ToString();
    }

    static void Fields(StringBuilder html, JsonElement attachment)
    {
        html.Append("""<div class="fields">""");
        foreach (var field in Items(attachment, "fields"))
            html.Append($"<div><b>{Html.Encode(Text(field, "title"))}</b><br>{SlackText.ToHtml(Text(field, "value") ?? "")}</div>");
        html.Append("</div>");
    }

    static string Block(JsonElement block)
    {
        var html = new StringBuilder();
        switch (Text(block, "type"))
        {
            case "divider":
                return "<hr>";
            case "header":
                Append(html, "h3", BlockText(block));
                break;
            case "section":
                Append(html, "div", BlockText(block));
                foreach (var field in Items(block, "fields"))
                    Append(html, "div", Text(field, "text"));
                break;
            case "context":
                foreach (var element in Items(block, "elements"))
                    Append(html, "div", Text(element, "text"));
                break;
            case "actions":
                foreach (var element in Items(block, "elements"))
                    html.Append(Button(BlockText(element), Text(element, "url")));
                break;
            case var other:
                html.Append($"<div>[{Html.Encode(other)}]</div>");
                break;
        }
        return html.ToString();
    }

    static string Button(string? text, string? url) => Html.Link(url) is { } href
        ? $"""<a class="button" href="{href}" rel="noreferrer">{Html.Encode(text)}</a>"""
        : $"""<span class="button">{Html.Encode(text)}</span>""";

    static void Append(StringBuilder html, string element, string? text)
    {
        if (!string.IsNullOrEmpty(text))
            html.Append($"<{element}>{SlackText.ToHtml(text)}</{element}>");
    }

    static string? BlockText(JsonElement block) =>
        block.ValueKind == JsonValueKind.Object && block.TryGetProperty("text", out var text) ? Text(text, "text") : null;

    static string? Text(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : null;

    static IEnumerable<JsonElement> Items(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var list) && list.ValueKind == JsonValueKind.Array
            ? list.EnumerateArray()
            : [];
}
