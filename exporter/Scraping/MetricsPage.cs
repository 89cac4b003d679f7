using System.Collections.Immutable;
using System.IO.Hashing;
using PipelineExporter.Metrics;

namespace PipelineExporter.Scraping;

/// <summary>One complete answer of /metrics, joined from parts that were rendered and compressed before. Immutable.</summary>
internal sealed class MetricsPage
{
    public static readonly MetricsPage Empty = new(0, []);

    private readonly ImmutableArray<byte[]> plain;
    private readonly ImmutableArray<byte[]> gzip;

    /// <param name="generation">Later pages have greater ones.</param>
    /// <param name="parts">In any order; the parts of one family are put under one header.</param>
    public MetricsPage(long generation, IEnumerable<FamilyPart> parts)
    {
        Generation = generation;
        var plainBytes = ImmutableArray.CreateBuilder<byte[]>();
        var gzipBytes = ImmutableArray.CreateBuilder<byte[]>();
        gzipBytes.Add(Deflate.GzipHeader);
        var crc = new Crc32();
        foreach (var family in parts.GroupBy(part => part.Name).OrderBy(family => family.Key, StringComparer.Ordinal))
        {
            // HELP and TYPE once a family: a second HELP line is refused by Prometheus' own linter.
            Add(family.First().Header);
            foreach (var part in family)
                Add(part.Lines);
        }

        gzipBytes.Add(Deflate.GzipTrailer(crc, PlainLength));
        (plain, gzip) = (plainBytes.ToImmutable(), gzipBytes.ToImmutable());
        GzipLength = gzip.Sum(bytes => (long)bytes.Length);

        void Add(RenderedBytes bytes)
        {
            plainBytes.Add(bytes.Plain);
            gzipBytes.Add(bytes.Deflated);
            crc.Append(bytes.Plain);
            PlainLength += bytes.Plain.Length;
        }
    }

    public long Generation { get; }

    public long PlainLength { get; private set; }

    public long GzipLength { get; }

    public ImmutableArray<byte[]> Plain => plain;

    public ImmutableArray<byte[]> Gzip => gzip;
}
