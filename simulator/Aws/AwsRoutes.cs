using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Aws;

/// <summary>AWS at the root path, where its clients send every call when they are given an endpoint.</summary>
internal static class AwsRoutes
{
    /// <summary>Has to come behind routing: a bucket is a path that is nobody else's.</summary>
    public static void UseAws(this WebApplication web, PipelineModel model, FaultInjector faults, AwsCredentials credentials, TimeProvider time)
    {
        var (clock, accounts) = (new AwsTime(time, faults), new AwsAccounts(model, time));
        var endpoint = new AwsEndpoint(
            [
                new GlueService(accounts).Describe(),
                new CloudWatchService(accounts, faults).Describe(),
                new DynamoDbService(accounts).Describe(),
                new S3Service(accounts).Describe(),
                new StsService(credentials).Describe(),
            ],
            new SignatureVerifier(credentials.Find, clock),
            faults,
            clock);
        web.MapPost("/", endpoint.HandlePostAsync);
        web.MapPost("/service/{service}/operation/{operation}", context => endpoint.HandleCborAsync(
            context, (string)context.GetRouteValue("service")!, (string)context.GetRouteValue("operation")!));
        web.Use(next => context => IsS3(context) ? endpoint.HandleS3Async(context) : next(context));
    }

    /// <summary>The first page of the simulator is at /, as is the list of buckets: who wants the latter comes as AWS's clients do.</summary>
    static bool IsS3(HttpContext context) =>
        (HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method))
        && (context.GetEndpoint() is null || context.Request.Path == "/")
        && context.Request.Headers.Any(header => header.Key.StartsWith("x-amz-", StringComparison.OrdinalIgnoreCase));
}
