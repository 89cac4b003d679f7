using System.Text.Json;
using System.Text.Json.Serialization;
using Refit;

namespace PipelineExporter.Sources.Aws;

/// <summary>AWS Glue, JSON 1.1 protocol. Operations and fields carry AWS's own names.</summary>
internal interface IGlueApi
{
    [Post("/")]
    [Headers("X-Amz-Target: AWSGlue.GetJobs")]
    Task<GetJobsResponse> GetJobsAsync([Body] GetJobsRequest request, CancellationToken cancellationToken);

    /// <summary>Runs of one job, newest first, kept about 90 days; there is no filter.</summary>
    [Post("/")]
    [Headers("X-Amz-Target: AWSGlue.GetJobRuns")]
    Task<GetJobRunsResponse> GetJobRunsAsync([Body] GetJobRunsRequest request, CancellationToken cancellationToken);
}

/// <param name="MaxResults">At most 1000.</param>
internal sealed record GetJobsRequest(string? NextToken = null, int? MaxResults = null);

internal sealed record GetJobsResponse
{
    [JsonRequired] // absent is not empty
    public IReadOnlyList<GlueJob> Jobs { get; set; } = [];

    public string? NextToken { get; set; }
}

/// <summary>What is read of a job.</summary>
internal sealed record GlueJob
{
    public string Name { get; set; } = "";

    public DateTimeOffset? CreatedOn { get; set; }

    /// <summary>How often Glue starts a failed run again by itself.</summary>
    public int MaxRetries { get; set; }

    /// <summary>STANDARD or FLEX; absent for jobs that know no such thing.</summary>
    public string? ExecutionClass { get; set; }

    public string? GlueVersion { get; set; }

    public string? WorkerType { get; set; }

    public GlueJobCommand? Command { get; set; }

    public GlueDefaultArguments? DefaultArguments { get; set; }

    /// <summary>Its runs are meant to go on for ever.</summary>
    public bool IsStreaming => Command?.Name == "gluestreaming";

    /// <summary>Its runs report Spark's metrics to CloudWatch.</summary>
    public bool ReportsSpark => DefaultArguments is { MetricsEnabled: true } && (IsStreaming || Command?.Name == "glueetl");
}

internal sealed record GlueJobCommand
{
    /// <summary>glueetl, gluestreaming, pythonshell or glueray.</summary>
    public string? Name { get; set; }
}

/// <summary>What is read of a job's default arguments. They may hold secrets: no other name or value becomes an object.</summary>
/// <param name="MetricsEnabled">Its runs report to CloudWatch.</param>
[JsonConverter(typeof(GlueDefaultArgumentsConverter))]
internal sealed record GlueDefaultArguments(bool MetricsEnabled);

internal sealed class GlueDefaultArgumentsConverter : JsonConverter<GlueDefaultArguments>
{
    public override GlueDefaultArguments Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw new JsonException("default arguments must be an object");
        var metrics = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isMetrics = reader.ValueTextEquals("--enable-metrics"u8);
            reader.Read();
            // To name it is enough; most leave it empty.
            if (isMetrics)
                metrics = reader.TokenType != JsonTokenType.String || !(reader.ValueTextEquals("false"u8) || reader.ValueTextEquals("False"u8));
            reader.TrySkip(); // Whatever it is: the whole object is in memory here.
        }

        return new(metrics);
    }

    public override void Write(Utf8JsonWriter writer, GlueDefaultArguments value, JsonSerializerOptions options) => throw new NotSupportedException("is only read");
}

/// <param name="MaxResults">At most 200.</param>
internal sealed record GetJobRunsRequest(string JobName, string? NextToken = null, int? MaxResults = null);

internal sealed record GetJobRunsResponse
{
    [JsonRequired] // absent is not empty
    public IReadOnlyList<GlueJobRun> JobRuns { get; set; } = [];

    public string? NextToken { get; set; }
}

/// <summary>What is read of a run. Its arguments and error message may hold secrets and have no place here.</summary>
internal sealed record GlueJobRun
{
    public string Id { get; set; } = "";

    /// <summary>0 for the first run, n for the n-th retry by Glue.</summary>
    public int Attempt { get; set; }

    /// <summary>The run that this one repeats.</summary>
    public string? PreviousRunId { get; set; }

    /// <summary>STARTING, RUNNING, STOPPING, WAITING; STOPPED, SUCCEEDED, FAILED, TIMEOUT, ERROR, EXPIRED.</summary>
    public string JobRunState { get; set; } = "";

    public DateTimeOffset? StartedOn { get; set; }

    public DateTimeOffset? LastModifiedOn { get; set; }

    public DateTimeOffset? CompletedOn { get; set; }

    /// <summary>Seconds in which the run consumed resources.</summary>
    public double? ExecutionTime { get; set; }

    /// <summary>Only of auto-scaled and FLEX runs.</summary>
    public double? DPUSeconds { get; set; }

    /// <summary>DPUs.</summary>
    public double? MaxCapacity { get; set; }

    public string? WorkerType { get; set; }

    public double? NumberOfWorkers { get; set; }

    public string? ExecutionClass { get; set; }

    /// <summary>Whether the run may wait until the account has room for it.</summary>
    public bool? JobRunQueuingEnabled { get; set; }
}
