using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Tests.Sources.Aws;

public sealed class AwsPaceTests
{
    [Fact]
    public async Task A_second_holds_as_many_at_once_and_then_one_after_another()
    {
        var time = new FakeTimeProvider();
        var pace = new AwsPace(5, time);

        var tasks = Enumerable.Range(0, 12).Select(_ => pace.WaitAsync(default)).ToArray();

        for (var passed = 0; passed < 1600; passed += 200)
        {
            Assert.Equal(Math.Min(12, 5 + passed / 200), tasks.Count(task => task.IsCompletedSuccessfully));
            time.Advance(TimeSpan.FromMilliseconds(200));
        }
        await Task.WhenAll(tasks);
    }

    [Fact]
    public void A_pause_fills_the_bucket_and_no_more_than_that()
    {
        var time = new FakeTimeProvider();
        var pace = new AwsPace(5, time);
        for (var i = 0; i < 5; i++)
            Assert.True(pace.WaitAsync(default).IsCompleted);
        Assert.False(pace.WaitAsync(default).IsCompleted);

        time.Advance(TimeSpan.FromHours(1));

        Assert.Equal(5, Enumerable.Range(0, 9).Count(_ => pace.WaitAsync(default).IsCompleted));
    }

    [Fact]
    public async Task Whoever_gives_up_waiting_is_let_go()
    {
        var time = new FakeTimeProvider();
        var pace = new AwsPace(1, time);
        Assert.True(pace.WaitAsync(default).IsCompleted);
        using var caller = new CancellationTokenSource();
        var waiting = pace.WaitAsync(caller.Token);

        await caller.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }
}
