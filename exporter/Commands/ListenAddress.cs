using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace PipelineExporter.Commands;

/// <summary><c>[HOST]:PORT</c>: an empty host is every interface, IPv6 stands in brackets, port 0 is any free one.</summary>
internal sealed record ListenAddress(string Text, IPEndPoint EndPoint)
{
    /// <exception cref="FormatException">It is neither; the message says what is allowed.</exception>
    public static ListenAddress Parse(string text)
    {
        const string expected = "expected an address such as :9894, 127.0.0.1:9894 or [::1]:9894";
        var colon = text.LastIndexOf(':');
        if (colon < 0 || !ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port))
            throw new FormatException($"{expected}, with a port from 0 to 65535");

        var host = text[..colon];
        var address = host switch
        {
            "" => Socket.OSSupportsIPv6 ? IPAddress.IPv6Any : IPAddress.Any, // IPv6Any takes IPv4 too
            "localhost" => IPAddress.Loopback,
            _ => Literal(host),
        };
        return new(text, new(address ?? throw new FormatException($"{expected}: the host is an IP address, localhost, or nothing"), port));
    }

    /// <summary>Four numbers, or IPv6 in brackets; the parser would take "1" for 0.0.0.1.</summary>
    private static IPAddress? Literal(string host)
    {
        var bracketed = host.StartsWith('[') && host.EndsWith(']');
        return IPAddress.TryParse(bracketed ? host[1..^1] : host, out var address)
            && (bracketed ? address.AddressFamily == AddressFamily.InterNetworkV6 : host.Count('.') == 3 && host.IndexOf(':') < 0)
                ? address
                : null;
    }

    public override string ToString() => Text;
}
