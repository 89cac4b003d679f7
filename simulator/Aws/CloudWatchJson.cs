using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace PipelineExporter.Simulator.Aws;

/// <summary>CloudWatch's answers in JSON, written straight: data comes by the ten thousand datapoints.</summary>
internal static class CloudWatchJson
{
    public static void Write(Utf8JsonWriter writer, ListMetricsOutput output)
    {
        writer.WriteStartObject();
        writer.WriteStartArray("Metrics");
        foreach (var metric in output.Metrics)
        {
            writer.WriteStartObject();
            writer.WriteString("Namespace", metric.Namespace);
            writer.WriteString("MetricName", metric.Name);
            writer.WriteStartArray("Dimensions");
            foreach (var dimension in metric.Dimensions)
            {
                writer.WriteStartObject();
                writer.WriteString("Name", dimension.Name);
                writer.WriteString("Value", dimension.Value);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        if (output.NextToken is not null)
            writer.WriteString("NextToken", output.NextToken);
        writer.WriteEndObject();
    }

    public static void Write(Utf8JsonWriter writer, GetMetricDataOutput output)
    {
        writer.WriteStartObject();
        writer.WriteStartArray("MetricDataResults");
        // All series of an answer have the same few instants.
        Dictionary<long, byte[]> instants = [];
        foreach (var result in output.MetricDataResults)
        {
            writer.WriteStartObject();
            writer.WriteString("Id", result.Id);
            writer.WriteString("Label", result.Label);
            writer.WriteStartArray("Timestamps");
            foreach (var point in result.Points.AsSpan())
            {
                ref var text = ref CollectionsMarshal.GetValueRefOrAddDefault(instants, point.At, out _);
                writer.WriteRawValue(text ??= Encoding.UTF8.GetBytes(EpochSeconds.Text(point.At)), skipInputValidation: true);
            }
            writer.WriteEndArray();
            writer.WriteStartArray("Values");
            foreach (var point in result.Points.AsSpan())
                WriteNumber(writer, point.Value);
            writer.WriteEndArray();
            writer.WriteString("StatusCode", result.StatusCode);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        if (output.NextToken is not null)
            writer.WriteString("NextToken", output.NextToken);
        writer.WriteStartArray("Messages");
        foreach (var message in output.Messages)
        {
            writer.WriteStartObject();
            writer.WriteString("Code", message.Code);
            writer.WriteString("Value", message.Value);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    /// <summary>JSON has no number for NaN; AWS sends its name as a string.</summary>
    static void WriteNumber(Utf8JsonWriter writer, double value)
    {
        if (double.IsFinite(value))
            writer.WriteNumberValue(value);
        else
            writer.WriteStringValue(value.ToString(CultureInfo.InvariantCulture));
    }
}
