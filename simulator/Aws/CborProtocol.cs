using System.Formats.Cbor;
using Microsoft.AspNetCore.Http;

namespace PipelineExporter.Simulator.Aws;

/// <summary>Smithy's rpc-v2-cbor: the operation stands in the path, and every answer names the protocol.</summary>
internal sealed class CborProtocol : AwsProtocol
{
    public const string Header = "smithy-protocol";
    public const string Name = "rpc-v2-cbor";
    public const string ContentType = "application/cbor";

    /// <summary>A map without end, whose value is missing.</summary>
    public override ReadOnlyMemory<byte> Broken { get; } = new byte[] { 0xBF, 0x61, (byte)'b' };

    protected override string AccessDeniedCode => "AccessDeniedException";

    public override AwsException Refusal(SignatureException refused) => new(refused.JsonCode, refused.Message);

    protected override AwsException Throttled(AwsService service) => new(service.ThrottlingCode, service.ThrottlingMessage);

    public override async Task WriteErrorAsync(HttpContext context, AwsService? service, AwsException error)
    {
        context.Response.StatusCode = error.Status;
        QueryProtocol.WriteQueryError(context, service, error);
        var writer = new CborWriter();
        writer.WriteStartMap(error.Text is null ? 1 : 2);
        writer.WriteTextString("__type");
        writer.WriteTextString($"{service?.ErrorNamespace ?? "com.amazon.coral.service"}#{error.Code}");
        if (error.Text is { } text)
        {
            writer.WriteTextString("message");
            writer.WriteTextString(text);
        }
        writer.WriteEndMap();
        await context.Response.BodyWriter.WriteAsync(writer.Encode(), context.RequestAborted);
    }
}
