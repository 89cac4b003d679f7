using System.Text;
using System.Text.Json.Serialization;
using MimeKit;

namespace PipelineExporter.Simulator.Inbox;

/// <summary>A mail as it was delivered.</summary>
/// <param name="Subject">Decoded, as the header is in <paramref name="Headers"/>.</param>
/// <param name="Text">The text/plain body; null where there is none.</param>
/// <param name="Html">The text/html body; null where there is none.</param>
/// <param name="Raw">The message as it came, dots unstuffed.</param>
internal sealed record Mail(
    int Id,
    DateTimeOffset ReceivedAt,
    MailEnvelope Envelope,
    string Subject,
    IReadOnlyList<MailHeader> Headers,
    string? Text,
    string? Html,
    string Raw)
{
    /// <summary>Bytes held, about.</summary>
    [JsonIgnore]
    public long Size => 2L * (Raw.Length + (Text?.Length ?? 0) + (Html?.Length ?? 0));

    /// <exception cref="FormatException">The bytes are no MIME message.</exception>
    public static Mail Parse(MailEnvelope envelope, byte[] raw, DateTimeOffset receivedAt)
    {
        using var stream = new MemoryStream(raw, writable: false);
        using var message = MimeMessage.Load(stream);
        return new Mail(
            Id: 0,
            receivedAt,
            envelope,
            message.Subject ?? "",
            [.. message.Headers.Concat(message.Body?.Headers ?? []).Select(header => new MailHeader(header.Field, header.Value))],
            message.TextBody,
            message.HtmlBody,
            Encoding.UTF8.GetString(raw));
    }

    public string? Header(string name) =>
        Headers.FirstOrDefault(header => header.Name.Equals(name, StringComparison.OrdinalIgnoreCase))?.Value;
}

/// <summary>What MAIL and RCPT said, whatever the headers say.</summary>
internal sealed record MailEnvelope(string From, IReadOnlyList<string> To);

internal sealed record MailHeader(string Name, string Value);
