using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using PipelineExporter.Simulator.Aws;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Tests.Aws;

/// <summary>Calls operations as a caller whose signature was accepted.</summary>
internal static class ServiceCall
{
    public static readonly DateTimeOffset Now = new(2026, 11, 23, 10, 31, 0, TimeSpan.Zero);

    public static readonly PipelineModel Model = new(seed: 1, new IncidentLog(TimeProvider.System));

    static readonly AwsPrincipal Owner = new("secret", "arn:aws:iam::123456789012:user/simulator", "AIDA");

    public static JsonNode Json(AwsService service, string operation, string input, DateTimeOffset? now = null, string region = "eu-west-1") =>
        JsonNode.Parse(service.FindJson(operation)!(Encoding.UTF8.GetBytes(input), new AwsCall(Owner, region, now ?? Now)))!;

    public static System.Xml.Linq.XElement Query(AwsService service, string operation, params (string Name, string Value)[] parameters) =>
        service.FindQuery(operation)!(
            new QueryParameters(new FormCollection(parameters.ToDictionary(p => p.Name, p => new StringValues(p.Value)))),
            new AwsCall(Owner, "eu-west-1", Now));

    public static AwsException Refused(AwsService service, string operation, string input, DateTimeOffset? now = null) =>
        Assert.Throws<AwsException>(() => Json(service, operation, input, now));
}
