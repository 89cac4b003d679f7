using System.Runtime.InteropServices;
using System.Text.Json.Serialization;

namespace PipelineExporter.Simulator.Aws;

// The shapes of CloudWatch's service model, as far as the simulator sends and reads them. Null members are not sent.

internal sealed record ListMetricsInput(
    string? Namespace,
    string? MetricName,
    IReadOnlyList<DimensionFilter>? Dimensions,
    string? NextToken,
    string? RecentlyActive,
    string? OwningAccount);

internal sealed record DimensionFilter(string? Name, string? Value);

internal sealed record ListMetricsOutput(IReadOnlyList<MetricSeries> Metrics, string? NextToken);

internal sealed record MetricShape(string? Namespace, string? MetricName, IReadOnlyList<MetricDimension>? Dimensions);

internal sealed record GetMetricDataInput(
    IReadOnlyList<MetricDataQuery>? MetricDataQueries,
    DateTimeOffset? StartTime,
    DateTimeOffset? EndTime,
    string? NextToken,
    string? ScanBy,
    int? MaxDatapoints);

internal sealed record MetricDataQuery(
    string? Id, MetricStat? MetricStat, string? Expression, string? Label, bool? ReturnData, string? AccountId);

internal sealed record MetricStat(MetricShape? Metric, int? Period, string? Stat, string? Unit);

internal sealed record GetMetricDataOutput(
    IReadOnlyList<MetricDataResult> MetricDataResults, string? NextToken, IReadOnlyList<MessageData> Messages);

/// <param name="StatusCode">Complete, PartialData where the next page holds more, or InternalError.</param>
internal sealed record MetricDataResult(string Id, string Label, ArraySegment<Datapoint> Points, string StatusCode);

/// <param name="At">The start of the period, in seconds since 1970.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct Datapoint(long At, double Value);

internal sealed record MessageData(string Code, string Value);

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Converters = [typeof(EpochSeconds)])]
[JsonSerializable(typeof(ListMetricsInput))]
[JsonSerializable(typeof(GetMetricDataInput))]
internal sealed partial class CloudWatchJsonInput : JsonSerializerContext;
