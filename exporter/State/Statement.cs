using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace PipelineExporter.State;

/// <summary>
/// A prepared statement of SQLite, run for row after row. A SqliteCommand makes a dozen objects for each row, which was a third of
/// what a collection of 50,000 series allocated (docs/benchmarks.md); this one makes none. Parameters count from 1, columns from 0.
/// </summary>
internal sealed class Statement : IDisposable
{
    private readonly sqlite3 database;
    private readonly sqlite3_stmt statement;
    private readonly ArrayBufferWriter<byte> blob = new();

    /// <exception cref="SqliteException">The text is no statement.</exception>
    public Statement(SqliteConnection connection, string sql)
    {
        database = connection.Handle!;
        Check(raw.sqlite3_prepare_v2(database, sql, out statement));
    }

    public void Bind(int parameter, long value) => Check(raw.sqlite3_bind_int64(statement, parameter, value));

    public void Bind(int parameter, string text)
    {
        blob.ResetWrittenCount();
        Encoding.UTF8.GetBytes(text.AsSpan(), blob);
        Check(raw.sqlite3_bind_text(statement, parameter, blob.WrittenSpan));
    }

    public void Bind(int parameter, ReadOnlySpan<double> numbers) =>
        Check(raw.sqlite3_bind_blob(statement, parameter, MemoryMarshal.AsBytes(numbers)));

    /// <summary>Binds label values as one blob.</summary>
    public void Bind(int parameter, string[] labels)
    {
        blob.ResetWrittenCount();
        LabelBlob.Write(labels, blob);
        Check(raw.sqlite3_bind_blob(statement, parameter, blob.WrittenSpan));
    }

    public void BindNull(int parameter) => Check(raw.sqlite3_bind_null(statement, parameter));

    /// <summary>Goes to the next row of the result. False after the last one, and then it can be run anew, with other parameters.</summary>
    /// <exception cref="SqliteException">It failed.</exception>
    public bool Next()
    {
        if (raw.sqlite3_step(statement) == raw.SQLITE_ROW)
            return true;
        Check(raw.sqlite3_reset(statement)); // which tells what the step failed with
        return false;
    }

    /// <summary>Runs it; whether there was a row.</summary>
    /// <exception cref="SqliteException">It failed.</exception>
    public bool Run()
    {
        var any = Next();
        if (any)
            _ = raw.sqlite3_reset(statement);
        return any;
    }

    public long Integer(int column) => raw.sqlite3_column_int64(statement, column);

    /// <summary>Of a text, its UTF-8. Good until the next row.</summary>
    public ReadOnlySpan<byte> Bytes(int column) => raw.sqlite3_column_blob(statement, column);

    public string Text(int column) => Encoding.UTF8.GetString(Bytes(column));

    /// <summary>Numbers that were bound as such; none for NULL. Good until the next row.</summary>
    public ReadOnlySpan<double> Numbers(int column) => MemoryMarshal.Cast<byte, double>(Bytes(column));

    public void Dispose() => statement.Dispose();

    private void Check(int code) => SqliteException.ThrowExceptionForRC(code, database);
}
