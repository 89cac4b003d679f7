using PipelineExporter.Tests.Sources.Aws;

namespace PipelineExporter.Tests.Collectors.Aws;

/// <summary>A policy that forgets an operation: what it feeds stops, the rest goes on, and nothing is lost of what was counted.</summary>
public sealed class DeniedOperationsTests
{
    /// <param name="operation">Is denied for a quarter of an hour.</param>
    /// <param name="protocol">In which AWS says so.</param>
    /// <param name="action">To be named.</param>
    /// <param name="collector">That the operation feeds.</param>
    /// <param name="failing">The collectors that are told as failed: not those that can do without it.</param>
    [Theory]
    [InlineData("GetJobs", "json", "glue:GetJobs", "glue_jobs", new[] { "glue_jobs", "cloudwatch_discovery" })]
    [InlineData("GetJobRuns", "json", "glue:GetJobRuns", "glue_jobs", new[] { "glue_jobs" })]
    [InlineData("GetMetricData", "named json", "cloudwatch:GetMetricData", "cloudwatch", new[] { "cloudwatch" })]
    [InlineData("GetMetricData", "query", "cloudwatch:GetMetricData", "cloudwatch", new[] { "cloudwatch" })]
    [InlineData("ListMetrics", "named json", "cloudwatch:ListMetrics", "cloudwatch_discovery", new[] { "cloudwatch_discovery" })]
    [InlineData("ListTables", "named json", "dynamodb:ListTables", "dynamodb_tables", new[] { "dynamodb_tables" })]
    [InlineData("DescribeTable", "named json", "dynamodb:DescribeTable", "dynamodb_tables", new string[0])]
    [InlineData("ListBuckets", "s3", "s3:ListAllMyBuckets", "s3_buckets", new[] { "s3_buckets" })]
    [InlineData("ListBucketMetricsConfigurations", "s3", "s3:GetMetricsConfiguration", "s3_buckets", new string[0])]
    [InlineData("GetBucketLifecycleConfiguration", "s3", "s3:GetLifecycleConfiguration", "s3_buckets", new string[0])]
    public async Task An_operation_switches_off_what_it_feeds_names_the_action_and_loses_nothing(
        string operation, string protocol, string action, string collector, string[] failing)
    {
        await using var both = await BesideControl.StartAsync();
        await both.RunAsync(8);
        both.Interfere = request => request.Operation == operation ? FakeAnswer.Denial(protocol) : null;
        await both.RunAsync(16);

        Assert.Equal(failing.Order(), both.Troubled.Status.Where(one => !one.Value!.Succeeded).Select(one => one.Key).Order());
        // Once a collector, however often it was refused.
        Assert.Equal(Math.Max(1, failing.Length), both.Troubled.Log.All.Count);
        Assert.All(both.Troubled.Log.All, line => Assert.Contains($"Allow {action} in the IAM policy of the exporter's role.", line, StringComparison.Ordinal));
        Assert.Equal(both.Control.Shown(name => name != collector), both.Troubled.Shown(name => name != collector));
        await AssertRecoveryAsync(both);
    }

    /// <summary>Without it a process does not know whose samples it has: it says nothing, and has missed nothing when it knows.</summary>
    [Theory]
    [InlineData(false, "STS GetCallerIdentity answered 403 AccessDenied: no. Allow sts:GetCallerIdentity in the IAM policy of the exporter's role.")]
    [InlineData(true, "could not be assumed: AccessDenied: no. Allow sts:AssumeRole in the IAM policy of the exporter's own identity")]
    public async Task Who_the_exporter_is_is_asked_again_after_a_restart_until_it_is_known(bool isRole, string told)
    {
        await using var both = await BesideControl.StartAsync(
            change: options => isRole ? options with { Role = new("arn:aws:iam::123456789012:role/monitoring") } : options);
        await both.RunAsync(8);
        both.Interfere = request => request.Operation is "GetCallerIdentity" or "AssumeRole" ? FakeAnswer.Denial("query") : null;
        both.Troubled.Restart();
        await both.RunAsync(16);

        Assert.All(both.Troubled.Status, one => Assert.Contains(told, one.Value!.Error!, StringComparison.Ordinal));
        Assert.Equal(both.Troubled.Status.Count, both.Troubled.Log.All.Count);
        Assert.Empty(both.Troubled.Shown(_ => true));
        await AssertRecoveryAsync(both);
    }

    private static async Task AssertRecoveryAsync(BesideControl both)
    {
        both.Interfere = _ => null;
        await both.RunAsync(16);

        Assert.All(both.Troubled.Status, one => Assert.True(one.Value!.Succeeded));
        // Of Glue's metrics, which are late most of the time, each of the two asks in other minutes.
        Assert.Equal(both.Control.Shown(name => name != "cloudwatch"), both.Troubled.Shown(name => name != "cloudwatch"));
        both.AssertSameCounts();
    }
}
