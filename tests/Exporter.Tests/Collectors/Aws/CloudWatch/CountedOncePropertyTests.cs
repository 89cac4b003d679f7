using System.Globalization;
using CsCheck;
using PipelineExporter.Collectors.Aws.CloudWatch;
using PipelineExporter.Sources.Aws;
using PipelineExporter.State;

namespace PipelineExporter.Tests.Collectors.Aws.CloudWatch;

/// <summary>Whatever happens to CloudWatch and to the exporter, in the end each period is counted once, with the value it has in the end.</summary>
public sealed class CountedOncePropertyTests
{
    private const int Minutes = 45;

    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private enum Happens
    {
        Nothing,
        Kill,
        Restart,
        Outage,
        RequestsFail,
        EntriesFail,
        CommitFails,
        Relisted,
    }

    [Fact]
    public async Task Each_period_is_counted_once() =>
        await Gen.Select(
            Gen.Int[0, (int)Happens.Relisted].Array[Minutes],
            // Of each minute: its first value, a later one within the time in which it may be revised, and how late that comes; and
            // the interval in minutes.
            Gen.Select(Gen.Int[0, 20], Gen.Int[0, 20], Gen.Int[1, 11]).Array[Minutes],
            Gen.Frequency((2, Gen.Const(1)), (1, Gen.Int[2, 7])))
        .SampleAsync(
            async (happens, values, interval) =>
            {
                using var rig = new CloudWatchRig(() => [new FakeGroup(interval * Minute)]);
                FakeMetric[] metrics =
                [
                    rig.CloudWatch.Add("AWS/DynamoDB", "Requests", ("TableName", "orders"), ("Operation", "GetItem")),
                    rig.CloudWatch.Add("AWS/DynamoDB", "Reads", ("TableName", "orders")),
                ];
                var start = CloudWatchCadence.FloorTo(rig.Now, Minute);
                for (var i = 0; i < Minutes; i++)
                {
                    var (first, later, delay) = values[i];
                    foreach (var metric in metrics)
                    {
                        metric.Publish(start + i * Minute, first, start + (i + 2) * Minute);
                        metric.Publish(start + i * Minute, Math.Max(first, later), start + (i + 2 + delay) * Minute);
                    }
                }

                await rig.DiscoverAsync();
                foreach (var one in happens)
                    await HappenAsync(rig, (Happens)one);
                rig.CloudWatch.Interfere = (_, _) => null;
                rig.CloudWatch.StatusOf = _ => null;
                await rig.RunAsync((20 + interval) * Minute);

                var sum = values.Sum(value => Math.Max(value.Item1, value.Item2));
                Assert.Equal(sum, rig.Counted(FakeGroup.Requests, "orders", "GetItem"));
                Assert.Equal(sum, rig.Counted(FakeGroup.Reads, "orders"));
            },
            iter: Environment.GetEnvironmentVariable("EXACTLY_ONCE_CASES") is { } cases ? int.Parse(cases, CultureInfo.InvariantCulture) : 60,
            threads: 1);

    private static async Task HappenAsync(CloudWatchRig rig, Happens happens)
    {
        rig.CloudWatch.Interfere = (_, _) => null;
        rig.CloudWatch.StatusOf = _ => null;
        switch (happens)
        {
            case Happens.Kill:
                rig.Kill();
                await rig.DiscoverAsync();
                break;
            case Happens.Restart:
                rig.Restart();
                await rig.DiscoverAsync();
                break;
            case Happens.Outage:
                rig.Time.Advance(7 * Minute);
                break;
            case Happens.RequestsFail:
                rig.CloudWatch.Interfere = (operation, _) => operation == "GetMetricData" ? FakeCloudWatch.Error(500, "InternalServiceError") : null;
                break;
            case Happens.EntriesFail:
                rig.CloudWatch.StatusOf = _ => "InternalError";
                break;
            case Happens.CommitFails:
                rig.BreakCommits(true);
                break;
            case Happens.Relisted:
                rig.CloudWatch.Metrics[0].IsListed = false;
                await rig.DiscoverAsync();
                rig.CloudWatch.Metrics[0].IsListed = true;
                await rig.DiscoverAsync();
                break;
            default:
                break;
        }

        for (var i = 0; i < 2; i++)
        {
            rig.Time.Advance(TimeSpan.FromSeconds(30));
            try
            {
                await rig.CollectAsync();
            }
            catch (Exception e) when (e is AwsException or StateException)
            {
                // What the runner tells of.
            }
        }

        if (happens == Happens.CommitFails)
            rig.BreakCommits(false);
    }
}
