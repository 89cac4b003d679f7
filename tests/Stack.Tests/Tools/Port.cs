using System.Net;
using System.Net.Sockets;

namespace PipelineExporter.Stack.Tests.Tools;

internal static class Port
{
    /// <summary>A TCP port of 127.0.0.1 that was free a moment ago, for programs that cannot choose one themselves.</summary>
    public static int Free()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
