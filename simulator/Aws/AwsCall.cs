namespace PipelineExporter.Simulator.Aws;

/// <summary>What an operation knows of its call besides the input.</summary>
/// <param name="Now">The instant that the answer describes.</param>
internal sealed record AwsCall(AwsPrincipal Principal, string Region, DateTimeOffset Now);
