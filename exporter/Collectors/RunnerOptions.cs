namespace PipelineExporter.Collectors;

/// <summary>How a collector is run.</summary>
/// <param name="Timeout">How long one collection may take.</param>
/// <param name="StaleAfter">How old gauges may become before they vanish.</param>
/// <param name="SeriesLimit">Series a collector may publish; past it the collection fails.</param>
internal sealed record RunnerOptions(TimeSpan Timeout, TimeSpan StaleAfter, int SeriesLimit)
{
    /// <summary>The longest wait between two attempts of a failing collector.</summary>
    public TimeSpan MaxBackOff { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Stale after three intervals; a collection may catch up for two minutes after an outage.</summary>
    public static RunnerOptions For(TimeSpan interval) =>
        new(TimeSpan.FromMinutes(2) > interval ? TimeSpan.FromMinutes(2) : interval, 3 * interval, SeriesLimit: 100_000);
}
