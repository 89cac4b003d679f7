using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace PipelineExporter.State;

/// <summary>8 bytes that stand for one event that is counted once: a finished try, a finished run.</summary>
/// <remarks>
/// The first half of an XxHash128. Among 5 million keys, that an event is taken for another one and not counted happens once in
/// 4 million million events: once in 80,000 years at 130,000 events a day.
/// </remarks>
internal readonly record struct EventKey(long Value)
{
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

        return new((long)(ulong)(hash.GetCurrentHashAsUInt128() >> 64));
    }
}
