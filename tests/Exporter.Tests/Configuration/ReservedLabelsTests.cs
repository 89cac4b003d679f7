using Microsoft.Extensions.Logging.Abstractions;
using PipelineExporter.Collectors;
using PipelineExporter.Configuration;
using PipelineExporter.State;

namespace PipelineExporter.Tests.Configuration;

public sealed class ReservedLabelsTests
{
    [Fact]
    public void Every_label_of_every_metric_is_refused_as_a_configured_label()
    {
        var directory = Directory.CreateTempSubdirectory("pipeline-exporter-test-");
        try
        {
            using var state = StateFile.Open(directory.FullName, TimeProvider.System, NullLogger.Instance);
            var context = new CollectorContext(
                new Ledger(state, new ScrapeLog(), TimeProvider.System, LedgerOptions.Default), TimeProvider.System, NullLoggerFactory.Instance, (_, _) => { });
            var collectors = CollectorCatalog.Create(
                ExporterConfiguration.Parse("""
                    airflow: [{ environment: production, url: "http://localhost:1", workers: { cloudwatch: { region: eu-west-1, namespace: CWAgent, cluster_dimension: Cluster } } }]
                    aws: [{ region: eu-west-1, glue: {} }]
                    """), context);

            Assert.Contains(collectors, c => c.Collector.Source == "airflow/production");
            Assert.Contains(collectors, c => c.Collector.Source == "aws/eu-west-1");
            Assert.Empty(collectors.SelectMany(c => c.Collector.Metrics).SelectMany(m => m.Labels).Except(ReservedLabels.All));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }
}
