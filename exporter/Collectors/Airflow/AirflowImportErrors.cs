using PipelineExporter.Metrics;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>DAG files that cannot be imported: their DAGs leave the list, or go on in the version of before.</summary>
internal sealed class AirflowImportErrors(AirflowEnvironment environment) : AirflowCollector<int>(environment)
{
    public static readonly MetricDesc Files = MetricDesc.Gauge("airflow_import_errors", "DAG files that cannot be imported.");

    public override string Name => "airflow_import_errors";

    public override string Asks => "1 request: `/importErrors`, of which only the number of errors is read.";

    public override TimeSpan Interval { get; } = TimeSpan.FromMinutes(1);

    public override IReadOnlyList<MetricDesc> Metrics { get; } = [Files];

    protected internal override async Task<int> CollectAsync(CancellationToken cancellationToken) =>
        await (await Environment.Connection.ApiAsync(cancellationToken)).ImportErrorsAsync(cancellationToken);

    protected internal override void Write(int snapshot, MetricSink sink) => sink.Set(Files, snapshot);
}
