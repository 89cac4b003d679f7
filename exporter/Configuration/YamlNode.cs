using System.Runtime.InteropServices;

namespace PipelineExporter.Configuration;

/// <summary>A place in the file, both 1-based.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct Position(int Line, int Column)
{
    public static readonly Position None;
}

/// <summary>What the parser found, with its place. Aliases share their anchor's node.</summary>
/// <param name="at">Where the node begins.</param>
/// <param name="size">How many nodes a reader meets who follows every alias.</param>
internal abstract class YamlNode(Position at, long size)
{
    public Position At { get; } = at;

    public long Size { get; } = size;

    /// <summary>For messages: what a reader of the file would call this.</summary>
    public abstract string Kind { get; }

    /// <summary>A plain <c>~</c>, <c>null</c>, or nothing at all.</summary>
    public virtual bool IsNull => false;
}

internal sealed class YamlText(Position at, string value, bool plain) : YamlNode(at, 1)
{
    public string Value { get; } = value;

    public override string Kind => IsNull ? "nothing" : "a single value";

    public override bool IsNull => plain && Value is ("" or "~" or "null" or "Null" or "NULL");
}

internal sealed class YamlList(Position at, IReadOnlyList<YamlNode> items) : YamlNode(at, 1 + items.Sum(i => i.Size))
{
    public IReadOnlyList<YamlNode> Items { get; } = items;

    public override string Kind => "a list";
}

/// <summary>Entries as they are written, duplicates included: the reader reports those.</summary>
internal sealed class YamlMap(Position at, IReadOnlyList<YamlEntry> entries) : YamlNode(at, 1 + entries.Sum(e => 1 + e.Value.Size))
{
    public IReadOnlyList<YamlEntry> Entries { get; } = entries;

    public override string Kind => "a mapping";
}

internal sealed record YamlEntry(Position At, string Key, YamlNode Value);
