using Microsoft.Data.Sqlite;
using PipelineExporter.State;

namespace PipelineExporter.Tests.State;

public sealed class StatementTests : IDisposable
{
    private readonly SqliteConnection connection = new("Data Source=:memory:");

    public StatementTests()
    {
        connection.Open();
        using var create = new Statement(connection, "CREATE TABLE one (key TEXT PRIMARY KEY, numbers BLOB NOT NULL, day INTEGER)");
        create.Run();
    }

    public void Dispose() => connection.Dispose();

    [Fact]
    public void Rows_come_back_as_they_were_bound()
    {
        using var insert = new Statement(connection, "INSERT INTO one VALUES (?, ?, ?)");
        Insert(insert, "", [], 0);
        Insert(insert, "ž", [0.1, double.MaxValue], long.MinValue);

        using var select = new Statement(connection, "SELECT key, numbers, day FROM one ORDER BY key");
        Assert.True(select.Next());
        Assert.Equal(("", 0, 0L), (select.Text(0), select.Numbers(1).Length, select.Integer(2)));
        Assert.True(select.Next());
        Assert.Equal(("ž", long.MinValue), (select.Text(0), select.Integer(2)));
        Assert.Equal([0.1, double.MaxValue], select.Numbers(1).ToArray());
        Assert.False(select.Next());
        Assert.True(select.Next(), "it can be run anew");
    }

    [Fact]
    public void A_row_that_is_refused_is_told_with_its_code_and_hurts_no_other()
    {
        const int primaryKey = 1555;
        using var insert = new Statement(connection, "INSERT INTO one VALUES (?, ?, ?)");
        Insert(insert, "a", [], 1);

        var refusal = Assert.Throws<SqliteException>(() => Insert(insert, "a", [], 2));
        Insert(insert, "b", [], 3);

        Assert.Equal(primaryKey, refusal.SqliteExtendedErrorCode);
        using var count = new Statement(connection, "SELECT sum(day) FROM one");
        Assert.True(count.Next());
        Assert.Equal(4, count.Integer(0));
    }

    [Fact]
    public void What_is_no_statement_is_refused() => Assert.Throws<SqliteException>(() => new Statement(connection, "INSERT one"));

    private static void Insert(Statement insert, string key, double[] numbers, long day)
    {
        insert.Bind(1, key);
        insert.Bind(2, numbers);
        insert.Bind(3, day);
        Assert.False(insert.Run());
    }
}
