using System.Collections.Immutable;
using System.IO.Compression;
using PipelineExporter.Metrics;

namespace PipelineExporter.Scraping;

/// <summary>One complete answer of /metrics, joined from parts that were rendered and compressed before. Immutable.</summary>
internal sealed class MetricsPage
{
    public static readonly MetricsPage Empty = new(0, []);

    /// <param name="generation">Later pages have greater ones.</param>
    /// <param name="parts">In any order; the parts of one family are put under one header.</param>
    public MetricsPage(long generation, IEnumerable<FamilyPart> parts)
    {
        Generation = generation;
        var gzip = ImmutableArray.CreateBuilder<byte[]>();
        gzip.Add(GzipMember.Header);
        var crc = 0u;
        foreach (var family in parts.GroupBy(part => part.Name).OrderBy(family => family.Key, StringComparer.Ordinal))
        {
            // HELP and TYPE once a family: a second HELP line is refused by Prometheus' own linter.
            Add(family.First().Header);
            foreach (var part in family)
                Add(part.Lines);
        }

        gzip.Add(GzipMember.Trailer(crc, PlainLength));
        Gzip = gzip.ToImmutable();
        GzipLength = Gzip.Sum(bytes => (long)bytes.Length);

        void Add(DeflatedText text)
        {
            gzip.Add(text.Bytes);
            crc = GzipMember.JoinCrc(crc, text.Crc, text.PlainLength);
            PlainLength += text.PlainLength;
        }
    }

    public long Generation { get; }

    public long PlainLength { get; private set; }

    public long GzipLength { get; }

    /// <summary>The answer for whom takes gzip, in pieces.</summary>
    public ImmutableArray<byte[]> Gzip { get; }

    /// <summary>The answer for all others, unpacked as it is read.</summary>
    public Stream OpenPlain()
    {
        var gzip = new MemoryStream((int)GzipLength);
        foreach (var bytes in Gzip)
            gzip.Write(bytes);
        gzip.Position = 0;
        return new GZipStream(gzip, CompressionMode.Decompress);
    }
}
