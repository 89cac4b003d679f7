using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace PipelineExporter.Simulator.Inbox;

/// <summary>Takes mail for everybody over SMTP, without authentication or TLS, and puts it into the inbox.</summary>
internal sealed class SmtpServer : IAsyncDisposable
{
    const int MaxSessions = 100;

    readonly TcpListener listener;
    readonly Inbox<Mail> inbox;
    readonly TimeProvider time;
    readonly CancellationTokenSource stop = new();
    readonly ConcurrentDictionary<Task, byte> sessions = new();
    readonly Task accepting;

    SmtpServer(TcpListener listener, Inbox<Mail> inbox, TimeProvider time)
    {
        this.listener = listener;
        this.inbox = inbox;
        this.time = time;
        accepting = AcceptAsync();
    }

    /// <summary>With the port that was really taken.</summary>
    public IPEndPoint Endpoint => (IPEndPoint)listener.LocalEndpoint;

    /// <exception cref="IOException">The port is in use.</exception>
    public static SmtpServer Start(IPEndPoint endpoint, Inbox<Mail> inbox, TimeProvider time)
    {
        var socket = new TcpListener(endpoint);
        try
        {
            socket.Start();
        }
        catch (SocketException error)
        {
            socket.Dispose();
            throw new IOException($"the mail inbox cannot listen on {endpoint}: {error.Message}", error);
        }
        return new SmtpServer(socket, inbox, time);
    }

    async Task AcceptAsync()
    {
        while (!stop.IsCancellationRequested)
        {
            Socket socket;
            try
            {
                socket = await listener.AcceptSocketAsync(stop.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (SocketException)
            {
                // The client was gone before it was accepted.
                continue;
            }

            var session = ServeAsync(socket, tooMany: sessions.Count >= MaxSessions);
            sessions.TryAdd(session, 0);
            _ = session.ContinueWith(done => sessions.TryRemove(done, out _), TaskScheduler.Default);
        }
    }

    async Task ServeAsync(Socket socket, bool tooMany)
    {
        await Task.Yield();
        try
        {
            await using var stream = new NetworkStream(socket, ownsSocket: true);
            var session = new SmtpSession(stream, inbox, time);
            await (tooMany ? session.RefuseAsync(stop.Token) : session.RunAsync(stop.Token));
        }
        catch (Exception error) when (error is IOException or SocketException or OperationCanceledException)
        {
            // The client hung up, or the server stops: what was not accepted with 250 stays the client's.
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (stop.IsCancellationRequested)
            return;
        await stop.CancelAsync();
        listener.Dispose();
        await accepting;
        await Task.WhenAll(sessions.Keys);
        stop.Dispose();
    }
}
