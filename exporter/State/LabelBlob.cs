using System.Buffers;
using System.Text;

namespace PipelineExporter.State;

/// <summary>
/// Label values as one blob: each as UTF-8 with its length before it, seven bits a byte and the lowest first, so that no value
/// needs escaping.
/// </summary>
internal static class LabelBlob
{
    private const int MostLengthBytes = 5;

    public static void Write(ReadOnlySpan<string> values, IBufferWriter<byte> blob)
    {
        foreach (var value in values)
        {
            var length = Encoding.UTF8.GetByteCount(value);
            var bytes = blob.GetSpan(MostLengthBytes + length);
            var at = 0;
            for (var rest = (uint)length; ; rest >>= 7)
            {
                bytes[at++] = (byte)(rest < 0x80 ? rest : rest & 0x7f | 0x80);
                if (rest < 0x80)
                    break;
            }

            blob.Advance(at + Encoding.UTF8.GetBytes(value, bytes[at..]));
        }
    }

    /// <param name="names">Gives the strings; equal values of many series share one.</param>
    /// <exception cref="InvalidDataException">These are no label values.</exception>
    public static string[] Read(ReadOnlySpan<byte> blob, NamePool names)
    {
        var count = 0;
        for (var rest = blob; !rest.IsEmpty; count++)
            Next(ref rest);
        var values = new string[count];
        for (var i = 0; i < count; i++)
            values[i] = names.Get(Next(ref blob));
        return values;
    }

    private static ReadOnlySpan<byte> Next(ref ReadOnlySpan<byte> blob)
    {
        var (length, at) = (0, 0);
        for (var more = true; more; at++)
        {
            if (at == MostLengthBytes || at == blob.Length)
                throw Damaged();
            length |= (blob[at] & 0x7f) << (7 * at);
            more = blob[at] >= 0x80;
        }

        if (length < 0 || length > blob.Length - at)
            throw Damaged();
        var value = blob.Slice(at, length);
        blob = blob[(at + length)..];
        return value;
    }

    private static InvalidDataException Damaged() => new("it holds label values that cannot be read");
}
