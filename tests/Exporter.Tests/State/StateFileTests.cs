using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Metrics;
using PipelineExporter.Stack.Tests.Tools;
using PipelineExporter.State;

namespace PipelineExporter.Tests.State;

public sealed class StateFileTests : IDisposable
{
    private readonly TemporaryDirectory folder = new();
    private readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
    private readonly LogLines log = new();

    private string Database => folder.File("state.db");

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_missing_folder_is_made()
    {
        using var file = StateFile.Open(folder.File("a", "b"), time, log);
        Assert.True(File.Exists(folder.File("a", "b", "state.db")));
        Assert.False(file.SetAside);
        Assert.True(file.IsNew);
        Assert.Empty(log.All);
    }

    [Fact]
    public void A_file_that_is_removed_under_way_fails_the_next_commit_instead_of_swallowing_it()
    {
        using var file = Open();
        using var ledger = new Ledger(file, new ScrapeLog(), time, LedgerOptions.Default);
        Count(ledger, 1);
        File.Delete(Database);

        var refusal = Assert.Throws<StateException>(() => Count(ledger, 2));

        Assert.Equal($"{Database}: was removed while the exporter was running; restart the exporter, which begins a new one", refusal.Message);
    }

    [Fact]
    public void One_process_owns_the_file_and_another_may_have_it_afterwards()
    {
        using (Open())
        {
            var e = Assert.Throws<StateException>(Open);
            Assert.Equal($"{folder.Path}: in use by another exporter; give each its own --storage.path", e.Message);
        }

        Open().Dispose();
    }

    public static TheoryData<string> Damages { get; } = [.. Damage.Keys];

    private static Dictionary<string, Action<string>> Damage => new()
    {
        ["not a database"] = path => File.WriteAllText(path, new string('x', 50_000)),
        ["a garbage header"] = path => Overwrite(path, 0, 100),
        ["garbage in the middle"] = path => Overwrite(path, new FileInfo(path).Length / 2, 20_000),
        ["garbage in a page's header"] = path => Overwrite(path, 4096, 64),
        ["truncated"] = path => Resize(path, length => length / 2),
        ["truncated within a page"] = path => Resize(path, length => length - 1000),
        ["truncated to the header"] = path => Resize(path, _ => 100),
        ["emptied"] = path => Resize(path, _ => 0),
    };

    [Theory]
    [MemberData(nameof(Damages))]
    public void A_damaged_file_is_set_aside_and_counting_begins_anew(string damage)
    {
        Fill(5000);
        Damage[damage](Database);
        File.WriteAllText(Database + "-shm", "left behind");
        var damaged = File.ReadAllBytes(Database);

        using (var file = Open())
        {
            Assert.True(file.SetAside);
            using var ledger = new Ledger(file, new ScrapeLog(), time, LedgerOptions.Default);
            Assert.False(ledger.For("a").Contains(Key(1)));
            Assert.Equal(1, Count(ledger, 1));
        }

        var aside = folder.File("state.db.damaged-20260301T120000Z");
        Assert.Equal(damaged, File.ReadAllBytes(aside));
        var line = Assert.Single(log.All);
        Assert.StartsWith($"Error: state file {Database} is damaged (", line, StringComparison.Ordinal);
        Assert.EndsWith($"it was set aside as {aside}, and counting begins anew", line, StringComparison.Ordinal);

        using var again = Open();
        Assert.False(again.SetAside);
    }

    [Fact]
    public void The_write_ahead_log_of_a_damaged_file_is_not_read_into_the_next()
    {
        Fill(5000);
        using var copy = CrashedCopy(ledger => Count(ledger, 5001));
        Overwrite(copy.File("state.db"), 4096, 100_000); // pages of which the log holds few
        using var ledger = Ledger(copy.Path);
        Assert.True(ledger.File.SetAside);
        Assert.False(ledger.For("a").Contains(Key(5000)));
        Assert.Equal(5001, Count(ledger, 5001));
    }

    [Fact]
    public void What_a_crash_left_in_the_write_ahead_log_counts()
    {
        using var copy = CrashedCopyOfHundredCommits();
        using var ledger = Ledger(copy.Path);
        Assert.True(ledger.For("a").Contains(Key(99)));
        Assert.Equal(100, Total(ledger));
    }

    [Theory]
    [InlineData(0.0)]
    [InlineData(0.3)]
    [InlineData(0.9)]
    public void Whatever_is_lost_of_a_damaged_write_ahead_log_is_lost_as_whole_commits(double from)
    {
        using var copy = CrashedCopyOfHundredCommits();
        var wal = copy.File("state.db-wal");
        Overwrite(wal, (long)(new FileInfo(wal).Length * from), 5000);
        using var ledger = Ledger(copy.Path);
        // The keys and what they counted agree, and what was lost is counted when it is polled again.
        var known = Enumerable.Range(0, 100).Count(i => ledger.For("a").Contains(Key(i)));
        Assert.Equal(known, Total(ledger));
        Assert.Equal(100, Count(ledger, 100));
        Assert.Equal(100, Total(ledger));
    }

    [Fact]
    public void A_write_ahead_log_without_its_index_counts()
    {
        using var copy = CrashedCopyOfHundredCommits();
        File.Delete(copy.File("state.db-shm"));
        using var ledger = Ledger(copy.Path);
        Assert.Equal(100, Total(ledger));
    }

    [Fact]
    public void A_file_of_a_newer_version_is_left_alone()
    {
        Open().Dispose();
        using (var connection = new SqliteConnection($"Data Source={Database};Pooling=False"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "PRAGMA user_version = 7";
            command.ExecuteNonQuery();
        }

        var before = File.ReadAllBytes(Database);
        var e = Assert.Throws<StateException>(Open);
        Assert.Equal($"{Database}: written by a newer version (schema 7, this one knows 1); run that version or move the file away", e.Message);
        Assert.Equal(before, File.ReadAllBytes(Database));
        // And the lock is given back.
        File.Delete(Database);
        Open().Dispose();
    }

    [Fact]
    public void A_path_that_cannot_be_written_is_refused_with_what_to_do()
    {
        File.WriteAllText(folder.File("file"), "");
        Refused(folder.File("file"));
        Refused(folder.File("file", "below"));

        Directory.CreateDirectory(folder.File("blocked", "state.db"));
        Refused(folder.File("blocked"));

        if (!OperatingSystem.IsWindows() && !Environment.IsPrivilegedProcess)
        {
            Directory.CreateDirectory(folder.File("read-only"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
            Refused(folder.File("read-only"));
        }

        void Refused(string path)
        {
            var e = Assert.Throws<StateException>(() => StateFile.Open(path, time, log));
            Assert.StartsWith(path, e.Message, StringComparison.Ordinal);
            Assert.EndsWith("; give --storage.path a writable directory", e.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(true, "pipeline_exporter_state_set_aside 1")]
    [InlineData(false, "pipeline_exporter_state_set_aside 0")]
    public async Task A_metric_tells_whether_a_file_was_set_aside(bool setAside, string line)
    {
        var parts = await new SelfMetrics(setAside).RenderAsync([], TestContext.Current.CancellationToken);
        Assert.Contains(parts, part => System.Text.Encoding.UTF8.GetString(part.Lines.Plain) == line + "\n");
    }

    private StateFile Open() => StateFile.Open(folder.Path, time, log);

    private Ledger Ledger(string path) => new(StateFile.Open(path, time, log), new ScrapeLog(), time, LedgerOptions.Default);

    private void Fill(int events)
    {
        using var ledger = Ledger(folder.Path);
        Count(ledger, events);
    }

    /// <summary>The files as a crash leaves them: what was counted last is in the write-ahead log alone.</summary>
    private TemporaryDirectory CrashedCopy(Action<Ledger> count)
    {
        var copy = new TemporaryDirectory();
        using var ledger = Ledger(folder.Path);
        count(ledger);
        foreach (var suffix in (string[])["", "-wal", "-shm"])
            File.Copy(Database + suffix, copy.File($"state.db{suffix}"));
        return copy;
    }

    private TemporaryDirectory CrashedCopyOfHundredCommits() => CrashedCopy(ledger =>
    {
        for (var i = 1; i <= 100; i++)
            Count(ledger, i);
    });

    private static EventKey Key(int i) => EventKey.Of("event", $"{i}");

    /// <summary>Counts the first events, those of them that are new, and returns how many of them it knows then.</summary>
    private int Count(Ledger ledger, int events)
    {
        var batch = ledger.For("a").Begin();
        for (var i = 0; i < events; i++)
        {
            if (batch.TryRecord(Key(i), time.GetUtcNow()))
                batch.Add(LedgerHarness.Runs, 1, "etl");
        }

        batch.Commit();
        return Enumerable.Range(0, events).Count(i => ledger.For("a").Contains(Key(i)));
    }

    private static double Total(Ledger ledger) => ledger.For("a").Counted(LedgerHarness.Runs).Sum(series => series.Value[0]);

    private static void Overwrite(string path, long from, int count)
    {
        using var file = File.OpenWrite(path);
        file.Position = from;
        file.Write(Enumerable.Range(0, count).Select(i => (byte)(i * 31)).ToArray());
    }

    private static void Resize(string path, Func<long, long> length)
    {
        using var file = File.OpenWrite(path);
        file.SetLength(length(file.Length));
    }
}
