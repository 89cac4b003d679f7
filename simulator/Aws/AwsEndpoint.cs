using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using PipelineExporter.Simulator.Control;

namespace PipelineExporter.Simulator.Aws;

/// <summary>
/// Every AWS service, in every protocol. A request is understood, then its signature verified, then struck by injected faults,
/// then run.
/// </summary>
internal sealed class AwsEndpoint(IReadOnlyList<AwsService> services, SignatureVerifier verifier, FaultInjector faults, AwsTime time)
{
    const int MaxBodyBytes = 4 * 1024 * 1024;

    /// <summary>500 queries of CloudWatch, of ten dimensions each, are some 12,000.</summary>
    const int MaxFormValues = 20_000;

    static readonly JsonProtocol Json = new();
    static readonly CborProtocol Cbor = new();
    static readonly QueryProtocol Query = new();
    static readonly S3Protocol S3 = new();

    /// <summary>POST /: JSON or query, told apart by X-Amz-Target.</summary>
    public async Task HandlePostAsync(HttpContext context)
    {
        if (await BeginAsync(context) is not { } request)
            return;
        var target = request.Header("x-amz-target");
        if (target is null && context.Request.HasFormContentType)
            await QueryAsync(context, request);
        else
            await JsonAsync(context, request, target ?? "");
    }

    /// <summary>POST /service/{service}/operation/{operation}.</summary>
    public async Task HandleCborAsync(HttpContext context, string target, string operation)
    {
        if (await BeginAsync(context) is not { } request)
            return;
        var service = services.FirstOrDefault(known => known.TargetPrefix == target && known.FindCbor(operation) is not null);
        context.Response.Headers[CborProtocol.Header] = CborProtocol.Name;
        context.Response.ContentType = CborProtocol.ContentType;
        if (service is null || request.Header(CborProtocol.Header) != CborProtocol.Name || context.Request.ContentType != CborProtocol.ContentType)
        {
            await Cbor.WriteErrorAsync(context, service, Cbor.Unknown(operation, null));
            return;
        }
        await RunAsync(context, Cbor, service, operation, request, call =>
        {
            service.FindCbor(operation)!(request.Body, call, context.Response.BodyWriter);
            return Task.CompletedTask;
        });
    }

    public async Task HandleS3Async(HttpContext context)
    {
        context.Response.Headers["x-amz-request-id"] = Convert.ToHexString(Guid.NewGuid().ToByteArray())[..16];
        context.Response.Headers["x-amz-id-2"] = Convert.ToBase64String(Guid.NewGuid().ToByteArray());
        context.Response.ContentType = S3Protocol.ContentType;
        if (await BeginAsync(context) is not { } request)
            return;
        var service = services.First(known => known.Name == S3Service.Name);
        var rest = S3Request.Of(context);
        if (rest.Operation is not { } operation || service.FindRest(operation) is not { } run)
        {
            await S3.WriteErrorAsync(context, service, S3.Unknown(rest.Operation ?? "", null));
            return;
        }
        await RunAsync(context, S3, service, operation, request, call =>
            run(rest, call) is { } root ? QueryProtocol.WriteAsync(context, service.XmlNamespace, root) : Task.CompletedTask);
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
            await Json.WriteErrorAsync(context, service, Json.Unknown(operation, null));
            return;
        }
        await RunAsync(context, Json, service, operation, request, call =>
        {
            run(request.Body, call, context.Response.BodyWriter);
            return Task.CompletedTask;
        });
    }

    async Task QueryAsync(HttpContext context, SignedRequest request)
    {
        context.Response.ContentType = QueryProtocol.ContentType;
        var form = new FormReader(Encoding.UTF8.GetString(request.Body.Span)) { ValueCountLimit = MaxFormValues };
        var parameters = new QueryParameters(new FormCollection(await form.ReadFormAsync(context.RequestAborted)));
        var (action, version) = (parameters.Text("Action"), parameters.Text("Version"));
        var service = services.FirstOrDefault(known => known.QueryVersion is not null && known.QueryVersion == version);
        if (action is null)
        {
            await Query.WriteErrorAsync(
                context, service, new AwsException("MissingAction", "The request is missing an action or a required parameter."));
        }
        else if (service?.FindQuery(action) is not { } operation)
        {
            await Query.WriteErrorAsync(context, service, Query.Unknown(action, version));
        }
        else
        {
            await RunAsync(
                context, Query, service, action, request,
                call => QueryProtocol.WriteAsync(context, service, action, operation.Run(parameters, call)), operation.IsAnonymous);
        }
    }

    /// <summary>The request; null when it was too large, and refused.</summary>
    Task<SignedRequest?> BeginAsync(HttpContext context)
    {
        // The request id is of the answer, so that a reader of two logs finds the same call.
        context.Response.Headers["x-amzn-RequestId"] = Guid.NewGuid().ToString();
        context.Response.Headers.Date = time.GetUtcNow().ToString("R");
        return SignedRequest.ReadAsync(context, MaxBodyBytes);
    }

    async Task RunAsync(
        HttpContext context, AwsProtocol protocol, AwsService service, string operation, SignedRequest request, Func<AwsCall, Task> run,
        bool isAnonymous = false)
    {
        try
        {
            var (principal, region, _) = isAnonymous
                ? new(AwsPrincipal.Anonymous, AwsCredentials.Region, service.SigningName)
                : verifier.Verify(request, service.SigningName);
            var isStruck = await faults.StrikeAsync(
                context, service.Name, operation,
                (struck, status) => protocol.WriteErrorAsync(struck, service, protocol.Fault(service, operation, principal, status)),
                struck => struck.Response.BodyWriter.WriteAsync(protocol.Broken, struck.RequestAborted).AsTask(),
                new(region, struck => protocol.WriteErrorAsync(struck, service, protocol.Unknown(operation, service.QueryVersion))));
            if (!isStruck)
                await run(new AwsCall(principal, region, time.GetUtcNow()));
        }
        catch (SignatureException refused)
        {
            await protocol.WriteErrorAsync(context, service, protocol.Refusal(refused));
        }
        catch (AwsException error)
        {
            await protocol.WriteErrorAsync(context, service, error);
        }
    }
}
