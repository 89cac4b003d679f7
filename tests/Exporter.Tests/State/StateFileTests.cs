using System.IO.Hashing;
using System.Text;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Metrics;
using PipelineExporter.Stack.Tests.Tools;
using PipelineExporter.State;
using PipelineExporter.Tests.Scraping;

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
    public void Labels_that_cannot_be_read_are_told_with_the_file_that_holds_them()
    {
        Fill(1);
        Sql("UPDATE series SET labels = x'ff'");
        using var ledger = Ledger(folder.Path);

        var refusal = Assert.Throws<StateException>(() => Count(ledger, 2));

        Assert.Equal($"{Database}: it holds label values that cannot be read; move it away, and counting begins anew", refusal.Message);
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
        Sql("PRAGMA user_version = 7");
        var before = File.ReadAllBytes(Database);
        var e = Assert.Throws<StateException>(Open);
        Assert.Equal($"{Database}: written by a newer version (schema 7, this one knows 3); run that version or move the file away", e.Message);
        Assert.Equal(before, File.ReadAllBytes(Database));
        // And the lock is given back.
        File.Delete(Database);
        Open().Dispose();
    }

    /// <remarks>Schema 1 stored 16 bytes of a key and the day since 0001-01-01; before schema 3 series had no periods.</remarks>
    [Fact]
    public void A_file_of_schema_1_keeps_every_key_and_its_day()
    {
        const int Keys = 3000;
        var today = time.GetUtcNow().UtcTicks / TimeSpan.TicksPerDay;
        Fill(1); // a series of the same shape in both
        Sql("""
            DROP TABLE event;
            CREATE TABLE event (key BLOB PRIMARY KEY, day INTEGER NOT NULL) WITHOUT ROWID;
            ALTER TABLE series DROP COLUMN periods;
            PRAGMA user_version = 1
            """);
        using (var connection = Connect())
        {
            using var transaction = connection.BeginTransaction();
            using var insert = connection.CreateCommand();
            insert.CommandText = "INSERT INTO event VALUES ($key, $day)";
            for (var i = 0; i < Keys; i++)
            {
                insert.Parameters.Clear();
                insert.Parameters.AddWithValue("$key", KeyOfSchema1("event", $"{i}"));
                insert.Parameters.AddWithValue("$day", today - (i % 35));
                insert.ExecuteNonQuery();
            }

            transaction.Commit();
        }

        using (var ledger = Ledger(folder.Path))
        {
            Assert.All(Enumerable.Range(0, Keys), i => Assert.True(ledger.For("a").Contains(Key(i))));
            Assert.False(ledger.For("a").Contains(Key(Keys)));
            Assert.Equal(1, Total(ledger));
        }

        Assert.Equal((long)Keys, Sql("SELECT count(*) FROM event"));
        Assert.Equal(3L, Sql("PRAGMA user_version"));
        Assert.Empty(log.All);

        // The days are those of before: after twenty more, what is older than 35 is forgotten, and the rest is not.
        time.Advance(TimeSpan.FromDays(20));
        using (var ledger = Ledger(folder.Path))
            Count(ledger, 3001); // the last one is new
        Assert.Equal(Enumerable.Range(0, Keys).LongCount(i => i % 35 <= 15) + 1, Sql("SELECT count(*) FROM event"));
    }

    [Fact]
    public void A_change_of_schema_that_is_cut_off_leaves_the_old_file()
    {
        Fill(1);
        Sql("""
            DROP TABLE event;
            CREATE TABLE event (key BLOB PRIMARY KEY, day INTEGER NOT NULL) WITHOUT ROWID;
            INSERT INTO event VALUES (x'000102030405060708090a0b0c0d0e0f', 739000);
            INSERT INTO event VALUES (x'00', 739000);
            PRAGMA user_version = 1
            """);

        Assert.ThrowsAny<Exception>(Open);

        Assert.Equal(1L, Sql("PRAGMA user_version"));
        Assert.Equal(2L, Sql("SELECT count(*) FROM event"));
    }

    [Fact]
    public void Old_keys_are_forgotten_little_by_little_and_their_room_is_used_again()
    {
        const int Polls = 10;
        const int KeysAPoll = 400;
        var week = LedgerOptions.Default with { KeyRetention = TimeSpan.FromDays(7) };
        var (mostAtOnce, sizes) = (0L, new List<long>());
        for (var day = 0; day < 30; day++)
        {
            using (var ledger = new Ledger(Open(), new ScrapeLog(), time, week))
            {
                for (var poll = 0; poll < Polls; poll++)
                {
                    var batch = ledger.For("a").Begin();
                    for (var i = 0; i < KeysAPoll; i++)
                        batch.TryRecord(EventKey.Of($"{day}", $"{poll}", $"{i}"), time.GetUtcNow());
                    var before = day < 28 ? 0 : Stored();
                    batch.Commit();
                    mostAtOnce = Math.Max(mostAtOnce, day < 28 ? 0 : before + KeysAPoll - Stored());
                }
            }

            sizes.Add(new FileInfo(Database).Length);
            time.Advance(TimeSpan.FromDays(1));
        }

        // Of 32,000 keys, 5,000 at a time are looked at, of which each eighth is old.
        Assert.InRange(mostAtOnce, 100, 1500);
        Assert.InRange(Stored(), 8 * Polls * KeysAPoll, 9 * Polls * KeysAPoll);
        Assert.InRange(sizes[^1], 1, sizes[15] * 1.05);

        long Stored() => (long)Sql("SELECT count(*) FROM event")!;
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
        Assert.Contains(parts, part => part.Lines.Text() == line + "\n");
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

    private SqliteConnection Connect()
    {
        var connection = new SqliteConnection($"Data Source={Database};Pooling=False");
        connection.Open();
        return connection;
    }

    private object? Sql(string sql)
    {
        using var connection = Connect();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }

    private static byte[] KeyOfSchema1(params string[] parts)
    {
        var hash = new XxHash128();
        foreach (var part in parts)
        {
            hash.Append(BitConverter.GetBytes(part.Length));
            hash.Append(Encoding.Unicode.GetBytes(part));
        }

        return hash.GetCurrentHash();
    }

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
