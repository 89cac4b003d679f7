using System.Collections.Immutable;
using PipelineExporter.Collectors.Aws;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Tests.Collectors.Aws;

public sealed class GlueMetricsTests : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 11, 23, 6, 2, 0, TimeSpan.Zero);

    private readonly GlueRig rig = new(Start);

    public void Dispose() => rig.Dispose();

    [Fact]
    public void A_snapshot_is_written_in_seconds() => Assert.Equal(
        new Dictionary<string, double> { ["aws_glue_driver_elapsed_time_average_seconds{load}"] = 12.5 },
        GlueRig.Written(rig.Metrics, new GlueMetricsSnapshot(ImmutableSortedDictionary<string, double>.Empty.Add("load", 12.5))));

    [Fact]
    public async Task One_call_asks_for_every_job_and_the_newest_settled_datapoint_counts()
    {
        AddJobs("load", "validate", "idle");
        // At 06:02 the period from 05:50 has settled (it ended at 05:55, five minutes and more ago), the one from 05:55 has not.
        rig.Glue.Datapoints = job => job switch
        {
            "load" => [(At(5, 40), 1000), (At(5, 45), 2000), (At(5, 50), 3000), (At(5, 55), 4000)],
            "validate" => [(At(5, 35), 1), (At(5, 40), 500.5)],
            _ => [(At(5, 35), 7)],
        };

        var snapshot = await rig.Metrics.CollectAsync(CancellationToken.None);

        Assert.Equal(new Dictionary<string, double> { ["load"] = 3, ["validate"] = 0.5005 }, snapshot.DriverElapsedSeconds.ToDictionary());
        var request = Assert.Single(rig.Glue.Requests, request => request.Target.EndsWith("GetMetricData", StringComparison.Ordinal)).Body;
        Assert.Equal((At(5, 40).ToUnixTimeSeconds(), At(5, 55).ToUnixTimeSeconds()), ((long)request["StartTime"]!, (long)request["EndTime"]!));
        Assert.Equal(
            """{"Id":"q0","MetricStat":{"Metric":{"Namespace":"Glue","MetricName":"glue.driver.aggregate.elapsedTime","Dimensions":[{"Name":"JobName","Value":"idle"},{"Name":"JobRunId","Value":"ALL"},{"Name":"Type","Value":"count"}]},"Period":300,"Stat":"Average"}}""",
            request["MetricDataQueries"]![0]!.ToJsonString());
        Assert.Equal(3, request["MetricDataQueries"]!.AsArray().Count);
    }

    [Fact]
    public async Task What_cannot_have_changed_is_not_asked_again()
    {
        AddJobs("load");
        for (var minute = 0; minute < 10; minute++)
        {
            rig.Time.SetUtcNow(Start.AddMinutes(minute));
            await rig.Metrics.CollectAsync(CancellationToken.None);
        }

        // At 06:02, 06:05 and 06:10.
        Assert.Equal(3, Calls());
    }

    [Fact]
    public async Task A_failed_call_is_asked_again()
    {
        AddJobs("load");
        rig.Glue.Interfere = (target, _) => target.StartsWith("Granite", StringComparison.Ordinal) ? FakeGlue.Error(400, "AccessDeniedException") : null;
        var error = await Assert.ThrowsAsync<AwsException>(() => rig.Metrics.CollectAsync(CancellationToken.None));
        Assert.Contains("Allow cloudwatch:GetMetricData", error.Message, StringComparison.Ordinal);
        rig.Glue.Interfere = (_, _) => null;

        await rig.Metrics.CollectAsync(CancellationToken.None);

        Assert.Equal(2, Calls());
    }

    [Fact]
    public async Task More_than_500_jobs_take_more_than_one_call()
    {
        AddJobs([.. Enumerable.Range(0, 501).Select(i => $"job{i:000}")]);
        rig.Glue.Datapoints = job => [(At(5, 50), int.Parse(job[3..]) * 1000)];

        var snapshot = await rig.Metrics.CollectAsync(CancellationToken.None);

        Assert.Equal(2, Calls());
        Assert.Equal(501, snapshot.DriverElapsedSeconds.Count);
        Assert.All(snapshot.DriverElapsedSeconds, job => Assert.Equal(int.Parse(job.Key[3..]), job.Value));
    }

    [Fact]
    public async Task Without_jobs_nothing_is_asked_or_billed()
    {
        Assert.Empty((await rig.Metrics.CollectAsync(CancellationToken.None)).DriverElapsedSeconds);
        Assert.Equal(0, Calls());
    }

    [Fact]
    public async Task Pages_are_merged()
    {
        AddJobs("load");
        rig.Glue.Interfere = (target, body) => !target.StartsWith("Granite", StringComparison.Ordinal) ? null : FakeGlue.Json(body["NextToken"] is null
            ? $$"""{"MetricDataResults":[{"Id":"q0","Timestamps":[{{At(5, 45).ToUnixTimeSeconds()}}],"Values":[1000],"StatusCode":"PartialData"}],"NextToken":"more"}"""
            : $$"""{"MetricDataResults":[{"Id":"q0","Timestamps":[{{At(5, 50).ToUnixTimeSeconds()}}],"Values":[2000],"StatusCode":"Complete"}]}""");

        Assert.Equal(2, (await rig.Metrics.CollectAsync(CancellationToken.None)).DriverElapsedSeconds["load"]);
    }

    [Theory]
    [InlineData("""{"MetricDataResults":[{"Id":"q0","StatusCode":"Forbidden"}]}""", "Forbidden")]
    [InlineData("""{"MetricDataResults":[{"Id":"q0","StatusCode":"InternalError"}]}""", "InternalError")]
    [InlineData("""{"MetricDataResults":[{"Id":"q0","Timestamps":[1795800300],"Values":[]}]}""", "do not fit")]
    [InlineData("""{"MetricDataResults":[null]}""", "do not fit")]
    [InlineData("""{"MetricDataResults":[],"NextToken":"again"}""", "do not end")]
    public async Task Nonsense_fails_the_collection_with_a_clear_error(string json, string told)
    {
        AddJobs("load");
        rig.Glue.Interfere = (target, _) => target.StartsWith("Granite", StringComparison.Ordinal) ? FakeGlue.Json(json) : null;

        var error = await Assert.ThrowsAsync<AwsException>(() => rig.Metrics.CollectAsync(CancellationToken.None));

        Assert.StartsWith("CloudWatch GetMetricData", error.Message, StringComparison.Ordinal);
        Assert.Contains(told, error.Message, StringComparison.Ordinal);
    }

    private void AddJobs(params string[] names) => rig.Glue.Jobs.AddRange(names.Select(name => (name, Start.AddDays(-9), 0)));

    private int Calls() => rig.Glue.Requests.Count(request => request.Target.EndsWith("GetMetricData", StringComparison.Ordinal));

    private static DateTimeOffset At(int hour, int minute) => new(2026, 11, 23, hour, minute, 0, TimeSpan.Zero);
}
