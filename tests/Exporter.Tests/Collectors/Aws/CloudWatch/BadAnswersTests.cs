using System.Net;
using System.Text.Json.Nodes;
using PipelineExporter.Collectors.Aws.CloudWatch;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Tests.Collectors.Aws.CloudWatch;

/// <summary>Answers of CloudWatch that are not what it sends: in the end every period is counted once all the same.</summary>
public sealed class BadAnswersTests : IDisposable
{
    private const string Failed = "pipeline_exporter_cloudwatch_failed_metrics(test)";

    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    /// <summary>What is done to the entry of a sum, among others that are left alone.</summary>
    private static readonly Dictionary<string, Action<JsonArray, JsonObject>> Oddities = new(StringComparer.Ordinal)
    {
        ["a status of its own"] = (_, entry) => entry["StatusCode"] = "Bewildered",
        ["a status that is no word"] = (_, entry) => entry["StatusCode"] = "<hunter2>",
        ["Forbidden"] = (_, entry) => entry["StatusCode"] = "Forbidden",
        ["PartialData without a next page"] = (_, entry) => entry["StatusCode"] = "PartialData",
        ["a value too few"] = (_, entry) => entry["Values"]!.AsArray().RemoveAt(0),
        ["a time too few"] = (_, entry) => entry["Timestamps"]!.AsArray().RemoveAt(0),
        ["values without times"] = (_, entry) => entry.Remove("Timestamps"),
        ["an unknown id"] = (_, entry) => entry["Id"] = "m100000",
        ["an id of another kind"] = (_, entry) => entry["Id"] = "hunter2",
        ["no id"] = (_, entry) => entry["Id"] = "",
        ["left out"] = (all, entry) => all.Remove(entry),
        ["null instead"] = (all, entry) => all[all.IndexOf(entry)] = null,
        ["numbers that are none"] = (_, entry) => entry["Values"] = new JsonArray([.. entry["Values"]!.AsArray().Select(_ => (JsonNode)"NaN")]),
        ["each value below zero"] = (_, entry) => entry["Values"] = new JsonArray([.. entry["Values"]!.AsArray().Select(_ => (JsonNode)(-7))]),
        ["infinities"] = (_, entry) => entry["Values"] = new JsonArray([.. entry["Values"]!.AsArray().Select(_ => (JsonNode)"Infinity")]),

        ["another entry, of an unknown id"] = (all, entry) => all.Add(With(entry, copy => copy["Id"] = "m500")),
        ["another entry, of no id"] = (all, entry) => all.Add(With(entry, copy => copy["Id"] = "")),
        ["the same entry again"] = (all, entry) => all.Add(entry.DeepClone()),
        ["each datapoint twice"] = (_, entry) => Repeat(entry),
        ["a message"] = (_, entry) => entry["Messages"] = new JsonArray(new JsonObject { ["Code"] = "ArithmeticError", ["Value"] = "hunter2" }),
        ["no status"] = (_, entry) => entry.Remove("StatusCode"),
    };

    private readonly CloudWatchRig rig = new();

    public void Dispose() => rig.Dispose();

    [Theory]
    [InlineData("a status of its own")]
    [InlineData("a status that is no word")]
    [InlineData("Forbidden")]
    [InlineData("PartialData without a next page")]
    [InlineData("a value too few")]
    [InlineData("a time too few")]
    [InlineData("values without times")]
    [InlineData("an unknown id")]
    [InlineData("an id of another kind")]
    [InlineData("no id")]
    [InlineData("left out")]
    [InlineData("null instead")]
    public async Task An_entry_without_sense_is_told_and_counted_when_it_has_some_again(string oddity)
    {
        await BeginAsync();
        rig.CloudWatch.Distort = answer => Distort(answer, oddity);

        var gauges = await rig.RunAsync(7 * Minute);

        Assert.Equal(1, gauges[Failed]);
        Assert.Equal(3 * 5, Counted());
        Assert.Equal(0.009, gauges["test_latency_seconds(orders)"]);
        Assert.Equal((Floor(rig.Now) - 2 * Minute).ToUnixTimeSeconds(), gauges["test_timestamp_seconds(orders)"]);
        await EndAsync();
    }

    /// <summary>What is no number counts nothing, and is read again like any other period, as long as it can be revised.</summary>
    [Theory]
    [InlineData("numbers that are none")]
    [InlineData("each value below zero")]
    [InlineData("infinities")]
    public async Task A_value_that_is_none_is_counted_when_it_is_one(string oddity)
    {
        await BeginAsync();
        rig.CloudWatch.Distort = answer => Distort(answer, oddity);

        await rig.RunAsync(7 * Minute);

        Assert.Equal(3 * 5, Counted());
        await EndAsync();
    }

    [Theory]
    [InlineData("another entry, of an unknown id")]
    [InlineData("another entry, of no id")]
    [InlineData("the same entry again")]
    [InlineData("each datapoint twice")]
    [InlineData("a message")]
    [InlineData("no status")]
    public async Task What_there_is_too_much_or_is_not_needed_changes_nothing(string oddity)
    {
        await BeginAsync();
        rig.CloudWatch.Distort = answer => Distort(answer, oddity);

        var gauges = await rig.RunAsync(7 * Minute);

        Assert.Equal(0, gauges[Failed]);
        Assert.Equal(10 * 5, Counted());
        Assert.Equal(25, gauges["test_requests_last_5m(orders)"]);
        Assert.Equal(0, rig.Own("pipeline_exporter_cloudwatch_revisions_total"));
        await EndAsync();
    }

    [Fact]
    public async Task A_datapoint_on_two_pages_is_counted_once()
    {
        (rig.CloudWatch.LargestPage, rig.CloudWatch.PagesOverlap) = (1, true);

        await BeginAsync();

        await EndAsync();
        Assert.Contains(rig.CloudWatch.Requests, request => request.Body["NextToken"] is not null);
    }

    [Theory]
    [InlineData("")]
    [InlineData("""{"MetricDataResults":[{"Id":"m0","StatusCode":"Complete","Timestamps":[1763899""")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("\"hunter2\"")]
    [InlineData("""{"MetricDataResults":{"hunter2":1}}""")]
    [InlineData("""{"MetricDataResults":["hunter2"]}""")]
    [InlineData("""{"MetricDataResults":[{"Id":"m0","StatusCode":"Complete","Timestamps":["hunter2"],"Values":[1]}]}""")]
    [InlineData("""{"MetricDataResults":[{"Id":"m0","StatusCode":"Complete","Timestamps":[1763899200],"Values":["hunter2"]}]}""")]
    [InlineData("""{"MetricDataResults":[{"Id":"m0","StatusCode":"Complete","Timestamps":[1e300],"Values":[1]}]}""")]
    [InlineData("""{"MetricDataResults":[{"Id":0,"StatusCode":"Complete","Timestamps":[],"Values":[]}]}""")]
    [InlineData("""{"MetricDataResults":[],"NextToken":7}""")]
    [InlineData("<html>Please log in, hunter2</html>", "text/html")]
    [InlineData("\u00BFqMetricDataResults\u009F\u00BFbIdbm0", "application/cbor")]
    public async Task An_answer_that_cannot_be_read_is_told_and_its_periods_are_counted_later(string body, string type = "application/x-amz-json-1.0")
    {
        await BeginAsync();
        var asked = rig.CloudWatch.Count("GetMetricData");
        rig.CloudWatch.Interfere = (operation, _) => operation == "GetMetricData" ? FakeCloudWatch.Answer(HttpStatusCode.OK, body, type) : null;
        var errors = new List<AwsException>();
        for (var end = rig.Now + 7 * Minute; rig.Now < end;)
        {
            rig.Time.Advance(rig.Collector.Interval);
            try
            {
                await rig.CollectAsync();
            }
            catch (AwsException e)
            {
                errors.Add(e);
            }
        }

        Assert.Equal(3 * 5, Counted());
        Assert.NotEmpty(errors);
        Assert.All(errors, error => Assert.Equal(("CloudWatch", "GetMetricData", "Malformed"), (error.Service, error.Operation, error.Code)));
        Assert.DoesNotContain(errors, error => error.ToString().Contains("hunter2", StringComparison.Ordinal));
        // It may well be billed: it is not asked for over and over.
        Assert.InRange(rig.CloudWatch.Count("GetMetricData") - asked, 2, 5);
        rig.CloudWatch.Interfere = (_, _) => null;
        await EndAsync();
    }

    [Theory]
    [InlineData("")]
    [InlineData("""{"Metrics":[{"MetricName":"Req""")]
    [InlineData("[]")]
    [InlineData("""{"Metrics":7}""")]
    [InlineData("""{"Metrics":[{"MetricName":"Requests","Dimensions":{"hunter2":1}}]}""")]
    [InlineData("""{"Metrics":[],"NextToken":["hunter2"]}""")]
    [InlineData("<html>Please log in, hunter2</html>", "text/html")]
    [InlineData("\u00BFgMetrics", "application/cbor")]
    public async Task A_list_that_cannot_be_read_leaves_the_plan_as_it_was(string body, string type = "application/x-amz-json-1.0")
    {
        await BeginAsync();
        rig.CloudWatch.Interfere = (operation, _) => operation == "ListMetrics" ? FakeCloudWatch.Answer(HttpStatusCode.OK, body, type) : null;
        rig.CloudWatch.Add("AWS/DynamoDB", "Latency", ("TableName", "new"));

        var error = await Assert.ThrowsAsync<AwsException>(rig.DiscoverAsync);

        Assert.Equal(("CloudWatch", "ListMetrics", "Malformed"), (error.Service, error.Operation, error.Code));
        Assert.DoesNotContain("hunter2", error.ToString(), StringComparison.Ordinal);
        Assert.Equal(2, rig.Plan[rig.Plan.Groups[0]].Length);
        await EndAsync();
        rig.CloudWatch.Interfere = (_, _) => null;
        await rig.DiscoverAsync();
        Assert.Equal(3, rig.Plan[rig.Plan.Groups[0]].Length);
    }

    [Theory]
    [InlineData("""{"Metrics":[null,{"MetricName":"Requests","Dimensions":[]},{"MetricName":"Requests","Dimensions":[null,null]}]}""")]
    [InlineData("""{"Metrics":[{"MetricName":"Requests","Dimensions":[{"Name":"TableName","Value":""},{"Name":"Operation","Value":"GetItem"}]}]}""")]
    [InlineData("""{"Metrics":[{"MetricName":"Requests","Dimensions":[{"Name":"TableName","Value":"orders"},{"Name":"TableName","Value":"orders"}]}]}""")]
    public async Task A_metric_without_what_it_is_of_is_not_planned(string body)
    {
        rig.CloudWatch.Interfere = (operation, _) => operation == "ListMetrics" ? FakeCloudWatch.Answer(HttpStatusCode.OK, body) : null;

        await rig.DiscoverAsync();

        Assert.Empty(rig.Plan[rig.Plan.Groups[0]]);
    }

    /// <summary>Five requests a minute for twenty minutes, and a latency that nothing happens to; five minutes have passed.</summary>
    private async Task BeginAsync()
    {
        var requests = rig.CloudWatch.Add("AWS/DynamoDB", "Requests", ("TableName", "orders"), ("Operation", "GetItem"));
        var latency = rig.CloudWatch.Add("AWS/DynamoDB", "Latency", ("TableName", "orders"));
        var start = Floor(rig.Now);
        for (var i = -10; i < 60; i++)
        {
            requests.Publish(start + i * Minute, i is >= 0 and < 20 ? 5 : 0, start + (i + 2) * Minute);
            latency.Publish(start + i * Minute, 9, start + (i + 2) * Minute);
        }

        await rig.DiscoverAsync();
        await rig.RunAsync(5 * Minute);
        Assert.Equal(3 * 5, Counted());
    }

    private async Task EndAsync()
    {
        rig.CloudWatch.Distort = _ => { };
        var gauges = await rig.RunAsync(20 * Minute);

        Assert.Equal(20 * 5, Counted());
        Assert.Equal(0, gauges[Failed]);
    }

    private double? Counted() => rig.Counted(FakeGroup.Requests, "orders", "GetItem");

    private static void Distort(JsonObject answer, string oddity)
    {
        var all = answer["MetricDataResults"]!.AsArray();
        if (all.OfType<JsonObject>().SingleOrDefault(entry => (string?)entry["Label"] == "Requests") is { } entry)
            Oddities[oddity](all, entry);
    }

    private static JsonObject With(JsonObject entry, Action<JsonObject> change)
    {
        var copy = (JsonObject)entry.DeepClone();
        change(copy);
        return copy;
    }

    private static void Repeat(JsonObject entry)
    {
        foreach (var name in (string[])["Timestamps", "Values"])
            entry[name] = new JsonArray([.. entry[name]!.AsArray().Concat(entry[name]!.AsArray()).Select(value => value!.DeepClone())]);
    }

    private static DateTimeOffset Floor(DateTimeOffset at) => CloudWatchCadence.FloorTo(at, Minute);
}
