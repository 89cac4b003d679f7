using System.IO.Compression;
using System.IO.Hashing;

namespace PipelineExporter.Metrics;

/// <summary>
/// Text as one raw deflate part that ends on a byte boundary (sync flush, no final block), so that joining parts into a gzip
/// answer is copying. Concatenated gzip <em>members</em> would be simpler, but curl and browsers show only the first of them.
/// The text itself is not kept: a page of 50,000 series is 6 MB, and compressed less than a tenth of it.
/// </summary>
/// <param name="PlainLength">Of the text, in bytes.</param>
/// <param name="Crc">CRC-32 of the text.</param>
internal sealed record DeflatedText(byte[] Bytes, long PlainLength, uint Crc)
{
    public static DeflatedText Of(ReadOnlySpan<byte> text)
    {
        using var writer = new DeflatedTextWriter();
        writer.Write(text);
        return writer.Finish();
    }
}

/// <summary>Compresses text piece by piece, with a window of its own.</summary>
internal sealed class DeflatedTextWriter : IDisposable
{
    private readonly MemoryStream output = new();
    private readonly DeflateStream deflate;
    private readonly Crc32 crc = new();
    private long plainLength;

    public DeflatedTextWriter() => deflate = new(output, CompressionLevel.Fastest, leaveOpen: true);

    public void Write(ReadOnlySpan<byte> text)
    {
        deflate.Write(text);
        crc.Append(text);
        plainLength += text.Length;
    }

    public DeflatedText Finish()
    {
        if (plainLength > 0)
            deflate.Flush();
        // Taken before the stream is disposed: disposing would add the final block.
        return new(output.ToArray(), plainLength, crc.GetCurrentHashAsUInt32());
    }

    public void Dispose()
    {
        deflate.Dispose();
        output.Dispose();
    }
}
