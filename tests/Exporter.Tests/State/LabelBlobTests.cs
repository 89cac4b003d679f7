using System.Buffers;
using System.Text;
using PipelineExporter.State;

namespace PipelineExporter.Tests.State;

public sealed class LabelBlobTests
{
    public static IEnumerable<TheoryDataRow<string[]>> Values =>
        new string[][] { [], [""], ["a", ""], ["", "b", "c"], ["žluťoučký 🎵", "tab\tnewline\n"], [new('x', 127), new('y', 128), new('ž', 20_000)] }
            .Select(values => new TheoryDataRow<string[]>(values));

    [Theory]
    [MemberData(nameof(Values))]
    public void What_is_written_is_read_and_is_what_a_binary_writer_writes(string[] values)
    {
        using var stream = new MemoryStream();
        using (var writer = new BinaryWriter(stream, Encoding.UTF8))
            Array.ForEach(values, writer.Write);

        var blob = Blob(values);

        Assert.Equal(stream.ToArray(), blob);
        Assert.Equal(values, LabelBlob.Read(blob, new()));
    }

    [Fact]
    public void Equal_values_share_one_string()
    {
        var names = new NamePool();

        var (one, other) = (LabelBlob.Read(Blob("songs", "GetItem"), names), LabelBlob.Read(Blob("songs", "Query"), names));

        Assert.Same(one[0], other[0]);
        Assert.NotEqual(one[1], other[1]);
    }

    [Theory]
    [InlineData(new byte[] { 5, 97 })]
    [InlineData(new byte[] { 0x80 })]
    [InlineData(new byte[] { 0xff, 0xff, 0xff, 0xff, 0xff, 1 })]
    [InlineData(new byte[] { 0xff, 0xff, 0xff, 0xff, 0x0f, 97 })]
    public void What_is_no_list_of_values_is_refused(byte[] blob) => Assert.Throws<InvalidDataException>(() => LabelBlob.Read(blob, new()));

    private static byte[] Blob(params string[] values)
    {
        var blob = new ArrayBufferWriter<byte>();
        LabelBlob.Write(values, blob);
        return blob.WrittenSpan.ToArray();
    }
}
