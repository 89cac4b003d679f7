using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace PipelineExporter.State;

/// <summary>16 bytes that stand for one event that is counted once: a finished try, a finished run.</summary>
internal readonly record struct EventKey
{
    private readonly UInt128 value;

    private EventKey(UInt128 value) => this.value = value;

    /// <summary>The key of these parts, in this order; ("a", "bc") and ("ab", "c") differ.</summary>
    public static EventKey Of(params ReadOnlySpan<string> parts)
    {
        var hash = new XxHash128();
        foreach (var part in parts)
        {
            ReadOnlySpan<int> length = [part.Length];
            hash.Append(MemoryMarshal.AsBytes(length));
            hash.Append(MemoryMarshal.AsBytes(part.AsSpan()));
        }

        return new(hash.GetCurrentHashAsUInt128());
    }

    public byte[] ToBytes()
    {
        var bytes = new byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(bytes, value);
        return bytes;
    }
}
