using System.Buffers;
using System.Buffers.Binary;
using Microsoft.Data.Sqlite;

namespace PipelineExporter.State;

/// <summary>
/// The SQLite file under --storage.path: keys of counted events, series, watermarks. One process owns it. Every change is one
/// transaction, on the disk (WAL, synchronous=FULL) before the caller goes on.
/// </summary>
internal sealed partial class StateFile : IDisposable
{
    private const int SchemaVersion = 3;

    // SQLite's result codes CORRUPT, FULL, NOTADB and CONSTRAINT_PRIMARYKEY.
    private const int DamagedCode = 11;
    private const int FullCode = 13;
    private const int NotADatabaseCode = 26;
    private const int PrimaryKeyCode = 1555;

    private const string Schema = """
        CREATE TABLE IF NOT EXISTS event (key INTEGER PRIMARY KEY, day INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS series (
            scope TEXT NOT NULL, family TEXT NOT NULL, labels BLOB NOT NULL, value BLOB NOT NULL, shown BLOB NOT NULL,
            touched INTEGER NOT NULL, periods BLOB, PRIMARY KEY (scope, family, labels)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS family (
            scope TEXT NOT NULL, name TEXT NOT NULL, labels BLOB NOT NULL, buckets BLOB NOT NULL,
            PRIMARY KEY (scope, name)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS value (
            scope TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (scope, name)) WITHOUT ROWID;
        """;

    /// <summary>An event's day is stored as the number of days since 2020-01-01, which takes two bytes for the next 89 years.</summary>
    private const long FirstDay = 737_424;

    /// <summary>So many keys at a time are searched for old ones. A day's keys stand on all pages: deleting them at once writes the whole file.</summary>
    private const int PurgedAtATime = 5000;

    private readonly Lock gate = new();
    private readonly FileStream ownership;
    private readonly SqliteConnection connection;
    private readonly Statement findEvent;
    private readonly ArrayBufferWriter<double> numbers = new();

    /// <summary>Where the next look for old keys begins; anywhere at first, so that it comes round however often the process restarts.</summary>
    private long purgeFrom = Random.Shared.NextInt64(long.MinValue, long.MaxValue);

    private StateFile(string path, FileStream ownership, SqliteConnection connection, bool setAside)
    {
        (Path, this.ownership, this.connection, SetAside) = (path, ownership, connection, setAside);
        findEvent = new(connection, "SELECT 1 FROM event WHERE key = ?");
    }

    public string Path { get; }

    /// <summary>There was no file at the start.</summary>
    public bool IsNew { get; private init; }

    /// <summary>A damaged file was found at the start and set aside: counting began anew.</summary>
    public bool SetAside { get; }

    /// <summary>Opens or creates <c>state.db</c> in <paramref name="directory"/>.</summary>
    /// <exception cref="StateException">Another process owns it, it cannot be written, or a newer version wrote it.</exception>
    public static StateFile Open(string directory, TimeProvider time, ILogger log)
    {
        var path = System.IO.Path.Combine(directory, "state.db");
        var owned = Own(directory);
        try
        {
            try
            {
                var isNew = !File.Exists(path);
                return new(path, owned, Connect(path), setAside: false) { IsNew = isNew };
            }
            catch (SqliteException e) when (IsDamage(e))
            {
                var aside = $"{path}.damaged-{time.GetUtcNow():yyyyMMdd'T'HHmmss'Z'}";
                foreach (var suffix in (string[])["", "-wal", "-shm"])
                {
                    if (File.Exists(path + suffix))
                        File.Move(path + suffix, aside + suffix, overwrite: true);
                }

                LogSetAside(log, path, e.Message, aside);
                return new(path, owned, Connect(path), setAside: true);
            }
        }
        catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException)
        {
            owned.Dispose();
            throw new StateException($"{path}: cannot be opened for writing: {e.Message}; give --storage.path a writable directory", e);
        }
        catch
        {
            owned.Dispose();
            throw;
        }
    }

    public bool ContainsEvent(EventKey key)
    {
        lock (gate)
        {
            return Try(() =>
            {
                findEvent.Bind(1, key.Value);
                return findEvent.Run();
            });
        }
    }

    public IReadOnlyList<StoredSeries> LoadSeries(string scope) => Rows(
        "SELECT family, labels, value, shown, touched, periods FROM series WHERE scope = ?", scope,
        (row, names) => new StoredSeries(
            scope, names.Get(row.Bytes(0)), LabelBlob.Read(row.Bytes(1), names), row.Numbers(2).ToArray(), row.Numbers(3).ToArray(), row.Integer(4))
        {
            Periods = PeriodSums.FromNumbers(row.Numbers(5)),
        });

    public IReadOnlyList<StoredFamily> LoadFamilies(string scope) => Rows(
        "SELECT name, labels, buckets FROM family WHERE scope = ?", scope,
        (row, names) => new StoredFamily(scope, row.Text(0), LabelBlob.Read(row.Bytes(1), names), row.Numbers(2).ToArray()));

    /// <summary>Every value of a scope, by name.</summary>
    public Dictionary<string, string> LoadValues(string scope) =>
        new(Rows("SELECT name, value FROM value WHERE scope = ?", scope, (row, _) => KeyValuePair.Create(row.Text(0), row.Text(1))));

    /// <summary>The values of a name, by the scopes that begin like this.</summary>
    public Dictionary<string, string> LoadValues(string name, string scopePrefix) =>
        new(Rows("SELECT scope, value FROM value WHERE name = ?", name, (row, _) => KeyValuePair.Create(row.Text(0), row.Text(1)))
            .Where(value => value.Key.StartsWith(scopePrefix, StringComparison.Ordinal)));

    /// <summary>Writes all of it in one transaction, or nothing.</summary>
    /// <exception cref="StateException">Nothing was written.</exception>
    public void Commit(StateChange change)
    {
        lock (gate)
        {
            // SQLite would go on writing into a file that has no name any more.
            if (!File.Exists(Path))
                throw new StateException($"{Path}: was removed while the exporter was running; restart the exporter, which begins a new one");
            Try(() =>
            {
                using var transaction = connection.BeginTransaction(deferred: false);
                // Not OR IGNORE: what counts an event that was counted meanwhile must not count it again.
                Write("INSERT INTO event VALUES (?, ?)", change.Events, (row, e) =>
                {
                    row.Bind(1, e.Key.Value);
                    row.Bind(2, e.Value - FirstDay);
                });
                Write("DELETE FROM series WHERE scope = ? AND family = ?", change.Families, (row, family) =>
                {
                    row.Bind(1, family.Scope);
                    row.Bind(2, family.Name);
                });
                Write("INSERT OR REPLACE INTO family VALUES (?, ?, ?, ?)", change.Families, (row, family) =>
                {
                    row.Bind(1, family.Scope);
                    row.Bind(2, family.Name);
                    row.Bind(3, family.Labels);
                    row.Bind(4, family.Buckets);
                });
                Write("INSERT OR REPLACE INTO series VALUES (?, ?, ?, ?, ?, ?, ?)", change.Series, (row, series) =>
                {
                    row.Bind(1, series.Scope);
                    row.Bind(2, series.Family);
                    row.Bind(3, series.Labels);
                    row.Bind(4, series.Value);
                    row.Bind(5, series.Shown);
                    row.Bind(6, series.TouchedDay);
                    if (series.Periods is { } periods)
                        row.Bind(7, periods.ToNumbers(numbers));
                    else
                        row.BindNull(7);
                });
                Write("INSERT OR REPLACE INTO value VALUES (?, ?, ?)", [.. change.Values.Where(value => value.Value is not null)], (row, value) =>
                {
                    row.Bind(1, value.Key.Scope);
                    row.Bind(2, value.Key.Name);
                    row.Bind(3, value.Value!);
                });
                Write("DELETE FROM value WHERE scope = ? AND name = ?", [.. change.Values.Where(value => value.Value is null)], (row, value) =>
                {
                    row.Bind(1, value.Key.Scope);
                    row.Bind(2, value.Key.Name);
                });
                transaction.Commit();
                return true;
            });
        }
    }

    /// <summary>Forgets series of days before <paramref name="day"/> (days since 0001-01-01, UTC).</summary>
    public void PurgeSeries(long day)
    {
        lock (gate)
        {
            Try(() =>
            {
                using var delete = new Statement(connection, "DELETE FROM series WHERE touched < ?");
                delete.Bind(1, day);
                return delete.Run();
            });
        }
    }

    /// <summary>Forgets events of days before <paramref name="day"/> among the next keys in turn. Called often, it comes round.</summary>
    public void PurgeEvents(long day)
    {
        lock (gate)
        {
            var atEnd = PurgeNextEvents(day);
            if (atEnd)
                PurgeNextEvents(day);
        }
    }

    public void Dispose()
    {
        lock (gate)
        {
            findEvent.Dispose();
            connection.Dispose();
            ownership.Dispose();
        }
    }

    /// <returns>Whether those were the last keys; the next are the first ones then.</returns>
    private bool PurgeNextEvents(long day) => Try(() =>
    {
        using var find = new Statement(connection, "SELECT key FROM event WHERE key >= ? ORDER BY key LIMIT 1 OFFSET ?");
        find.Bind(1, purgeFrom);
        find.Bind(2, PurgedAtATime);
        long? next = find.Next() ? find.Integer(0) : null;
        using var delete = new Statement(connection, "DELETE FROM event WHERE key BETWEEN ? AND ? AND day < ?");
        delete.Bind(1, purgeFrom);
        delete.Bind(2, next - 1 ?? long.MaxValue);
        delete.Bind(3, day - FirstDay);
        delete.Run();
        purgeFrom = next ?? long.MinValue;
        return next is null;
    });

    private static FileStream Own(string directory)
    {
        var path = System.IO.Path.Combine(directory, "state.lock");
        try
        {
            Directory.CreateDirectory(directory);
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The runtime reports a file locked by another (EWOULDBLOCK on Linux and macOS, a sharing violation on Windows) as
            // one of these codes and has no exception type of its own for it.
            throw new StateException(
                e is IOException && (e.HResult & 0xffff) is 11 or 35 or 32
                    ? $"{directory}: in use by another exporter; give each its own --storage.path"
                    : $"{directory}: cannot be opened for writing: {e.Message}; give --storage.path a writable directory",
                e);
        }
    }

    private static SqliteConnection Connect(string path)
    {
        var opened = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = path,
            Mode = SqliteOpenMode.ReadWriteCreate,
            Pooling = false,
            DefaultTimeout = 5,
        }.ToString());
        try
        {
            // A state file is never empty once it was created: SQLite would take what a crash emptied for a new one.
            if (File.Exists(path) && new FileInfo(path).Length == 0)
                throw new SqliteException("it is empty", DamagedCode);
            opened.Open();
            Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000");
            if (Scalar("PRAGMA quick_check(1)") is not "ok" and var finding)
                throw new SqliteException($"integrity check: {finding}", DamagedCode);
            var version = (long)Scalar("PRAGMA user_version")!;
            if (version > SchemaVersion)
                throw new StateException($"{path}: written by a newer version (schema {version}, this one knows {SchemaVersion}); run that version or move the file away");
            // Written at every start, so that a file or disk that cannot be written is found now.
            Execute("BEGIN IMMEDIATE");
            if (version == 1)
                Execute("ALTER TABLE event RENAME TO event_1");
            Execute(Schema);
            if (version == 1)
                ShortenKeys(opened);
            if (Scalar("SELECT count(*) FROM pragma_table_info('series') WHERE name = 'periods'") is 0L) // before schema 3
                Execute("ALTER TABLE series ADD COLUMN periods BLOB");
            Execute($"PRAGMA user_version = {SchemaVersion}; COMMIT");
            return opened;
        }
        catch
        {
            opened.Dispose();
            throw;
        }

        void Execute(string sql)
        {
            using var command = opened.CreateCommand();
            command.CommandText = sql;
            command.ExecuteNonQuery();
        }

        object? Scalar(string sql)
        {
            using var command = opened.CreateCommand();
            command.CommandText = sql;
            return command.ExecuteScalar();
        }
    }

    /// <summary>Schema 1 kept 16 bytes of a key, of which the first 8 are what is kept now.</summary>
    private static void ShortenKeys(SqliteConnection opened)
    {
        using var insert = opened.CreateCommand();
        insert.CommandText = "INSERT INTO event VALUES ($key, $day) ON CONFLICT DO UPDATE SET day = max(day, excluded.day)";
        var (key, day) = (insert.Parameters.Add("$key", SqliteType.Integer), insert.Parameters.Add("$day", SqliteType.Integer));
        // In the order of the new keys, of which those with the first bit set are negative: so pages are filled one after the other.
        foreach (var half in (string[])["key >= x'80'", "key < x'80'"])
        {
            using var select = opened.CreateCommand();
            select.CommandText = $"SELECT key, day FROM event_1 WHERE {half} ORDER BY key";
            using var reader = select.ExecuteReader();
            while (reader.Read())
            {
                key.Value = BinaryPrimitives.ReadInt64BigEndian(reader.GetFieldValue<byte[]>(0));
                day.Value = reader.GetInt64(1) - FirstDay;
                insert.ExecuteNonQuery();
            }
        }

        using var drop = opened.CreateCommand();
        drop.CommandText = "DROP TABLE event_1";
        drop.ExecuteNonQuery();
    }

    private static bool IsDamage(SqliteException e) => e.SqliteErrorCode is DamagedCode or NotADatabaseCode;

    private T Try<T>(Func<T> operation)
    {
        try
        {
            return operation();
        }
        catch (SqliteException e)
        {
            throw new StateException($"{Path}: {e.Message}{Advice(e)}", e);
        }
        catch (InvalidDataException e) // of a file that is whole for SQLite
        {
            throw new StateException($"{Path}: {e.Message}; move it away, and counting begins anew", e);
        }
    }

    private static string Advice(SqliteException e) => e switch
    {
        { SqliteErrorCode: DamagedCode or NotADatabaseCode } => "; restart the exporter, which sets a damaged file aside",
        { SqliteErrorCode: FullCode } => "; free some space: nothing is counted until then, and nothing is lost",
        { SqliteExtendedErrorCode: PrimaryKeyCode } => "; two collections counted one event, so this one counts again",
        _ => "",
    };

    private List<T> Rows<T>(string sql, string parameter, Func<Statement, NamePool, T> read)
    {
        lock (gate)
        {
            return Try(() =>
            {
                using var select = new Statement(connection, sql);
                select.Bind(1, parameter);
                var (rows, names) = (new List<T>(), new NamePool());
                while (select.Next())
                    rows.Add(read(select, names));
                return rows;
            });
        }
    }

    private void Write<T>(string sql, IReadOnlyCollection<T> rows, Action<Statement, T> bind)
    {
        if (rows.Count == 0)
            return;
        using var statement = new Statement(connection, sql);
        foreach (var row in rows)
        {
            bind(statement, row);
            statement.Run();
        }
    }

    [LoggerMessage(LogLevel.Error, "state file {path} is damaged ({problem}); it was set aside as {aside}, and counting begins anew")]
    private static partial void LogSetAside(ILogger log, string path, string problem, string aside);
}

/// <summary>What the labels and numbers of a family's stored series mean.</summary>
internal sealed record StoredFamily(string Scope, string Name, string[] Labels, double[] Buckets);

internal sealed record StoredSeries(string Scope, string Family, string[] Labels, double[] Value, double[] Shown, long TouchedDay)
{
    /// <summary>Null for what is not counted period by period.</summary>
    public PeriodSums? Periods { get; init; }
}

/// <summary>What one transaction writes.</summary>
internal sealed class StateChange
{
    public Dictionary<EventKey, long> Events { get; } = [];

    /// <summary>Families stored for the first time or in another shape; what was stored of their series is replaced.</summary>
    public List<StoredFamily> Families { get; } = [];

    public List<StoredSeries> Series { get; } = [];

    /// <summary>Null for what is deleted.</summary>
    public Dictionary<(string Scope, string Name), string?> Values { get; } = [];

    public bool IsEmpty => Events.Count + Families.Count + Series.Count + Values.Count == 0;
}
