using System.Text;
using Amazon.Runtime;
using Microsoft.Extensions.Logging.Abstractions;
using PipelineExporter.Collectors;
using PipelineExporter.Configuration;
using PipelineExporter.Metrics;
using PipelineExporter.Scraping;

namespace PipelineExporter.Tests.Collectors;

public sealed class CollectorCatalogTests
{
    private const string EverySource = """
        airflow:
          - environment: production
            url: http://127.0.0.1
            auth: { bearer: { token_env: TOKEN } }
            workers: { cloudwatch: { region: eu-west-1, namespace: CWAgent, cluster_dimension: Cluster } }
        aws:
          - region: eu-west-1
            account_id: "123456789012"
            glue: {}
            s3: {}
            dynamodb: {}
        """;

    // Asked what they declare, and never run: they need no ledger.
    private static readonly IReadOnlyList<ScheduledCollector> Scheduled = CollectorCatalog.Create(
        ExporterConfiguration.Parse(EverySource, environment: _ => "any"),
        new(Ledger: null!, TimeProvider.System, NullLoggerFactory.Instance, (_, _) => { }),
        new AnonymousAWSCredentials());

    private static readonly IReadOnlyList<ICollector> Collectors = [.. Scheduled.Select(scheduled => scheduled.Collector)];

    [Fact]
    public void Every_collector_that_is_written_is_listed()
    {
        var written = typeof(ICollector).Assembly.GetTypes().Where(type => type.IsAssignableTo(typeof(ICollector)) && !type.IsAbstract);

        Assert.Equal(written.Select(type => type.Name).Order(), Collectors.Select(collector => collector.GetType().Name).Order());
    }

    [Fact]
    public void Every_family_and_every_collector_has_a_name_of_its_own()
    {
        // Several collectors may share a family, each with series of its own.
        var families = Collectors.SelectMany(collector => collector.Metrics).Distinct().Concat(CollectorRunner.Metrics).Concat(SelfMetrics.Families)
            .Select(family => family.Name).ToList();

        Assert.Equal(families.Distinct(), families);
        Assert.Equal(Collectors.Select(collector => collector.Name).Distinct(), Collectors.Select(collector => collector.Name));
    }

    [Theory]
    [InlineData("airflow_tasks", 15)]
    [InlineData("glue_jobs", 15)]
    [InlineData("dynamodb_tables", 5)]
    [InlineData("cloudwatch", 2)]
    public void What_reads_back_over_many_pages_may_take_longer(string collector, int minutes) =>
        Assert.Equal(TimeSpan.FromMinutes(minutes), Scheduled.Single(scheduled => scheduled.Collector.Name == collector).Options.Timeout);

    [Fact]
    public void The_documentation_lists_every_metric()
    {
        var page = new StringBuilder("""
            # Metrics

            Generated from the code that declares them; `UPDATE_GOLDEN=1 tests/run Catalog` rewrites it. Airflow's metrics also
            carry the label `environment`, AWS's `account_id` and `region`, and both what the configuration adds with `labels`.
            Counters and histograms are counted once over restarts; a gauge vanishes when its source has been silent for `stale_after`.

            """);
        foreach (var collector in Collectors)
            Section(page, $"`{collector.Name}`", $"From {collector.Source.Split('/')[0] switch { "airflow" => "Airflow", var aws => aws.ToUpperInvariant() }}, every {collector.Interval.TotalSeconds:0} s unless configured otherwise. {collector.Asks}\n\n", collector.Metrics);
        Section(page, "The exporter itself", "", [.. CollectorRunner.Metrics, .. SelfMetrics.Families]);
        page.Append("\nBeside these: `process_…` and `dotnet_…` of the process, and `http_…` of its HTTP server.\n");

        Golden.Matches("docs/metrics.md", page.ToString());
    }

    /// <summary>By its name: a unit stands last, before _total.</summary>
    private static string Unit(MetricDesc family) => family.Name.EndsWith("_total", StringComparison.Ordinal) ? Unit(family.Name[..^6], "number") : Unit(family.Name, "");

    private static string Unit(string name, string otherwise) => name switch
    {
        _ when name.EndsWith("_timestamp_seconds", StringComparison.Ordinal) => "Unix time, s",
        _ when name.EndsWith("_seconds", StringComparison.Ordinal) => "s",
        _ when name.EndsWith("_ratio", StringComparison.Ordinal) => "0 to 1",
        _ when name.EndsWith("_bytes", StringComparison.Ordinal) => "byte",
        _ when name.EndsWith("_info", StringComparison.Ordinal) => "1",
        _ => otherwise,
    };

    private static void Section(StringBuilder page, string title, string source, IEnumerable<MetricDesc> families)
    {
        page.Append("\n## ").Append(title).Append("\n\n").Append(source).Append("| Metric | Type | Unit | Labels | Meaning |\n|---|---|---|---|---|\n");
        foreach (var family in families)
        {
            page.Append("| `").Append(family.Name).Append("` | ").Append(family.Type.ToString().ToLowerInvariant()).Append(" | ").Append(Unit(family)).Append(" | ")
                .AppendJoin(", ", family.Labels.Select(label => $"`{label}`")).Append(" | ").Append(family.Help).Append(" |\n");
        }
    }
}
