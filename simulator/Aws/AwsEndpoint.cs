using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Xml.Linq;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PipelineExporter.Simulator.Control;

namespace PipelineExporter.Simulator.Aws;

/// <summary>
/// POST /: every AWS service that speaks JSON or query, told apart by X-Amz-Target or by Version. A request is understood, then its
/// signature verified, then struck by injected faults, then run.
/// </summary>
internal sealed class AwsEndpoint(IReadOnlyList<AwsService> services, SignatureVerifier verifier, FaultInjector faults, TimeProvider time)
{
    const int MaxBodyBytes = 4 * 1024 * 1024;

    public async Task HandleAsync(HttpContext context)
    {
        // The request id is of the answer, so that a reader of two logs finds the same call.
        context.Response.Headers["x-amzn-RequestId"] = Guid.NewGuid().ToString();
        context.Response.Headers.Date = time.GetUtcNow().ToString("R");
        if (await SignedRequest.ReadAsync(context, MaxBodyBytes) is not { } request)
            return;

        var target = request.Header("x-amz-target");
        if (target is null && context.Request.HasFormContentType)
            await QueryAsync(context, request);
        else
            await JsonAsync(context, request, target ?? "");
    }

    async Task JsonAsync(HttpContext context, SignedRequest request, string target)
    {
        var dot = target.IndexOf('.', StringComparison.Ordinal);
        var (prefix, operation) = dot < 0 ? (target, "") : (target[..dot], target[(dot + 1)..]);
        var service = services.FirstOrDefault(known => known.TargetPrefix is not null && known.TargetPrefix == prefix);
        var contentType = service?.JsonContentType ?? context.Request.ContentType ?? "application/x-amz-json-1.1";
        context.Response.ContentType = contentType;

        // AWS's servers choose the protocol by the exact Content-Type: one with a charset names none.
        if (service is null || service.FindJson(operation) is not { } run || context.Request.ContentType != contentType)
        {
            await WriteJsonErrorAsync(context, service, new AwsException("UnknownOperationException", null));
            return;
        }

        try
        {
            var signature = verifier.Verify(request, service.SigningName);
            var isStruck = await faults.StrikeAsync(context, service.Name, operation, (struck, status) =>
                WriteJsonErrorAsync(struck, service, Fault(service, status, json: true)));
            if (!isStruck)
                await context.Response.Body.WriteAsync(run(request.Body, Call(signature)), context.RequestAborted);
        }
        catch (SignatureException refused)
        {
            await WriteJsonErrorAsync(context, service, new AwsException(refused.JsonCode, refused.Message));
        }
        catch (AwsException error)
        {
            await WriteJsonErrorAsync(context, service, error);
        }
    }

    async Task QueryAsync(HttpContext context, SignedRequest request)
    {
        var form = await context.Request.ReadFormAsync(context.RequestAborted);
        var parameters = new QueryParameters(form);
        var (action, version) = (parameters.Text("Action"), parameters.Text("Version"));
        var service = services.FirstOrDefault(known => known.QueryVersion is not null && known.QueryVersion == version);
        context.Response.ContentType = "text/xml";
        try
        {
            if (action is null)
                throw new AwsException("MissingAction", "The request is missing an action or a required parameter.");
            if (service?.FindQuery(action) is not { } run)
                throw new AwsException(
                    "InvalidAction", $"Could not find operation {action} for version {version ?? "NO_VERSION_SPECIFIED"}");

            var signature = verifier.Verify(request, service.SigningName);
            var isStruck = await faults.StrikeAsync(context, service.Name, action, (struck, status) =>
                WriteXmlErrorAsync(struck, service, Fault(service, status, json: false)));
            if (isStruck)
                return;
            var result = run(parameters, Call(signature));
            await WriteXmlAsync(context, service.XmlNamespace, new XElement(
                action + "Response", result, new XElement("ResponseMetadata", RequestId(context))));
        }
        catch (SignatureException refused)
        {
            var (code, status) = refused.Fault switch
            {
                SignatureFault.Missing => ("MissingAuthenticationToken", 403),
                SignatureFault.Incomplete => ("IncompleteSignature", 400),
                SignatureFault.UnknownKey => ("InvalidClientTokenId", 403),
                SignatureFault.ExpiredToken => ("ExpiredToken", 403),
                _ => ("SignatureDoesNotMatch", 403),
            };
            await WriteXmlErrorAsync(context, service, new AwsException(code, refused.Message, status));
        }
        catch (AwsException error)
        {
            await WriteXmlErrorAsync(context, service, error);
        }
    }

    AwsCall Call(VerifiedSignature signature) => new(signature.Principal, signature.Region, time.GetUtcNow());

    /// <summary>AWS throttles with status 400, whatever a proxy in between would say; the code tells.</summary>
    static AwsException Fault(AwsService service, int status, bool json) => status switch
    {
        StatusCodes.Status429TooManyRequests => new AwsException(json ? service.ThrottlingCode : "Throttling", "Rate exceeded"),
        StatusCodes.Status503ServiceUnavailable =>
            new AwsException("ServiceUnavailable", "The service is unavailable. Please try again shortly.", status),
        >= 500 => new AwsException(service.FailureCode, "The request processing has failed because of an unknown error.", status),
        _ => new AwsException("AccessDeniedException", "User is not authorized to perform this action.", status),
    };

    static Task WriteJsonErrorAsync(HttpContext context, AwsService? service, AwsException error)
    {
        context.Response.StatusCode = error.Status;
        context.Response.Headers["x-amzn-ErrorType"] = error.Code;
        var body = new MemoryStream();
        using (var writer = new Utf8JsonWriter(body))
        {
            writer.WriteStartObject();
            // JSON 1.0 services write the whole shape id, of which the part behind # is the code.
            writer.WriteString("__type", service?.JsonVersion == "1.0" ? $"com.amazon.coral.service#{error.Code}" : error.Code);
            if (error.Text is { } text)
                writer.WriteString(service?.JsonVersion == "1.0" ? "message" : "Message", text);
            writer.WriteEndObject();
        }

        return context.Response.Body.WriteAsync(body.GetBuffer().AsMemory(0, (int)body.Length), context.RequestAborted).AsTask();
    }

    static Task WriteXmlErrorAsync(HttpContext context, AwsService? service, AwsException error)
    {
        context.Response.StatusCode = error.Status;
        return WriteXmlAsync(context, service?.XmlNamespace ?? "http://webservices.amazon.com/AWSFault/2005-15-09", new XElement(
            "ErrorResponse",
            new XElement(
                "Error",
                new XElement("Type", error.Status < 500 ? "Sender" : "Receiver"),
                new XElement("Code", error.Code),
                new XElement("Message", error.Text)),
            RequestId(context)));
    }

    static Task WriteXmlAsync(HttpContext context, XNamespace @namespace, XElement root)
    {
        foreach (var element in root.DescendantsAndSelf())
            element.Name = @namespace + element.Name.LocalName;
        return context.Response.WriteAsync(root.ToString(), context.RequestAborted);
    }

    static XElement RequestId(HttpContext context) => new("RequestId", context.Response.Headers["x-amzn-RequestId"].ToString());
}
