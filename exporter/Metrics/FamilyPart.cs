namespace PipelineExporter.Metrics;

/// <summary>
/// The sample lines of one family from one source, ready to be sent: as text, and as one raw deflate part that ends on a byte
/// boundary (sync flush, no final block), so that parts can be joined into one gzip member.
/// </summary>
internal sealed record FamilyPart(string Name, RenderedBytes Header, RenderedBytes Lines, int Series, UInt128 Fingerprint);

/// <summary>The same bytes plain and as a raw deflate part.</summary>
internal sealed class RenderedBytes(byte[] plain)
{
    public byte[] Plain { get; } = plain;

    public byte[] Deflated { get; } = Deflate.Part(plain);
}
