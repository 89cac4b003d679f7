using System.Buffers.Binary;

namespace PipelineExporter.Metrics;

/// <summary>What makes one gzip member of deflated parts (RFC 1952): what stands before and after them.</summary>
internal static class GzipMember
{
    /// <summary>Of CRC-32, without x³²; the highest bit is the coefficient of x⁰.</summary>
    private const uint Polynomial = 0xedb88320;

    private const uint One = 1u << 31;

    private const uint ByteOfZeros = One >> 8; // x⁸

    /// <summary>Magic, deflate, no flags, no time, no extra flags, unknown system.</summary>
    public static readonly byte[] Header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

    /// <summary>An empty final block, the CRC-32 and the length of the plain text.</summary>
    public static byte[] Trailer(uint crc, long plainLength)
    {
        var trailer = new byte[10];
        trailer[0] = 0x03; // final block, fixed codes, end of block
        BinaryPrimitives.WriteUInt32LittleEndian(trailer.AsSpan(2), crc);
        BinaryPrimitives.WriteUInt32LittleEndian(trailer.AsSpan(6), unchecked((uint)plainLength));
        return trailer;
    }

    /// <summary>The CRC-32 of two texts one after the other, by theirs: the first one's is moved past the bytes of the second.</summary>
    /// <param name="length">Of the second, in bytes.</param>
    public static uint JoinCrc(uint first, uint second, long length)
    {
        var (shift, power) = (One, ByteOfZeros);
        for (; length > 0; length >>= 1)
        {
            if ((length & 1) != 0)
                shift = Multiply(shift, power);
            power = Multiply(power, power);
        }

        return Multiply(first, shift) ^ second;
    }

    // Of polynomials over GF(2), modulo that of CRC-32.
    private static uint Multiply(uint left, uint right)
    {
        var product = 0u;
        for (; left != 0; left <<= 1)
        {
            if ((left & One) != 0)
                product ^= right;
            right = (right & 1) == 0 ? right >> 1 : (right >> 1) ^ Polynomial;
        }

        return product;
    }
}
