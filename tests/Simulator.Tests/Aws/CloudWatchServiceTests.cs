using System.Globalization;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using PipelineExporter.Simulator.Aws;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Tests.Aws;

public sealed class CloudWatchServiceTests
{
    const string Metric = "glue.driver.aggregate.elapsedTime";
    const string AllRuns = """{"Name": "JobRunId", "Value": "ALL"}""";

    static readonly AwsService CloudWatch = ServiceCall.CloudWatch();
    static readonly DateTimeOffset Now = ServiceCall.Now;
    static readonly DateTimeOffset Start = new(2026, 11, 23, 8, 0, 0, TimeSpan.Zero);
    static readonly DateTimeOffset End = new(2026, 11, 23, 10, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("SampleCount", 300)]
    [InlineData("Sum", 300)]
    [InlineData("Average", 300)]
    [InlineData("Minimum", 60)]
    [InlineData("Maximum", 3600)]
    public void Datapoints_are_the_statistic_of_a_period_stamped_at_its_start(string stat, int period)
    {
        var expected = Elapsed(Start, End)
            .GroupBy(sample => sample.At.ToUnixTimeSeconds() / period * period)
            .OrderByDescending(bucket => bucket.Key)
            .Select(bucket => (
                (double)bucket.Key,
                stat switch
                {
                    "SampleCount" => bucket.Count(),
                    "Sum" => bucket.Sum(sample => sample.Milliseconds),
                    "Average" => bucket.Average(sample => sample.Milliseconds),
                    "Minimum" => bucket.Min(sample => sample.Milliseconds),
                    _ => bucket.Max(sample => sample.Milliseconds),
                }))
            .ToList();

        var result = Single(Get([Query("a", stat: stat, period: period)]));

        Assert.NotEmpty(expected);
        Assert.Equal("a", (string)result["Id"]!);
        Assert.Equal(Metric, (string)result["Label"]!);
        Assert.Equal("Complete", (string)result["StatusCode"]!);
        Assert.Equal(expected, Points(result));
    }

    [Fact]
    public void Oldest_come_first_when_asked_for()
    {
        var descending = Points(Single(Get([Query("a")])));
        var ascending = Points(Single(Get([Query("a")], rest: """, "ScanBy": "TimestampAscending" """)));

        Assert.True(descending.Count > 3);
        Assert.Equal(descending.AsEnumerable().Reverse(), ascending);
    }

    [Fact]
    public void The_start_is_inclusive_and_the_end_exclusive()
    {
        var all = Points(Single(Get([Query("a")], rest: """, "ScanBy": "TimestampAscending" """)));
        var (first, last) = (DateTimeOffset.FromUnixTimeSeconds((long)all[0].At), DateTimeOffset.FromUnixTimeSeconds((long)all[^1].At));

        var between = Points(Single(Get([Query("a")], first, last, """, "ScanBy": "TimestampAscending" """)));

        Assert.Equal(all[..^1], between);
    }

    [Fact]
    public void The_start_is_rounded_down_to_the_minute()
    {
        var all = Points(Single(Get([Query("a")])));

        Assert.Equal(all, Points(Single(Get([Query("a")], Start.AddSeconds(59), End))));
    }

    [Fact]
    public void Nothing_is_there_where_no_job_ran()
    {
        var all = Points(Single(Get([Query("a", period: 60)])));

        Assert.InRange(all.Count, 2, (int)(End - Start).TotalMinutes - 1);
        Assert.All(all, point => Assert.True(point.Value > 0));
    }

    [Fact]
    public void A_datapoint_can_be_read_two_minutes_after_it_was_sent()
    {
        var sample = Elapsed(Start, End).First();
        var minute = DateTimeOffset.FromUnixTimeSeconds(sample.At.ToUnixTimeSeconds() / 60 * 60);

        List<(double At, double Value)> ReadAt(DateTimeOffset now) =>
            Points(Single(Get([Query("a", period: 60)], minute, minute.AddMinutes(1), now: now)));

        Assert.Empty(ReadAt(sample.At.AddMinutes(2)));
        Assert.Equal([(minute.ToUnixTimeSeconds(), sample.Milliseconds)], ReadAt(sample.At.AddMinutes(2).AddTicks(1)));
    }

    [Theory]
    [InlineData("""{"Name": "JobName", "Value": "music_streaming_validation"}, {"Name": "JobRunId", "Value": "ALL"}""")]
    [InlineData("""{"Name": "JobName", "Value": "music_streaming_validation"}, {"Name": "JobRunId", "Value": "ALL"}, {"Name": "Type", "Value": "gauge"}""")]
    [InlineData("""{"Name": "JobName", "Value": "music_streaming_validation"}, {"Name": "JobRunId", "Value": "ALL"}, {"Name": "Type", "Value": "count"}, {"Name": "X", "Value": "y"}""")]
    [InlineData("""{"Name": "JobName", "Value": "nobody"}, {"Name": "JobRunId", "Value": "ALL"}, {"Name": "Type", "Value": "count"}""")]
    [InlineData("")]
    public void Other_dimensions_are_another_metric_and_answer_empty(string dimensions)
    {
        var result = Single(Get([Query("a", dimensions: dimensions)]));

        Assert.Empty(Points(result));
        Assert.Equal("Complete", (string)result["StatusCode"]!);
    }

    [Fact]
    public void The_order_of_dimensions_does_not_matter() => Assert.Equal(
        Points(Single(Get([Query("a")]))),
        Points(Single(Get([Query("a", dimensions:
            """{"Name": "Type", "Value": "count"}, {"Name": "JobName", "Value": "music_streaming_validation"}, {"Name": "JobRunId", "Value": "ALL"}""")]))));

    [Theory]
    [InlineData("AWS/Glue", Metric)]
    [InlineData("Glue", "glue.driver.aggregate.elapsedtime")]
    public void Another_namespace_or_name_answers_empty(string @namespace, string name) =>
        Assert.Empty(Points(Single(Get([Query("a", @namespace: @namespace, name: name)]))));

    [Fact]
    public void Another_region_holds_nothing()
    {
        var input = Input([Query("a")], Start, End, "");

        Assert.Empty(Points(Single(ServiceCall.Json(CloudWatch, "GetMetricData", input, region: "us-east-1"))));
        Assert.Empty(ServiceCall.Json(CloudWatch, "ListMetrics", "{}", region: "us-east-1")["Metrics"]!.AsArray());
    }

    [Fact]
    public void A_period_below_a_minute_answers_empty() => Assert.Empty(Points(Single(Get([Query("a", period: 30)]))));

    [Theory]
    [InlineData(20, 60, false)]
    [InlineData(20, 300, true)]
    [InlineData(70, 300, false)]
    [InlineData(70, 3600, true)]
    public void Fine_periods_are_kept_for_less_long(int daysAgo, int period, bool found)
    {
        var from = Start.AddDays(-daysAgo);

        Assert.Equal(found, Points(Single(Get([Query("a", period: period)], from, from.AddHours(3)))).Count > 0);
    }

    [Fact]
    public void Queries_that_return_no_data_are_left_out()
    {
        var output = Get([Query("a"), Query("b", rest: """, "ReturnData": false""")]);

        Assert.Equal("a", (string)Single(output)["Id"]!);
    }

    [Fact]
    public void Labels_tell_jobs_apart_and_can_be_given()
    {
        var output = Get([Query("a"), Query("b", job: "music_streaming_dynamodb_load"), Query("c", rest: """, "Label": "mine" """)]);

        Assert.Equal(
            [$"music_streaming_validation ALL count {Metric}", $"music_streaming_dynamodb_load ALL count {Metric}", "mine"],
            output["MetricDataResults"]!.AsArray().Select(result => (string)result!["Label"]!));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(7)]
    [InlineData(1000)]
    public void Pages_merged_by_id_are_the_whole(int maxDatapoints)
    {
        string[] queries = [Query("a"), Query("none", job: "nobody"), Query("b", job: "music_streaming_dynamodb_load", period: 60)];
        var whole = Get(queries)["MetricDataResults"]!.AsArray().ToDictionary(result => (string)result!["Id"]!, result => Points(result!));

        var merged = whole.Keys.ToDictionary(id => id, _ => new List<(double At, double Value)>());
        var status = new Dictionary<string, string>();
        var pages = 0;
        for (var token = ""; ; pages++)
        {
            // Time passes between pages, which must not move what the following ones hold.
            var output = Get(queries, rest: $", \"MaxDatapoints\": {maxDatapoints}{token}", now: Now.AddMinutes(pages));
            var count = 0;
            foreach (var result in output["MetricDataResults"]!.AsArray())
            {
                var id = (string)result!["Id"]!;
                Assert.NotEqual("Complete", status.GetValueOrDefault(id));
                status[id] = (string)result["StatusCode"]!;
                merged[id].AddRange(Points(result));
                count += Points(result).Count;
            }
            Assert.InRange(count, 0, maxDatapoints);
            if (output["NextToken"] is not { } next)
                break;
            token = $", \"NextToken\": \"{next}\"";
        }

        Assert.Equal(whole, merged);
        Assert.All(status.Values, code => Assert.Equal("Complete", code));
        Assert.Equal(Math.Max(1, (int)Math.Ceiling(whole.Values.Sum(points => points.Count) / (double)maxDatapoints)), pages + 1);
    }

    [Fact]
    public void A_result_that_goes_on_is_partial()
    {
        var result = Single(Get([Query("a")], rest: """, "MaxDatapoints": 2"""));

        Assert.Equal("PartialData", (string)result["StatusCode"]!);
        Assert.Equal(2, Points(result).Count);
    }

    [Fact]
    public void A_token_belongs_to_its_request()
    {
        var token = Get([Query("a")], rest: """, "MaxDatapoints": 2""")["NextToken"];

        var other = ServiceCall.Refused(CloudWatch, "GetMetricData", Input([Query("b")], Start, End, $", \"MaxDatapoints\": 2, \"NextToken\": \"{token}\""));
        var bad = ServiceCall.Refused(CloudWatch, "GetMetricData", Input([Query("a")], Start, End, """, "NextToken": "x" """));

        Assert.Equal("InvalidNextToken", other.Code);
        Assert.Equal("InvalidNextToken", bad.Code);
    }

    [Fact]
    public void Five_hundred_queries_are_answered_and_one_more_is_refused()
    {
        var queries = Enumerable.Range(0, 501).Select(i => Query($"q{i}")).ToList();

        Assert.Equal(500, Get(queries[..500])["MetricDataResults"]!.AsArray().Count);
        var refused = ServiceCall.Refused(CloudWatch, "GetMetricData", Input(queries, Start, End, ""));
        Assert.Equal("ValidationError", refused.Code);
        Assert.Equal("The collection MetricDataQueries must not have a size greater than 500.", refused.Text);
    }

    public static TheoryData<string, string> BadInputs => new()
    {
        { "{}", "The parameter MetricDataQueries is required." },
        { """{"MetricDataQueries": [], "StartTime": 1, "EndTime": 2}""", "The parameter MetricDataQueries is required." },
        { $$"""{"MetricDataQueries": [{{Query("a")}}]}""", "The parameter StartTime is required.\nThe parameter EndTime is required." },
        { Input([Query("a")], Start, Start, ""), "The parameter StartTime must not equal parameter EndTime." },
        { Input([Query("a")], End, Start, ""), "The parameter StartTime must be less than the parameter EndTime." },
        { Input([Query("A")], Start, End, ""), "The value A for parameter MetricDataQueries.member.1.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$." },
        { Input([Query("a"), Query("a")], Start, End, ""), "The values for parameter Id in MetricDataQueries are not unique." },
        { Input([Query("a", stat: "Mean"), Query("b", stat: "None")], Start, End, ""), "The value Mean for parameter MetricDataQueries.member.1.MetricStat.Stat is not a valid statistic.\nThe value None for parameter MetricDataQueries.member.2.MetricStat.Stat is not a valid statistic." },
        { Input([Query("a", period: 90)], Start, End, ""), "The value 90 for parameter MetricDataQueries.member.1.MetricStat.Period is not 1, 5, 10, 20, 30 or a multiple of 60." },
        { Input([Query("a", period: 0)], Start, End, ""), "The value 0 for parameter MetricDataQueries.member.1.MetricStat.Period is not 1, 5, 10, 20, 30 or a multiple of 60." },
        { Input(["""{"Id": "a"}"""], Start, End, ""), "The parameter MetricDataQueries.member.1.MetricStat is required." },
        { Input(["""{"Id": "a", "MetricStat": {}}"""], Start, End, ""), "The parameter MetricDataQueries.member.1.MetricStat.Metric is required.\nThe parameter MetricDataQueries.member.1.MetricStat.Period is required.\nThe parameter MetricDataQueries.member.1.MetricStat.Stat is required." },
        { Input([Query("a", name: "")], Start, End, ""), "The parameter MetricDataQueries.member.1.MetricStat.Metric.MetricName is required." },
        { Input([Query("a", dimensions: """{"Name": "JobName"}""")], Start, End, ""), "The parameter MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Value is required." },
        { Input([Query("a")], Start, End, """, "MaxDatapoints": 100801"""), "The value 100801 for parameter MaxDatapoints is not between 1 and 100800." },
        { Input([Query("a")], Start, End, """, "ScanBy": "Newest" """), "The value Newest for parameter ScanBy is not valid." },
    };

    [Theory]
    [MemberData(nameof(BadInputs))]
    public void Bad_parameters_are_named(string input, string message)
    {
        var refused = ServiceCall.Refused(CloudWatch, "GetMetricData", input);

        Assert.Equal("ValidationError", refused.Code);
        Assert.Equal(message, refused.Text);
    }

    [Theory]
    [InlineData("\"2026-11-23T08:00:00Z\"")]
    [InlineData("1e300")]
    public void Timestamps_are_epoch_seconds(string start)
    {
        var refused = ServiceCall.Refused(CloudWatch, "GetMetricData", $$"""{"MetricDataQueries": [{{Query("a")}}], "StartTime": {{start}}, "EndTime": 2}""");

        Assert.Equal("SerializationException", refused.Code);
    }

    [Fact]
    public void Timestamps_are_written_as_floats()
    {
        var output = System.Text.Encoding.UTF8.GetString(
            ServiceCall.Run(CloudWatch.FindJson("GetMetricData")!, System.Text.Encoding.UTF8.GetBytes(Input([Query("a")], Start, End, "")), ServiceCall.As()).Span);

        Assert.Matches(@"""Timestamps"":\[1\.795\d+E9[,\]]", output);
    }

    [Fact]
    public void A_single_run_that_is_listed_can_be_read_and_is_part_of_what_all_runs_have()
    {
        var metrics = ServiceCall.Json(CloudWatch, "ListMetrics", $$"""
            {"Namespace": "Glue", "MetricName": "{{Metric}}", "RecentlyActive": "PT3H", "Dimensions": [{"Name": "JobName", "Value": "music_streaming_validation"}]}
            """)["Metrics"]!.AsArray();
        var answer = Get(metrics.Select((metric, i) => $$"""{"Id": "m{{i}}", "MetricStat": {"Metric": {{metric!.ToJsonString()}}, "Period": 60, "Stat": "Sum"} }"""));
        var results = answer["MetricDataResults"]!.AsArray().Select(result => Points(result!)).ToList();

        Assert.Equal("ALL", (string)metrics[0]!["Dimensions"]!.AsArray().Single(dimension => (string)dimension!["Name"]! == "JobRunId")!["Value"]!);
        Assert.InRange(results.Count(points => points.Count > 0), 12, 15);
        Assert.Equal(
            results[0].ToDictionary(point => point.At, point => point.Value),
            results.Skip(1).SelectMany(points => points).GroupBy(point => point.At).ToDictionary(points => points.Key, points => points.Sum(point => point.Value)));
    }

    [Fact]
    public void ListMetrics_lists_the_jobs_that_ran_lately()
    {
        var metrics = ServiceCall.Json(CloudWatch, "ListMetrics", $$"""{"Namespace": "Glue", "MetricName": "{{Metric}}", "RecentlyActive": "PT3H", "Dimensions": [{{AllRuns}}]}""")["Metrics"]!.AsArray();

        Assert.Equal(
            ["music_streaming_catalog_export", "music_streaming_dynamodb_load", "music_streaming_events_stream", "music_streaming_kpi_computation", "music_streaming_validation"],
            metrics.Select(metric => (string)metric!["Dimensions"]![0]!["Value"]!).Order());
        Assert.All(metrics, metric => Assert.Equal(Metric, (string)metric!["MetricName"]!));
    }

    [Theory]
    [InlineData("""{"Namespace": "AWS/Glue"}""", 0)]
    [InlineData($$"""{"MetricName": "glue.driver.aggregate.elapsedTime", "Dimensions": [{{AllRuns}}]}""", 5)]
    [InlineData("""{"MetricName": "other"}""", 0)]
    [InlineData("""{"Namespace": "AWS/MWAA"}""", 8)]
    [InlineData("""{"Namespace": "AWS/MWAA", "Dimensions": [{"Name": "Cluster", "Value": "BaseWorker"}]}""", 2)]
    [InlineData($$"""{"Dimensions": [{"Name": "JobName"}, {{AllRuns}}]}""", 5 * 29)]
    [InlineData($$"""{"Dimensions": [{"Name": "JobName", "Value": "music_streaming_validation"}, {"Name": "Type"}, {{AllRuns}}]}""", 29)]
    [InlineData("""{"Dimensions": [{"Name": "TableName"}]}""", 30)]
    [InlineData("""{"OwningAccount": "999999999999"}""", 0)]
    public void ListMetrics_filters(string input, int count) =>
        Assert.Equal(count, ServiceCall.Json(CloudWatch, "ListMetrics", input)["Metrics"]!.AsArray().Count);

    [Fact]
    public void ListMetrics_comes_in_pages_of_five_hundred_that_hold_each_metric_once()
    {
        var service = ServiceCall.CloudWatch(new PipelineModel(1, new IncidentLog(TimeProvider.System), tables: 200));
        List<string> listed = [];
        var pages = 0;
        for (var token = ""; token is not null; pages++)
        {
            // Time passes between pages.
            var answer = ServiceCall.Json(service, "ListMetrics", $$"""{"Namespace": "AWS/DynamoDB"{{token}}}""", Now.AddMinutes(pages));
            var page = answer["Metrics"]!.AsArray();
            listed.AddRange(page.Select(metric => metric!.ToJsonString()));
            token = answer["NextToken"] is { } next ? $", \"NextToken\": \"{next}\"" : null;
            Assert.True(page.Count == 500 || token is null);
        }

        Assert.Equal(listed.Count, listed.Distinct().Count());
        Assert.Equal(1600, listed.Count(metric => metric.Contains("load_table_", StringComparison.Ordinal)));
        Assert.Equal(4, pages);
    }

    [Theory]
    [InlineData("", 5)]
    [InlineData(", \"RecentlyActive\": \"PT3H\"", 0)]
    public void What_comes_daily_is_hidden_from_who_asks_for_what_was_active_lately(string more, int count) => Assert.Equal(
        count, ServiceCall.Json(CloudWatch, "ListMetrics", $$"""{"Namespace": "AWS/S3", "MetricName": "NumberOfObjects"{{more}}}""")["Metrics"]!.AsArray().Count);

    [Fact]
    public void A_metric_is_listed_for_two_weeks_after_its_last_datapoint()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider(Now);
        var incidents = new IncidentLog(time);
        incidents.Start(IncidentKind.DynamoDbThrottling);
        time.Advance(TimeSpan.FromMinutes(10));
        incidents.End(IncidentKind.DynamoDbThrottling);
        var service = ServiceCall.CloudWatch(new PipelineModel(1, incidents));

        int Listed(DateTimeOffset now) =>
            ServiceCall.Json(service, "ListMetrics", """{"Namespace": "AWS/DynamoDB", "MetricName": "ThrottledRequests"}""", now)["Metrics"]!.AsArray().Count;

        Assert.Equal([0, 1, 1, 0], new[] { Now.AddMinutes(14), Now.AddMinutes(17), Now.AddDays(14), Now.AddDays(14).AddMinutes(10) }.Select(Listed));
    }

    [Theory]
    [InlineData("""{"RecentlyActive": "PT1H"}""", "InvalidParameterValue")]
    [InlineData("""{"NextToken": "x"}""", "InvalidParameterValue")]
    [InlineData("""{"NextToken": "bWV0cmljcwoxCnllc3RlcmRheQpqcl8w"}""", "InvalidParameterValue")]
    [InlineData("""{"Dimensions": [{"Value": "x"}]}""", "ValidationError")]
    public void ListMetrics_refuses_bad_parameters(string input, string code) =>
        Assert.Equal(code, ServiceCall.Refused(CloudWatch, "ListMetrics", input).Code);

    [Fact]
    public void The_query_protocol_answers_the_same()
    {
        var json = Points(Single(Get([Query("a")])));

        var xml = ServiceCall.Query(
            CloudWatch, "GetMetricData",
            ("StartTime", "2026-11-23T08:00:00Z"),
            ("EndTime", "2026-11-23T10:00:00Z"),
            ("MetricDataQueries.member.1.Id", "a"),
            ("MetricDataQueries.member.1.MetricStat.Metric.Namespace", "Glue"),
            ("MetricDataQueries.member.1.MetricStat.Metric.MetricName", Metric),
            ("MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Name", "JobName"),
            ("MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Value", "music_streaming_validation"),
            ("MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.2.Name", "JobRunId"),
            ("MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.2.Value", "ALL"),
            ("MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.3.Name", "Type"),
            ("MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.3.Value", "count"),
            ("MetricDataQueries.member.1.MetricStat.Period", "300"),
            ("MetricDataQueries.member.1.MetricStat.Stat", "Average"));

        var result = xml.Element("MetricDataResults")!.Element("member")!;
        var times = result.Element("Timestamps")!.Elements().Select(at => (double)DateTimeOffset.Parse(at.Value, CultureInfo.InvariantCulture).ToUnixTimeSeconds());
        var values = result.Element("Values")!.Elements().Select(value => double.Parse(value.Value, CultureInfo.InvariantCulture));
        Assert.Equal(json, times.Zip(values));
        Assert.Equal("Complete", (string?)result.Element("StatusCode"));
    }

    [Theory]
    [InlineData("StartTime", "yesterday")]
    [InlineData("MaxDatapoints", "many")]
    public void The_query_protocol_refuses_what_it_cannot_read(string name, string value) => Assert.Equal(
        "MalformedInput", Assert.Throws<AwsException>(() => ServiceCall.Query(CloudWatch, "GetMetricData", (name, value))).Code);

    static IEnumerable<ElapsedTimeDelta> Elapsed(DateTimeOffset from, DateTimeOffset to) =>
        ServiceCall.Model.ElapsedTime("music_streaming_validation", from, to);

    static string Query(
        string id,
        string job = "music_streaming_validation",
        string stat = "Average",
        int period = 300,
        string? dimensions = null,
        string @namespace = "Glue",
        string name = Metric,
        string rest = "") =>
        $$"""
        {"Id": "{{id}}", "MetricStat": {"Metric": {"Namespace": "{{@namespace}}", "MetricName": "{{name}}", "Dimensions": [{{dimensions
        ?? $$"""{"Name": "JobName", "Value": "{{job}}"}, {"Name": "JobRunId", "Value": "ALL"}, {"Name": "Type", "Value": "count"}"""}}]},
        "Period": {{period}}, "Stat": "{{stat}}"}{{rest}}}
        """;

    static string Input(IEnumerable<string> queries, DateTimeOffset start, DateTimeOffset end, string rest) =>
        $$"""{"MetricDataQueries": [{{string.Join(',', queries)}}], "StartTime": {{start.ToUnixTimeSeconds()}}, "EndTime": {{end.ToUnixTimeSeconds()}}.0{{rest}}}""";

    static JsonNode Get(
        IEnumerable<string> queries, DateTimeOffset? start = null, DateTimeOffset? end = null, string rest = "", DateTimeOffset? now = null) =>
        ServiceCall.Json(CloudWatch, "GetMetricData", Input(queries, start ?? Start, end ?? End, rest), now);

    static JsonNode Single(JsonNode output) => Assert.Single(output["MetricDataResults"]!.AsArray())!;

    static List<(double At, double Value)> Points(JsonNode result)
    {
        var (times, values) = (result["Timestamps"]!.AsArray(), result["Values"]!.AsArray());
        Assert.Equal(times.Count, values.Count);
        return [.. times.Zip(values, (at, value) => ((double)at!, (double)value!))];
    }
}
