namespace PipelineExporter.Simulator.Tests.Aws;

/// <summary>
/// Each operation that the exporter uses, as the aws CLI calls it, with what it is called in policies. The exporter's tests hold it
/// against what the exporter uses, and so compile it too.
/// </summary>
internal static class AwsCliOperations
{
    public static readonly Dictionary<string, (string[] Arguments, string Action)> All = new()
    {
        ["GetJobs"] = (["glue", "get-jobs"], "glue:GetJobs"),
        ["GetJobRuns"] = (["glue", "get-job-runs", "--job-name", "music_streaming_validation"], "glue:GetJobRuns"),
        ["ListMetrics"] = (["cloudwatch", "list-metrics", "--namespace", "AWS/S3"], "cloudwatch:ListMetrics"),
        ["GetMetricData"] = (["cloudwatch", "get-metric-data", "--start-time", "2026-11-23T08:00:00Z", "--end-time", "2026-11-23T09:00:00Z", "--metric-data-queries", "[]"], "cloudwatch:GetMetricData"),
        ["ListTables"] = (["dynamodb", "list-tables"], "dynamodb:ListTables"),
        ["DescribeTable"] = (["dynamodb", "describe-table", "--table-name", "music_streaming_kpi"], "dynamodb:DescribeTable"),
        ["ListBuckets"] = (["s3api", "list-buckets"], "s3:ListAllMyBuckets"),
        ["GetBucketLocation"] = (["s3api", "get-bucket-location", "--bucket", "music-streaming-raw"], "s3:GetBucketLocation"),
        ["GetBucketLifecycleConfiguration"] = (["s3api", "get-bucket-lifecycle-configuration", "--bucket", "music-streaming-raw"], "s3:GetLifecycleConfiguration"),
        ["ListBucketMetricsConfigurations"] = (["s3api", "list-bucket-metrics-configurations", "--bucket", "music-streaming-raw"], "s3:GetMetricsConfiguration"),
        ["GetCallerIdentity"] = (["sts", "get-caller-identity"], "sts:GetCallerIdentity"),
        ["AssumeRole"] = (["sts", "assume-role", "--role-arn", "arn:aws:iam::123456789012:role/reader", "--role-session-name", "cli"], "sts:AssumeRole"),
    };
}
