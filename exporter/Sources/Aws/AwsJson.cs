using System.Buffers;
using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Refit;

namespace PipelineExporter.Sources.Aws;

// What is read has set. Generated code gives init properties to a constructor: absent ones are null then, whatever their default,
// and all other properties are read twice, since it skips them until it has made the object.
[JsonSourceGenerationOptions(
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    Converters = [typeof(EpochSecondsConverter)])]
[JsonSerializable(typeof(GetJobsRequest))]
[JsonSerializable(typeof(GetJobsResponse))]
[JsonSerializable(typeof(GetJobRunsRequest))]
[JsonSerializable(typeof(GetJobRunsResponse))]
[JsonSerializable(typeof(GetMetricDataRequest))]
[JsonSerializable(typeof(GetMetricDataResponse))]
[JsonSerializable(typeof(ListMetricsRequest))]
[JsonSerializable(typeof(ListMetricsResponse))]
[JsonSerializable(typeof(AwsErrorBody))]
internal sealed partial class AwsJsonContext : JsonSerializerContext;

/// <summary>A time as AWS's JSON protocols write it: seconds since 1970, with a fraction.</summary>
internal sealed class EpochSecondsConverter : JsonConverter<DateTimeOffset>
{
    private static readonly long Last = DateTimeOffset.MaxValue.ToUnixTimeSeconds();

    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var seconds = reader.TokenType == JsonTokenType.Number ? reader.GetDouble() : double.NaN;
        return seconds >= 0 && seconds <= Last
            ? DateTimeOffset.FromUnixTimeMilliseconds((long)Math.Round(seconds * 1000))
            : throw new JsonException("a time must be seconds since 1970");
    }

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) =>
        writer.WriteNumberValue(value.ToUnixTimeMilliseconds() / 1000m);
}

/// <summary>A number; what is none is a string in JSON: NaN, Infinity, -Infinity.</summary>
internal sealed class NumberConverter : JsonConverter<double>
{
    public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType switch
    {
        JsonTokenType.Number => reader.GetDouble(),
        JsonTokenType.String when reader.ValueTextEquals("NaN"u8) => double.NaN,
        JsonTokenType.String when reader.ValueTextEquals("Infinity"u8) => double.PositiveInfinity,
        JsonTokenType.String when reader.ValueTextEquals("-Infinity"u8) => double.NegativeInfinity,
        _ => throw new JsonException("a value must be a number"),
    };

    public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options)
    {
        if (double.IsFinite(value))
            writer.WriteNumberValue(value);
        else
            writer.WriteStringValue(value.ToString(CultureInfo.InvariantCulture));
    }
}

/// <summary>Reads a list into an array of its size: lists that grow, of the datapoints of 50,000 metrics a minute, leave 25 MB behind.</summary>
internal sealed class ArrayConverter<T, TElement> : JsonConverter<IReadOnlyList<T>>
    where TElement : JsonConverter<T>, new()
{
    private const int LargestKept = 4096;

    [ThreadStatic]
    private static List<T>? buffer;

    private readonly TElement element = new();

    public override IReadOnlyList<T> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
            throw new JsonException("a list is expected");
        var values = buffer ??= [];
        values.Clear();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            values.Add(element.Read(ref reader, typeof(T), options)!);
        if (values.Count > LargestKept)
            buffer = null;
        return values.ToArray();
    }

    public override void Write(Utf8JsonWriter writer, IReadOnlyList<T> value, JsonSerializerOptions options)
    {
        writer.WriteStartArray();
        foreach (var one in value)
            element.Write(writer, one, options);
        writer.WriteEndArray();
    }
}

/// <summary>Bodies of AWS's JSON protocols. Their Content-Type carries no charset: some servers compare it exactly.</summary>
/// <param name="version">1.0 or 1.1.</param>
internal sealed class AwsJsonSerializer(string version) : IHttpContentSerializer
{
    private readonly MediaTypeHeaderValue contentType = new($"application/x-amz-json-{version}");

    public HttpContent ToHttpContent<T>(T item) => JsonContent.Create(item, TypeInfo<T>(), contentType);

    public async Task<T?> FromHttpContentAsync<T>(HttpContent content, CancellationToken cancellationToken = default)
    {
        // It is all there (WholeAnswers): who reads a stream looks first, at each value, whether all of it has come.
        await using var stream = await content.ReadAsStreamAsync(cancellationToken);
        var length = (int)stream.Length;
        var bytes = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            stream.ReadExactly(bytes, 0, length);
            return JsonSerializer.Deserialize(bytes.AsSpan(0, length), TypeInfo<T>()) ?? throw new JsonException("the answer is null");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    public string? GetFieldNameForProperty(PropertyInfo propertyInfo) => null;

    private static JsonTypeInfo<T> TypeInfo<T>() =>
        AwsJsonContext.Default.GetTypeInfo(typeof(T)) as JsonTypeInfo<T>
        ?? throw new NotSupportedException($"{typeof(T)} is not listed in {nameof(AwsJsonContext)}");
}
