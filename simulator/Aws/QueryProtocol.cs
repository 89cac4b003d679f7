using System.Xml.Linq;
using Microsoft.AspNetCore.Http;

namespace PipelineExporter.Simulator.Aws;

/// <summary>AWS's query protocol: forms in, XML out.</summary>
internal sealed class QueryProtocol : AwsProtocol
{
    public const string ContentType = "text/xml";

    public override ReadOnlyMemory<byte> Broken { get; } = Text("<Response><Result><Bro");

    protected override string AccessDeniedCode => "AccessDenied";

    public override AwsException Unknown(string operation, string? version) =>
        new("InvalidAction", $"Could not find operation {operation} for version {version ?? "NO_VERSION_SPECIFIED"}");

    public override AwsException Refusal(SignatureException refused)
    {
        var (code, status) = refused.Fault switch
        {
            SignatureFault.Missing => ("MissingAuthenticationToken", 403),
            SignatureFault.Incomplete => ("IncompleteSignature", 400),
            SignatureFault.UnknownKey or SignatureFault.InvalidToken => ("InvalidClientTokenId", 403),
            SignatureFault.ExpiredToken => ("ExpiredToken", 403),
            _ => ("SignatureDoesNotMatch", 403),
        };
        return new AwsException(code, refused.Message, status);
    }

    protected override AwsException Throttled(AwsService service) => new("Throttling", service.ThrottlingMessage);

    /// <summary>A service that spoke query before says in its other protocols what the error was called in it.</summary>
    public static void WriteQueryError(HttpContext context, AwsService? service, AwsException error)
    {
        if (service?.QueryVersion is not null)
            context.Response.Headers["x-amzn-query-error"] = $"{error.Code};{Party(error)}";
    }

    public static Task WriteAsync(HttpContext context, AwsService service, string action, XElement result) =>
        WriteAsync(context, service.XmlNamespace, new XElement(action + "Response", result, new XElement("ResponseMetadata", RequestId(context))));

    public override Task WriteErrorAsync(HttpContext context, AwsService? service, AwsException error)
    {
        context.Response.StatusCode = error.Status;
        return WriteAsync(context, service?.XmlNamespace ?? "http://webservices.amazon.com/AWSFault/2005-15-09", new XElement(
            "ErrorResponse",
            new XElement("Error", new XElement("Type", Party(error)), new XElement("Code", error.Code), new XElement("Message", error.Text)),
            RequestId(context)));
    }

    static string Party(AwsException error) => error.Status < 500 ? "Sender" : "Receiver";

    public static Task WriteAsync(HttpContext context, XNamespace @namespace, XElement root)
    {
        foreach (var element in root.DescendantsAndSelf())
            element.Name = @namespace + element.Name.LocalName;
        return context.Response.WriteAsync(root.ToString(), context.RequestAborted);
    }

    static XElement RequestId(HttpContext context) => new("RequestId", context.Response.Headers["x-amzn-RequestId"].ToString());
}
