namespace PipelineExporter.Stack.Tests.Grafana;

/// <summary>Every metric that a dashboard may name, with the labels that its source adds.</summary>
internal static class DeclaredMetrics
{
    public static MetricCatalog Catalog { get; } = Build().With(MetricCatalog.OfPrometheusItself());

    private static MetricCatalog Build()
    {
        var catalog = new MetricCatalog();
        void Airflow(string name, params string[] labels) => catalog.Add(name, ["environment", .. labels]);
        void Aws(string name, params string[] labels) => catalog.Add(name, ["account_id", "region", .. labels]);
        Airflow("airflow_environment_info", "url", "version");
        Airflow("airflow_component_healthy", "component");
        Airflow("airflow_component_heartbeat_timestamp_seconds", "component");
        Airflow("airflow_pool_slots", "pool", "state");
        Airflow("airflow_pool_slots_limit", "pool");
        Airflow("airflow_dag_runs_total", "dag_id", "run_type", "state");
        foreach (var suffix in (string[])["_sum", "_count", "_bucket"])
        {
            Airflow($"airflow_dag_run_duration_seconds{suffix}", "dag_id", "le");
            Airflow($"airflow_task_duration_seconds{suffix}", "dag_id", "task_id", "le");
            Aws($"aws_glue_job_run_duration_seconds{suffix}", "job_name", "le");
        }

        Airflow("airflow_dag_runs", "dag_id", "state");
        Airflow("airflow_dag_run_oldest_running_start_timestamp_seconds", "dag_id");
        Airflow("airflow_dag_failed_runs_open", "dag_id");
        Airflow("airflow_dag_last_failed_run_info", "dag_id", "run_id");
        Airflow("airflow_dag_paused", "dag_id");
        Airflow("airflow_task_tries_total", "dag_id", "task_id", "state");
        Airflow("airflow_task_instances_finished_total", "dag_id", "task_id", "state");
        Airflow("airflow_task_retries_total", "dag_id", "task_id");
        Airflow("airflow_task_last_duration_seconds", "dag_id", "task_id");
        Airflow("airflow_task_instances", "dag_id", "state");
        Airflow("airflow_task_oldest_running_start_timestamp_seconds", "dag_id", "task_id");
        Aws("aws_glue_job_runs_total", "job_name", "state");
        Aws("aws_glue_job_dpu_seconds_total", "job_name", "execution_class");
        Aws("aws_glue_job_last_run_duration_seconds", "job_name");
        Aws("aws_glue_job_runs_active", "job_name", "state");
        Aws("aws_glue_job_oldest_running_start_timestamp_seconds", "job_name");
        Aws("aws_glue_driver_elapsed_time_average_seconds", "job_name");
        foreach (var name in (string[])["success", "last_success_timestamp_seconds", "interval_seconds", "duration_seconds", "series"])
            catalog.Add($"pipeline_exporter_collector_{name}", "collector", "source");
        catalog.Add("pipeline_exporter_source_requests_total", "source", "outcome");
        catalog.Add("pipeline_exporter_build_info", "version");
        return catalog;
    }
}
