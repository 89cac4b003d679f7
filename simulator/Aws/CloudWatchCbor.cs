using System.Formats.Cbor;

namespace PipelineExporter.Simulator.Aws;

/// <summary>CloudWatch's operations in CBOR, which the current SDKs speak. Maps are written without their length, as AWS does.</summary>
internal static class CloudWatchCbor
{
    public static ListMetricsInput ReadListMetrics(CborReader reader)
    {
        var input = new ListMetricsInput(null, null, null, null, null, null);
        Map(reader, name => input = name switch
        {
            "Namespace" => input with { Namespace = Text(reader) },
            "MetricName" => input with { MetricName = Text(reader) },
            "Dimensions" => input with { Dimensions = List(reader, ReadFilter) },
            "NextToken" => input with { NextToken = Text(reader) },
            "RecentlyActive" => input with { RecentlyActive = Text(reader) },
            "OwningAccount" => input with { OwningAccount = Text(reader) },
            _ => Skip(reader, input),
        });
        return input;
    }

    static DimensionFilter ReadFilter(CborReader reader)
    {
        var (name, value) = ReadPair(reader);
        return new(name, value);
    }

    public static GetMetricDataInput ReadGetMetricData(CborReader reader)
    {
        var input = new GetMetricDataInput(null, null, null, null, null, null);
        Map(reader, name => input = name switch
        {
            "MetricDataQueries" => input with { MetricDataQueries = List(reader, ReadQuery) },
            "StartTime" => input with { StartTime = Instant(reader) },
            "EndTime" => input with { EndTime = Instant(reader) },
            "NextToken" => input with { NextToken = Text(reader) },
            "ScanBy" => input with { ScanBy = Text(reader) },
            "MaxDatapoints" => input with { MaxDatapoints = Integer(reader) },
            _ => Skip(reader, input),
        });
        return input;
    }

    static MetricDataQuery ReadQuery(CborReader reader)
    {
        var query = new MetricDataQuery(null, null, null, null, null, null);
        Map(reader, name => query = name switch
        {
            "Id" => query with { Id = Text(reader) },
            "MetricStat" => query with { MetricStat = ReadStat(reader) },
            "Expression" => query with { Expression = Text(reader) },
            "Label" => query with { Label = Text(reader) },
            "ReturnData" => query with { ReturnData = reader.ReadBoolean() },
            "AccountId" => query with { AccountId = Text(reader) },
            _ => Skip(reader, query),
        });
        return query;
    }

    static MetricStat ReadStat(CborReader reader)
    {
        var stat = new MetricStat(null, null, null, null);
        Map(reader, name => stat = name switch
        {
            "Metric" => stat with { Metric = ReadMetric(reader) },
            "Period" => stat with { Period = Integer(reader) },
            "Stat" => stat with { Stat = Text(reader) },
            "Unit" => stat with { Unit = Text(reader) },
            _ => Skip(reader, stat),
        });
        return stat;
    }

    static MetricShape ReadMetric(CborReader reader)
    {
        var metric = new MetricShape(null, null, null);
        Map(reader, name => metric = name switch
        {
            "Namespace" => metric with { Namespace = Text(reader) },
            "MetricName" => metric with { MetricName = Text(reader) },
            "Dimensions" => metric with { Dimensions = List(reader, ReadDimension) },
            _ => Skip(reader, metric),
        });
        return metric;
    }

    static MetricDimension ReadDimension(CborReader reader)
    {
        var (name, value) = ReadPair(reader);
        return new(name ?? "", value ?? "");
    }

    static (string? Name, string? Value) ReadPair(CborReader reader)
    {
        var pair = (Name: (string?)null, Value: (string?)null);
        Map(reader, name => pair = name switch
        {
            "Name" => pair with { Name = Text(reader) },
            "Value" => pair with { Value = Text(reader) },
            _ => Skip(reader, pair),
        });
        return pair;
    }

    public static void Write(CborWriter writer, ListMetricsOutput output)
    {
        writer.WriteStartMap(null);
        writer.WriteTextString("Metrics");
        writer.WriteStartArray(output.Metrics.Count);
        foreach (var metric in output.Metrics)
        {
            writer.WriteStartMap(null);
            Write(writer, "Namespace", metric.Namespace);
            Write(writer, "MetricName", metric.Name);
            writer.WriteTextString("Dimensions");
            writer.WriteStartArray(metric.Dimensions.Length);
            foreach (var dimension in metric.Dimensions)
            {
                writer.WriteStartMap(null);
                Write(writer, "Name", dimension.Name);
                Write(writer, "Value", dimension.Value);
                writer.WriteEndMap();
            }
            writer.WriteEndArray();
            writer.WriteEndMap();
        }
        writer.WriteEndArray();
        Write(writer, "NextToken", output.NextToken);
        writer.WriteEndMap();
    }

    public static void Write(CborWriter writer, GetMetricDataOutput output)
    {
        writer.WriteStartMap(null);
        writer.WriteTextString("MetricDataResults");
        writer.WriteStartArray(output.MetricDataResults.Count);
        foreach (var result in output.MetricDataResults)
        {
            writer.WriteStartMap(null);
            Write(writer, "Id", result.Id);
            Write(writer, "Label", result.Label);
            writer.WriteTextString("Timestamps");
            writer.WriteStartArray(result.Points.Count);
            foreach (var point in result.Points.AsSpan())
            {
                writer.WriteTag(CborTag.UnixTimeSeconds);
                writer.WriteInt64(point.At);
            }
            writer.WriteEndArray();
            writer.WriteTextString("Values");
            writer.WriteStartArray(result.Points.Count);
            foreach (var point in result.Points.AsSpan())
                writer.WriteDouble(point.Value);
            writer.WriteEndArray();
            Write(writer, "StatusCode", result.StatusCode);
            writer.WriteEndMap();
        }
        writer.WriteEndArray();
        Write(writer, "NextToken", output.NextToken);
        writer.WriteTextString("Messages");
        writer.WriteStartArray(output.Messages.Count);
        foreach (var message in output.Messages)
        {
            writer.WriteStartMap(null);
            Write(writer, "Code", message.Code);
            Write(writer, "Value", message.Value);
            writer.WriteEndMap();
        }
        writer.WriteEndArray();
        writer.WriteEndMap();
    }

    static void Write(CborWriter writer, string name, string? value)
    {
        if (value is null)
            return;
        writer.WriteTextString(name);
        writer.WriteTextString(value);
    }

    static void Map(CborReader reader, Action<string> readMember)
    {
        reader.ReadStartMap();
        while (reader.PeekState() != CborReaderState.EndMap)
            readMember(reader.ReadTextString());
        reader.ReadEndMap();
    }

    static List<T> List<T>(CborReader reader, Func<CborReader, T> read)
    {
        List<T> list = [];
        reader.ReadStartArray();
        while (reader.PeekState() != CborReaderState.EndArray)
            list.Add(read(reader));
        reader.ReadEndArray();
        return list;
    }

    static T Skip<T>(CborReader reader, T unchanged)
    {
        reader.SkipValue();
        return unchanged;
    }

    static string? Text(CborReader reader) => IsNull(reader) ? null : reader.ReadTextString();

    static int? Integer(CborReader reader) => IsNull(reader) ? null : reader.ReadInt32();

    static DateTimeOffset? Instant(CborReader reader) => IsNull(reader) ? null : reader.ReadUnixTimeSeconds();

    static bool IsNull(CborReader reader)
    {
        if (reader.PeekState() != CborReaderState.Null)
            return false;
        reader.ReadNull();
        return true;
    }
}
