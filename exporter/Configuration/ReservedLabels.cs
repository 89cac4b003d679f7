using System.Collections.Frozen;

namespace PipelineExporter.Configuration;

/// <summary>
/// Labels that metrics carry themselves, and that Prometheus sets on a target: a configured label of the same name would
/// fail every collection, or be renamed <c>exported_…</c> by the scrape.
/// </summary>
internal static class ReservedLabels
{
    public static readonly FrozenSet<string> All = FrozenSet.Create(StringComparer.Ordinal,
        "job", "instance", "le", "quantile",
        "collector", "source", "outcome", "version",
        "dag_id", "run_id", "run_type", "task_id", "state", "pool", "component", "url", "owners", "tags", "schedule", "queue", "cluster",
        "job_name", "execution_class", "role", "level", "group", "type", "glue_version", "worker_type",
        "bucket", "filter_id", "storage_class", "operation", "class", "statistic", "rule_id", "status", "versions",
        "table", "index", "billing_mode", "table_class", "service");
}
