using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Aws;

/// <summary>AWS at the root path, where its clients send every call when they are given an endpoint.</summary>
internal static class AwsRoutes
{
    public static void MapAws(this IEndpointRouteBuilder routes, PipelineModel model, FaultInjector faults, TimeProvider time)
    {
        var credentials = new AwsCredentials();
        var endpoint = new AwsEndpoint(
            [
                new GlueService(model).Describe(),
                new CloudWatchService(new MetricCatalog(model)).Describe(),
                new StsService(credentials).Describe(),
            ],
            new SignatureVerifier(credentials.Find, time),
            faults,
            time);
        routes.MapPost("/", endpoint.HandleAsync);
    }
}
