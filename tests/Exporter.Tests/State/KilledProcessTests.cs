using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using PipelineExporter.Metrics;
using PipelineExporter.Stack.Tests.Tools;
using PipelineExporter.State;

namespace PipelineExporter.Tests.State;

public sealed class KilledProcessTests
{
    private const string FolderVariable = "PIPELINE_EXPORTER_TEST_STATE";

    private static readonly MetricDesc Durations = MetricDesc.Histogram("dag_run_duration_seconds", "Durations.", [60], "dag_id");
    private static readonly MetricDesc Sums = MetricDesc.Counter("requests_total", "Requests.", "table");
    private static readonly DateTimeOffset Began = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task Kill_minus_nine_between_any_two_instructions_loses_and_doubles_nothing()
    {
        using var folder = new TemporaryDirectory();
        var acknowledged = folder.File("acknowledged");
        for (var round = 1; round <= 3; round++)
        {
            var before = Length(acknowledged);
            using (var child = Start(folder.Path))
            {
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
                limit.CancelAfter(TimeSpan.FromMinutes(2));
                while (Length(acknowledged) < before + 50)
                {
                    Assert.False(child.HasExited, "the child ended by itself");
                    await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, limit.Token);
                }

                child.Kill();
                await child.WaitForExitAsync(limit.Token);
            }

            var commits = (int)Length(acknowledged);
            using var ledger = Open(folder.Path);
            var source = ledger.For("airflow/production");
            for (var i = 0; i < commits; i++)
                Assert.True(source.Contains(Key(i)), $"event {i} was committed and is gone");
            // The last one may have been stored and not yet acknowledged.
            var counted = Assert.Single(source.Counted(LedgerHarness.Runs)).Value[0];
            Assert.Equal(source.Contains(Key(commits)) ? commits + 1 : commits, counted);
            Assert.False(source.Contains(Key(commits + 1)));
            Assert.Equal([counted, 0, counted], Assert.Single(source.Counted(Durations)).Value);
            Assert.Equal($"{counted - 1}", source.GetValue("watermark"));
            // A sum, and how far it was counted, are one: the minute that a question would count next is the one behind the last.
            Assert.Equal(3 * counted, Assert.Single(source.Counted(Sums)).Value[0]);
            Assert.Equal(Began + counted * Minute, source.Periods(Sums, "etl")!.Until);
        }
    }

    /// <summary>The child: counts events until it is killed. Not a test by itself.</summary>
    [Fact(Explicit = true)]
    public void Child_process_that_commits_until_it_is_killed()
    {
        var path = Environment.GetEnvironmentVariable(FolderVariable);
        Assert.SkipWhen(path is null, $"{FolderVariable} is set by the test that starts this one");
        using var ledger = Open(path);
        using var acknowledged = new FileStream(Path.Combine(path, "acknowledged"), FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0);
        var source = ledger.For("airflow/production");
        for (var i = 0; ; i++)
        {
            var batch = source.Begin();
            if (batch.TryRecord(Key(i), TimeProvider.System.GetUtcNow()))
            {
                batch.Add(LedgerHarness.Runs, 1, "etl");
                batch.Observe(Durations, 1, "etl");
                var at = Began.AddMinutes(i);
                batch.CountPeriods(Sums, new(Minute, at + Minute, [new(at, 3)]), Began, revisable: 10, remembered: 10, ["etl"]);
                batch.SetValue("watermark", $"{i}");
                batch.Commit();
            }

            if (i >= acknowledged.Length)
                acknowledged.WriteByte(1);
        }
    }

    private static Process Start(string folder)
    {
        var start = new ProcessStartInfo(
            Environment.ProcessPath!, ["-method", $"*.{nameof(Child_process_that_commits_until_it_is_killed)}", "-explicit", "only"])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
        };
        start.Environment[FolderVariable] = folder;
        return Process.Start(start)!;
    }

    private static long Length(string path) => File.Exists(path) ? new FileInfo(path).Length : 0;

    private static EventKey Key(int i) => EventKey.Of("event", $"{i}");

    private static Ledger Open(string folder) => new(
        StateFile.Open(folder, TimeProvider.System, NullLogger.Instance), new ScrapeLog(), TimeProvider.System, LedgerOptions.Default);
}
