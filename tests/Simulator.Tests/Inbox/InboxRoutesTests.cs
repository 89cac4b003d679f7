using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using MailKit.Net.Smtp;
using MailKit.Security;
using MimeKit;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Simulator.Control;

namespace PipelineExporter.Simulator.Tests.Inbox;

public sealed class InboxRoutesTests : IAsyncLifetime
{
    readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 11, 23, 12, 0, 0, TimeSpan.Zero));
    SimulatorHost simulator = null!;
    HttpClient http = null!;

    static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        simulator = await SimulatorHost.StartAsync(
            new SimulatorOptions { ListenAddress = "127.0.0.1:0", SmtpListenAddress = "127.0.0.1:0", Time = time }, Ct);
        http = new HttpClient { BaseAddress = simulator.Address };
    }

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await simulator.DisposeAsync();
    }

    [Theory]
    [InlineData("/simulator/slack")]
    [InlineData("/simulator/slack/services/T1/B2/secret")]
    public async Task A_slack_message_is_kept_as_it_was_posted(string path)
    {
        const string Payload = """{"channel":"#data-pipeline-alerts","attachments":[{"title":"música ✓ <b>","color":"danger"}]}""";

        Assert.Equal((HttpStatusCode.OK, "ok"), await PostAsync(path, Payload));

        var message = Assert.Single((await GetAsync("/simulator/inbox/slack")).AsArray())!;
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(Payload), message["payload"]));
        Assert.Equal("2026-11-23T12:00:00+00:00", (string)message["received_at"]!);
        Assert.Equal(path, (string)message["path"]!);
        Assert.Equal(1, (int)message["id"]!);
    }

    [Fact]
    public async Task A_slack_message_may_come_as_a_form()
    {
        using var form = new FormUrlEncodedContent([new("payload", """{"text":"hello"}""")]);
        using var response = await http.PostAsync("/simulator/slack", form, Ct);

        Assert.Equal("ok", await response.Content.ReadAsStringAsync(Ct));
        Assert.Equal("hello", (string)(await GetAsync("/simulator/inbox/slack"))[0]!["payload"]!["text"]!);
    }

    [Theory]
    [InlineData("{\"text\":", "invalid_payload")]
    [InlineData("", "invalid_payload")]
    [InlineData("[]", "invalid_payload")]
    [InlineData("null", "invalid_payload")]
    [InlineData("{}", "no_text")]
    [InlineData("""{"text":"","attachments":[],"blocks":[]}""", "no_text")]
    [InlineData("""{"text":5}""", "no_text")]
    public async Task What_slack_refuses_is_refused_in_its_words(string payload, string word)
    {
        Assert.Equal((HttpStatusCode.BadRequest, word), await PostAsync("/simulator/slack", payload));
        Assert.Empty((await GetAsync("/simulator/inbox/slack")).AsArray());
    }

    [Fact]
    public async Task More_than_a_hundred_attachments_are_refused()
    {
        string Payload(int count) => $$"""{"attachments":[{{string.Join(',', Enumerable.Repeat("{}", count))}}]}""";

        Assert.Equal((HttpStatusCode.OK, "ok"), await PostAsync("/simulator/slack", Payload(100)));
        Assert.Equal((HttpStatusCode.BadRequest, "too_many_attachments"), await PostAsync("/simulator/slack", Payload(101)));
    }

    [Fact]
    public async Task A_payload_of_more_than_a_mebibyte_is_refused()
    {
        // Sent only when it is asked for: who still sends when the server hangs up may miss the answer.
        using var patient = new HttpClient(new SocketsHttpHandler { Expect100ContinueTimeout = TimeSpan.FromMinutes(2) });
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(simulator.Address, "/simulator/slack"));
        request.Headers.ExpectContinue = true;
        request.Content = new StringContent($$"""{"text":"{{new string('x', 1024 * 1024)}}"}""", Encoding.UTF8, "application/json");
        using var response = await patient.SendAsync(request, Ct);

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
    }

    [Fact]
    public async Task Mail_is_there_as_json_oldest_first()
    {
        await MailAsync("first ✓");
        time.Advance(TimeSpan.FromSeconds(30));
        await MailAsync("second");

        var mails = (await GetAsync("/simulator/inbox/mail")).AsArray();
        Assert.Equal(["first ✓", "second"], mails.Select(mail => (string)mail!["subject"]!));
        var mail = mails[1]!;
        Assert.Equal(2, (int)mail["id"]!);
        Assert.Equal("2026-11-23T12:00:30+00:00", (string)mail["received_at"]!);
        Assert.Equal("alerts@example.com", (string)mail["envelope"]!["from"]!);
        Assert.Equal("oncall@company.com", (string)Assert.Single(mail["envelope"]!["to"]!.AsArray())!);
        Assert.Equal("<p>html & <script>alert(1)</script></p>", (string)mail["html"]!);
        Assert.Equal("text", (string)mail["text"]!);
        Assert.Contains("Subject: second\r\n", (string)mail["raw"]!, StringComparison.Ordinal);
        Assert.Contains(mail["headers"]!.AsArray(), header => (string)header!["name"]! == "Subject" && (string)header["value"]! == "second");
    }

    [Fact]
    public async Task Each_inbox_is_cleared_alone()
    {
        await MailAsync("x");
        await PostAsync("/simulator/slack", """{"text":"x"}""");

        using var mail = await http.DeleteAsync("/simulator/inbox/mail", Ct);
        Assert.Equal(HttpStatusCode.NoContent, mail.StatusCode);
        Assert.Empty((await GetAsync("/simulator/inbox/mail")).AsArray());
        Assert.Single((await GetAsync("/simulator/inbox/slack")).AsArray());

        using var slack = await http.DeleteAsync("/simulator/inbox/slack", Ct);
        Assert.Equal(HttpStatusCode.NoContent, slack.StatusCode);
        Assert.Empty((await GetAsync("/simulator/inbox/slack")).AsArray());
    }

    [Fact]
    public async Task The_inbox_page_shows_both_and_escapes_names()
    {
        await MailAsync("<img src=x onerror=alert(1)>");
        await PostAsync("/simulator/slack", """{"text":"hi <script>alert(1)</script> &lt;b&gt;","channel":"#<i>"}""");

        var page = await http.GetStringAsync("/inbox", Ct);

        Assert.Contains("""<a href="/inbox/mail/1">&lt;img src=x onerror=alert(1)&gt;</a>""", page, StringComparison.Ordinal);
        Assert.Contains("hi &lt;script&gt;alert(1)&lt;/script&gt; &lt;b&gt;", page, StringComparison.Ordinal);
        Assert.Contains("<b>#&lt;i&gt;</b>", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<script>", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_mail_is_shown_as_text_and_in_a_frame_that_runs_nothing()
    {
        await MailAsync("x");

        var page = await http.GetStringAsync("/inbox/mail/1", Ct);
        Assert.Contains("""sandbox="allow-popups allow-popups-to-escape-sandbox" src="/inbox/mail/1.html" """.TrimEnd(), page, StringComparison.Ordinal);
        Assert.Contains("<pre>text</pre>", page, StringComparison.Ordinal);
        Assert.DoesNotContain("alert(1)", page, StringComparison.Ordinal);

        using var html = await http.GetAsync("/inbox/mail/1.html", Ct);
        Assert.Equal("""<base target="_blank"><p>html & <script>alert(1)</script></p>""", await html.Content.ReadAsStringAsync(Ct));
        var policy = Assert.Single(html.Headers.GetValues("Content-Security-Policy"));
        Assert.Contains("sandbox allow-popups", policy, StringComparison.Ordinal);
        Assert.Contains("default-src 'none'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("script", policy, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/inbox/mail/1")]
    [InlineData("/inbox/mail/1.html")]
    public async Task A_mail_that_is_gone_is_not_found(string path)
    {
        using var response = await http.GetAsync(path, Ct);

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    [Fact]
    public async Task The_index_page_says_where_everything_is_and_starts_incidents()
    {
        var page = await http.GetStringAsync("/", Ct);

        var origin = $"http://{simulator.Address.Authority}";
        Assert.All(
            [$"{origin}/airflow2", $"{origin}/airflow3", $"{origin}/simulator/slack", simulator.SmtpEndpoint!.ToString(), "dag_failure"],
            expected => Assert.Contains(expected, page, StringComparison.Ordinal));
        Assert.Contains("""data-method="POST" data-path="/simulator/incidents" data-body="{&quot;name&quot;: &quot;dag_failure&quot;}">Start""", page, StringComparison.Ordinal);

        Assert.All(IncidentKind.All, kind => Assert.Contains($"&quot;{kind.Name}&quot;}}\">Start", page, StringComparison.Ordinal));
        Assert.All(IncidentKind.All.Select(kind => kind.Area).Distinct(), area => Assert.Contains($"<th colspan=\"5\">{area}</th>", page, StringComparison.Ordinal));

        await PostAsync("/simulator/incidents", """{"name": "dag_failure"}""");
        Assert.Contains("""data-method="DELETE" data-path="/simulator/incidents/dag_failure">End""", await http.GetStringAsync("/", Ct), StringComparison.Ordinal);
    }

    async Task<(HttpStatusCode Status, string Body)> PostAsync(string path, string payload)
    {
        using var content = new StringContent(payload, Encoding.UTF8, "application/json");
        using var response = await http.PostAsync(path, content, Ct);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(Ct));
    }

    async Task<JsonNode> GetAsync(string path) => JsonNode.Parse(await http.GetStringAsync(path, Ct))!;

    async Task MailAsync(string subject)
    {
        var message = new MimeMessage { Subject = subject };
        message.From.Add(new MailboxAddress("", "alerts@example.com"));
        message.To.Add(new MailboxAddress("", "oncall@company.com"));
        message.Body = new BodyBuilder { TextBody = "text", HtmlBody = "<p>html & <script>alert(1)</script></p>" }.ToMessageBody();
        using var client = new SmtpClient();
        await client.ConnectAsync("127.0.0.1", simulator.SmtpEndpoint!.Port, SecureSocketOptions.None, Ct);
        await client.SendAsync(message, Ct);
        await client.DisconnectAsync(quit: true, Ct);
    }
}
