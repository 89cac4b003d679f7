using System.Buffers;
using System.Formats.Cbor;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Xml.Linq;

namespace PipelineExporter.Simulator.Aws;

/// <summary>Reads the body of a call, and writes the answer.</summary>
internal delegate void AwsOperation(ReadOnlyMemory<byte> body, AwsCall call, IBufferWriter<byte> answer);

/// <param name="Run">Returns the result element.</param>
/// <param name="IsAnonymous">Called without a signature.</param>
internal sealed record QueryOperation(Func<QueryParameters, AwsCall, XElement> Run, bool IsAnonymous);

/// <summary>
/// One AWS service: the protocols that it speaks, and its operations in each. Which operation does what is told by
/// <see cref="Json{TIn,TOut}(string,JsonTypeInfo{TIn},JsonTypeInfo{TOut},Func{TIn,AwsCall,TOut})"/>, <see cref="Cbor"/>,
/// <see cref="Query"/> and <see cref="Rest"/>, one line an operation and protocol.
/// </summary>
internal sealed class AwsService
{
    [ThreadStatic]
    static CborWriter? cborWriter;

    readonly Dictionary<string, AwsOperation> json = [];
    readonly Dictionary<string, AwsOperation> cbor = [];
    readonly Dictionary<string, QueryOperation> query = [];
    readonly Dictionary<string, Func<S3Request, AwsCall, XElement?>> rest = [];

    /// <summary>The name under which faults are injected, and the prefix of its actions in policies.</summary>
    public required string Name { get; init; }

    /// <summary>What the scope of a signature has to name.</summary>
    public required string SigningName { get; init; }

    /// <summary>What stands before the dot of X-Amz-Target; null where the service does not speak JSON.</summary>
    public string? TargetPrefix { get; init; }

    /// <summary>1.0 or 1.1, the end of the Content-Type.</summary>
    public string JsonVersion { get; init; } = "1.1";

    /// <summary>What stands before # in the __type of errors in JSON 1.0 and CBOR.</summary>
    public string ErrorNamespace { get; init; } = "com.amazon.coral.service";

    /// <summary>The Version of query requests; null where the service does not speak query.</summary>
    public string? QueryVersion { get; init; }

    /// <summary>The namespace of the XML that answers query requests.</summary>
    public XNamespace XmlNamespace { get; init; } = XNamespace.None;

    /// <summary>The code of throttled requests in JSON; query says Throttling.</summary>
    public string ThrottlingCode { get; init; } = "ThrottlingException";

    public string ThrottlingMessage { get; init; } = "Rate exceeded";

    /// <summary>The code of failures of the service itself.</summary>
    public string FailureCode { get; init; } = "InternalServiceException";

    /// <summary>What a policy has to allow for an operation, where it is not called as the operation.</summary>
    public Func<string, string> ActionOf { get; init; } = operation => operation;

    public string JsonContentType => $"application/x-amz-json-{JsonVersion}";

    public AwsService Json<TIn, TOut>(string operation, JsonTypeInfo<TIn> input, JsonTypeInfo<TOut> output, Func<TIn, AwsCall, TOut> run) =>
        Json(operation, input, (writer, answer) => JsonSerializer.Serialize(writer, answer, output), run);

    public AwsService Json<TIn, TOut>(string operation, JsonTypeInfo<TIn> input, Action<Utf8JsonWriter, TOut> write, Func<TIn, AwsCall, TOut> run)
    {
        json.Add(operation, (body, call, answer) =>
        {
            TIn? request;
            try
            {
                request = JsonSerializer.Deserialize(body.Span, input);
            }
            catch (JsonException error)
            {
                throw Unreadable(error.Path is { Length: > 1 } path ? $"The value at '{path}' has the wrong type" : null);
            }

            if (request is null)
                throw Unreadable(null);
            var result = run(request, call);
            using var writer = new Utf8JsonWriter(answer);
            write(writer, result);
        });
        return this;
    }

    public AwsService Cbor<TIn, TOut>(string operation, Func<CborReader, TIn> read, Action<CborWriter, TOut> write, Func<TIn, AwsCall, TOut> run)
    {
        cbor.Add(operation, (body, call, answer) =>
        {
            TIn request;
            try
            {
                request = read(new CborReader(body, CborConformanceMode.Lax));
            }
            catch (Exception error) when (error is CborContentException or InvalidOperationException or OverflowException)
            {
                throw Unreadable(error.Message);
            }

            var result = run(request, call);
            var writer = cborWriter ??= new CborWriter(CborConformanceMode.Lax);
            writer.Reset();
            write(writer, result);
            answer.Advance(writer.Encode(answer.GetSpan(writer.BytesWritten)));
        });
        return this;
    }

    /// <param name="run">Returns the content of the result element.</param>
    public AwsService Query(string operation, Func<QueryParameters, AwsCall, IEnumerable<XElement>> run, bool isAnonymous = false)
    {
        query.Add(operation, new((parameters, call) => new XElement(operation + "Result", run(parameters, call)), isAnonymous));
        return this;
    }

    /// <param name="run">Returns the root element; null answers without a body.</param>
    public AwsService Rest(string operation, Func<S3Request, AwsCall, XElement?> run)
    {
        rest.Add(operation, run);
        return this;
    }

    public AwsOperation? FindJson(string operation) => json.GetValueOrDefault(operation);

    public AwsOperation? FindCbor(string operation) => cbor.GetValueOrDefault(operation);

    public QueryOperation? FindQuery(string operation) => query.GetValueOrDefault(operation);

    public Func<S3Request, AwsCall, XElement?>? FindRest(string operation) => rest.GetValueOrDefault(operation);

    static AwsException Unreadable(string? message) => new("SerializationException", message);
}
