using System.Collections.Immutable;
using PipelineExporter.Sources.Airflow;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>The collectors of an Airflow. A new one is a file of its own and a line here.</summary>
internal static class AirflowCollectors
{
    public static ImmutableArray<ICollector> For(AirflowCollection settings, CollectorContext context)
    {
        var source = $"airflow/{settings.Endpoint.Environment}";
        var connection = new AirflowConnection(settings.Endpoint, context.Time, outcome => context.CountRequest(source, outcome), context.Logs.CreateLogger<AirflowConnection>());
        var environment = new AirflowEnvironment(connection, settings, context);
        ImmutableArray<ICollector> all =
        [
            new AirflowHealthCollector(environment),
            new AirflowPools(environment),
            new AirflowDags(environment),
            new AirflowImportErrors(environment),
            new AirflowRuns(environment),
            new AirflowTasks(environment),
            .. AirflowWorkers.For(environment),
        ];
        return all.RemoveAll(collector => settings.Skip.Contains(collector.Name));
    }
}
