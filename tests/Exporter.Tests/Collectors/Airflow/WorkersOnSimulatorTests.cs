using Amazon.Runtime;
using Microsoft.Extensions.Logging.Abstractions;
using PipelineExporter.Collectors;
using PipelineExporter.Collectors.Airflow;
using PipelineExporter.Configuration;
using PipelineExporter.Simulator;

namespace PipelineExporter.Tests.Collectors.Airflow;

/// <summary>The collector as it ships, against a CloudWatch that checks signatures by an implementation of its own.</summary>
public sealed class WorkersOnSimulatorTests
{
    [Fact]
    public async Task The_clusters_of_an_environment_of_Amazon_are_collected()
    {
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, default);
        var collectors = CollectorCatalog.Create(
            ExporterConfiguration.Parse($$"""
                airflow:
                  - environment: production
                    auth: { mwaa: { name: music-streaming, region: eu-west-1, endpoint_url: "{{simulator.Address.GetLeftPart(UriPartial.Authority)}}" } }
                """),
            new(Ledger: null!, TimeProvider.System, NullLoggerFactory.Instance, (_, _) => { }),
            new BasicAWSCredentials("SIMULATOR", "simulator-secret"));

        var snapshot = await collectors.Select(scheduled => scheduled.Collector).OfType<AirflowWorkers>().Single().CollectAsync(default);

        string[] clusters = ["AdditionalWorker", "BaseWorker", "Scheduler", "WebServer"];
        Assert.Equal(clusters, snapshot.Cpu.Keys);
        Assert.Equal(clusters, snapshot.Memory.Keys);
        Assert.All(snapshot.Cpu.Values.Concat(snapshot.Memory.Values), ratio => Assert.InRange(ratio, 0.01, 1));
    }
}
