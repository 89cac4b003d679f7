using System.Net.Http.Json;
using System.Text.Json;

namespace PipelineExporter.Stack.Tests.EndToEnd;

/// <summary>Talks to a running simulator: incidents, and what arrived in its inboxes.</summary>
internal sealed class SimulatorClient(Uri address) : IDisposable
{
    private readonly HttpClient http = new() { BaseAddress = address };

    public async Task StartIncidentAsync(string name) =>
        (await http.PostAsync("simulator/incidents", JsonContent.Create(new { name }))).EnsureSuccessStatusCode();

    public async Task EndIncidentAsync(string name) => (await http.DeleteAsync($"simulator/incidents/{name}")).EnsureSuccessStatusCode();

    /// <summary>The first mail that <paramref name="wanted"/> accepts, as the simulator's JSON has it.</summary>
    public Task<JsonElement> MailAsync(Func<JsonElement, bool> wanted, TimeSpan patience, Func<string> explain) =>
        WaitAsync("simulator/inbox/mail", wanted, patience, explain);

    public Task<JsonElement> SlackAsync(Func<JsonElement, bool> wanted, TimeSpan patience, Func<string> explain) =>
        WaitAsync("simulator/inbox/slack", wanted, patience, explain);

    public async Task<IReadOnlyList<JsonElement>> AllAsync(string inbox) =>
        [.. (await http.GetFromJsonAsync<JsonElement>($"simulator/inbox/{inbox}")).EnumerateArray()];

    public void Dispose() => http.Dispose();

    private async Task<JsonElement> WaitAsync(string path, Func<JsonElement, bool> wanted, TimeSpan patience, Func<string> explain)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var messages = await http.GetFromJsonAsync<JsonElement>(path);
            foreach (var message in messages.EnumerateArray().Where(wanted))
                return message;
            if (TimeProvider.System.GetElapsedTime(started) > patience)
                Assert.Fail($"Nothing that was waited for arrived in {path} within {patience}.\nIn it: {messages}\n{explain()}");
            await Task.Delay(TimeSpan.FromMilliseconds(200), TestContext.Current.CancellationToken);
        }
    }
}
