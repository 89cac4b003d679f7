using System.Text;
using Microsoft.AspNetCore.Http;

namespace PipelineExporter.Simulator.Aws;

/// <summary>How AWS says over one wire protocol that a call went wrong.</summary>
internal abstract class AwsProtocol
{
    public abstract Task WriteErrorAsync(HttpContext context, AwsService? service, AwsException error);

    /// <summary>An answer that ends in its middle.</summary>
    public abstract ReadOnlyMemory<byte> Broken { get; }

    public abstract AwsException Refusal(SignatureException refused);

    /// <summary>An injected fault in AWS's words; AWS throttles with status 400, whatever a proxy in between would say: the code tells.</summary>
    public AwsException Fault(AwsService service, string operation, AwsPrincipal caller, int status) => status switch
    {
        StatusCodes.Status429TooManyRequests => Throttled(service),
        StatusCodes.Status503ServiceUnavailable => Unavailable,
        >= 500 => Failed(service, status),
        _ => new AwsException(AccessDeniedCode, Denial($"{service.Name}:{service.ActionOf(operation)}", caller), status),
    };

    /// <param name="version">Of the query protocol; null when none was named.</param>
    public virtual AwsException Unknown(string operation, string? version) => new("UnknownOperationException", null);

    protected abstract string AccessDeniedCode { get; }

    protected abstract AwsException Throttled(AwsService service);

    protected virtual AwsException Unavailable { get; } =
        new("ServiceUnavailable", "The service is unavailable. Please try again shortly.", StatusCodes.Status503ServiceUnavailable);

    protected virtual AwsException Failed(AwsService service, int status) =>
        new(service.FailureCode, "The request processing has failed because of an unknown error.", status);

    protected static ReadOnlyMemory<byte> Text(string text) => Encoding.UTF8.GetBytes(text);

    static string Denial(string action, AwsPrincipal caller) =>
        $"User: {caller.Arn} is not authorized to perform: {action} because no identity-based policy allows the {action} action";
}
