using System.IO.Compression;
using System.IO.Hashing;
using System.Text;
using CsCheck;
using PipelineExporter.Metrics;
using PipelineExporter.Tests.Scraping;

namespace PipelineExporter.Tests.Metrics;

public sealed class DeflatedTextTests
{
    [Fact]
    public void Parts_joined_behind_one_header_are_one_gzip_member_that_is_read_back_whole() =>
        Gen.Byte.Array[0, 3000].Array[0, 8].Sample(parts =>
        {
            var plain = parts.SelectMany(part => part).ToArray();
            var texts = parts.Select(part => DeflatedText.Of(part)).ToList();
            var crc = texts.Aggregate(0u, (joined, text) => GzipMember.JoinCrc(joined, text.Crc, text.PlainLength));
            Assert.Equal(Crc32.HashToUInt32(plain), crc);
            byte[] gzip = [.. GzipMember.Header, .. texts.SelectMany(text => text.Bytes), .. GzipMember.Trailer(crc, plain.Length)];

            using var reader = new GZipStream(new MemoryStream(gzip), CompressionMode.Decompress);
            using var read = new MemoryStream();
            reader.CopyTo(read);
            Assert.Equal(plain, read.ToArray());
        });

    [Fact]
    public void Checksums_are_joined_over_any_length()
    {
        var second = new byte[70_000];
        new Random(1).NextBytes(second);
        for (var length = 0; length < second.Length; length = length * 3 + 1)
        {
            byte[] both = [.. "first"u8, .. second.AsSpan(0, length)];
            Assert.Equal(Crc32.HashToUInt32(both), GzipMember.JoinCrc(Crc32.HashToUInt32("first"u8), Crc32.HashToUInt32(second.AsSpan(0, length)), length));
        }
    }

    [Fact]
    public void A_large_text_ends_on_a_byte_boundary_too_however_it_was_written()
    {
        // Past several of deflate's blocks and its window.
        var text = string.Concat(Enumerable.Range(0, 200_000).Select(i => $"line {i} of many\n"));
        var plain = Encoding.UTF8.GetBytes(text);
        using var writer = new DeflatedTextWriter();
        foreach (var piece in plain.Chunk(12_345))
            writer.Write(piece);
        foreach (var part in (DeflatedText[])[DeflatedText.Of(plain), writer.Finish()])
        {
            Assert.Equal([0, 0, 0xff, 0xff], part.Bytes[^4..]); // the empty stored block of a sync flush
            Assert.True(part.Bytes.Length < plain.Length / 2);
            Assert.Equal((plain.Length, Crc32.HashToUInt32(plain)), (part.PlainLength, part.Crc));
            Assert.Equal(text, part.Text());
        }
    }

    [Fact]
    public void Nothing_is_no_bytes() => Assert.Empty(DeflatedText.Of([]).Bytes);
}
