using System.Text.Json.Nodes;
using PipelineExporter.Simulator.Aws;
using PipelineExporter.Simulator.Control;

namespace PipelineExporter.Simulator.Tests.Aws;

/// <summary>What goes wrong with CloudWatch's data while its calls succeed.</summary>
public sealed class CloudWatchFaultTests
{
    static readonly DateTimeOffset Start = new(2026, 11, 23, 8, 0, 0, TimeSpan.Zero);

    readonly FaultInjector faults = new(TimeProvider.System, seed: 1);
    readonly AwsService cloudWatch;

    public CloudWatchFaultTests() => cloudWatch = ServiceCall.CloudWatch(faults: faults);

    [Fact]
    public void One_metric_cannot_be_read_and_the_others_can()
    {
        faults.Add(new Fault { Source = "cloudwatch", Kind = FaultKind.InternalError, Match = "Scheduler" });
        var (scheduler, worker) = Read();

        Assert.Equal("InternalError", (string)scheduler["StatusCode"]!);
        Assert.Empty(scheduler["Values"]!.AsArray());
        Assert.Equal("Complete", (string)worker["StatusCode"]!);
        Assert.Equal(60, worker["Values"]!.AsArray().Count);
    }

    [Fact]
    public void A_count_is_used_up_by_answers_with_data()
    {
        faults.Add(new Fault { Source = "cloudwatch", Kind = FaultKind.InternalError, Match = "CPUUtilization", Count = 1 });

        Assert.Equal("InternalError", (string)Read().Scheduler["StatusCode"]!);
        Assert.Equal("Complete", (string)Read().Scheduler["StatusCode"]!);
        Assert.Empty(faults.All);
    }

    [Fact]
    public void A_page_holds_twenty_datapoints_and_nothing_is_lost_over_the_pages()
    {
        var whole = Read();
        faults.Add(new Fault { Source = "cloudwatch", Kind = FaultKind.PartialData });
        var merged = new Dictionary<string, List<double>> { ["a"] = [], ["b"] = [] };
        var pages = 0;
        for (var more = ""; ; pages++)
        {
            var answer = ServiceCall.Json(cloudWatch, "GetMetricData", Input(more));
            var results = answer["MetricDataResults"]!.AsArray();
            Assert.True(results.Sum(result => result!["Values"]!.AsArray().Count) <= 20);
            foreach (var result in results)
                merged[(string)result!["Id"]!].AddRange(result["Values"]!.AsArray().Select(value => (double)value!));
            if (answer["NextToken"] is not { } next)
                break;
            Assert.Contains(results, result => (string)result!["StatusCode"]! == "PartialData");
            more = $", \"NextToken\": \"{next}\"";
        }

        Assert.Equal(5, pages);
        Assert.Equal(whole.Scheduler["Values"]!.AsArray().Select(value => (double)value!), merged["a"]);
        Assert.Equal(whole.Worker["Values"]!.AsArray().Select(value => (double)value!), merged["b"]);
    }

    [Fact]
    public void A_message_stands_beside_the_data()
    {
        faults.Add(new Fault { Source = "cloudwatch", Kind = FaultKind.Message });
        var answer = ServiceCall.Json(cloudWatch, "GetMetricData", Input());

        Assert.Equal("""[{"Code":"MaxMetricsExceeded","Value":"Maximum number of allowed metrics exceeded"}]""", answer["Messages"]!.ToJsonString());
        Assert.Equal(60, answer["MetricDataResults"]![0]!["Values"]!.AsArray().Count);
    }

    [Fact]
    public void Datapoints_come_later()
    {
        faults.Add(new Fault { Source = "cloudwatch", Kind = FaultKind.Late, Match = "AWS/MWAA", Latency = 1800 });

        Assert.Equal(
            Read(Start.AddMinutes(40)).Scheduler["Values"]!.AsArray().Count, new CloudWatchFaultTests().Read(Start.AddMinutes(10)).Scheduler["Values"]!.AsArray().Count);
    }

    [Fact]
    public void Values_shrink_to_half_when_they_are_six_minutes_old()
    {
        var sound = Values(Read().Worker);
        faults.Add(new Fault { Source = "cloudwatch", Kind = FaultKind.ReviseDown, Match = "BaseWorker" });
        var now = Start.AddMinutes(30).AddSeconds(50);

        Assert.All(Values(Read(now).Worker), point => Assert.Equal(
            point.Key < now.AddMinutes(-6).ToUnixTimeSeconds() ? Math.Floor(sound[point.Key] / 2) : sound[point.Key], point.Value));
        Assert.Equal(29, Values(Read(now).Worker).Count);
        Assert.Equal(Values(new CloudWatchFaultTests().Read(now).Scheduler), Values(Read(now).Scheduler));
    }

    [Fact]
    public void A_value_that_is_no_number_is_a_string()
    {
        faults.Add(new Fault { Source = "cloudwatch", Kind = FaultKind.NaN, Match = "Scheduler" });
        var (scheduler, worker) = Read();

        Assert.All(scheduler["Values"]!.AsArray(), value => Assert.Equal("NaN", (string)value!));
        Assert.All(worker["Values"]!.AsArray(), value => Assert.True((double)value! > 0));
    }

    static Dictionary<double, double> Values(JsonNode result) => result["Timestamps"]!.AsArray().Zip(result["Values"]!.AsArray())
        .ToDictionary(pair => (double)pair.First!, pair => (double)pair.Second!);

    (JsonNode Scheduler, JsonNode Worker) Read(DateTimeOffset? now = null)
    {
        var results = ServiceCall.Json(cloudWatch, "GetMetricData", Input(), now)["MetricDataResults"]!;
        return (results[0]!, results[1]!);
    }

    static string Input(string more = "") =>
        $$"""
        {"StartTime": {{Start.ToUnixTimeSeconds()}}, "EndTime": {{Start.AddHours(1).ToUnixTimeSeconds()}}, "MetricDataQueries": [
        {"Id": "a", "MetricStat": {"Period": 60, "Stat": "Sum", "Metric": {{Metric("Scheduler")}} } },
        {"Id": "b", "MetricStat": {"Period": 60, "Stat": "Sum", "Metric": {{Metric("BaseWorker")}} } }]{{more}}}
        """;

    static string Metric(string cluster) =>
        $$"""
        {"Namespace": "AWS/MWAA", "MetricName": "CPUUtilization", "Dimensions":
        [{"Name": "Cluster", "Value": "{{cluster}}"}, {"Name": "Environment", "Value": "music-streaming"}]}
        """;
}
