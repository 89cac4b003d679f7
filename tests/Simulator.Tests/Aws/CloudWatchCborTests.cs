using System.Formats.Cbor;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using PipelineExporter.Simulator.Aws;

namespace PipelineExporter.Simulator.Tests.Aws;

/// <summary>rpc-v2-cbor, which the current SDKs speak to CloudWatch, holds what JSON holds.</summary>
public sealed class CloudWatchCborTests(SimulatorFixture fixture) : IClassFixture<SimulatorFixture>
{
    static readonly AwsService CloudWatch = ServiceCall.CloudWatch();
    static readonly DateTimeOffset Start = new(2026, 11, 23, 8, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Data_is_the_same_as_in_json_page_by_page()
    {
        var json = ServiceCall.Json(CloudWatch, "GetMetricData", Json());
        var cbor = Decode(ServiceCall.Cbor(CloudWatch, "GetMetricData", Data(withFloats: false)));
        var withFloats = Decode(ServiceCall.Cbor(CloudWatch, "GetMetricData", Data(withFloats: true)));

        Assert.Equal(Plain(json), Plain(cbor));
        Assert.Equal(Plain(json), Plain(withFloats));
        Assert.Equal(7, cbor["MetricDataResults"]![0]!["Values"]!.AsArray().Count);

        var next = (string)cbor["NextToken"]!;
        Assert.Equal(
            Plain(ServiceCall.Json(CloudWatch, "GetMetricData", Json(next))),
            Plain(Decode(ServiceCall.Cbor(CloudWatch, "GetMetricData", Data(withFloats: false, next)))));
    }

    [Fact]
    public void Metrics_are_the_same_as_in_json()
    {
        var json = ServiceCall.Json(CloudWatch, "ListMetrics", """{"Namespace": "AWS/MWAA", "Dimensions": [{"Name": "Cluster", "Value": "BaseWorker"}]}""");
        var cbor = Decode(ServiceCall.Cbor(CloudWatch, "ListMetrics", Encode(writer =>
        {
            writer.WriteStartMap(null);
            writer.WriteTextString("Namespace");
            writer.WriteTextString("AWS/MWAA");
            writer.WriteTextString("SomethingNew");
            writer.WriteStartArray(1);
            writer.WriteInt32(1);
            writer.WriteEndArray();
            writer.WriteTextString("NextToken");
            writer.WriteNull();
            writer.WriteTextString("Dimensions");
            writer.WriteStartArray(null);
            writer.WriteStartMap(2);
            writer.WriteTextString("Name");
            writer.WriteTextString("Cluster");
            writer.WriteTextString("Value");
            writer.WriteTextString("BaseWorker");
            writer.WriteEndMap();
            writer.WriteEndArray();
            writer.WriteEndMap();
        })));

        Assert.Equal(2, json["Metrics"]!.AsArray().Count);
        Assert.Equal(json.ToJsonString(), cbor.ToJsonString());
    }

    [Theory]
    [InlineData(new byte[] { })]
    [InlineData(new byte[] { 0xA1 })]
    [InlineData(new byte[] { 0x80 })]
    [InlineData(new byte[] { 0xA1, 0x69, (byte)'N', (byte)'e', (byte)'x', (byte)'t', (byte)'T', (byte)'o', (byte)'k', (byte)'e', (byte)'n', 0x01 })]
    public void What_cannot_be_read_is_refused(byte[] body) =>
        Assert.Equal("SerializationException", Assert.Throws<AwsException>(() => ServiceCall.Cbor(CloudWatch, "ListMetrics", body)).Code);

    [Fact]
    public async Task Answers_and_errors_name_the_protocol()
    {
        using var client = new AwsTestClient(fixture.Simulator.Address, TimeProvider.System);
        using var answer = await client.CborAsync("ListMetrics", [0xA0]);
        using var refused = await client.CborAsync("GetMetricData", [0xA0]);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        foreach (var response in new[] { answer, refused })
        {
            Assert.Equal("rpc-v2-cbor", Assert.Single(response.Headers.GetValues("smithy-protocol")));
            Assert.Equal(new MediaTypeHeaderValue("application/cbor"), response.Content.Headers.ContentType);
        }
        Assert.NotEmpty((await BodyAsync(answer))["Metrics"]!.AsArray());
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Equal("ValidationError;Sender", Assert.Single(refused.Headers.GetValues("x-amzn-query-error")));
        var error = await BodyAsync(refused);
        Assert.Equal("com.amazon.coral.service#ValidationError", (string)error["__type"]!);
        Assert.Equal("The parameter MetricDataQueries is required.", (string)error["message"]!);
    }

    [Fact]
    public async Task Signatures_operations_and_the_content_type_are_checked()
    {
        using var stranger = new AwsTestClient(fixture.Simulator.Address, TimeProvider.System) { Secret = "other" };
        using var client = new AwsTestClient(fixture.Simulator.Address, TimeProvider.System);

        Assert.EndsWith("#InvalidSignatureException", (string)(await BodyAsync(await stranger.CborAsync("ListMetrics", [0xA0])))["__type"]!, StringComparison.Ordinal);
        Assert.EndsWith("#UnknownOperationException", (string)(await BodyAsync(await client.CborAsync("PutMetricData", [0xA0])))["__type"]!, StringComparison.Ordinal);
        Assert.EndsWith("#UnknownOperationException", (string)(await BodyAsync(await client.CborAsync("ListMetrics", [0xA0], "application/json")))["__type"]!, StringComparison.Ordinal);
    }

    static async Task<JsonNode> BodyAsync(HttpResponseMessage response) =>
        Decode(await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));

    /// <summary>Values and timestamps as numbers, however they were written; without the token, which names no page.</summary>
    static string Plain(JsonNode answer) => string.Join('\n', answer["MetricDataResults"]!.AsArray().Select(result =>
        $"{result!["Id"]} {result["Label"]} {result["StatusCode"]} {Numbers(result["Timestamps"]!)} {Numbers(result["Values"]!)}")) + (answer["NextToken"] is null);

    static string Numbers(JsonNode list) => string.Join(',', list.AsArray().Select(number => (double)number!));

    static string Json(string? token = null) =>
        $$"""
        {"MetricDataQueries": [{"Id": "a", "MetricStat": {"Metric": {"Namespace": "Glue", "MetricName": "glue.driver.aggregate.elapsedTime",
        "Dimensions": [{"Name": "JobName", "Value": "music_streaming_validation"}, {"Name": "JobRunId", "Value": "ALL"}, {"Name": "Type", "Value": "count"}]},
        "Period": 300, "Stat": "Average"}, "ReturnData": true}], "StartTime": {{Start.ToUnixTimeSeconds()}}, "EndTime": {{Start.AddHours(2).ToUnixTimeSeconds()}},
        "ScanBy": "TimestampAscending", "MaxDatapoints": 7{{(token is null ? "" : $", \"NextToken\": \"{token}\"")}}}
        """;

    static byte[] Data(bool withFloats, string? token = null) => Encode(writer =>
    {
        writer.WriteStartMap(null);
        writer.WriteTextString("MetricDataQueries");
        writer.WriteStartArray(1);
        writer.WriteStartMap(3);
        Text("Id", "a");
        writer.WriteTextString("ReturnData");
        writer.WriteBoolean(true);
        writer.WriteTextString("MetricStat");
        writer.WriteStartMap(3);
        writer.WriteTextString("Metric");
        writer.WriteStartMap(3);
        Text("Namespace", "Glue");
        Text("MetricName", "glue.driver.aggregate.elapsedTime");
        writer.WriteTextString("Dimensions");
        writer.WriteStartArray(3);
        foreach (var (name, value) in new[] { ("JobName", "music_streaming_validation"), ("JobRunId", "ALL"), ("Type", "count") })
        {
            writer.WriteStartMap(2);
            Text("Name", name);
            Text("Value", value);
            writer.WriteEndMap();
        }
        writer.WriteEndArray();
        writer.WriteEndMap();
        writer.WriteTextString("Period");
        writer.WriteInt32(300);
        Text("Stat", "Average");
        writer.WriteEndMap();
        writer.WriteEndMap();
        writer.WriteEndArray();
        Instant("StartTime", Start);
        Instant("EndTime", Start.AddHours(2));
        Text("ScanBy", "TimestampAscending");
        writer.WriteTextString("MaxDatapoints");
        writer.WriteInt32(7);
        if (token is not null)
            Text("NextToken", token);
        writer.WriteEndMap();

        void Text(string name, string value)
        {
            writer.WriteTextString(name);
            writer.WriteTextString(value);
        }

        void Instant(string name, DateTimeOffset at)
        {
            writer.WriteTextString(name);
            writer.WriteTag(CborTag.UnixTimeSeconds);
            if (withFloats)
                writer.WriteDouble(at.ToUnixTimeSeconds());
            else
                writer.WriteInt64(at.ToUnixTimeSeconds());
        }
    });

    static byte[] Encode(Action<CborWriter> write)
    {
        var writer = new CborWriter();
        write(writer);
        return writer.Encode();
    }

    static JsonNode Decode(ReadOnlyMemory<byte> body)
    {
        var reader = new CborReader(body);
        var node = Read(reader)!;
        Assert.Equal(0, reader.BytesRemaining);
        return node;
    }

    static JsonNode? Read(CborReader reader)
    {
        switch (reader.PeekState())
        {
            case CborReaderState.StartMap:
                var map = new JsonObject();
                reader.ReadStartMap();
                while (reader.PeekState() != CborReaderState.EndMap)
                    map.Add(reader.ReadTextString(), Read(reader));
                reader.ReadEndMap();
                return map;
            case CborReaderState.StartArray:
                var list = new JsonArray();
                reader.ReadStartArray();
                while (reader.PeekState() != CborReaderState.EndArray)
                    list.Add(Read(reader));
                reader.ReadEndArray();
                return list;
            case CborReaderState.Tag:
                return (double)reader.ReadUnixTimeSeconds().ToUnixTimeSeconds();
            case CborReaderState.TextString:
                return reader.ReadTextString();
            default:
                return reader.ReadDouble();
        }
    }
}
