using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using PipelineExporter.Simulator.Aws;
using PipelineExporter.Simulator.Control;

namespace PipelineExporter.Simulator.Airflow.Mwaa;

internal static class MwaaRoutes
{
    /// <summary>Has to come before routing, which it hands the requests for Airflow to.</summary>
    public static void UseMwaa(this IApplicationBuilder web, FaultInjector faults, AwsCredentials credentials, TimeProvider time)
    {
        var endpoint = new MwaaEndpoint(new SignatureVerifier(credentials.Find, time), faults, time);
        web.Use(next => context =>
            HttpMethods.IsPost(context.Request.Method) && context.Request.Path.StartsWithSegments(MwaaEndpoint.Root, StringComparison.Ordinal, out var name) &&
            name.Value is ['/', not '/', ..]
                ? endpoint.HandleAsync(context, next)
                : next(context));
    }
}
