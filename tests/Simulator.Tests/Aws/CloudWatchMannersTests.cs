using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Simulator.Aws;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Tests.Aws;

/// <summary>What makes CloudWatch hard to count: delays, late samples, days, accounts, and answers that say only half of it.</summary>
public sealed class CloudWatchMannersTests
{
    static readonly DateTimeOffset Start = new(2026, 11, 23, 10, 0, 0, TimeSpan.Zero);

    readonly FakeTimeProvider time = new(Start);
    readonly FaultInjector faults;
    readonly IncidentLog incidents;
    readonly PipelineModel model;
    readonly AwsService service;

    public CloudWatchMannersTests()
    {
        faults = new(time, 1);
        incidents = new(time);
        model = new(1, incidents);
        service = new CloudWatchService(new AwsAccounts(model, time), faults).Describe();
    }

    [Fact]
    public void A_minute_can_be_read_two_minutes_later_and_may_grow_until_all_its_samples_are_there()
    {
        var grown = 0;
        for (var i = 0; i < 120; i++)
        {
            var minute = Start.AddMinutes(i);
            var first = Sum("SuccessfulRequestLatency", minute, minute.AddMinutes(3), "SampleCount", ("Operation", "GetItem"), ("TableName", "music_streaming_kpi"));
            var last = Sum("SuccessfulRequestLatency", minute, minute.AddMinutes(9), "SampleCount", ("TableName", "music_streaming_kpi"), ("Operation", "GetItem"));
            Assert.Equal(last, Sum("SuccessfulRequestLatency", minute, minute.AddDays(1), "SampleCount", ("TableName", "music_streaming_kpi"), ("Operation", "GetItem")));
            Assert.True(first <= last);
            grown += first < last ? 1 : 0;
        }

        Assert.InRange(grown, 20, 119);
        Assert.Null(Sum("ConsumedReadCapacityUnits", Start, Start.AddMinutes(1.9), "Sum", ("TableName", "music_streaming_kpi")));
    }

    [Fact]
    public void The_size_of_a_bucket_comes_on_the_next_day()
    {
        var day = new DateTimeOffset(2026, 11, 22, 0, 0, 0, TimeSpan.Zero);
        (string, string)[] dimensions = [("BucketName", "music-streaming-raw"), ("StorageType", "StandardStorage")];

        Assert.Null(Value("AWS/S3", "BucketSizeBytes", day, 86_400, "Average", day.AddDays(1).AddHours(9), dimensions));
        Assert.InRange(Value("AWS/S3", "BucketSizeBytes", day, 86_400, "Average", day.AddDays(1).AddHours(14), dimensions)!.Value, 400e9, 1000e9);
    }

    [Fact]
    public void What_is_sparse_has_no_datapoint_before_it_happens_and_is_listed_a_quarter_of_an_hour_later()
    {
        Assert.Empty(Listed("ThrottledRequests", Start));
        incidents.Start(IncidentKind.DynamoDbThrottling);
        time.Advance(TimeSpan.FromMinutes(20));

        Assert.Empty(Listed("ThrottledRequests", Start.AddMinutes(14)));
        Assert.Single(Listed("ThrottledRequests", Start.AddMinutes(18)));
        Assert.InRange(Sum("ThrottledRequests", Start.AddMinutes(5), Start.AddMinutes(18), "Sum", ("TableName", "music_streaming_sessions"), ("Operation", "PutItem"))!.Value, 25, 35);
    }

    [Fact]
    public void The_other_account_has_data_of_its_own_and_other_regions_have_none()
    {
        var other = new AwsPrincipal("secret", "arn:aws:sts::210987654321:assumed-role/reader/x", "AROA");
        string[] arguments = ["ConsumedReadCapacityUnits"];

        Assert.NotEqual(Total(ServiceCallOwner(), "eu-west-1"), Total(other, "eu-west-1"));
        Assert.Equal(0, Total(ServiceCallOwner(), "us-east-1"));

        double Total(AwsPrincipal principal, string region) => Values(Run(
            Input("AWS/DynamoDB", arguments[0], Start.AddHours(-1), Start.AddMinutes(-10), 60, "Sum", [("TableName", "music_streaming_kpi")]),
            new AwsCall(principal, region, Start))).Sum();
    }

    [Fact]
    public void Faults_break_single_entries_cut_pages_and_falsify_values()
    {
        var input = Input("AWS/DynamoDB", "ConsumedReadCapacityUnits", Start.AddHours(-1), Start.AddMinutes(-10), 60, "Sum", [("TableName", "music_streaming_kpi")]);
        var call = new AwsCall(ServiceCallOwner(), "eu-west-1", Start);
        var sound = Values(Run(input, call)).Sum();

        faults.Add(new() { Source = "cloudwatch", Kind = FaultKind.InternalError, Match = "music_streaming_kpi" });
        Assert.Equal("InternalError", (string)Run(input, call)["MetricDataResults"]![0]!["StatusCode"]!);
        faults.Clear();
        faults.Add(new() { Source = "cloudwatch", Kind = FaultKind.PartialData });
        var page = Run(input, call);
        Assert.Equal("PartialData", (string)page["MetricDataResults"]![0]!["StatusCode"]!);
        Assert.NotNull(page["NextToken"]);
        faults.Clear();
        faults.Add(new() { Source = "cloudwatch", Kind = FaultKind.ReviseDown });
        Assert.InRange(Values(Run(input, call)).Sum(), sound * 0.4, sound * 0.6);
        faults.Clear();
        faults.Add(new() { Source = "cloudwatch", Kind = FaultKind.NaN });
        Assert.Equal("NaN", (string)Run(input, call)["MetricDataResults"]![0]!["Values"]![0]!);
        faults.Clear();
        faults.Add(new() { Source = "cloudwatch", Kind = FaultKind.Late, Latency = 3600 });
        Assert.True(Values(Run(input, call)).Sum() < sound / 4);
        faults.Clear();
        faults.Add(new() { Source = "cloudwatch", Kind = FaultKind.Message, Match = "half of it" });
        Assert.Equal("half of it", (string)Run(input, call)["Messages"]![0]!["Value"]!);
    }

    static AwsPrincipal ServiceCallOwner() => new("secret", "arn:aws:iam::123456789012:user/simulator", "AIDA");

    double? Sum(string name, DateTimeOffset minute, DateTimeOffset now, string stat, params (string, string)[] dimensions) =>
        Value("AWS/DynamoDB", name, minute, 60, stat, now, dimensions);

    double? Value(string space, string name, DateTimeOffset start, int period, string stat, DateTimeOffset now, (string, string)[] dimensions) =>
        Values(Run(Input(space, name, start, start.AddSeconds(period), period, stat, dimensions), new AwsCall(ServiceCallOwner(), "eu-west-1", now))) is [var value, ..] ? value : null;

    JsonNode Run(string input, AwsCall call) => JsonNode.Parse(ServiceCall.Run(service.FindJson("GetMetricData")!, Encoding.UTF8.GetBytes(input), call).Span)!;

    JsonArray Listed(string name, DateTimeOffset now) => JsonNode.Parse(ServiceCall.Run(
        service.FindJson("ListMetrics")!, Encoding.UTF8.GetBytes($$"""{"Namespace": "AWS/DynamoDB", "MetricName": "{{name}}"}"""), new AwsCall(ServiceCallOwner(), "eu-west-1", now)).Span)!["Metrics"]!.AsArray();

    static List<double> Values(JsonNode output) => [.. output["MetricDataResults"]![0]!["Values"]!.AsArray().Select(value => (double)value!)];

    static string Input(string space, string name, DateTimeOffset from, DateTimeOffset to, int period, string stat, (string Name, string Value)[] dimensions)
    {
        var shape = string.Join(',', dimensions.Select(dimension => $$"""{"Name": "{{dimension.Name}}", "Value": "{{dimension.Value}}"}"""));
        return $$"""
            {"MetricDataQueries": [{"Id": "a", "MetricStat": {"Metric": {"Namespace": "{{space}}", "MetricName": "{{name}}", "Dimensions": [{{shape}}] },
            "Period": {{period}}, "Stat": "{{stat}}" } }], "StartTime": {{from.ToUnixTimeSeconds()}}, "EndTime": {{to.ToUnixTimeSeconds()}} }
            """;
    }
}
