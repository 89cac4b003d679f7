using System.Net;

namespace PipelineExporter.Simulator;

/// <summary>"host:port" as Prometheus programs write it: an empty host is every interface, "localhost" is loopback.</summary>
internal static class ListenAddress
{
    /// <exception cref="FormatException">The text is no address and port.</exception>
    public static IPEndPoint Parse(string text)
    {
        var colon = text.LastIndexOf(':');
        var host = colon < 0 ? text : text[..colon];
        if (colon < 0 || !ushort.TryParse(text.AsSpan(colon + 1), out var port))
            throw new FormatException($"'{text}' is not a listen address: write host:port, for example 127.0.0.1:9895");
        if (host.Length == 0)
            return new IPEndPoint(IPAddress.Any, port);
        if (host == "localhost")
            return new IPEndPoint(IPAddress.Loopback, port);
        return IPAddress.TryParse(host.Trim('[', ']'), out var address)
            ? new IPEndPoint(address, port)
            : throw new FormatException($"'{text}' is not a listen address: '{host}' is neither an IP address nor localhost");
    }
}
