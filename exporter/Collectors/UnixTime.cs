namespace PipelineExporter.Collectors;

/// <summary>Instants as Prometheus has them.</summary>
internal static class UnixTime
{
    public static double ToUnixSeconds(this DateTimeOffset instant) => (instant - DateTimeOffset.UnixEpoch).TotalSeconds;
}
