using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using PipelineExporter.Simulator;
using PipelineExporter.Stack.Tests.EndToEnd;
using PipelineExporter.Stack.Tests.Tools;

namespace PipelineExporter.Stack.Tests.Rules;

/// <summary>
/// A real Alertmanager with the shipped configuration and templates; only addresses are replaced, and waits are shortened. Its
/// mail and Slack messages arrive in the simulator's inboxes.
/// </summary>
public sealed partial class AlertmanagerFixture : IAsyncLifetime
{
    public const string ExternalUrl = "http://alertmanager.example.com";

    private readonly TemporaryDirectory folder = new();
    private readonly HttpClient http = new();
    private SimulatorHost? simulator;
    private RunningProcess? alertmanager;
    private SimulatorClient? inbox;

    private static TimeSpan Patience { get; } = TimeSpan.FromSeconds(30);

    /// <summary>Host and port.</summary>
    public string Authority => http.BaseAddress!.Authority;

    public async ValueTask InitializeAsync()
    {
        simulator = await SimulatorHost.StartAsync(
            new SimulatorOptions { ListenAddress = "127.0.0.1:0", SmtpListenAddress = "127.0.0.1:0" }, TestContext.Current.CancellationToken);
        inbox = new SimulatorClient(simulator.Address);
        var configuration = Path.Combine(folder.CopyOf(Repository.File("prometheus", "alertmanager")), "alertmanager.yml");
        var text = await File.ReadAllTextAsync(configuration, TestContext.Current.CancellationToken);
        text = text
            .Replace("simulator:9896", simulator.SmtpEndpoint!.ToString(), StringComparison.Ordinal)
            .Replace("simulator:9895", simulator.Address.Authority, StringComparison.Ordinal);
        // The one long wait stays the longer one, and the others long enough for alerts that are posted together.
        text = GroupWait.Replace(text, match => match.Value == "group_wait: 2m" ? "group_wait: 2s" : "group_wait: 1s");
        text = GroupInterval.Replace(text, "group_interval: 1s");
        await File.WriteAllTextAsync(configuration, text, TestContext.Current.CancellationToken);

        http.BaseAddress = new Uri($"http://127.0.0.1:{Port.Free()}");
        alertmanager = await RunningProcess.StartAsync(
            "prometheus-alertmanager",
            [
                $"--config.file={configuration}", $"--storage.path={folder.File("storage")}", $"--web.listen-address={http.BaseAddress.Authority}",
                $"--web.external-url={ExternalUrl}", "--web.route-prefix=/", "--cluster.listen-address=",
            ],
            new Uri(http.BaseAddress, "/-/ready"));
    }

    /// <summary>Posts alerts as Prometheus does.</summary>
    public async Task PostAsync(params IReadOnlyList<PostedAlert> alerts)
    {
        using var response = await http.PostAsJsonAsync(
            "/api/v2/alerts", alerts, JsonSerializerOptions.Web, TestContext.Current.CancellationToken);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    /// <summary>The first mail with such a subject.</summary>
    internal async Task<ReceivedMail> MailAsync(Func<string, bool> subject) => ReceivedMail.Read(
        await inbox!.MailAsync(mail => subject(ReceivedMail.Read(mail).Subject), Patience, () => alertmanager!.Output));

    /// <summary>The first Slack message with such a title.</summary>
    internal async Task<ReceivedSlackMessage> SlackAsync(Func<string, bool> title) => ReceivedSlackMessage.Read(
        await inbox!.SlackAsync(message => title(ReceivedSlackMessage.Read(message).Attachment.Title), Patience, () => alertmanager!.Output));

    /// <summary>The subjects of all mails and the titles of all Slack messages so far.</summary>
    public async Task<IReadOnlyList<string>> TitlesAsync() =>
    [
        .. (await inbox!.AllAsync("mail")).Select(mail => ReceivedMail.Read(mail).Subject),
        .. (await inbox.AllAsync("slack")).Select(message => ReceivedSlackMessage.Read(message).Attachment.Title),
    ];

    /// <summary>The alerts that Alertmanager holds and that all matchers fit, such as <c>dag_id="d"</c>.</summary>
    public async Task<JsonArray> QueryAsync(params IReadOnlyList<string> matchers)
    {
        var query = string.Join('&', matchers.Select(matcher => $"filter={Uri.EscapeDataString(matcher)}"));
        var alerts = await http.GetFromJsonAsync<JsonArray>($"/api/v2/alerts?{query}", TestContext.Current.CancellationToken);
        return alerts!;
    }

    /// <summary>The alert that the matcher fits, once it has been received.</summary>
    public async Task<JsonNode> WaitForAlertAsync(string matcher)
    {
        var started = TimeProvider.System.GetTimestamp();
        JsonArray alerts;
        while ((alerts = await QueryAsync(matcher)).Count == 0)
        {
            if (TimeProvider.System.GetElapsedTime(started) > Patience)
                Assert.Fail($"No alert {matcher} within {Patience}.\n{alertmanager!.Output}");
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, TestContext.Current.CancellationToken);
        }

        return Assert.Single(alerts)!;
    }

    public async ValueTask DisposeAsync()
    {
        if (alertmanager is not null)
            await alertmanager.DisposeAsync();
        if (simulator is not null)
            await simulator.DisposeAsync();
        inbox?.Dispose();
        http.Dispose();
        folder.Dispose();
    }

    [GeneratedRegex("group_wait: [0-9a-z]+", RegexOptions.ExplicitCapture)]
    private static partial Regex GroupWait { get; }

    [GeneratedRegex("group_interval: [0-9a-z]+", RegexOptions.ExplicitCapture)]
    private static partial Regex GroupInterval { get; }
}

public sealed record PostedAlert(
    IReadOnlyDictionary<string, string> Labels,
    IReadOnlyDictionary<string, string> Annotations,
    DateTimeOffset StartsAt,
    DateTimeOffset EndsAt)
{
    /// <summary>The alert as one that waits for others of its group. Alertmanager sends at once what began long ago, alone if it comes first.</summary>
    public PostedAlert BeganNow() => this with { StartsAt = TimeProvider.System.GetUtcNow() };
}
