using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Simulator.Aws;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Tests.Aws;

public sealed class WorkerMetricsTests
{
    static readonly DateTimeOffset Now = ServiceCall.Now;

    [Theory]
    [InlineData("CPUUtilization", "worker_cpu")]
    [InlineData("MemoryUtilization", "worker_memory")]
    public void The_base_workers_are_burdened_from_the_incidents_start_to_its_end_and_nobody_else(string metric, string incident)
    {
        var time = new FakeTimeProvider(Now.AddMinutes(-60));
        var incidents = new IncidentLog(time);
        incidents.Start(incident);
        time.SetUtcNow(Now.AddMinutes(-20));
        incidents.End(incident);
        var service = ServiceCall.CloudWatch(new PipelineModel(1, incidents));

        foreach (var cluster in new[] { "Scheduler", "BaseWorker", "AdditionalWorker", "WebServer" })
        {
            foreach (var name in new[] { "CPUUtilization", "MemoryUtilization" })
            {
                var points = Points(service, name, cluster, "Average");
                Assert.Equal(120, points.Count);
                var isBurdened = (name, cluster) == (metric, "BaseWorker");
                Assert.All(points, point =>
                {
                    var (low, high) = isBurdened && point.At >= Now.AddMinutes(-60) && point.At < Now.AddMinutes(-20) ? (96, 99.5) : (20, 70);
                    Assert.InRange(point.Value, low, high);
                });
            }
        }
    }

    [Fact]
    public void Each_container_sends_a_sample_a_minute_of_its_own()
    {
        var service = ServiceCall.CloudWatch();
        Assert.All(Points(service, "CPUUtilization", "BaseWorker", "SampleCount"), point => Assert.Equal(3, point.Value));
        var averages = Points(service, "CPUUtilization", "BaseWorker", "Average");
        Assert.All(averages.Zip(Points(service, "CPUUtilization", "BaseWorker", "Maximum")), pair => Assert.True(pair.First.Value < pair.Second.Value));
        Assert.True(averages.Max(point => point.Value) - averages.Min(point => point.Value) > 10);
    }

    /// <summary>Of two hours, when nothing of them is late any more.</summary>
    static List<(DateTimeOffset At, double Value)> Points(AwsService service, string metric, string cluster, string stat)
    {
        var answer = ServiceCall.Json(service, "GetMetricData",
            $$"""
            {"StartTime": {{Now.AddHours(-2).ToUnixTimeSeconds()}}, "EndTime": {{Now.ToUnixTimeSeconds()}}, "ScanBy": "TimestampAscending",
            "MetricDataQueries": [{"Id": "a", "MetricStat": {"Period": 60, "Stat": "{{stat}}", "Unit": "Percent", "Metric":
            {"Namespace": "AWS/MWAA", "MetricName": "{{metric}}", "Dimensions":
            [{"Name": "Cluster", "Value": "{{cluster}}"}, {"Name": "Environment", "Value": "music-streaming"}]} } }] }
            """, Now.AddMinutes(6));
        var result = Assert.Single(answer["MetricDataResults"]!.AsArray())!;
        return
        [
            .. result["Timestamps"]!.AsArray().Zip(result["Values"]!.AsArray())
                .Select(pair => (DateTimeOffset.FromUnixTimeSeconds((long)(double)pair.First!), (double)pair.Second!)),
        ];
    }
}
