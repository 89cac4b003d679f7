using PipelineExporter.Metrics;
using PipelineExporter.Sources.Airflow;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>Which Airflow it is, and how its components are. Asks for the version each time, so that an upgrade is noticed.</summary>
internal sealed class AirflowHealthCollector(AirflowEnvironment environment) : AirflowCollector<AirflowHealthSnapshot>(environment)
{
    public static readonly MetricDesc Info = MetricDesc.Gauge(
        "airflow_environment_info", "The Airflow that the other metrics come from: its url and version.", "url", "version");

    public static readonly MetricDesc Healthy = MetricDesc.Gauge(
        "airflow_component_healthy", "Whether the component is healthy (1) or not (0); absent for one that was never started.", "component");

    public static readonly MetricDesc Heartbeat = MetricDesc.Gauge(
        "airflow_component_heartbeat_timestamp_seconds", "When the component last gave a sign of life.", "component");

    public override string Name => "airflow_health";

    public override string Asks => "2 requests: `/version`, and `/health` (3.x: `/monitor/health`).";

    public override IReadOnlyList<MetricDesc> Metrics { get; } = [Info, Healthy, Heartbeat];

    protected internal override async Task<AirflowHealthSnapshot> CollectAsync(CancellationToken cancellationToken)
    {
        var api = await Environment.Connection.DiscoverAsync(cancellationToken);
        var url = Environment.Connection.Endpoint.ExternalUrl?.GetComponents(UriComponents.HttpRequestUrl, UriFormat.UriEscaped).TrimEnd('/') ?? "";
        return new AirflowHealthSnapshot(url, api.Version, await api.HealthAsync(cancellationToken));
    }

    protected internal override void Write(AirflowHealthSnapshot snapshot, MetricSink sink)
    {
        sink.Set(Info, 1, snapshot.Url, snapshot.Version);
        foreach (var (name, component) in snapshot.Components)
        {
            if (component.Status is { } status)
                sink.Set(Healthy, status == "healthy" ? 1 : 0, name);
            if (component.Heartbeat is { } heartbeat)
                sink.Set(Heartbeat, heartbeat.ToUnixSeconds(), name);
        }
    }
}

internal sealed record AirflowHealthSnapshot(string Url, string Version, IReadOnlyDictionary<string, ComponentHealth> Components);
