namespace PipelineExporter.Simulator.Aws;

/// <summary>
/// A request as it came over the wire: the target neither decoded nor normalised, the headers in any order. A header that
/// was sent several times appears several times.
/// </summary>
internal sealed record SignedRequest(
    string Method, string RawTarget, IReadOnlyList<KeyValuePair<string, string>> Headers, ReadOnlyMemory<byte> Body)
{
    /// <summary>The values of a header joined as SigV4 joins them, or null where it was not sent.</summary>
    public string? Header(string name)
    {
        string? joined = null;
        foreach (var (key, value) in Headers)
        {
            if (key.Equals(name, StringComparison.OrdinalIgnoreCase))
            {
                joined = joined is null ? value : $"{joined},{value}";
            }
        }

        return joined;
    }
}
