namespace PipelineExporter.Tests.Collectors.Aws;

/// <summary>A machine whose clock is wrong, beside one whose clock is right.</summary>
public sealed class WrongClockTests
{
    [Theory]
    [InlineData(10, null)]
    [InlineData(-10, null)]
    [InlineData(10, "123456789012")]
    [InlineData(-10, "123456789012")]
    [InlineData(90, "123456789012")]
    [InlineData(-90, "123456789012")]
    public async Task Counts_the_same(int minutes, string? accountId)
    {
        await using var both = await BesideControl.StartAsync(TimeSpan.FromMinutes(minutes), options => options with { AccountId = accountId });
        await both.RunAsync(20);
        Assert.All(both.Troubled.Status, one => Assert.True(one.Value!.Succeeded, $"{one.Key}: {one.Value.Error}"));
        both.Troubled.Restart();
        await both.RunAsync(20);

        both.AssertSameCounts();
        Assert.Equal(both.Control.Shown(_ => true), both.Troubled.Shown(_ => true));
    }
}
