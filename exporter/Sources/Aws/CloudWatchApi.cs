using System.Text.Json.Serialization;
using Refit;

namespace PipelineExporter.Sources.Aws;

/// <summary>Names of operations, as AWS writes them.</summary>
internal static class CloudWatchOperation
{
    public const string GetMetricData = "GetMetricData";
    public const string ListMetrics = "ListMetrics";
}

/// <summary>Amazon CloudWatch, JSON 1.0 protocol. Operations and fields carry AWS's own names.</summary>
internal interface ICloudWatchApi
{
    /// <summary>At most 500 queries a call; each is billed, however many of its datapoints come back.</summary>
    [Post("/")]
    [Headers("X-Amz-Target: GraniteServiceVersion20100801.GetMetricData")]
    Task<GetMetricDataResponse> GetMetricDataAsync([Body] GetMetricDataRequest request, CancellationToken cancellationToken);

    /// <summary>Which metrics there are; one that is new is listed some 15 minutes late.</summary>
    [Post("/")]
    [Headers("X-Amz-Target: GraniteServiceVersion20100801.ListMetrics")]
    Task<ListMetricsResponse> ListMetricsAsync([Body] ListMetricsRequest request, CancellationToken cancellationToken);
}

/// <param name="StartTime">Inclusive.</param>
/// <param name="EndTime">Exclusive.</param>
/// <param name="ScanBy">TimestampDescending: newest first.</param>
internal sealed record GetMetricDataRequest(
    IReadOnlyList<MetricDataQuery> MetricDataQueries, DateTimeOffset StartTime, DateTimeOffset EndTime, string ScanBy, string? NextToken = null);

/// <param name="Id">Starts with a lowercase letter.</param>
internal sealed record MetricDataQuery(string Id, MetricStat MetricStat);

/// <param name="Period">Seconds.</param>
internal sealed record MetricStat(CloudWatchMetric Metric, int Period, string Stat);

internal sealed record CloudWatchMetric(string Namespace, string MetricName, IReadOnlyList<CloudWatchDimension> Dimensions)
{
    public override string ToString() => $"{Namespace} {MetricName}{{{string.Join(',', Dimensions)}}}";
}

internal readonly record struct CloudWatchDimension(string Name, string Value)
{
    public override string ToString() => $"{Name}={Value}";
}

internal sealed record GetMetricDataResponse
{
    [JsonRequired] // absent is not empty
    public IReadOnlyList<MetricDataResult> MetricDataResults { get; set; } = [];

    public string? NextToken { get; set; }

    /// <summary>What CloudWatch says of the request as a whole.</summary>
    public IReadOnlyList<CloudWatchMessage> Messages { get; set; } = [];
}

internal sealed record CloudWatchMessage
{
    public string Code { get; set; } = "";

    public string Value { get; set; } = "";
}

internal sealed record MetricDataResult
{
    public string Id { get; set; } = "";

    /// <summary>The start of each datapoint's period.</summary>
    [JsonConverter(typeof(ArrayConverter<DateTimeOffset, EpochSecondsConverter>))]
    public IReadOnlyList<DateTimeOffset> Timestamps { get; set; } = [];

    /// <summary>May hold NaN and infinities, which are strings in JSON.</summary>
    [JsonConverter(typeof(ArrayConverter<double, NumberConverter>))]
    public IReadOnlyList<double> Values { get; set; } = [];

    /// <summary>Complete, PartialData (more under NextToken), InternalError or Forbidden.</summary>
    public string? StatusCode { get; set; }
}

/// <param name="MetricName">Null for any.</param>
/// <param name="Dimensions">Those that a metric must have; it may have others.</param>
/// <param name="RecentlyActive">PT3H: with a datapoint in the last three hours.</param>
internal sealed record ListMetricsRequest(
    string Namespace, string? MetricName, IReadOnlyList<DimensionFilter> Dimensions, string? RecentlyActive = null, string? NextToken = null);

/// <param name="Value">Null for any.</param>
internal sealed record DimensionFilter(string Name, string? Value = null);

internal sealed record ListMetricsResponse
{
    [JsonRequired] // absent is not empty
    public IReadOnlyList<ListedMetric> Metrics { get; set; } = [];

    public string? NextToken { get; set; }
}

internal sealed record ListedMetric
{
    public string MetricName { get; set; } = "";

    public IReadOnlyList<ListedDimension> Dimensions { get; set; } = [];
}

internal sealed record ListedDimension
{
    public string Name { get; set; } = "";

    public string Value { get; set; } = "";
}
