using System.Collections.Immutable;
using PipelineExporter.Sources;
using PipelineExporter.Sources.Airflow;
using PipelineExporter.State;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>How one Airflow is watched.</summary>
/// <param name="Labels">What the configuration adds to the label <c>environment</c>.</param>
/// <param name="PollInterval">Time from one collection to the next.</param>
/// <param name="Lookback">How far a new process looks back to fill gauges, whatever was counted before.</param>
internal sealed record AirflowCollection(
    AirflowEndpoint Endpoint, ImmutableArray<KeyValuePair<string, string>> Labels, TimeSpan PollInterval, TimeSpan Lookback)
{
    /// <summary>Null when its workers are not watched.</summary>
    public WorkerCollection? Workers { get; init; }
}

/// <summary>One Airflow, as its collectors share it.</summary>
internal sealed class AirflowEnvironment(AirflowConnection connection, AirflowCollection settings, CollectorContext context)
{
    public AirflowConnection Connection => connection;

    public AirflowCollection Settings => settings;

    public CollectorContext Context => context;

    public string Name => settings.Endpoint.Environment;

    public SourceIdentity Identity { get; } = new(
        $"airflow/{settings.Endpoint.Environment}", [new("environment", settings.Endpoint.Environment), .. settings.Labels]);

    /// <summary>Its part of the ledger; read when it is first needed.</summary>
    public SourceLedger Ledger => context.Ledger.For(Identity.Scope);
}
