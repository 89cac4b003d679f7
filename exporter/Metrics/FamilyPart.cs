namespace PipelineExporter.Metrics;

/// <summary>The sample lines of one family from one source, ready to be sent.</summary>
/// <param name="Source">The source's labels, so that two sources that are one are noticed; empty for the exporter's own families.</param>
/// <param name="Series">Time series that Prometheus makes of it.</param>
/// <param name="Fingerprint">Equal for equal samples.</param>
internal sealed record FamilyPart(
    string Name, string Source, DeflatedText Header, DeflatedText Lines, int Series, UInt128 Fingerprint)
{
    /// <summary>Whether both hold the samples of one family of one source.</summary>
    public bool Collides(FamilyPart other) => Source != "" && Source == other.Source && Name == other.Name;
}
