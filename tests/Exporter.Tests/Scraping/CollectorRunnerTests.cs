using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Collectors;
using PipelineExporter.Metrics;
using PipelineExporter.Scraping;
using PipelineExporter.Stack.Tests.Tools;
using PipelineExporter.State;

namespace PipelineExporter.Tests.Scraping;

public sealed class CollectorRunnerTests : IDisposable
{
    private static readonly RunnerOptions Options = RunnerOptions.For(TimeSpan.FromSeconds(30));

    private readonly TemporaryDirectory folder = new();
    private readonly WatchedTime time = new(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
    private readonly LogLines log = new();
    private readonly ScrapeLog scrapes = new();
    private readonly SnapshotStore store = new();
    private readonly Ledger ledger;
    private readonly FakeCollector collector;

    public CollectorRunnerTests()
    {
        ledger = new(StateFile.Open(folder.Path, time, log), scrapes, time, LedgerOptions.Default);
        collector = new(ledger);
    }

    public void Dispose()
    {
        ledger.Dispose();
        folder.Dispose();
    }

    [Fact]
    public async Task A_collection_publishes_gauges_counters_and_how_it_went()
    {
        var runner = Runner();
        Assert.False(runner.HasRun);
        collector.Collect = async cancellationToken =>
        {
            collector.Count("etl", 1);
            time.Advance(TimeSpan.FromSeconds(1.5));
            await Task.Yield();
            return 7;
        };
        await Run(runner);
        Assert.True(runner.HasRun);
        Assert.Equal(7, Sample("pool_slots{environment=\"production\",pool=\"default\"}"));
        Assert.Equal(0, Sample("dag_runs_total{environment=\"production\",dag_id=\"etl\"}"));
        Assert.Equal(1, Health("success"));
        Assert.Equal(time.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0, Health("last_success_timestamp_seconds"));
        Assert.Equal(1.5, Health("duration_seconds"));
        Assert.Equal(2, Health("series"));
        Assert.Equal(new CollectorStatus(true, time.GetUtcNow(), TimeSpan.FromSeconds(1.5), null), runner.Status);
        Assert.Empty(log.All);
    }

    [Fact]
    public async Task A_failure_keeps_the_gauges_until_they_are_stale_and_the_counters_for_ever()
    {
        var runner = Runner();
        collector.Count("etl", 1);
        await Run(runner);
        var succeeded = time.GetUtcNow();
        collector.Fails("the source is down");
        time.Advance(Options.StaleAfter - TimeSpan.FromSeconds(1));
        await Run(runner);
        runner.ExpireIfStale();
        Assert.Equal(0, Sample("pool_slots{environment=\"production\",pool=\"default\"}"));
        Assert.Equal(0, Health("success"));
        Assert.Equal(succeeded.ToUnixTimeSeconds(), Health("last_success_timestamp_seconds"));
        Assert.Equal(2, Health("series"));

        time.Advance(TimeSpan.FromSeconds(1));
        runner.ExpireIfStale();
        Assert.DoesNotContain("pool_slots", Page());
        Assert.Contains("dag_runs_total", Page());
        Assert.Equal(1, Health("series"));
        runner.ExpireIfStale();
        Assert.Equal(
            [
                "Error: collector fake of airflow/production failed problem=the source is down",
                "Warning: gauges of collector fake of airflow/production are older than 00:01:30 and are no longer published",
            ],
            log.All);

        // And they come back.
        collector.Collect = _ => Task.FromResult(5);
        await Run(runner);
        Assert.Equal(5, Sample("pool_slots{environment=\"production\",pool=\"default\"}"));
    }

    [Fact]
    public async Task What_is_incomplete_is_published_and_told_as_a_failure()
    {
        var runner = Runner();
        collector.Collect = _ => Task.FromResult(1);
        await Run(runner);
        var whole = time.GetUtcNow();
        collector.Failure = new IOException("one of two is missing");
        for (var i = 2; i < 9; i++)
        {
            var value = i;
            time.Advance(TimeSpan.FromSeconds(30));
            collector.Collect = _ => Task.FromResult(value);
            await Run(runner);
            runner.ExpireIfStale();
            Assert.Equal(value, Sample("pool_slots{environment=\"production\",pool=\"default\"}"));
        }

        Assert.Equal((0, whole.ToUnixTimeSeconds()), (Health("success"), Health("last_success_timestamp_seconds")));
        Assert.Equal("one of two is missing", runner.Status!.Error);
        Assert.Single(log.All);
        collector.Failure = null;
        await Run(runner);
        Assert.Equal((1, time.GetUtcNow().ToUnixTimeSeconds()), (Health("success"), Health("last_success_timestamp_seconds")));
    }

    [Fact]
    public async Task What_is_incomplete_is_as_old_as_its_beginning_and_brings_nothing_stale_back()
    {
        var runner = Runner();
        collector.Collect = _ => Task.FromResult(1);
        await Run(runner);

        // The source answers once, and then keeps the collection waiting.
        collector.Failure = new IOException("the others are silent");
        collector.Collect = _ =>
        {
            time.Advance(Options.StaleAfter - TimeSpan.FromSeconds(1));
            return Task.FromResult(2);
        };
        await Run(runner);
        runner.ExpireIfStale();
        Assert.Equal(2, Sample("pool_slots{environment=\"production\",pool=\"default\"}"));
        time.Advance(TimeSpan.FromSeconds(1));
        runner.ExpireIfStale();
        Assert.DoesNotContain("pool_slots", Page());

        collector.Collect = _ =>
        {
            collector.Count("etl", 1);
            time.Advance(Options.StaleAfter);
            return Task.FromResult(3);
        };
        await Run(runner);
        Assert.DoesNotContain("pool_slots", Page());
        Assert.Contains("dag_runs_total", Page());
        Assert.Equal(2, log.All.Count);
    }

    [Fact]
    public async Task Nothing_is_stale_before_it_was_there()
    {
        var runner = Runner();
        runner.ExpireIfStale();
        collector.Fails("down");
        await Run(runner);
        time.Advance(10 * Options.StaleAfter);
        runner.ExpireIfStale();
        Assert.Single(log.All);
    }

    [Fact]
    public async Task A_change_of_state_is_one_line_and_a_poll_is_none()
    {
        var runner = Runner();
        for (var round = 0; round < 2; round++)
        {
            for (var i = 0; i < 3; i++)
                await Run(runner);
            collector.Fails("HTTP 503");
            for (var i = 0; i < 3; i++)
                await Run(runner);
            collector.Collect = _ => Task.FromResult(0);
        }

        await Run(runner);
        string[] round1 = ["Error: collector fake of airflow/production failed problem=HTTP 503", "Information: collector fake of airflow/production works again"];
        Assert.Equal([.. round1, .. round1], log.All);
    }

    [Fact]
    public async Task A_source_that_never_worked_is_one_line_too()
    {
        var runner = Runner();
        collector.Fails("HTTP 401");
        await Run(runner);
        await Run(runner);
        Assert.Equal(["Error: collector fake of airflow/production failed problem=HTTP 401"], log.All);
        Assert.True(runner.HasRun);
        Assert.Equal(0, Health("success"));
        Assert.Equal(0, Health("last_success_timestamp_seconds"));
    }

    [Fact]
    public async Task An_exception_that_nobody_expected_is_logged_with_its_stack_and_hurts_nobody_else()
    {
        var runner = Runner();
        collector.Collect = _ => throw new NotSupportedException("a defect");
        await Run(runner);
        Assert.Equal(["Error: collector fake of airflow/production failed problem=a defect (NotSupportedException)"], log.All);
        Assert.Equal("NotSupportedException; the log tells more", runner.Status!.Error);
    }

    [Fact]
    public async Task A_collection_that_takes_too_long_fails()
    {
        var runner = Runner();
        collector.Collect = async cancellationToken =>
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken);
            return 0;
        };
        await TimesOut(runner);
        Assert.Equal("took longer than 120 s", runner.Status!.Error);
        Assert.Equal(["Error: collector fake of airflow/production failed problem=took longer than 120 s"], log.All);
    }

    [Fact]
    public async Task One_that_ignores_its_cancellation_fails_and_is_not_run_beside_itself()
    {
        var runner = Runner();
        var stuck = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        collector.Collect = _ => stuck.Task;
        await TimesOut(runner);
        Assert.Equal("took longer than 120 s", runner.Status!.Error);

        await Run(runner);
        await Run(runner);
        Assert.Equal("the collection before was cancelled and has not ended yet", runner.Status.Error);
        Assert.Equal(1, collector.Started);

        stuck.SetResult(0);
        collector.Collect = _ => Task.FromResult(3);
        await WaitUntil(async () =>
        {
            await Run(runner);
            return runner.Status.Succeeded;
        });
        Assert.Equal(3, Sample("pool_slots{environment=\"production\",pool=\"default\"}"));
    }

    [Fact]
    public async Task One_that_blocks_its_thread_fails_likewise()
    {
        var runner = Runner();
        using var released = new ManualResetEventSlim();
        collector.Collect = _ =>
        {
            released.Wait(TestContext.Current.CancellationToken);
            return Task.FromResult(0);
        };
        await TimesOut(runner);
        Assert.Equal("took longer than 120 s", runner.Status!.Error);
        released.Set();
    }

    [Fact]
    public async Task The_end_of_the_program_is_no_failure()
    {
        var runner = Runner();
        using var stopping = new CancellationTokenSource();
        collector.Collect = async cancellationToken =>
        {
            await stopping.CancelAsync();
            await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken);
            return 0;
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => runner.RunOnceAsync(stopping.Token));
        Assert.Empty(log.All);
        Assert.False(runner.HasRun);
    }

    [Fact]
    public async Task A_rejected_sample_fails_the_collection_and_leaves_the_scrape_as_it_was()
    {
        var runner = Runner();
        collector.Collect = _ => Task.FromResult(7);
        await Run(runner);
        collector.Samples = [("default", 8), ("default", 9)];
        await Run(runner);
        Assert.Equal(7, Sample("pool_slots{environment=\"production\",pool=\"default\"}"));
        Assert.Equal(0, Health("success"));
        Assert.Equal(
            ["Error: collector fake of airflow/production failed problem=metric pool_slots: has two samples for {pool=\"default\"}"], log.All);
    }

    [Fact]
    public async Task Past_the_series_limit_the_collection_fails_loudly_and_says_the_limit()
    {
        var runner = Runner(Options with { SeriesLimit = 3 });
        collector.Count("etl", 1);
        collector.Samples = [("a", 1), ("b", 2)];
        await Run(runner);
        Assert.Empty(log.All);
        collector.Samples = [("a", 1), ("b", 2), ("c", 3)];
        await Run(runner);
        Assert.Equal(
            ["Error: collector fake of airflow/production failed problem=metric dag_runs_total: is past the collector's limit of 3 series; raise series_limit or select less"],
            log.All);
        Assert.DoesNotContain("pool=\"c\"", Page());
        Assert.Equal(2, Sample("pool_slots{environment=\"production\",pool=\"b\"}"));
    }

    [Fact]
    public async Task A_held_counter_is_released_though_the_source_is_down()
    {
        var runner = Runner();
        collector.Count("etl", 1);
        await Run(runner);
        collector.Fails("down");
        Scrape();
        Scrape();
        time.Advance(LedgerOptions.Default.ZeroHold);
        Assert.Equal(0, Sample("dag_runs_total{environment=\"production\",dag_id=\"etl\"}"));
        await Run(runner);
        Assert.Equal(1, Sample("dag_runs_total{environment=\"production\",dag_id=\"etl\"}"));
        Assert.Equal(0, Health("success"));
    }

    [Fact]
    public async Task What_was_counted_before_a_collection_failed_is_published()
    {
        var runner = Runner();
        collector.Count("etl", 1);
        await Run(runner);
        Scrape();
        Scrape();
        time.Advance(LedgerOptions.Default.ZeroHold);
        await Run(runner);
        collector.Collect = _ =>
        {
            collector.Count("etl", 1);
            throw new IOException("cut off on the last page");
        };
        await Run(runner);
        Assert.Equal(2, Sample("dag_runs_total{environment=\"production\",dag_id=\"etl\"}"));
    }

    [Fact]
    public async Task A_state_file_that_cannot_be_written_fails_the_collection_and_nothing_changes()
    {
        var runner = Runner();
        collector.Count("etl", 1);
        await Run(runner);
        using (var other = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={folder.File("state.db")};Pooling=False"))
        {
            other.Open();
            using var command = other.CreateCommand();
            command.CommandText = "CREATE TRIGGER s BEFORE INSERT ON series BEGIN SELECT RAISE(ABORT, 'no luck'); END";
            command.ExecuteNonQuery();
            collector.Collect = _ =>
            {
                collector.Count("etl", 1);
                return Task.FromResult(9);
            };
            await Run(runner);
            Assert.Equal(0, Sample("pool_slots{environment=\"production\",pool=\"default\"}"));
            Assert.Contains("no luck", Assert.Single(log.All));
            command.CommandText = "DROP TRIGGER s";
            command.ExecuteNonQuery();
        }

        await Run(runner);
        Assert.Equal(9, Sample("pool_slots{environment=\"production\",pool=\"default\"}"));
        Assert.Equal(2, ledger.For("airflow/production").Counted(FakeCollector.Runs).Single().Value[0]);
    }

    [Fact]
    public async Task Counters_stand_before_the_first_collection_after_a_restart_ends()
    {
        collector.Count("etl", 1);
        await Run(Runner());
        store.Publish("airflow/production/fake", []);

        using var stopping = new CancellationTokenSource();
        collector.Collect = async cancellationToken =>
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken);
            return 0;
        };
        var running = Runner().RunAsync(stopping.Token);
        await WaitUntil(() => Task.FromResult(collector.Started == 2));
        Assert.Equal(0, Sample("dag_runs_total{environment=\"production\",dag_id=\"etl\"}"));
        await stopping.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    [Fact]
    public async Task Counters_that_cannot_be_published_at_the_start_do_not_end_the_runner()
    {
        collector.Count("etl", 1);
        using var stopping = new CancellationTokenSource();
        var runner = Runner(Options with { SeriesLimit = 0 });
        var running = runner.RunAsync(stopping.Token);
        await WaitUntil(() => Task.FromResult(runner.HasRun));
        Assert.False(running.IsCompleted);
        Assert.Contains("limit of 0 series", runner.Status!.Error);
        await stopping.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    [Fact]
    public async Task A_source_that_does_not_know_yet_who_it_is_publishes_only_how_it_went()
    {
        collector.Anonymous = true;
        collector.Fails("no credentials");
        var runner = Runner();
        await Run(runner);
        Assert.Equal(0, Health("success"));
        Assert.DoesNotContain("dag_runs_total", Page());

        collector.Collect = _ => Task.FromResult(0);
        await Run(runner);
        Assert.Equal("InvalidOperationException; the log tells more", runner.Status!.Error);
    }

    [Fact]
    public async Task It_is_run_every_interval_counted_from_the_start_and_more_rarely_the_longer_it_fails()
    {
        var failing = false;
        collector.Collect = _ =>
        {
            time.Advance(TimeSpan.FromSeconds(10)); // so long does one take
            return failing ? throw new IOException("down") : Task.FromResult(0);
        };
        using var stopping = new CancellationTokenSource();
        var running = Runner().RunAsync(stopping.Token);
        AssertAround(20, await NextWait(thenFail: false));
        AssertAround(20, await NextWait(thenFail: true));
        double[] expected = [30, 60, 120, 120]; // from the end of each
        foreach (var seconds in expected)
            AssertAround(seconds, await NextWait(thenFail: true));
        AssertAround(120, await NextWait(thenFail: false));
        collector.Failure = new IOException("one of two is missing");
        for (var i = 0; i < 4; i++)
            AssertAround(20, await NextWait(thenFail: false));
        await stopping.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);

        // A twentieth of the interval more or less keeps collectors apart.
        static void AssertAround(double seconds, TimeSpan wait) =>
            Assert.InRange(wait.TotalSeconds, seconds - (seconds > 20 ? seconds / 20 : 1.5), seconds + (seconds > 20 ? seconds / 20 : 1.5));

        async Task<TimeSpan> NextWait(bool thenFail)
        {
            TimeSpan wait = default;
            await WaitUntil(() => Task.FromResult(time.Waits.TryTake(out wait)));
            failing = thenFail; // before the clock moves: the next collection begins at once
            time.Advance(wait);
            return wait;
        }
    }

    [Theory]
    [InlineData(30, 30, 60, 120, 120)]
    [InlineData(300, 120, 240, 300, 300)] // what is asked rarely is not missed for so long
    public void A_failed_collection_is_tried_again_ever_later(int interval, params int[] expected) => Assert.Equal(
        expected.Select(seconds => (double)seconds),
        Enumerable.Range(1, expected.Length).Select(failures =>
            CollectorRunner.DelayAfter(failures, TimeSpan.FromSeconds(interval), TimeSpan.FromMinutes(2)).TotalSeconds));

    [Fact]
    public void A_collector_gets_more_time_than_its_interval_and_is_stale_after_three()
    {
        Assert.Equal(TimeSpan.FromMinutes(2), RunnerOptions.For(TimeSpan.FromSeconds(30)).Timeout);
        Assert.Equal(TimeSpan.FromMinutes(5), RunnerOptions.For(TimeSpan.FromMinutes(5)).Timeout);
        Assert.Equal(TimeSpan.FromSeconds(90), RunnerOptions.For(TimeSpan.FromSeconds(30)).StaleAfter);
    }

    private static async Task WaitUntil(Func<Task<bool>> condition)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromMinutes(1), "did not happen within a minute");
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }
    }

    private CollectorRunner Runner(RunnerOptions? options = null) => new(collector, ledger, store, options ?? Options, time, log);

    private static Task Run(CollectorRunner runner) => runner.RunOnceAsync(TestContext.Current.CancellationToken);

    private async Task TimesOut(CollectorRunner runner)
    {
        var run = Run(runner);
        await WaitUntil(() =>
        {
            if (collector.Running)
                time.Advance(TimeSpan.FromSeconds(30));
            return Task.FromResult(run.IsCompleted);
        });
        await run;
    }

    private void Scrape() => scrapes.Answered(store.Page.Generation);

    private string Page() => store.Page.Text();

    private double Health(string metric) =>
        Sample($"pipeline_exporter_collector_{metric}{{collector=\"fake\",source=\"airflow/production\"}}");

    private double Sample(string series)
    {
        var line = Assert.Single(Page().Split('\n'), line => line.StartsWith(series + " ", StringComparison.Ordinal));
        return double.Parse(line[(series.Length + 1)..], CultureInfo.InvariantCulture);
    }

    /// <summary>Keeps what is waited for, time-outs of collections apart.</summary>
    private sealed class WatchedTime(DateTimeOffset start) : FakeTimeProvider(start)
    {
        public ConcurrentBag<TimeSpan> Waits { get; } = [];

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = base.CreateTimer(callback, state, dueTime, period);
            if (dueTime > TimeSpan.Zero && dueTime != Options.Timeout)
                Waits.Add(dueTime);
            return timer;
        }
    }
}
