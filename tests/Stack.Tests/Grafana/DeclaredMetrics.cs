using Amazon.Runtime;
using Microsoft.Extensions.Logging.Abstractions;
using PipelineExporter.Collectors;
using PipelineExporter.Configuration;
using PipelineExporter.Metrics;
using PipelineExporter.Scraping;
using PipelineExporter.State;

namespace PipelineExporter.Stack.Tests.Grafana;

/// <summary>Every metric that the exporter declares, with all its labels: those of its source too.</summary>
internal static class DeclaredMetrics
{
    // Its values do not matter: a collector declares the same metrics for every source.
    private const string Configuration =
        """
        airflow:
          - environment: production
            url: http://127.0.0.1
            auth: { bearer: { token_env: TOKEN } }
            workers: { cloudwatch: { region: eu-west-1, namespace: AWS/MWAA, cluster_dimension: Cluster } }
        aws:
          - region: eu-west-1
            account_id: "123456789012"
            glue: {}
            s3: {}
            dynamodb: {}
        """;

    public static MetricCatalog Catalog { get; } = Build().With(MetricCatalog.OfPrometheusItself());

    private static MetricCatalog Build()
    {
        var catalog = new MetricCatalog();
        // The collectors are asked what they declare, and never run: their ledger needs no file.
        var ledger = new Ledger(file: null!, new ScrapeLog(), TimeProvider.System, LedgerOptions.Default);
        var context = new CollectorContext(ledger, TimeProvider.System, NullLoggerFactory.Instance, (_, _) => { });
        var configuration = ExporterConfiguration.Parse(Configuration, environment: _ => "any");
        foreach (var collector in CollectorCatalog.Create(configuration, context, new AnonymousAWSCredentials()).Select(scheduled => scheduled.Collector))
            Add(catalog, collector.Metrics, [.. collector.Identity!.Labels.Select(label => label.Key)]);
        Add(catalog, CollectorRunner.Metrics, []);
        Add(catalog, SelfMetrics.Families, []);
        return catalog;
    }

    private static void Add(MetricCatalog catalog, IEnumerable<MetricDesc> families, string[] sourceLabels)
    {
        foreach (var family in families)
        {
            string[] labels = [.. family.Labels, .. sourceLabels];
            if (family.Type != MetricType.Histogram)
            {
                catalog.Add(family.Name, labels);
                continue;
            }

            catalog.Add($"{family.Name}_sum", labels);
            catalog.Add($"{family.Name}_count", labels);
            catalog.Add($"{family.Name}_bucket", [.. labels, "le"]);
        }
    }
}
