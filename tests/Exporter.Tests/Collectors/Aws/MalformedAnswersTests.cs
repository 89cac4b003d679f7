using PipelineExporter.Tests.Sources.Aws;

namespace PipelineExporter.Tests.Collectors.Aws;

/// <summary>Every operation at once answers what AWS would not, beside an exporter that is answered well.</summary>
public sealed class MalformedAnswersTests
{
    private const string Html = "<html><head><title>Please log in</title></head><body><p>hunter2<br></body></html>";

    [Theory]
    [InlineData("""{"Jobs":["hunter2","of""", "<?xml version=\"1.0\"?><hunter2><of")]
    [InlineData("[\"hunter2\"]", "[\"hunter2\"]")]
    [InlineData("7", "7")]
    [InlineData("{}", "<ListAllMyBucketsResult/>")]
    [InlineData("", "")]
    [InlineData(Html, Html, "text/html")]
    [InlineData("\u00BFghunter2\u009F\u00FF\u00FF", "\u00BFghunter2\u009F\u00FF\u00FF", "application/cbor")]
    public async Task Are_told_with_service_and_operation_and_the_next_good_ones_are_counted_in_full(string json, string xml, string? type = null)
    {
        await using var both = await BesideControl.StartAsync();
        await both.RunAsync(8);
        var before = both.Troubled.Counted();
        var shown = both.Troubled.Shown(_ => true).Where(series => before.Keys.Any(key => series.StartsWith(key.Split('{')[0], StringComparison.Ordinal))).ToList();
        Assert.NotEmpty(shown);
        both.Interfere = request => new FakeAnswer(200, request.Target is null ? xml : json) { ContentType = type ?? (request.Target is null ? "application/xml" : null) };
        await both.RunAsync(16);

        var counted = both.Troubled.Counted();
        Assert.All(before, one => Assert.Equal(one.Value.Value, counted[one.Key].Value));
        // What was counted stays on the page.
        Assert.Empty(shown.Except(both.Troubled.Shown(_ => true)));
        // Discovery, which asks for the jobs first, tells of them.
        foreach (var (collector, operation) in new[]
        {
            ("glue_jobs", "Glue GetJob"), ("s3_buckets", "S3 ListBuckets"), ("dynamodb_tables", "DynamoDB ListTables"),
            ("cloudwatch_discovery", "Glue GetJobs"), ("cloudwatch", "CloudWatch GetMetricData"),
        })
        {
            Assert.Contains(both.Troubled.Log.All, line =>
                line.StartsWith($"Error: collector {collector} of aws/eu-west-1 failed", StringComparison.Ordinal) && line.Contains(operation, StringComparison.Ordinal));
        }

        Assert.DoesNotContain(both.Troubled.Log.All, line => line.Contains("hunter2", StringComparison.Ordinal));
        // None has tripped over it.
        Assert.DoesNotContain(both.Troubled.Status, one => one.Value!.Error?.Contains("the log tells more", StringComparison.Ordinal) == true);
        both.Interfere = _ => null;
        await both.RunAsync(16);

        Assert.All(both.Troubled.Status, one => Assert.True(one.Value!.Succeeded));
        both.AssertSameCounts();
    }
}
