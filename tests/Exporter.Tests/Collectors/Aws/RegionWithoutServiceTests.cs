using PipelineExporter.Tests.Sources.Aws;

namespace PipelineExporter.Tests.Collectors.Aws;

/// <summary>A region that lacks one of the services, or an address that is another's.</summary>
public sealed class RegionWithoutServiceTests
{
    [Theory]
    [InlineData("DynamoDB_20120810", "dynamodb_tables", "DynamoDB ListTables answered 404 UnknownOperationException", new[] { "dynamodb_tables" })]
    [InlineData("GraniteServiceVersion20100801", "cloudwatch_discovery", "CloudWatch ListMetrics answered 404 UnknownOperationException", new[] { "cloudwatch_discovery", "cloudwatch" })]
    [InlineData("AWSGlue", "glue_jobs", "Glue GetJobs answered 404 UnknownOperationException", new[] { "glue_jobs", "cloudwatch_discovery" })]
    [InlineData(null, "s3_buckets", "S3 ListBuckets answered 404 NoSuchEndpoint", new[] { "s3_buckets" })]
    public async Task Hurts_no_other_and_is_told(string? prefix, string collector, string told, string[] failing)
    {
        await using var both = await BesideControl.StartAsync();
        both.Interfere = request =>
            request.Operation == "GetCallerIdentity" || request.Target?.Split('.')[0] != prefix ? null
            : prefix is null ? new(404, "<Error><Code>NoSuchEndpoint</Code><Message>no</Message></Error>")
            : new(404, """{"__type":"com.amazon.coral.service#UnknownOperationException"}""");
        await both.RunAsync(8);

        Assert.Equal(failing.Order(), both.Troubled.Status.Where(one => !one.Value!.Succeeded).Select(one => one.Key).Order());
        Assert.StartsWith(told, both.Troubled.Status[collector]!.Error, StringComparison.Ordinal);
        if (prefix is not null)
            Assert.Contains("The region may lack the service", both.Troubled.Status[collector]!.Error, StringComparison.Ordinal);
        Assert.Equal(failing.Length, both.Troubled.Log.All.Count);
        var others = both.Control.Status.Keys.Except(failing).Except(["cloudwatch"]).ToList();
        Assert.Equal(both.Control.Shown(others.Contains), both.Troubled.Shown(others.Contains));
        if (failing.Contains("cloudwatch"))
            return;
        // Of the services that are there, CloudWatch's sums are the same.
        var (control, troubled) = (both.Control.Counted(), both.Troubled.Counted());
        Assert.All(troubled.Where(one => control.ContainsKey(one.Key)), one => Assert.Equal(control[one.Key].Value, one.Value.Value));
    }
}
