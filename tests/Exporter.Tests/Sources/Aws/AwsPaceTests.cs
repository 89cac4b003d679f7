using CsCheck;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Tests.Sources.Aws;

public sealed class AwsPaceTests
{
    [Fact]
    public void In_no_second_are_there_more_than_so_many_and_nobody_waits_for_nothing() =>
        Gen.Select(Gen.Int[1, 50], Gen.Int[0, 700].Array[1, 200]).Sample((perSecond, pauses) =>
        {
            var time = new FakeTimeProvider();
            var pace = new AwsPace(perSecond, time);
            var sent = new List<DateTimeOffset>();
            foreach (var pause in pauses)
            {
                time.Advance(TimeSpan.FromMilliseconds(pause < 400 ? 0 : pause - 400)); // most of them come together
                var came = time.GetUtcNow();
                var turn = pace.WaitAsync(CancellationToken.None);
                while (!turn.IsCompleted)
                    time.Advance(TimeSpan.FromMilliseconds(1));
                sent.Add(time.GetUtcNow());
                if (sent.Count > perSecond && sent[^1] > came)
                    Assert.InRange(sent[^1] - sent[^(perSecond + 1)], AwsPace.Window, AwsPace.Window + TimeSpan.FromMilliseconds(1));
                Assert.True(sent.Count(at => at > sent[^1] - TimeSpan.FromSeconds(1)) <= perSecond);
            }
        }, iter: 50);

    [Fact]
    public void Those_that_come_together_take_their_turns_in_seconds()
    {
        var time = new FakeTimeProvider();
        var pace = new AwsPace(45, time);

        var turns = Enumerable.Range(0, 101).Select(_ => pace.WaitAsync(CancellationToken.None)).ToList();

        Assert.Equal(45, turns.Count(turn => turn.IsCompleted));
        time.Advance(AwsPace.Window);
        Assert.Equal(90, turns.Count(turn => turn.IsCompleted));
        time.Advance(AwsPace.Window);
        Assert.Equal(101, turns.Count(turn => turn.IsCompleted));
    }

    [Fact]
    public void Throttling_halves_the_speed_for_each_second_in_which_it_happens_and_a_minute_later_it_is_back()
    {
        var time = new FakeTimeProvider();
        var pace = new AwsPace(40, time);
        Assert.Equal(40, Taken(1));

        for (var second = 0; second < 2; second++)
        {
            for (var refused = 0; refused < 5; refused++)
                pace.Throttled(); // those that were under way together
            time.Advance(AwsPace.Window);
        }

        Assert.InRange(Taken(10), 90, 160); // at 10 a second, and 40 more each minute
        time.Advance(TimeSpan.FromMinutes(1));
        Assert.InRange(Taken(10), 380, 400);

        // Whoever is told to wait has taken a turn: nobody asks for more than there are.
        int Taken(int seconds)
        {
            var turns = new List<Task>();
            for (var tenth = 0; tenth < 10 * seconds; tenth++)
            {
                while (turns.TrueForAll(turn => turn.IsCompleted))
                    turns.Add(pace.WaitAsync(CancellationToken.None));
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
            time.Advance(AwsPace.Window);
        }

        pace.Throttled();
        var turns = Enumerable.Range(0, 4).Select(_ => pace.WaitAsync(CancellationToken.None)).ToList();

        Assert.Equal(1, turns.Count(turn => turn.IsCompleted));
        time.Advance(AwsPace.Window);
        Assert.Equal(2, turns.Count(turn => turn.IsCompleted));
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
