namespace PipelineExporter.Simulator.Aws;

/// <summary>
/// A long time cut into days, the newest first, for questions that the newest answers settle: who wants the last 200 runs, or whether
/// a metric was sent lately, need not have 90 days computed.
/// </summary>
internal static class Days
{
    /// <summary>Half-open spans that cover [from, to) without overlap.</summary>
    public static IEnumerable<(DateTimeOffset From, DateTimeOffset To)> Backwards(DateTimeOffset from, DateTimeOffset to)
    {
        for (var end = to; end > from;)
        {
            var start = end - TimeSpan.FromDays(1);
            if (start < from)
                start = from;
            yield return (start, end);
            end = start;
        }
    }
}
