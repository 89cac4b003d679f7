using System.IO.Compression;
using System.IO.Hashing;
using CsCheck;
using PipelineExporter.Metrics;

namespace PipelineExporter.Tests.Metrics;

public sealed class DeflateTests
{
    [Fact]
    public void Parts_joined_behind_one_header_are_one_gzip_member_that_is_read_back_whole() =>
        Gen.Byte.Array[0, 3000].Array[0, 8].Sample(parts =>
        {
            var crc = new Crc32();
            foreach (var part in parts)
                crc.Append(part);
            var plain = parts.SelectMany(part => part).ToArray();
            byte[] gzip = [.. Deflate.GzipHeader, .. parts.SelectMany(part => Deflate.Part(part)), .. Deflate.GzipTrailer(crc, plain.Length)];

            using var reader = new GZipStream(new MemoryStream(gzip), CompressionMode.Decompress);
            using var read = new MemoryStream();
            reader.CopyTo(read);
            Assert.Equal(plain, read.ToArray());
        });

    [Fact]
    public void A_large_part_ends_on_a_byte_boundary_too()
    {
        // Past several of deflate's blocks and its window.
        var text = string.Concat(Enumerable.Range(0, 200_000).Select(i => $"line {i} of many\n"));
        var plain = System.Text.Encoding.UTF8.GetBytes(text);
        var part = Deflate.Part(plain);
        Assert.Equal([0, 0, 0xff, 0xff], part[^4..]); // the empty stored block of a sync flush
        Assert.True(part.Length < plain.Length / 2);
    }
}
