using System.Text.Json;

namespace PipelineExporter.Stack.Tests.EndToEnd;

/// <summary>Reads messages as the simulator's inboxes give them.</summary>
internal static class Messages
{
    public const string Dag = "music_streaming_validation";

    public static bool IsFiring(JsonElement mail) =>
        mail.GetProperty("subject").GetString()!.StartsWith("[FIRING] PipelineFailure", StringComparison.Ordinal);

    public static bool IsResolved(JsonElement mail) =>
        mail.GetProperty("subject").GetString()!.StartsWith("[RESOLVED] PipelineFailure", StringComparison.Ordinal);

    public static JsonElement SlackAttachment(this JsonElement message) =>
        Assert.Single(message.GetProperty("payload").GetProperty("attachments").EnumerateArray());

    public static string SlackTitle(this JsonElement message) => message.SlackAttachment().GetProperty("title").GetString()!;
}
