using System.Text.Json.Serialization;

namespace PipelineExporter.Simulator.Aws;

// The shapes of Glue's service model, as far as the simulator sends and reads them. Null members are not sent.

internal sealed record GetJobsRequest(string? NextToken, int? MaxResults);

internal sealed record GetJobsResponse(IReadOnlyList<JobShape> Jobs, string? NextToken);

internal sealed record ListJobsRequest(string? NextToken, int? MaxResults, IReadOnlyDictionary<string, string>? Tags);

internal sealed record ListJobsResponse(IReadOnlyList<string> JobNames, string? NextToken);

internal sealed record GetJobRunsRequest(string? JobName, string? NextToken, int? MaxResults);

internal sealed record GetJobRunsResponse(IReadOnlyList<JobRunShape> JobRuns, string? NextToken);

internal sealed record JobShape
{
    public required string Name { get; init; }
    public required string JobMode { get; init; }
    public bool JobRunQueuingEnabled { get; init; }
    public string? Description { get; init; }
    public required string Role { get; init; }
    public DateTimeOffset CreatedOn { get; init; }
    public DateTimeOffset LastModifiedOn { get; init; }
    public required JobExecutionProperty ExecutionProperty { get; init; }
    public required JobCommand Command { get; init; }
    public required IReadOnlyDictionary<string, string> DefaultArguments { get; init; }
    public int MaxRetries { get; init; }
    public int AllocatedCapacity { get; init; }
    public int? Timeout { get; init; }
    public double MaxCapacity { get; init; }
    public required string WorkerType { get; init; }
    public int NumberOfWorkers { get; init; }
    public required string GlueVersion { get; init; }
    public required string ExecutionClass { get; init; }
}

internal sealed record JobExecutionProperty(int MaxConcurrentRuns);

internal sealed record JobCommand(string Name, string ScriptLocation, string PythonVersion);

internal sealed record JobPredecessor(string JobName, string RunId);

internal sealed record JobRunShape
{
    public required string Id { get; init; }
    public int Attempt { get; init; }
    public string? PreviousRunId { get; init; }
    public required string JobName { get; init; }
    public required string JobMode { get; init; }
    public bool JobRunQueuingEnabled { get; init; }
    public DateTimeOffset StartedOn { get; init; }
    public DateTimeOffset LastModifiedOn { get; init; }
    public DateTimeOffset? CompletedOn { get; init; }
    public required string JobRunState { get; init; }
    public required IReadOnlyDictionary<string, string> Arguments { get; init; }
    public string? ErrorMessage { get; init; }
    public required IReadOnlyList<JobPredecessor> PredecessorRuns { get; init; }
    public int AllocatedCapacity { get; init; }
    public int ExecutionTime { get; init; }
    public int? Timeout { get; init; }
    public double MaxCapacity { get; init; }
    public required string WorkerType { get; init; }
    public int NumberOfWorkers { get; init; }
    public required string LogGroupName { get; init; }
    public required string GlueVersion { get; init; }

    /// <summary>Sent of Flex runs alone, as Glue does; of other runs it is derived from workers and time.</summary>
    [JsonPropertyName("DPUSeconds")]
    public double? DpuSeconds { get; init; }

    public required string ExecutionClass { get; init; }
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Converters = [typeof(EpochSeconds)])]
[JsonSerializable(typeof(GetJobsRequest))]
[JsonSerializable(typeof(GetJobsResponse))]
[JsonSerializable(typeof(ListJobsRequest))]
[JsonSerializable(typeof(ListJobsResponse))]
[JsonSerializable(typeof(GetJobRunsRequest))]
[JsonSerializable(typeof(GetJobRunsResponse))]
internal sealed partial class GlueJson : JsonSerializerContext;
