using PipelineExporter.Tests.Sources.Aws;

namespace PipelineExporter.Tests.Collectors.Aws;

public sealed class RoleRenewalTests
{
    private const int Failures = 25;

    [Theory]
    [InlineData(403, "AccessDenied")]
    [InlineData(500, "InternalFailure")]
    public async Task A_renewal_that_fails_25_times_running_loses_nothing_and_troubles_nobody_more_than_it_must(int status, string code)
    {
        await using var both = await BesideControl.StartAsync(
            change: options => options with { Role = new("arn:aws:iam::123456789012:role/monitoring") }, sessions: TimeSpan.FromMinutes(15));
        await both.RunAsync(9);
        var (refused, minutes) = (0, 0);
        both.Interfere = request => request.Operation == "AssumeRole" && Interlocked.Increment(ref refused) <= Failures
            ? new(status, $"<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>")
            : null;
        while (refused <= Failures)
        {
            await both.RunAsync(1);
            Assert.InRange(++minutes, 1, 120);
        }

        var log = both.Troubled.Log.All;
        // A few a minute at most, whatever number of requests waits for the keys.
        Assert.InRange(minutes, 6 + Failures / 8, 120);
        Assert.All(log.GroupBy(line => line), line => Assert.Single(line));
        Assert.All(log.Where(line => line.StartsWith("Error", StringComparison.Ordinal)), line => Assert.Contains($"could not be assumed: {code}: no", line, StringComparison.Ordinal));
        await both.RunAsync(16);

        Assert.All(both.Troubled.Status, one => Assert.True(one.Value!.Succeeded));
        both.AssertSameCounts();
    }
}
