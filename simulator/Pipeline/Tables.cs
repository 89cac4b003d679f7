using System.Collections.Immutable;

namespace PipelineExporter.Simulator.Pipeline;

/// <summary>A table of DynamoDB.</summary>
/// <param name="ReadUnits">Provisioned; null on demand.</param>
/// <param name="WriteUnits">Provisioned; null on demand.</param>
internal sealed record TableDefinition(string Name, DateTimeOffset CreatedOn, int? ReadUnits, int? WriteUnits)
{
    const double ItemSize = 420;

    static readonly TimeSpan Measured = TimeSpan.FromHours(6);

    public ImmutableArray<string> GlobalIndexes { get; init; } = [];

    public ImmutableArray<string> LocalIndexes { get; init; } = [];

    /// <summary>Costs less to store and more to read.</summary>
    public bool IsInfrequentlyAccessed { get; init; }

    /// <summary>Operations that the applications use, with how many requests a minute.</summary>
    public ImmutableArray<(string Name, int AMinute)> Operations { get; init; } = [];

    /// <summary>At its creation, and what a day adds.</summary>
    public (double First, double ADay) Items { get; init; } = (100_000, 2_000);

    /// <summary>DynamoDB counts every six hours.</summary>
    public long ItemsAt(DateTimeOffset at)
    {
        var measured = at.AddTicks(-(at.UtcTicks % Measured.Ticks));
        return (long)(Items.First + (Items.ADay * Math.Max(0, (measured - CreatedOn).TotalDays)));
    }

    public long BytesAt(DateTimeOffset at) => (long)(ItemsAt(at) * ItemSize);
}

/// <summary>The pipeline's tables.</summary>
internal static class Tables
{
    public const string Kpi = "music_streaming_kpi";
    public const string Sessions = "music_streaming_sessions";

    static readonly DateTimeOffset Created = new(2026, 1, 12, 9, 15, 0, TimeSpan.Zero);

    public static readonly ImmutableArray<TableDefinition> All =
    [
        new(Kpi, Created, null, null)
        {
            GlobalIndexes = ["by_genre"],
            Operations = [("GetItem", 30), ("Query", 12), ("BatchWriteItem", 6)],
            Items = (2_000_000, 9_000),
        },
        new(Sessions, Created, 200, 100)
        {
            GlobalIndexes = ["by_user"],
            LocalIndexes = ["by_day"],
            Operations = [("GetItem", 40), ("PutItem", 20), ("UpdateItem", 10)],
        },
        new("music_streaming_catalog", Created, 50, 10) { Operations = [("GetItem", 20), ("Scan", 1)], Items = (80_000, 120), IsInfrequentlyAccessed = true },
    ];

    /// <summary>Tables of generated load, with eight metrics a minute each.</summary>
    public static IEnumerable<TableDefinition> Load(int count) =>
        Enumerable.Range(0, count).Select(i => new TableDefinition($"load_table_{i:00000}", Created, null, null) { Operations = [("Query", 1), ("Scan", 1)] });
}
