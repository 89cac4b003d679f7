using System.Text.Json;
using System.Text.Json.Serialization;

namespace PipelineExporter.Simulator.Inbox;

/// <summary>A message as it was posted to the webhook.</summary>
/// <param name="Path">The path it was posted to, which tells webhooks apart.</param>
internal sealed record SlackMessage(int Id, DateTimeOffset ReceivedAt, string Path, JsonElement Payload)
{
    /// <summary>Bytes held, about.</summary>
    [JsonIgnore]
    public long Size => Payload.GetRawText().Length;

    /// <summary>Why Slack would refuse this payload, in its own words; null when it would not.</summary>
    public static string? Refusal(JsonElement payload)
    {
        if (payload.ValueKind != JsonValueKind.Object)
            return "invalid_payload";
        var attachments = Items(payload, "attachments");
        if (attachments > 100)
            return "too_many_attachments";
        var hasText = payload.TryGetProperty("text", out var text) && text.ValueKind == JsonValueKind.String && text.GetString() != "";
        return hasText || attachments > 0 || Items(payload, "blocks") > 0 ? null : "no_text";
    }

    static int Items(JsonElement payload, string name) =>
        payload.TryGetProperty(name, out var list) && list.ValueKind == JsonValueKind.Array ? list.GetArrayLength() : 0;
}
