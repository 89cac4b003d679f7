using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Xml.Linq;

namespace PipelineExporter.Simulator.Aws;

/// <summary>
/// One AWS service: the protocols that it speaks, and its operations in each. Which operation does what is told by
/// <see cref="Json{TIn,TOut}"/> and <see cref="Query"/>, one line an operation.
/// </summary>
internal sealed class AwsService
{
    readonly Dictionary<string, Func<ReadOnlyMemory<byte>, AwsCall, byte[]>> json = [];
    readonly Dictionary<string, Func<QueryParameters, AwsCall, XElement>> query = [];

    /// <summary>The name under which faults are injected.</summary>
    public required string Name { get; init; }

    /// <summary>What the scope of a signature has to name.</summary>
    public required string SigningName { get; init; }

    /// <summary>What stands before the dot of X-Amz-Target; null where the service does not speak JSON.</summary>
    public string? TargetPrefix { get; init; }

    /// <summary>1.0 or 1.1, the end of the Content-Type.</summary>
    public string JsonVersion { get; init; } = "1.1";

    /// <summary>The Version of query requests; null where the service does not speak query.</summary>
    public string? QueryVersion { get; init; }

    /// <summary>The namespace of the XML that answers query requests.</summary>
    public XNamespace XmlNamespace { get; init; } = XNamespace.None;

    /// <summary>The code of throttled requests in JSON; query says Throttling.</summary>
    public string ThrottlingCode { get; init; } = "ThrottlingException";

    /// <summary>The code of failures of the service itself.</summary>
    public string FailureCode { get; init; } = "InternalServiceException";

    public string JsonContentType => $"application/x-amz-json-{JsonVersion}";

    public AwsService Json<TIn, TOut>(string operation, JsonTypeInfo<TIn> input, JsonTypeInfo<TOut> output, Func<TIn, AwsCall, TOut> run)
    {
        json.Add(operation, (body, call) =>
        {
            TIn? request;
            try
            {
                request = JsonSerializer.Deserialize(body.Span, input);
            }
            catch (JsonException error)
            {
                throw new AwsException(
                    "SerializationException", error.Path is { Length: > 1 } path ? $"The value at '{path}' has the wrong type" : null);
            }

            if (request is null)
                throw new AwsException("SerializationException", null);
            return JsonSerializer.SerializeToUtf8Bytes(run(request, call), output);
        });
        return this;
    }

    /// <param name="run">Returns the content of the result element.</param>
    public AwsService Query(string operation, Func<QueryParameters, AwsCall, IEnumerable<XElement>> run)
    {
        query.Add(operation, (parameters, call) => new XElement(operation + "Result", run(parameters, call)));
        return this;
    }

    public Func<ReadOnlyMemory<byte>, AwsCall, byte[]>? FindJson(string operation) => json.GetValueOrDefault(operation);

    public Func<QueryParameters, AwsCall, XElement>? FindQuery(string operation) => query.GetValueOrDefault(operation);
}
