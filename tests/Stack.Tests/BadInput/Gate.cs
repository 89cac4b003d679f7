using System.Net;
using System.Net.Sockets;
using System.Text;

namespace PipelineExporter.Stack.Tests.BadInput;

/// <summary>What a source can do to its readers.</summary>
internal enum GateMode
{
    /// <summary>All is well: what comes is passed on.</summary>
    Open,

    /// <summary>Nobody listens.</summary>
    Unreachable,

    /// <summary>Takes the request and never answers.</summary>
    Silent,

    /// <summary>Answers, after everybody has lost patience.</summary>
    Slow,

    /// <summary>Cuts the connection instead of an answer.</summary>
    Cut,

    /// <summary>200 with a page for people.</summary>
    Html,

    /// <summary>200 with JSON that ends in its middle.</summary>
    BrokenJson,

    /// <summary>500.</summary>
    Error,

    /// <summary>429, or AWS's ThrottlingException.</summary>
    Throttling,
}

/// <summary>Stands in front of a server and passes everything on, until it is told to misbehave. Plain TCP on 127.0.0.1.</summary>
internal sealed class Gate : IAsyncDisposable
{
    private static readonly TimeSpan Slowness = TimeSpan.FromSeconds(4);

    private readonly IPEndPoint target;
    private readonly bool isAws;
    private readonly Lock gate = new();
    private readonly List<Task> running = [];
    private CancellationTokenSource era = new();
    private TcpListener listener;
    private GateMode mode;

    public Gate(Uri target, bool isAws)
    {
        this.target = new IPEndPoint(IPAddress.Loopback, target.Port);
        this.isAws = isAws;
        listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        Address = new Uri($"http://{listener.LocalEndpoint}");
        running.Add(AcceptAsync(listener, era.Token));
    }

    public Uri Address { get; }

    /// <summary>From now on; connections of before are cut.</summary>
    public void Become(GateMode wanted)
    {
        lock (gate)
        {
            era.Cancel();
            era.Dispose();
            era = new CancellationTokenSource();
            listener.Stop();
            mode = wanted;
            if (wanted == GateMode.Unreachable)
                return;
            listener = new TcpListener(IPAddress.Loopback, Address.Port);
            listener.Start();
            running.Add(AcceptAsync(listener, era.Token));
        }
    }

    public async ValueTask DisposeAsync()
    {
        Become(GateMode.Unreachable);
        era.Dispose();
        await Task.WhenAll(running);
    }

    private async Task AcceptAsync(TcpListener listening, CancellationToken ct)
    {
        var served = new List<Task>();
        try
        {
            while (true)
                served.Add(ServeAsync(await listening.AcceptSocketAsync(ct), ct));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The era is over.
        }

        await Task.WhenAll(served);
    }

    private async Task ServeAsync(Socket socket, CancellationToken ct)
    {
        try
        {
            await using var client = new NetworkStream(socket, ownsSocket: true);
            if (mode is GateMode.Open or GateMode.Slow)
            {
                await ForwardAsync(client, mode == GateMode.Slow ? Slowness : TimeSpan.Zero, ct);
                return;
            }

            await ReadRequestAsync(client, ct);
            if (mode == GateMode.Silent)
                await Task.Delay(Timeout.InfiniteTimeSpan, ct);
            if (mode == GateMode.Cut)
            {
                socket.LingerState = new LingerOption(enable: true, seconds: 0); // a reset
                return;
            }

            await client.WriteAsync(Encoding.ASCII.GetBytes(Answer()), ct);
            socket.Shutdown(SocketShutdown.Send);
            await client.CopyToAsync(Stream.Null, ct);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or SocketException or ObjectDisposedException)
        {
            // The reader or the era has gone.
        }
    }

    private async Task ForwardAsync(NetworkStream client, TimeSpan delay, CancellationToken ct)
    {
        using var connection = new TcpClient();
        await connection.ConnectAsync(target, ct);
        await using var server = connection.GetStream();
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct);
        await Task.WhenAny(PassAsync(client, server, TimeSpan.Zero, either.Token), PassAsync(server, client, delay, either.Token));
        await either.CancelAsync();
    }

    private static async Task PassAsync(NetworkStream from, NetworkStream to, TimeSpan delay, CancellationToken ct)
    {
        var buffer = new byte[64 * 1024];
        while (await from.ReadAsync(buffer, ct) is var read and > 0)
        {
            if (delay > TimeSpan.Zero)
                await Task.Delay(delay, ct);
            await to.WriteAsync(buffer.AsMemory(0, read), ct);
        }
    }

    // To its end: a connection that is closed with something unread takes its answer back.
    private static async Task ReadRequestAsync(NetworkStream client, CancellationToken ct)
    {
        var text = new StringBuilder();
        var buffer = new byte[16 * 1024];
        while (true)
        {
            var read = await client.ReadAsync(buffer, ct);
            if (read == 0)
                throw new IOException("no whole request");
            text.Append(Encoding.Latin1.GetString(buffer, 0, read));
            var request = text.ToString();
            var end = request.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            if (end < 0)
                continue;
            var length = request[..end].Split("\r\n")
                .Where(line => line.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase))
                .Select(line => int.Parse(line.Split(':')[1], System.Globalization.CultureInfo.InvariantCulture))
                .FirstOrDefault();
            if (request.Length - end - 4 >= length)
                return;
        }
    }

    private string Answer()
    {
        var (status, type, body) = (mode, isAws) switch
        {
            (GateMode.Html, _) => ("200 OK", "text/html", "<!DOCTYPE html><html><body><h1>Please log in</h1></body></html>"),
            (GateMode.BrokenJson, true) => ("200 OK", "application/x-amz-json-1.1", """{"Jobs": [{"Na"""),
            (GateMode.BrokenJson, false) => ("200 OK", "application/json", """{"version": "3.3.0", "dags": [{"dag_"""),
            (GateMode.Error, true) => ("500 Internal Server Error", "application/x-amz-json-1.1", """{"__type": "InternalServiceException"}"""),
            (GateMode.Error, false) => ("500 Internal Server Error", "application/json", """{"detail": "Internal Server Error"}"""),
            (GateMode.Throttling, true) => ("400 Bad Request", "application/x-amz-json-1.1", """{"__type": "ThrottlingException", "message": "Rate exceeded"}"""),
            (GateMode.Throttling, false) => ("429 Too Many Requests", "application/json", """{"detail": "Too many requests"}"""),
            _ => throw new InvalidOperationException($"{mode} answers nothing of its own"),
        };
        return $"HTTP/1.1 {status}\r\nContent-Type: {type}\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}";
    }
}
