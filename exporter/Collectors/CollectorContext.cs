using PipelineExporter.State;

namespace PipelineExporter.Collectors;

/// <summary>What every collector is made with.</summary>
/// <param name="CountRequest">Counts one request to a source (its name, the outcome).</param>
internal sealed record CollectorContext(Ledger Ledger, TimeProvider Time, ILoggerFactory Logs, Action<string, string> CountRequest);

/// <summary>A collector and how it is run.</summary>
internal sealed record ScheduledCollector(ICollector Collector, RunnerOptions Options);
