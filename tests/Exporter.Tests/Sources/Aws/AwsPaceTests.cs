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
    public void Throttling_halves_the_speed_for_each_second_in_which_it_happens_and_a_minute_later_it_is_back()
    {
        var time = new FakeTimeProvider();
        var pace = new AwsPace(40, time);
        Assert.InRange(Taken(1), 75, 81); // what it held, and a second's worth

        for (var second = 0; second < 2; second++)
        {
            for (var refused = 0; refused < 5; refused++)
                pace.Throttled(); // those that were under way together
            time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.InRange(Taken(10), 100, 160); // at 10 a second, and 40 more each minute
        time.Advance(TimeSpan.FromMinutes(1));
        Assert.InRange(Taken(1), 75, 81);
        Assert.InRange(Taken(10), 399, 401);

        // Whoever is told to wait has taken a turn: nobody asks for more than there are.
        int Taken(int seconds)
        {
            var turns = new List<Task>();
            for (var tenth = 0; tenth < 10 * seconds; tenth++)
            {
                while (turns.TrueForAll(turn => turn.IsCompleted))
                    turns.Add(pace.WaitAsync(default));
                time.Advance(TimeSpan.FromMilliseconds(100));
            }

            return turns.Count(turn => turn.IsCompleted);
        }
    }

    [Fact]
    public void Throttling_without_end_leaves_one_request_a_second()
    {
        var time = new FakeTimeProvider();
        var pace = new AwsPace(40, time);
        for (var second = 0; second < 30; second++)
        {
            pace.Throttled();
            time.Advance(TimeSpan.FromSeconds(1));
        }

        var turns = Enumerable.Range(0, 4).Select(_ => pace.WaitAsync(default)).ToList();
        pace.Throttled();
        time.Advance(TimeSpan.FromSeconds(1));

        Assert.InRange(turns.Count(turn => turn.IsCompleted), 1, 3);
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
