using System.Globalization;
using System.Xml.Linq;

namespace PipelineExporter.Simulator.Aws;

/// <summary>CloudWatch's operations in the query protocol, which the aws CLI of Debian speaks: forms in, XML out.</summary>
internal static class CloudWatchQuery
{
    public static ListMetricsInput ReadListMetrics(QueryParameters parameters) => new(
        parameters.Text("Namespace"),
        parameters.Text("MetricName"),
        parameters.List("Dimensions")?.ConvertAll(filter => new DimensionFilter(filter.Text("Name"), filter.Text("Value"))),
        parameters.Text("NextToken"),
        parameters.Text("RecentlyActive"),
        parameters.Text("OwningAccount"));

    public static GetMetricDataInput ReadGetMetricData(QueryParameters parameters) => new(
        parameters.List("MetricDataQueries")?.ConvertAll(query => new MetricDataQuery(
            query.Text("Id"),
            query.Structure("MetricStat") is { } stat ? ReadStat(stat) : null,
            query.Text("Expression"),
            query.Text("Label"),
            query.Boolean("ReturnData"),
            query.Text("AccountId"))),
        parameters.Instant("StartTime"),
        parameters.Instant("EndTime"),
        parameters.Text("NextToken"),
        parameters.Text("ScanBy"),
        parameters.Integer("MaxDatapoints"));

    static MetricStat ReadStat(QueryParameters stat) => new(
        stat.Structure("Metric") is { } metric
            ? new MetricShape(
                metric.Text("Namespace"),
                metric.Text("MetricName"),
                metric.List("Dimensions")?.ConvertAll(
                    dimension => new MetricDimension(dimension.Text("Name") ?? "", dimension.Text("Value") ?? "")))
            : null,
        stat.Integer("Period"),
        stat.Text("Stat"),
        stat.Text("Unit"));

    public static IEnumerable<XElement> Write(ListMetricsOutput output) =>
    [
        new("Metrics", output.Metrics.Select(metric => new XElement(
            "member",
            new XElement("Namespace", metric.Namespace),
            new XElement("MetricName", metric.Name),
            new XElement("Dimensions", metric.Dimensions.Select(dimension => new XElement(
                "member", new XElement("Name", dimension.Name), new XElement("Value", dimension.Value))))))),
        .. Token(output.NextToken),
    ];

    public static IEnumerable<XElement> Write(GetMetricDataOutput output) =>
    [
        new("Messages", output.Messages.Select(message => new XElement(
            "member", new XElement("Code", message.Code), new XElement("Value", message.Value)))),
        new("MetricDataResults", output.MetricDataResults.Select(result => new XElement(
            "member",
            new XElement("Timestamps", result.Points.Select(point => new XElement("member", Text(point.At)))),
            new XElement("Values", result.Points.Select(point => new XElement("member", point.Value.ToString("R", CultureInfo.InvariantCulture)))),
            new XElement("Label", result.Label),
            new XElement("Id", result.Id),
            new XElement("StatusCode", result.StatusCode)))),
        .. Token(output.NextToken),
    ];

    static string Text(long at) => DateTimeOffset.FromUnixTimeSeconds(at).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    static IEnumerable<XElement> Token(string? nextToken) => nextToken is null ? [] : [new XElement("NextToken", nextToken)];
}
