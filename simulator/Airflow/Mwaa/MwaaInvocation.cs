using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using PipelineExporter.Simulator.Aws;

namespace PipelineExporter.Simulator.Airflow.Mwaa;

/// <summary>The request for Airflow that an InvokeRestApi carries.</summary>
internal sealed partial class MwaaInvocation
{
    static readonly string[] Methods = ["GET", "PUT", "POST", "PATCH", "DELETE"];

    readonly InvokeRestApiBody input;
    readonly QueryString query;

    MwaaInvocation(InvokeRestApiBody input)
    {
        this.input = input;
        query = Query(input.QueryParameters);
    }

    public string Path => input.Path!;

    /// <exception cref="AwsException">It is not what the service's model allows.</exception>
    public static MwaaInvocation Read(string name, ReadOnlyMemory<byte> body)
    {
        if (name.Length > 80)
            throw Invalid(name, "name", "Member must have length less than or equal to 80");
        if (!EnvironmentName().IsMatch(name))
            throw Invalid(name, "name", "Member must satisfy regular expression pattern: [a-zA-Z][0-9a-zA-Z-_]*");
        InvokeRestApiBody? given;
        try
        {
            given = JsonSerializer.Deserialize(body.Span, MwaaJson.Default.InvokeRestApiBody);
        }
        catch (JsonException error)
        {
            throw new AwsException("SerializationException", error.Path is { Length: > 1 } path ? $"The value at '{path}' has the wrong type" : null);
        }
        return given switch
        {
            null => throw new AwsException("SerializationException", null),
            { Path: null } => throw Invalid(null, "path", "Member must not be null"),
            { Path.Length: 0 } => throw Invalid("", "path", "Member must have length greater than or equal to 1"),
            { Path.Length: > 64 } => throw Invalid(given.Path, "path", "Member must have length less than or equal to 64"),
            { Method: null } => throw Invalid(null, "method", "Member must not be null"),
            _ when !Methods.Contains(given.Method) => throw Invalid(given.Method, "method", $"Member must satisfy enum value set: [{string.Join(", ", Methods)}]"),
            _ => new MwaaInvocation(given),
        };
    }

    /// <param name="end">Cancelled by whoever gives up: the caller, or the server that cuts the connection.</param>
    public HttpContext Request(string root, IServiceProvider services, CancellationTokenSource end)
    {
        var context = new DefaultHttpContext { RequestServices = services };
        context.Features.Set<IHttpRequestLifetimeFeature>(new Lifetime(end));
        context.Request.Method = input.Method!;
        context.Request.Path = new PathString(root) + PathString.FromUriComponent(Path.StartsWith('/') ? Path : "/" + Path);
        context.Request.QueryString = query;
        if (input.Body is { } body)
        {
            context.Request.ContentType = "application/json";
            context.Request.Body = new MemoryStream(JsonSerializer.SerializeToUtf8Bytes(body, MwaaJson.Default.JsonElement));
        }
        context.Response.Body = new MemoryStream();
        return context;
    }

    static QueryString Query(JsonElement? parameters)
    {
        if (parameters is not { ValueKind: not JsonValueKind.Null } given)
            return QueryString.Empty;
        if (given.ValueKind != JsonValueKind.Object)
            throw new AwsException("ValidationException", "QueryParameters must be a JSON object");
        return QueryString.Create(given.EnumerateObject().SelectMany(parameter => Values(parameter.Value), (parameter, value) => KeyValuePair.Create<string, string?>(parameter.Name, value)));
    }

    static IEnumerable<string> Values(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array => value.EnumerateArray().SelectMany(Values),
        JsonValueKind.String => [value.GetString()!],
        JsonValueKind.Number => [value.GetRawText()],
        JsonValueKind.True => ["true"],
        JsonValueKind.False => ["false"],
        JsonValueKind.Null => [],
        _ => throw new AwsException("ValidationException", "QueryParameters hold strings, numbers, booleans, or lists of them"),
    };

    static AwsException Invalid(object? value, string member, string constraint) => AwsException.Constraint("ValidationException", value, member, constraint);

    [GeneratedRegex("^[a-zA-Z][0-9a-zA-Z_-]*$")]
    private static partial Regex EnvironmentName();

    sealed class Lifetime(CancellationTokenSource end) : IHttpRequestLifetimeFeature
    {
        public CancellationToken RequestAborted { get; set; } = end.Token;

        public void Abort() => end.Cancel();
    }
}

internal sealed record InvokeRestApiBody(string? Path, string? Method, JsonElement? QueryParameters, JsonElement? Body);

[JsonSerializable(typeof(InvokeRestApiBody))]
[JsonSerializable(typeof(JsonElement))]
[JsonSerializable(typeof(string))]
internal sealed partial class MwaaJson : JsonSerializerContext;
