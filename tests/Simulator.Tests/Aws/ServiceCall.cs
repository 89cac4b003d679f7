using System.Buffers;
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

    public static readonly AwsAccounts Accounts = new(Model, TimeProvider.System);


    public static AwsService CloudWatch(PipelineModel? model = null, FaultInjector? faults = null) => new CloudWatchService(
        model is null ? Accounts : new AwsAccounts(model, TimeProvider.System), faults ?? new FaultInjector(TimeProvider.System, seed: 1)).Describe();

    public static AwsCall As(string account = "123456789012", DateTimeOffset? now = null, string region = "eu-west-1") =>
        new(new AwsPrincipal("secret", $"arn:aws:iam::{account}:user/simulator", "AIDA"), region, now ?? Now);

    public static JsonNode Json(AwsService service, string operation, string input, DateTimeOffset? now = null, string region = "eu-west-1", string account = "123456789012") =>
        JsonNode.Parse(Run(service.FindJson(operation)!, Encoding.UTF8.GetBytes(input), As(account, now, region)).Span)!;

    public static ReadOnlyMemory<byte> Cbor(AwsService service, string operation, byte[] input, DateTimeOffset? now = null) =>
        Run(service.FindCbor(operation)!, input, As(now: now));

    public static System.Xml.Linq.XElement Query(AwsService service, string operation, params (string Name, string Value)[] parameters) =>
        Query(service, operation, As(), parameters);

    public static System.Xml.Linq.XElement Query(AwsService service, string operation, AwsCall call, params (string Name, string Value)[] parameters) =>
        service.FindQuery(operation)!.Run(
            new QueryParameters(new FormCollection(parameters.ToDictionary(p => p.Name, p => new StringValues(p.Value)))), call);

    public static AwsException Refused(AwsService service, string operation, string input, DateTimeOffset? now = null) =>
        Assert.Throws<AwsException>(() => Json(service, operation, input, now));

    public static ReadOnlyMemory<byte> Run(AwsOperation operation, byte[] input, AwsCall call)
    {
        var answer = new ArrayBufferWriter<byte>();
        operation(input, call, answer);
        return answer.WrittenMemory;
    }
}
