using System.Collections.Concurrent;

namespace PipelineExporter.Sources.Aws;

/// <summary>What a source has asked of AWS, and how fast it may go on asking.</summary>
/// <param name="paces">By operation; others have no limit of their own.</param>
internal sealed class AwsUsage(IReadOnlyDictionary<string, AwsPace> paces)
{
    private readonly ConcurrentDictionary<(string Service, string Operation), long> answered = new();

    /// <summary>Requests that AWS answered, and may bill, since the process started.</summary>
    public IReadOnlyDictionary<(string Service, string Operation), long> Requests => answered;

    public AwsPace? PaceOf(string operation) => paces.GetValueOrDefault(operation);

    public void Answered(AwsService service, string operation) => answered.AddOrUpdate((service.Id, operation), 1, static (_, count) => count + 1);
}
