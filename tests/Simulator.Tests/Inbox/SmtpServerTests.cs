using System.Net;
using System.Net.Sockets;
using System.Text;
using MailKit.Net.Smtp;
using MailKit.Security;
using Microsoft.Extensions.Time.Testing;
using MimeKit;
using PipelineExporter.Simulator.Inbox;

namespace PipelineExporter.Simulator.Tests.Inbox;

public sealed class SmtpServerTests : IAsyncDisposable
{
    static readonly DateTimeOffset Now = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);

    readonly Inbox<Mail> inbox = new(mail => mail.Size);
    readonly FakeTimeProvider time = new(Now);
    readonly SmtpServer server;

    public SmtpServerTests() => server = SmtpServer.Start(new IPEndPoint(IPAddress.Loopback, 0), inbox, time);

    public ValueTask DisposeAsync() => server.DisposeAsync();

    static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_mail_with_text_and_html_arrives_as_it_was_sent()
    {
        var message = new MimeMessage { Subject = "[FEUER] música_streaming ✓ <b>" };
        message.From.Add(new MailboxAddress("Alertmanager", "alerts@example.com"));
        message.To.Add(new MailboxAddress("On call", "oncall@company.com"));
        message.Headers.Add("X-Severity", "critical");
        message.Body = new BodyBuilder { TextBody = "First\r\n.\r\n..two dots\r\n.one dot\r\nLäst", HtmlBody = "<p>Hé</p>" }.ToMessageBody();

        await SendAsync(message);

        var mail = Assert.Single(inbox.All);
        Assert.Equal(1, mail.Id);
        Assert.Equal(Now, mail.ReceivedAt);
        Assert.Equal("alerts@example.com", mail.Envelope.From);
        Assert.Equal(["oncall@company.com"], mail.Envelope.To);
        Assert.Equal("[FEUER] música_streaming ✓ <b>", mail.Subject);
        Assert.Equal("First\n.\n..two dots\n.one dot\nLäst", mail.Text!.ReplaceLineEndings("\n"));
        Assert.Equal("<p>Hé</p>", mail.Html);
        Assert.Equal("critical", mail.Header("x-severity"));
        Assert.Equal("On call <oncall@company.com>", mail.Header("To"));
        Assert.StartsWith("multipart/alternative", mail.Header("Content-Type"), StringComparison.Ordinal);
        Assert.Contains("\r\n.\r\n..two dots\r\n.one dot\r\n", mail.Raw, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_envelope_names_all_recipients_the_header_does_not()
    {
        var message = new MimeMessage { Subject = "x" };
        message.To.Add(new MailboxAddress("", "a@example.com"));
        message.Body = new TextPart("plain") { Text = "hello" };
        using var client = new SmtpClient();
        await client.ConnectAsync("127.0.0.1", server.Endpoint.Port, SecureSocketOptions.None, Ct);
        await client.SendAsync(
            message, new MailboxAddress("", "s@example.com"), [new MailboxAddress("", "a@example.com"), new MailboxAddress("", "hidden@example.com")], Ct);
        await client.DisconnectAsync(quit: true, Ct);

        Assert.Equal(["a@example.com", "hidden@example.com"], Assert.Single(inbox.All).Envelope.To);
        Assert.Null(inbox.All[0].Html);
    }

    [Fact]
    public async Task Offers_pipelining_size_and_utf8_but_neither_auth_nor_tls()
    {
        using var client = new SmtpClient();
        await client.ConnectAsync("127.0.0.1", server.Endpoint.Port, SecureSocketOptions.None, Ct);

        Assert.Equal(
            SmtpCapabilities.Pipelining | SmtpCapabilities.Size | SmtpCapabilities.EightBitMime | SmtpCapabilities.UTF8, client.Capabilities);
        Assert.Equal(10u * 1024 * 1024, client.MaxSize);
        await client.DisconnectAsync(quit: true, Ct);
    }

    [Fact]
    public async Task Several_mails_go_over_one_connection()
    {
        using var client = new SmtpClient();
        await client.ConnectAsync("127.0.0.1", server.Endpoint.Port, SecureSocketOptions.None, Ct);
        for (var i = 0; i < 3; i++)
            await client.SendAsync(Plain($"mail {i}"), Ct);
        await client.DisconnectAsync(quit: true, Ct);

        Assert.Equal(["mail 0", "mail 1", "mail 2"], inbox.All.Select(mail => mail.Subject));
        Assert.Equal([1, 2, 3], inbox.All.Select(mail => mail.Id));
    }

    [Fact]
    public async Task Many_clients_send_at_once()
    {
        await Task.WhenAll(Enumerable.Range(0, 20).Select(i => SendAsync(Plain($"mail {i}"))));

        Assert.Equal(20, inbox.All.Select(mail => mail.Subject).Distinct().Count());
    }

    [Fact]
    public async Task Everything_may_be_sent_in_one_piece()
    {
        var replies = await TalkAsync(
            "EHLO me\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\nSubject: piped\r\n\r\nhello\r\n.\r\n" +
            "MAIL FROM:<>\r\nRCPT TO:<d@e.f>\r\nDATA\r\nSubject: bounce\r\n\r\n..\r\n.\r\nQUIT\r\n");

        Assert.Equal(["220", "250-", "250-", "250-", "250-", "250", "250", "250", "354", "250", "250", "250", "354", "250", "221"], Codes(replies));
        Assert.Equal(["piped", "bounce"], inbox.All.Select(mail => mail.Subject));
        Assert.Equal("", inbox.All[1].Envelope.From);
        Assert.Equal(".", inbox.All[1].Text!.Trim());
    }

    [Fact]
    public async Task Everything_may_be_sent_byte_by_byte()
    {
        using var client = await ConnectAsync();
        var stream = client.GetStream();
        foreach (var octet in Encoding.ASCII.GetBytes("HELO me\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\nSubject: slow\r\n\r\n.\r\nQUIT\r\n"))
            await stream.WriteAsync(new[] { octet }, Ct);
        using var reader = new StreamReader(stream);

        Assert.Equal(["220", "250", "250", "250", "354", "250", "221"], Codes(await reader.ReadToEndAsync(Ct)));
        Assert.Equal("slow", Assert.Single(inbox.All).Subject);
    }

    [Theory]
    [InlineData("MAIL FROM:<a@b.c>", "503")]
    [InlineData("EHLO", "501")]
    [InlineData("HELO me|RCPT TO:<a@b.c>", "503")]
    [InlineData("HELO me|DATA", "503")]
    [InlineData("HELO me|MAIL FROM:<a@b.c>|DATA", "554")]
    [InlineData("HELO me|MAIL FROM:<a@b.c>|MAIL FROM:<a@b.c>", "503")]
    [InlineData("HELO me|MAIL FROM:a@b.c", "501")]
    [InlineData("HELO me|MAIL TO:<a@b.c>", "501")]
    [InlineData("HELO me|MAIL FROM:<a@b.c> SIZE=10485761", "552")]
    [InlineData("HELO me|MAIL FROM:<a@b.c> SIZE=much", "501")]
    [InlineData("HELO me|MAIL FROM:<a@b.c> SIZE=10 BODY=8BITMIME SMTPUTF8", "250")]
    [InlineData("HELO me|MAIL FROM:<a@b.c> RET=FULL", "555")]
    [InlineData("HELO me|MAIL FROM:<a@b.c>|RCPT TO:<>", "501")]
    [InlineData("HELO me|MAIL FROM:<a@b.c>|RCPT TO:<d@e.f> NOTIFY=NEVER", "555")]
    [InlineData("HELO me|mail from: <a@b.c>|rcpt to:<d@e.f>", "250")]
    [InlineData("HELO me|MAIL FROM:<a@b.c>|RSET|RCPT TO:<a@b.c>", "503")]
    [InlineData("HELO me|MAIL FROM:<a@b.c>|EHLO me|RCPT TO:<a@b.c>", "503")]
    [InlineData("NOOP", "250")]
    [InlineData("VRFY somebody", "252")]
    [InlineData("AUTH PLAIN", "502")]
    [InlineData("STARTTLS", "502")]
    [InlineData("BREW coffee", "500")]
    [InlineData("", "500")]
    public async Task Answers_commands_as_rfc_5321_says(string commands, string last)
    {
        var replies = await TalkAsync(commands.Replace("|", "\r\n", StringComparison.Ordinal) + "\r\nQUIT\r\n");

        Assert.Equal(last, Codes(replies)[^2]);
        Assert.Empty(inbox.All);
    }

    [Fact]
    public async Task Takes_a_hundred_recipients_and_no_more()
    {
        var recipients = string.Concat(Enumerable.Range(0, 101).Select(i => $"RCPT TO:<r{i}@example.com>\r\n"));
        var replies = await TalkAsync($"HELO me\r\nMAIL FROM:<a@b.c>\r\n{recipients}DATA\r\nSubject: x\r\n\r\n.\r\nQUIT\r\n");

        Assert.Equal(100, Assert.Single(inbox.All).Envelope.To.Count);
        Assert.Contains("452", Codes(replies));
    }

    [Fact]
    public async Task Refuses_a_mail_that_is_too_large_and_goes_on()
    {
        var line = new string('x', 998) + "\r\n";
        var large = string.Concat(Enumerable.Repeat(line, (SmtpSession.MaxMessageBytes / line.Length) + 1));
        var replies = await TalkAsync(
            $"HELO me\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\n{large}.\r\n" +
            "MAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\nSubject: small\r\n\r\n.\r\nQUIT\r\n");

        Assert.Equal(["220", "250", "250", "250", "354", "552", "250", "250", "354", "250", "221"], Codes(replies));
        Assert.Equal("small", Assert.Single(inbox.All).Subject);
    }

    [Fact]
    public async Task Ends_the_conversation_at_an_endless_command()
    {
        var replies = await TalkAsync("HELO " + new string('x', 3000));

        Assert.Equal(["220", "500"], Codes(replies));
    }

    [Fact]
    public async Task A_line_feed_alone_ends_no_line()
    {
        var replies = await TalkAsync("HELO me\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\nSubject: x\r\n\r\na\n.\nQUIT\r\n.\r\nQUIT\r\n");

        Assert.Equal(["220", "250", "250", "250", "354", "250", "221"], Codes(replies));
        Assert.Contains("a\n.\nQUIT", Assert.Single(inbox.All).Raw, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_cut_in_the_middle_leaves_no_mail()
    {
        using (var client = await ConnectAsync())
        {
            await client.GetStream().WriteAsync("HELO me\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\nSubject: half\r\n"u8.ToArray(), Ct);
        }
        await SendAsync(Plain("after"));

        Assert.Equal("after", Assert.Single(inbox.All).Subject);
    }

    [Fact]
    public async Task Hangs_up_after_five_minutes_of_silence()
    {
        using var client = await ConnectAsync();
        using var reader = new StreamReader(client.GetStream());
        Assert.StartsWith("220", await reader.ReadLineAsync(Ct), StringComparison.Ordinal);
        await client.GetStream().WriteAsync("NOOP\r\n"u8.ToArray(), Ct);
        Assert.StartsWith("250", await reader.ReadLineAsync(Ct), StringComparison.Ordinal);

        // The timer of the read starts after the answer was sent, at some moment of this loop.
        var rest = reader.ReadToEndAsync(Ct);
        while (!rest.IsCompleted)
        {
            time.Advance(TimeSpan.FromMinutes(5));
            await Task.WhenAny(rest, Task.Delay(10, Ct));
        }

        Assert.StartsWith("421", await rest, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stopping_hangs_up_on_everybody()
    {
        using var client = await ConnectAsync();
        using var reader = new StreamReader(client.GetStream());
        await reader.ReadLineAsync(Ct);

        await server.DisposeAsync();

        Assert.Equal("", await reader.ReadToEndAsync(Ct));
        await Assert.ThrowsAnyAsync<SocketException>(() => ConnectAsync());
    }

    [Fact]
    public void A_port_in_use_is_named()
    {
        var error = Assert.Throws<IOException>(() => SmtpServer.Start(server.Endpoint, inbox, time));

        Assert.Contains(server.Endpoint.ToString(), error.Message, StringComparison.Ordinal);
    }

    async Task SendAsync(MimeMessage message)
    {
        using var client = new SmtpClient();
        await client.ConnectAsync("127.0.0.1", server.Endpoint.Port, SecureSocketOptions.None, Ct);
        await client.SendAsync(message, Ct);
        await client.DisconnectAsync(quit: true, Ct);
    }

    static MimeMessage Plain(string subject)
    {
        var message = new MimeMessage { Subject = subject, Body = new TextPart("plain") { Text = "hello" } };
        message.From.Add(new MailboxAddress("", "a@example.com"));
        message.To.Add(new MailboxAddress("", "b@example.com"));
        return message;
    }

    async Task<TcpClient> ConnectAsync()
    {
        var client = new TcpClient();
        await client.ConnectAsync(server.Endpoint, Ct);
        return client;
    }

    /// <summary>Sends all of it at once, and reads until the server hangs up.</summary>
    async Task<string> TalkAsync(string text)
    {
        using var client = await ConnectAsync();
        using var reader = new StreamReader(client.GetStream());
        var replies = reader.ReadToEndAsync(Ct);
        await client.GetStream().WriteAsync(Encoding.UTF8.GetBytes(text), Ct);
        return await replies;
    }

    static List<string> Codes(string replies) =>
        [.. replies.Split("\r\n", StringSplitOptions.RemoveEmptyEntries).Select(line => line.AsSpan(3).StartsWith("-") ? line[..4] : line[..3])];
}
