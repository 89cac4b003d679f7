using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Tests.Pipeline;

public sealed class TablesTests
{
    static readonly DateTimeOffset Day = new(2026, 11, 20, 0, 0, 0, TimeSpan.Zero);

    public static TheoryData<string> Names => [.. Tables.All.Select(table => table.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Its_items_are_counted_every_six_hours_and_grow_by_what_a_day_adds(string name)
    {
        var table = Table(name);
        for (var at = Day; at < Day.AddDays(2); at = at.AddHours(6))
        {
            Assert.Equal(table.ItemsAt(at), table.ItemsAt(at.AddHours(6).AddTicks(-1)));
            Assert.True(table.ItemsAt(at) < table.ItemsAt(at.AddHours(6)));
            Assert.Equal(table.ItemsAt(at) * 420, table.BytesAt(at));
        }

        Assert.Equal(table.Items.ADay, table.ItemsAt(Day.AddDays(1)) - table.ItemsAt(Day), tolerance: 1);
        Assert.Equal(10 * table.Items.ADay, table.ItemsAt(Day.AddDays(10)) - table.ItemsAt(Day), tolerance: 1);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void It_begins_with_what_it_was_created_with(string name)
    {
        var table = Table(name);

        Assert.Equal(table.Items.First, table.ItemsAt(table.CreatedOn));
        Assert.Equal(table.Items.First, table.ItemsAt(table.CreatedOn.AddYears(-1)));
    }

    [Fact]
    public void A_table_has_both_capacities_or_none_and_each_operation_once()
    {
        foreach (var table in Tables.All.Concat(Tables.Load(3)))
        {
            Assert.Equal(table.ReadUnits is null, table.WriteUnits is null);
            Assert.Equal(table.Operations.Length, table.Operations.DistinctBy(operation => operation.Name).Count());
            Assert.All(table.Operations, operation => Assert.True(operation.AMinute > 0));
            Assert.Empty(table.GlobalIndexes.Intersect(table.LocalIndexes));
        }

        Assert.Contains(Tables.All, table => table.ReadUnits is null);
        Assert.Contains(Tables.All, table => table.ReadUnits is not null);
    }

    [Fact]
    public void Tables_of_the_load_have_names_of_their_own()
    {
        var load = Tables.Load(1_200).ToList();

        Assert.Equal(1_200, load.Concat(Tables.All).Select(table => table.Name).Distinct().Count() - Tables.All.Length);
        Assert.Equal(load.Take(7).Select(table => table.Name), Tables.Load(7).Select(table => table.Name));
    }

    static TableDefinition Table(string name) => Tables.All.Single(table => table.Name == name);
}
