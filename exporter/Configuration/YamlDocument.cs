using System.Buffers;
using System.Text;
using System.Text.Unicode;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace PipelineExporter.Configuration;

/// <summary>
/// Bytes to nodes that know their lines. Stands on YamlDotNet's parser alone: its own document model refuses duplicate keys
/// at the first one, forgets where they are, and needs no limits that a hostile file would respect.
/// </summary>
internal sealed class YamlDocument
{
    public const int MaxBytes = 1024 * 1024;
    private const int MaxDepth = 32;
    private const long MaxNodes = 100_000;

    private readonly GuardedParser parser;
    private readonly ConfigurationErrors errors;
    private readonly Dictionary<string, YamlNode> anchors = new(StringComparer.Ordinal);
    private int depth;
    private long copied;

    private YamlDocument(string text, ConfigurationErrors errors)
    {
        parser = new GuardedParser(text);
        this.errors = errors;
    }

    /// <returns>The root, or null when the file holds nothing but space and comments.</returns>
    /// <exception cref="ConfigurationException">Not UTF-8, not YAML, too deep or too large.</exception>
    public static YamlNode? Parse(ReadOnlySpan<byte> utf8, ConfigurationErrors errors)
    {
        if (Decode(utf8, errors) is not { } text)
        {
            errors.ThrowIfAny();
            return null;
        }

        try
        {
            return new YamlDocument(text, errors).Root();
        }
        catch (YamlException e)
        {
            errors.Add(At(e.Start), "", e is RefusedException ? e.Message : $"is not YAML: {Printable.Text(e.Message).TrimEnd('.')}");
            errors.ThrowIfAny();
            throw;
        }
    }

    private static string? Decode(ReadOnlySpan<byte> utf8, ConfigurationErrors errors)
    {
        if (utf8.Length > MaxBytes)
        {
            errors.Add(Position.None, "", $"is larger than {MaxBytes / 1024} KiB, which no configuration needs");
            return null;
        }

        if (utf8.StartsWith(Encoding.UTF8.Preamble))
        {
            utf8 = utf8[Encoding.UTF8.Preamble.Length..];
        }

        var text = new char[utf8.Length];
        if (Utf8.ToUtf16(utf8, text, out var read, out var written, replaceInvalidSequences: false) != OperationStatus.Done)
        {
            errors.Add(PositionOf(text.AsSpan(0, written)), "", $"is not UTF-8 text: byte 0x{utf8[read]:x2} does not belong here");
            return null;
        }

        // The parser takes a NUL for the end of the file, and would drop what follows without a word.
        var control = text.AsSpan(0, written).IndexOfAny(ControlCharacters);
        if (control >= 0)
        {
            errors.Add(PositionOf(text.AsSpan(0, control)), "", $"holds the control character U+{(int)text[control]:X4}");
            return null;
        }

        return new string(text, 0, written);
    }

    private static readonly SearchValues<char> ControlCharacters =
        SearchValues.Create([.. Enumerable.Range(0, 32).Select(i => (char)i).Where(c => c is not ('\t' or '\n' or '\r')), '\x7f']);

    private static Position PositionOf(ReadOnlySpan<char> before) =>
        new(before.Count('\n') + 1, before.Length - before.LastIndexOf('\n'));

    private YamlNode? Root()
    {
        parser.Consume<StreamStart>();
        if (parser.Accept<StreamEnd>(out _))
        {
            return null;
        }

        parser.Consume<DocumentStart>();
        var root = Node();
        parser.Consume<DocumentEnd>();
        if (parser.TryConsume<DocumentStart>(out var second))
        {
            throw Fault(second, "a second document begins here: the file holds one");
        }

        return root;
    }

    private YamlNode Node()
    {
        if (parser.TryConsume<AnchorAlias>(out var alias))
        {
            return anchors.TryGetValue(alias.Value.Value, out var target)
                ? Measured(target, alias)
                : throw Fault(alias, $"*{Printable.Text(alias.Value.Value)} names no anchor above it; a value that begins with * must be quoted");
        }

        var start = parser.Require<NodeEvent>();
        if (!start.Tag.IsEmpty && (start.Tag.IsNonSpecific || !start.Tag.Value.StartsWith("tag:yaml.org,2002:", StringComparison.Ordinal)))
        {
            throw Fault(start, "tags mean nothing here; a value that begins with ! must be quoted");
        }

        if (++depth > MaxDepth)
        {
            throw Fault(start, $"is nested deeper than {MaxDepth} levels");
        }

        var node = Measured(Content(), start);
        depth--;
        if (!start.Anchor.IsEmpty)
        {
            anchors[start.Anchor.Value] = node; // only now: an anchor that contains itself has no end
        }

        return node;
    }

    private YamlNode Content()
    {
        if (parser.TryConsume<Scalar>(out var scalar))
        {
            return new YamlText(At(scalar.Start), scalar.Value, scalar.Style == ScalarStyle.Plain);
        }

        if (parser.TryConsume<SequenceStart>(out var list))
        {
            var items = new List<YamlNode>();
            while (!parser.TryConsume<SequenceEnd>(out _))
            {
                items.Add(Node());
            }

            return new YamlList(At(list.Start), items);
        }

        var map = parser.Consume<MappingStart>();
        var entries = new List<YamlEntry>();
        var merged = new List<YamlEntry>();
        while (!parser.TryConsume<MappingEnd>(out _))
        {
            var key = Node();
            var value = Node();
            if (key is not YamlText { IsNull: false } name)
            {
                errors.Add(key.At, "", $"expected a key, found {key.Kind}");
            }
            else if (name.Value == "<<")
            {
                merged.AddRange(Merged(value));
            }
            else
            {
                entries.Add(new(name.At, name.Value, value));
            }
        }

        if ((copied += merged.Count) > MaxNodes)
        {
            throw Fault(map, $"merges more than {MaxNodes} values");
        }

        var own = entries.Select(e => e.Key).ToHashSet(StringComparer.Ordinal);
        entries.AddRange(merged.Where(e => own.Add(e.Key)));
        return new YamlMap(At(map.Start), entries);
    }

    /// <summary><c>&lt;&lt;: *defaults</c> adds the entries that the mapping does not give itself.</summary>
    private IEnumerable<YamlEntry> Merged(YamlNode value)
    {
        switch (value)
        {
            case YamlMap map:
                return map.Entries;
            case YamlList list when list.Items.All(i => i is YamlMap):
                return list.Items.Cast<YamlMap>().SelectMany(m => m.Entries);
            default:
                errors.Add(value.At, "<<", $"expected a mapping or a list of mappings to merge, found {value.Kind}");
                return [];
        }
    }

    private static YamlNode Measured(YamlNode node, ParsingEvent at) =>
        node.Size <= MaxNodes ? node : throw Fault(at, $"holds more than {MaxNodes} values once its aliases are followed");

    private static RefusedException Fault(ParsingEvent at, string message) => new(at.Start, at.End, message);

    private static Position At(Mark mark) => new((int)mark.Line, (int)mark.Column);

    /// <summary>YAML, but none that a configuration needs.</summary>
    private sealed class RefusedException(Mark start, Mark end, string message) : YamlException(start, end, message);

    /// <summary>The scanner answers some malformed input with exceptions of other kinds, and without a place.</summary>
    private sealed class GuardedParser(string text) : IParser
    {
        private readonly Parser parser = new(new StringReader(text));

        public ParsingEvent? Current => parser.Current;

        public bool MoveNext()
        {
            try
            {
                return parser.MoveNext();
            }
            catch (Exception e) when (e is not YamlException)
            {
                var at = Current?.End ?? Mark.Empty;
                throw new YamlException(at, at, "what follows cannot be understood", e);
            }
        }
    }
}
