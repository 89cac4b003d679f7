using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using System.Text.RegularExpressions;

namespace PipelineExporter.Simulator.Inbox;

/// <summary>
/// One SMTP conversation (RFC 5321, with PIPELINING, SIZE, 8BITMIME and SMTPUTF8). Commands are read one by one from what has
/// arrived and answered in order, so that a client may send many at once. Lines end with CR LF and with nothing else.
/// </summary>
internal sealed partial class SmtpSession(Stream stream, Inbox<Mail> inbox, TimeProvider time)
{
    public const int MaxMessageBytes = 10 * 1024 * 1024;
    public const int MaxRecipients = 100;
    const int MaxCommandBytes = 2048;

    static readonly TimeSpan IdleTimeout = TimeSpan.FromMinutes(5);

    readonly PipeReader reader = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true));
    readonly List<string> recipients = [];
    bool greeted;
    string? sender;

    public Task RefuseAsync(CancellationToken ct) => ReplyAsync("421 4.3.2 Too many connections, try again later", ct);

    public async Task RunAsync(CancellationToken ct)
    {
        await ReplyAsync("220 simulator ESMTP", ct);
        while (true)
        {
            var (outcome, line) = await ReadLineAsync(MaxCommandBytes, ct);
            switch (outcome)
            {
                case LineOutcome.End:
                    return;
                case LineOutcome.Idle:
                    await ReplyAsync("421 4.4.2 Nothing was said for 5 minutes", ct);
                    return;
                case LineOutcome.TooLong:
                    await ReplyAsync("500 5.5.6 The command line is too long", ct);
                    return;
            }
            if (!await ObeyAsync(Encoding.UTF8.GetString(line), ct))
                return;
        }
    }

    /// <summary>False when the conversation is over.</summary>
    async Task<bool> ObeyAsync(string line, CancellationToken ct)
    {
        var space = line.IndexOf(' ', StringComparison.Ordinal);
        var (verb, argument) = space < 0 ? (line, "") : (line[..space], line[(space + 1)..].Trim());
        switch (verb.ToUpperInvariant())
        {
            case "EHLO" when argument.Length > 0:
                Reset();
                greeted = true;
                await ReplyAsync(
                    $"250-simulator greets you\r\n250-PIPELINING\r\n250-SIZE {MaxMessageBytes}\r\n250-8BITMIME\r\n250 SMTPUTF8", ct);
                return true;
            case "HELO" when argument.Length > 0:
                Reset();
                greeted = true;
                await ReplyAsync("250 simulator", ct);
                return true;
            case "EHLO" or "HELO":
                await ReplyAsync("501 5.5.4 Name yourself", ct);
                return true;
            case "MAIL":
                await ReplyAsync(From(argument), ct);
                return true;
            case "RCPT":
                await ReplyAsync(To(argument), ct);
                return true;
            case "DATA" when sender is null:
                await ReplyAsync("503 5.5.1 MAIL comes first", ct);
                return true;
            case "DATA" when recipients.Count == 0:
                await ReplyAsync("554 5.5.1 No valid recipients", ct);
                return true;
            case "DATA":
                await ReplyAsync("354 End the message with a dot alone on a line", ct);
                return await TakeDataAsync(ct);
            case "RSET":
                Reset();
                await ReplyAsync("250 2.0.0 OK", ct);
                return true;
            case "NOOP":
                await ReplyAsync("250 2.0.0 OK", ct);
                return true;
            case "VRFY":
                await ReplyAsync("252 2.1.5 Mail for everybody is taken", ct);
                return true;
            case "QUIT":
                await ReplyAsync("221 2.0.0 Bye", ct);
                return false;
            case "AUTH" or "STARTTLS" or "EXPN" or "HELP":
                await ReplyAsync("502 5.5.1 Not implemented", ct);
                return true;
            default:
                await ReplyAsync("500 5.5.2 Unknown command", ct);
                return true;
        }
    }

    string From(string argument)
    {
        if (!greeted)
            return "503 5.5.1 EHLO or HELO comes first";
        if (sender is not null)
            return "503 5.5.1 The sender is given already";
        if (Path().Match(argument) is not { Success: true } path
            || !path.Groups["verb"].ValueSpan.Equals("FROM", StringComparison.OrdinalIgnoreCase))
            return "501 5.5.4 Write MAIL FROM:<address>";
        foreach (var parameter in path.Groups["parameters"].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            var (name, value) = parameter.Split('=', 2) is [var key, var given] ? (key, given) : (parameter, "");
            switch (name.ToUpperInvariant())
            {
                case "SIZE" when !long.TryParse(value, out var size):
                    return "501 5.5.4 SIZE is a number of bytes";
                case "SIZE" when long.Parse(value) > MaxMessageBytes:
                    return $"552 5.3.4 At most {MaxMessageBytes} bytes";
                case "SIZE" or "BODY" or "SMTPUTF8":
                    break;
                default:
                    return $"555 5.5.4 Unknown parameter {name}";
            }
        }
        sender = path.Groups["address"].Value;
        return "250 2.1.0 OK";
    }

    string To(string argument)
    {
        if (sender is null)
            return "503 5.5.1 MAIL comes first";
        if (Path().Match(argument) is not { Success: true } path
            || !path.Groups["verb"].ValueSpan.Equals("TO", StringComparison.OrdinalIgnoreCase)
            || path.Groups["address"].Length == 0)
            return "501 5.5.4 Write RCPT TO:<address>";
        if (path.Groups["parameters"].Length > 0)
            return "555 5.5.4 RCPT takes no parameters";
        if (recipients.Count >= MaxRecipients)
            return $"452 4.5.3 At most {MaxRecipients} recipients";
        recipients.Add(path.Groups["address"].Value);
        return "250 2.1.5 OK";
    }

    /// <summary>Reads to the lonely dot. A message that is too large is read and thrown away. False when the conversation is over.</summary>
    async Task<bool> TakeDataAsync(CancellationToken ct)
    {
        using var message = new MemoryStream();
        var tooLarge = false;
        while (true)
        {
            var (outcome, line) = await ReadLineAsync(MaxMessageBytes, ct);
            if (outcome == LineOutcome.Idle)
                await ReplyAsync("421 4.4.2 Nothing was said for 5 minutes", ct);
            if (outcome == LineOutcome.TooLong)
                await ReplyAsync($"552 5.3.4 At most {MaxMessageBytes} bytes", ct);
            if (outcome != LineOutcome.Line)
                return false;
            if (line is [(byte)'.'])
                break;

            var start = line is [(byte)'.', ..] ? 1 : 0;
            tooLarge |= message.Length + line.Length + 2 > MaxMessageBytes;
            if (tooLarge)
                continue;
            message.Write(line, start, line.Length - start);
            message.Write("\r\n"u8);
        }

        await ReplyAsync(tooLarge ? $"552 5.3.4 At most {MaxMessageBytes} bytes" : Store(message.ToArray()), ct);
        Reset();
        return true;
    }

    string Store(byte[] raw)
    {
        try
        {
            var mail = Mail.Parse(new MailEnvelope(sender!, [.. recipients]), raw, time.GetUtcNow());
            return $"250 2.0.0 Taken as {inbox.Add(id => mail with { Id = id }).Id}";
        }
        catch (FormatException)
        {
            return "554 5.6.0 This is no MIME message";
        }
    }

    void Reset()
    {
        sender = null;
        recipients.Clear();
    }

    enum LineOutcome { Line, End, Idle, TooLong }

    /// <summary>The next line without its CR LF.</summary>
    async Task<(LineOutcome Outcome, byte[] Line)> ReadLineAsync(int maxBytes, CancellationToken ct)
    {
        using var idle = new CancellationTokenSource(IdleTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(idle.Token, ct);
        while (true)
        {
            ReadResult read;
            try
            {
                read = await reader.ReadAsync(either.Token);
            }
            catch (OperationCanceledException) when (idle.IsCancellationRequested && !ct.IsCancellationRequested)
            {
                return (LineOutcome.Idle, []);
            }

            if (TakeLine(read.Buffer) is { } line)
                return line.Length > maxBytes ? (LineOutcome.TooLong, []) : (LineOutcome.Line, line);
            if (read.IsCompleted)
                return (LineOutcome.End, []);
            if (read.Buffer.Length > maxBytes)
                return (LineOutcome.TooLong, []);
            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    byte[]? TakeLine(ReadOnlySequence<byte> buffer)
    {
        var sequence = new SequenceReader<byte>(buffer);
        if (!sequence.TryReadTo(out ReadOnlySequence<byte> line, "\r\n"u8))
            return null;
        var bytes = line.ToArray();
        reader.AdvanceTo(sequence.Position);
        return bytes;
    }

    Task ReplyAsync(string text, CancellationToken ct) => stream.WriteAsync(Encoding.UTF8.GetBytes(text + "\r\n"), ct).AsTask();

    [GeneratedRegex(@"^(?<verb>[A-Za-z]+): *<(?<address>[^<>\s]*)>( +(?<parameters>.*))?$", RegexOptions.ExplicitCapture)]
    private static partial Regex Path();
}
