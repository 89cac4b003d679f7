using System.Buffers;
using System.Text;

namespace PipelineExporter.State;

/// <summary>Gives one string for equal UTF-8 texts, of which thousands of series say the same few.</summary>
internal sealed class NamePool
{
    private readonly HashSet<string> names = new(StringComparer.Ordinal);

    public string Get(ReadOnlySpan<byte> utf8)
    {
        var buffer = ArrayPool<char>.Shared.Rent(utf8.Length);
        try
        {
            ReadOnlySpan<char> text = buffer.AsSpan(0, Encoding.UTF8.GetChars(utf8, buffer));
            var known = names.GetAlternateLookup<ReadOnlySpan<char>>();
            if (!known.TryGetValue(text, out var name))
                names.Add(name = text.ToString());
            return name;
        }
        finally
        {
            ArrayPool<char>.Shared.Return(buffer);
        }
    }
}
