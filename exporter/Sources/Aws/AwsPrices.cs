namespace PipelineExporter.Sources.Aws;

/// <summary>What AWS takes for what the exporter asks, in US dollars: its price list for eu-west-1 of 2026-09.</summary>
internal static class AwsPrices
{
    /// <summary>A metric asked for with GetMetricData, whatever the number of its datapoints.</summary>
    public const double Metric = 0.01 / 1000;

    private const double CloudWatchRequest = 0.01 / 1000;
    private const double S3List = 0.005 / 1000;
    private const double S3Get = 0.0004 / 1000;

    /// <summary>One request. Those of Glue, DynamoDB's description of tables and STS cost nothing.</summary>
    public static double Request(string service, string operation) => (service, operation) switch
    {
        ("CloudWatch", CloudWatchOperation.ListMetrics) => CloudWatchRequest,
        ("S3", "ListBuckets") => S3List,
        ("S3", _) => S3Get,
        _ => 0, // GetMetricData is paid by the metric
    };
}
