using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace PipelineExporter.Simulator.Aws;

/// <summary>AWS's JSON 1.0 and 1.1.</summary>
internal sealed class JsonProtocol : AwsProtocol
{
    public override ReadOnlyMemory<byte> Broken { get; } = Text("""{"broken": [{"of""");

    protected override string AccessDeniedCode => "AccessDeniedException";

    public override AwsException Refusal(SignatureException refused) => new(refused.JsonCode, refused.Message);

    protected override AwsException Throttled(AwsService service) => new(service.ThrottlingCode, service.ThrottlingMessage);

    public override async Task WriteErrorAsync(HttpContext context, AwsService? service, AwsException error)
    {
        context.Response.StatusCode = error.Status;
        context.Response.Headers["x-amzn-ErrorType"] = error.Code;
        QueryProtocol.WriteQueryError(context, service, error);
        // JSON 1.0 services write the whole shape id, of which the part behind # is the code.
        var isFirst = service?.JsonVersion == "1.0";
        await using var writer = new Utf8JsonWriter(context.Response.BodyWriter);
        writer.WriteStartObject();
        writer.WriteString("__type", isFirst ? $"{service!.ErrorNamespace}#{error.Code}" : error.Code);
        if (error.Text is { } text)
            writer.WriteString(isFirst ? "message" : "Message", text);
        writer.WriteEndObject();
    }
}
