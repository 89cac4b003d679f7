using System.IO.Compression;
using System.Text;
using PipelineExporter.Metrics;
using PipelineExporter.Scraping;

namespace PipelineExporter.Tests.Scraping;

/// <summary>What is kept compressed, as text.</summary>
internal static class PageText
{
    public static string Text(this MetricsPage page) => Read(page.OpenPlain());

    public static string Text(this DeflatedText text) =>
        Read(new DeflateStream(new MemoryStream([.. text.Bytes, 0x03, 0x00]), CompressionMode.Decompress)); // an empty final block ends it

    public static string Read(Stream stream)
    {
        using var reader = new StreamReader(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true));
        return reader.ReadToEnd();
    }
}
