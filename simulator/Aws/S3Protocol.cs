using System.Xml.Linq;
using Microsoft.AspNetCore.Http;

namespace PipelineExporter.Simulator.Aws;

/// <summary>S3's REST: XML, and errors without a namespace.</summary>
internal sealed class S3Protocol : AwsProtocol
{
    public const string ContentType = "application/xml";

    public override ReadOnlyMemory<byte> Broken { get; } = Text("""<?xml version="1.0" encoding="UTF-8"?><Result><Bro""");

    protected override string AccessDeniedCode => "AccessDenied";

    public override AwsException Unknown(string operation, string? version) =>
        new("NotImplemented", "A header you provided implies functionality that is not implemented", StatusCodes.Status501NotImplemented);

    protected override AwsException Unavailable => SlowDown;

    static AwsException SlowDown { get; } = new("SlowDown", "Please reduce your request rate.", StatusCodes.Status503ServiceUnavailable);

    protected override AwsException Throttled(AwsService service) => SlowDown;

    protected override AwsException Failed(AwsService service, int status) =>
        new("InternalError", "We encountered an internal error. Please try again.", status);

    public override AwsException Refusal(SignatureException refused) => refused.Fault switch
    {
        SignatureFault.Missing => new("AccessDenied", "Access Denied", 403),
        SignatureFault.Incomplete or SignatureFault.Scope =>
            new("AuthorizationHeaderMalformed", $"The authorization header is malformed; {refused.Message}"),
        SignatureFault.UnknownKey => new("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403),
        SignatureFault.InvalidToken => new("InvalidToken", "The provided token is malformed or otherwise invalid."),
        SignatureFault.ExpiredToken => new("ExpiredToken", "The provided token has expired."),
        SignatureFault.Skew => new("RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", 403)
        {
            Details = [("MaxAllowedSkewMilliseconds", "900000")],
        },
        _ => new("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.", 403),
    };

    public override Task WriteErrorAsync(HttpContext context, AwsService? service, AwsException error)
    {
        context.Response.StatusCode = error.Status;
        if (HttpMethods.IsHead(context.Request.Method))
            return Task.CompletedTask;
        return QueryProtocol.WriteAsync(context, XNamespace.None, new XElement(
            "Error",
            new XElement("Code", error.Code),
            new XElement("Message", error.Text),
            error.Details.Select(detail => new XElement(detail.Name, detail.Value)),
            new XElement("RequestId", context.Response.Headers["x-amz-request-id"].ToString()),
            new XElement("HostId", context.Response.Headers["x-amz-id-2"].ToString())));
    }
}
