using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;

namespace PipelineExporter.Metrics;

/// <summary>
/// Compresses parts once, so that joining them into a gzip answer is copying. Concatenated gzip <em>members</em> would be
/// simpler, but curl and browsers show only the first of them.
/// </summary>
internal static class Deflate
{
    /// <summary>RFC 1952: magic, deflate, no flags, no time, no extra flags, unknown system.</summary>
    public static readonly byte[] GzipHeader = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

    /// <summary>Compresses with a window of its own and ends with a sync flush instead of the final block.</summary>
    public static byte[] Part(ReadOnlySpan<byte> plain)
    {
        if (plain.IsEmpty)
            return [];
        using var output = new MemoryStream(capacity: Math.Max(64, plain.Length / 8));
        using var deflate = new DeflateStream(output, CompressionLevel.Fastest, leaveOpen: true);
        deflate.Write(plain);
        deflate.Flush();
        // Taken before the stream is disposed: disposing would add the final block.
        return output.ToArray();
    }

    /// <summary>What ends a gzip member joined from parts: an empty final block, the CRC-32 and the length of the plain text.</summary>
    public static byte[] GzipTrailer(Crc32 crc, long plainLength)
    {
        var trailer = new byte[10];
        trailer[0] = 0x03; // final block, fixed codes, end of block
        crc.GetCurrentHash(trailer.AsSpan(2, 4));
        BinaryPrimitives.WriteUInt32LittleEndian(trailer.AsSpan(6), unchecked((uint)plainLength));
        return trailer;
    }
}
