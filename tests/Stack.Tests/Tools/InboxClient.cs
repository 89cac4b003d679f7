using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace PipelineExporter.Stack.Tests.Tools;

/// <summary>Reads the simulator's mail and Slack inboxes.</summary>
internal sealed class InboxClient(Uri simulator) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private readonly HttpClient http = new() { BaseAddress = simulator };

    public async Task<IReadOnlyList<ReceivedMail>> MailAsync() =>
        await http.GetFromJsonAsync<List<ReceivedMail>>("/simulator/inbox/mail", Json, TestContext.Current.CancellationToken) ?? [];

    public async Task<IReadOnlyList<ReceivedSlackMessage>> SlackAsync() =>
        await http.GetFromJsonAsync<List<ReceivedSlackMessage>>("/simulator/inbox/slack", Json, TestContext.Current.CancellationToken) ?? [];

    /// <summary>The first mail that fits; the test fails when none has arrived after <paramref name="patience"/> (30 s).</summary>
    public Task<ReceivedMail> WaitForMailAsync(Func<ReceivedMail, bool> fits, TimeSpan? patience = null) =>
        WaitAsync(MailAsync, fits, mail => mail.Subject, patience ?? Patience);

    /// <summary>The first message that fits; the test fails when none has arrived after <paramref name="patience"/> (30 s).</summary>
    public Task<ReceivedSlackMessage> WaitForSlackAsync(Func<ReceivedSlackMessage, bool> fits, TimeSpan? patience = null) =>
        WaitAsync(SlackAsync, fits, message => message.Attachment.Title, patience ?? Patience);

    public void Dispose() => http.Dispose();

    private static async Task<T> WaitAsync<T>(Func<Task<IReadOnlyList<T>>> read, Func<T, bool> fits, Func<T, string> title, TimeSpan patience)
        where T : class
    {
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var all = await read();
            if (all.FirstOrDefault(fits) is { } found)
                return found;
            if (TimeProvider.System.GetElapsedTime(started) > patience)
                Assert.Fail($"Not received within {patience}. What was:\n{string.Join('\n', all.Select(title))}");
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, TestContext.Current.CancellationToken);
        }
    }
}

/// <param name="Text">The body of type text/plain.</param>
/// <param name="Html">The body of type text/html.</param>
internal sealed record ReceivedMail(string Subject, IReadOnlyList<ReceivedHeader> Headers, string? Text, string? Html)
{
    public IEnumerable<string> Header(string name) =>
        Headers.Where(header => header.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(header => header.Value);
}

internal sealed record ReceivedHeader(string Name, string Value);

internal sealed record ReceivedSlackMessage(SlackPayload Payload)
{
    /// <summary>Alertmanager sends one.</summary>
    [JsonIgnore]
    public SlackAttachment Attachment => Payload.Attachments[0];
}

internal sealed record SlackPayload(string Channel, IReadOnlyList<SlackAttachment> Attachments);

internal sealed record SlackAttachment(string Title, string TitleLink, string Text, string Fallback, string Color, IReadOnlyList<string> MrkdwnIn);
