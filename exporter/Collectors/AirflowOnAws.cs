using Amazon.Runtime;
using PipelineExporter.Collectors.Airflow;
using PipelineExporter.Configuration;
using PipelineExporter.Sources.Airflow;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors;

/// <summary>What the configuration says of an Airflow's place in AWS, as its collectors need it.</summary>
internal static class AirflowOnAws
{
    private static readonly string[] MwaaClusters = ["AdditionalWorker", "BaseWorker", "Scheduler", "WebServer"];

    /// <summary>An environment of Amazon MWAA, asked where its service answers; only the configuration knows where browsers find it.</summary>
    /// <exception cref="AwsException">An endpoint variable of the environment holds no address.</exception>
    public static AirflowEndpoint Endpoint(Configuration.AirflowSettings airflow, MwaaAuth mwaa, AWSCredentials? keys)
    {
        var source = Source(airflow, mwaa.Region, mwaa.RoleArn, mwaa.ExternalId, mwaa.EndpointUrl);
        return new(airflow.Environment, AwsEndpoints.Resolve(AwsService.Mwaa, source), new AirflowCredential.Mwaa(mwaa.Name, source, keys));
    }

    /// <summary>As configured, else what every environment of MWAA has; null where neither is.</summary>
    public static WorkerCollection? Workers(Configuration.AirflowSettings airflow, AWSCredentials? keys) => airflow switch
    {
        { Workers.CloudWatch: { } workers } => new()
        {
            Source = Source(airflow, workers.Region, workers.RoleArn, workers.ExternalId, workers.EndpointUrl),
            Keys = keys,
            Timeout = airflow.Timeout,
            Namespace = workers.Namespace,
            CpuMetric = workers.CpuMetric,
            MemoryMetric = workers.MemoryMetric,
            Dimensions = [.. workers.Dimensions.Select(dimension => new CloudWatchDimension(dimension.Key, dimension.Value))],
            ClusterDimension = workers.ClusterDimension,
            IsPercent = workers.IsPercent,
        },
        { Auth: MwaaAuth mwaa } => new()
        {
            Source = Source(airflow, mwaa.Region, mwaa.RoleArn, mwaa.ExternalId, mwaa.EndpointUrl),
            Keys = keys,
            Timeout = airflow.Timeout,
            Namespace = "AWS/MWAA",
            CpuMetric = "CPUUtilization",
            MemoryMetric = "MemoryUtilization",
            Dimensions = [new("Environment", mwaa.Name)],
            ClusterDimension = "Cluster",
            ClustersUntilListed = [.. MwaaClusters],
            IsPercent = true,
        },
        _ => null,
    };

    private static AwsSourceOptions Source(Configuration.AirflowSettings airflow, string region, string? roleArn, string? externalId, Uri? endpointUrl) => new()
    {
        Name = airflow.Environment,
        Region = region,
        Role = roleArn is { } role ? new(role, externalId) : null,
        EndpointUrl = endpointUrl,
    };
}
