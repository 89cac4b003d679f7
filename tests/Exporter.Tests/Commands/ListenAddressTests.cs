using System.Net;
using System.Net.Sockets;
using PipelineExporter.Commands;

namespace PipelineExporter.Tests.Commands;

public sealed class ListenAddressTests
{
    [Theory]
    [InlineData("127.0.0.1:9894", "127.0.0.1", 9894)]
    [InlineData("0.0.0.0:0", "0.0.0.0", 0)]
    [InlineData("[::1]:9894", "::1", 9894)]
    [InlineData("[::]:65535", "::", 65535)]
    [InlineData("localhost:80", "127.0.0.1", 80)]
    public void An_address_and_a_port(string text, string address, int port)
    {
        var parsed = ListenAddress.Parse(text);

        Assert.Equal(new IPEndPoint(IPAddress.Parse(address), port), parsed.EndPoint);
        Assert.Equal(text, parsed.ToString());
    }

    [Fact]
    public void A_port_alone_is_every_interface() =>
        Assert.Equal(new IPEndPoint(Socket.OSSupportsIPv6 ? IPAddress.IPv6Any : IPAddress.Any, 9894), ListenAddress.Parse(":9894").EndPoint);

    [Theory]
    [InlineData("")]
    [InlineData(":")]
    [InlineData("9894")]
    [InlineData("127.0.0.1")]
    [InlineData("127.0.0.1:")]
    [InlineData("127.0.0.1:65536")]
    [InlineData("127.0.0.1:-1")]
    [InlineData("127.0.0.1:+80")]
    [InlineData("127.0.0.1: 80")]
    [InlineData("127.1:80")]
    [InlineData("1:80")]
    [InlineData("::1:9894")]
    [InlineData("[127.0.0.1]:80")]
    [InlineData("[::1:80")]
    [InlineData("example.com:80")]
    [InlineData("http://127.0.0.1:80")]
    public void Anything_else_is_refused(string text) =>
        Assert.Contains("expected an address such as :9894", Assert.Throws<FormatException>(() => ListenAddress.Parse(text)).Message, StringComparison.Ordinal);
}
