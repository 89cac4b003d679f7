namespace PipelineExporter.Metrics;

/// <summary>
/// The sample lines of one family from one source, ready to be sent: as text, and as one raw deflate part that ends on a byte
/// boundary (sync flush, no final block), so that parts can be joined into one gzip member.
/// </summary>
/// <param name="Source">The source's labels, so that two sources that are one are noticed; empty for the exporter's own families.</param>
/// <param name="Series">Time series that Prometheus makes of it.</param>
/// <param name="Fingerprint">Equal for equal samples.</param>
internal sealed record FamilyPart(
    string Name, string Source, RenderedBytes Header, RenderedBytes Lines, int Series, UInt128 Fingerprint)
{
    /// <summary>Whether both hold the samples of one family of one source.</summary>
    public bool Collides(FamilyPart other) => Source != "" && Source == other.Source && Name == other.Name;
}

/// <summary>The same bytes plain and as a raw deflate part.</summary>
internal sealed class RenderedBytes(byte[] plain)
{
    public byte[] Plain { get; } = plain;

    public byte[] Deflated { get; } = Deflate.Part(plain);
}
