using System.Text.RegularExpressions;
using PipelineExporter.Stack.Tests.Rules;

namespace PipelineExporter.Stack.Tests.Grafana;

/// <summary>The dashboards that the alerts about AWS link to hold all that the monitoring guide asks of Glue, S3 and DynamoDB.</summary>
public sealed partial class AwsDashboardsTests
{
    // What is one of many: a line of each would be thousands.
    private static readonly string[] Resources = ["{{job_name}}", "{{bucket}}", "{{table}}"];

    public static TheoryData<string> Files => [.. Dashboard.Files.Where(file => file.Contains("/AWS/", StringComparison.Ordinal))];

    // The guide's rows, in its words and its order.
    [Theory]
    [InlineData("ETL job duration", "glue", "Last run, beside its threshold", "aws_glue_job_last_run_duration_seconds", "aws_glue_job_duration_threshold_seconds")]
    [InlineData("DPU hours used", "glue", "DPU hours, by job", "aws_glue_job_dpu_seconds_total")]
    [InlineData("Job success rate", "glue", "Success rate, by job", "aws_glue_job_runs_total")]
    [InlineData("Memory usage", "glue", "JVM heap in use", "aws_glue_jvm_heap_usage_ratio")]
    [InlineData("Data processing rate", "glue", "Records read", "aws_glue_read_records_total")]
    [InlineData("Data processing rate, bytes", "glue", "Bytes read", "aws_glue_read_bytes_total")]
    [InlineData("Number of active jobs", "glue", "Active jobs and runs", "aws_glue_job_runs_active")]
    [InlineData("Queue wait time", "glue", "Queue wait", "aws_glue_job_queue_wait_seconds_sum", "aws_glue_job_queue_wait_seconds_count")]
    [InlineData("Worker node health", "glue", "Executors running and needed", "aws_glue_executors", "aws_glue_executors_needed")]
    [InlineData("Worker node health, CPU", "glue", "CPU", "aws_glue_cpu_load_ratio")]
    [InlineData("Worker node health, work", "glue", "Worker utilization and skewness", "aws_glue_worker_utilization_ratio", "aws_glue_skewness_ratio")]
    [InlineData("Network throughput", "glue", "S3 traffic", "aws_glue_s3_read_bytes_total", "aws_glue_s3_written_bytes_total")]
    [InlineData("Network throughput, between workers", "glue", "Shuffle", "aws_glue_shuffle_written_bytes_total", "aws_glue_shuffle_local_read_bytes_total")]
    [InlineData("Bucket size", "s3", "Bucket size", "bucket_storage_class:aws_s3_bucket_size_bytes:last")]
    [InlineData("Object count", "s3", "Object count", "aws_s3_bucket_objects")]
    [InlineData("Storage class distribution", "s3", "Distribution over storage classes", "bucket_storage_class:aws_s3_bucket_size_bytes:last")]
    [InlineData("Lifecycle transitions", "s3", "Bytes moved between classes, in a day", "bucket:aws_s3_transitioned_bytes:delta1d")]
    [InlineData("Lifecycle transitions, rules", "s3", "Transitions", "aws_s3_lifecycle_transition_seconds")]
    [InlineData("GET/PUT requests", "s3", "Requests, by operation", "aws_s3_requests_total")]
    [InlineData("Download/upload bytes", "s3", "Download and upload", "aws_s3_downloaded_bytes_total", "aws_s3_uploaded_bytes_total")]
    [InlineData("4xx/5xx errors", "s3", "Errors", "aws_s3_errors_total")]
    [InlineData("4xx/5xx errors, share", "s3", "Error rate", "aws_s3_errors_last_5m", "aws_s3_all_requests_last_5m")]
    [InlineData("First byte latency", "s3", "First byte latency", "aws_s3_first_byte_latency_seconds")]
    [InlineData("Read capacity units", "dynamodb", "Read capacity, consumed and provisioned", "aws_dynamodb_consumed_read_capacity_units_total", "aws_dynamodb_provisioned_read_capacity_units")]
    [InlineData("Write capacity units", "dynamodb", "Write capacity, consumed and provisioned", "aws_dynamodb_consumed_write_capacity_units_total", "aws_dynamodb_provisioned_write_capacity_units")]
    [InlineData("Read capacity units, share", "dynamodb", "Read capacity used", "table_index:aws_dynamodb_read_capacity_utilization:ratio")]
    [InlineData("Write capacity units, share", "dynamodb", "Write capacity used", "table_index:aws_dynamodb_write_capacity_utilization:ratio")]
    [InlineData("Throttled requests", "dynamodb", "Throttled requests", "aws_dynamodb_throttled_requests_total")]
    [InlineData("Successful request latency", "dynamodb", "Successful request latency", "aws_dynamodb_request_latency_seconds")]
    [InlineData("Error rates", "dynamodb", "Error rates", "aws_dynamodb_system_errors_total", "aws_dynamodb_user_errors_total")]
    [InlineData("Error rates, of conditions", "dynamodb", "Conditions and transactions", "aws_dynamodb_conditional_check_failed_requests_total", "aws_dynamodb_transaction_conflicts_total")]
    [InlineData("Table size", "dynamodb", "Table size", "aws_dynamodb_table_size_bytes")]
    [InlineData("Item count", "dynamodb", "Item count", "aws_dynamodb_table_items")]
    [InlineData("Average item size", "dynamodb", "Average item size", "table:aws_dynamodb_item_size_bytes:avg")]
    [InlineData("GSI/LSI usage", "dynamodb", "Indexes", "aws_dynamodb_index_items", "aws_dynamodb_index_size_bytes", "aws_dynamodb_consumed_read_capacity_units_total", "aws_dynamodb_consumed_write_capacity_units_total")]
    [InlineData("GSI/LSI usage, size", "dynamodb", "Index size", "aws_dynamodb_index_size_bytes")]
    public void What_the_guide_asks_for_has_its_panel(string asked, string dashboard, string title, params string[] metrics)
    {
        var panel = Assert.Single(Load(dashboard).Panels, panel => panel.Title == title);

        Assert.True(metrics.ToHashSet().IsSubsetOf(Metrics(panel)), $"{asked}: '{title}' reads {string.Join(", ", Metrics(panel))}");
    }

    // What the exporter itself does to the account.
    [Theory]
    [InlineData("Requests, by operation", "pipeline_exporter_aws_requests_total")]
    [InlineData("Requests, by outcome", "pipeline_exporter_source_requests_total")]
    [InlineData("Metrics billed", "pipeline_exporter_cloudwatch_billed_metrics_total")]
    [InlineData("Cost a day, by group", "pipeline_exporter_aws_cost_usd_total")]
    [InlineData("Spent today", "pipeline_exporter_aws_spend_today_usd")]
    [InlineData("Age of data", "aws_glue_metrics_timestamp_seconds", "aws_s3_request_metrics_timestamp_seconds", "aws_dynamodb_metrics_timestamp_seconds")]
    [InlineData("Operations denied", "pipeline_exporter_aws_access_denied")]
    [InlineData("Groups held back", "pipeline_exporter_aws_spend_brake")]
    [InlineData("Interval, beside what is configured", "pipeline_exporter_cloudwatch_interval_seconds", "pipeline_exporter_cloudwatch_configured_interval_seconds")]
    public void What_CloudWatch_costs_has_its_panel(string title, params string[] metrics) => Assert.Superset(
        metrics.ToHashSet(), Metrics(Assert.Single(Load("cloudwatch").Panels, panel => panel.Title == title)));

    /// <summary>Each of two exporters is billed, though of what they count of AWS the higher is the truth.</summary>
    [Theory]
    [InlineData("Spent today")]
    [InlineData("Spent in the time range")]
    [InlineData("Cost a day, by group")]
    [InlineData("Metrics billed")]
    [InlineData("Requests, by operation")]
    [InlineData("Requests, by outcome")]
    public void What_two_exporters_ask_and_cost_is_added_up(string title) => Assert.All(
        Assert.Single(Load("cloudwatch").Panels, panel => panel.Title == title).Targets,
        target => Assert.DoesNotMatch(@"without \(instance|max by \((?!.*instance)", target.Expression));

    [Theory]
    [MemberData(nameof(Files))]
    public void What_is_drawn_for_each_job_bucket_or_table_is_limited_to_the_same_ten_for_the_whole_range(string file) => Assert.All(
        Dashboard.Load(file).Panels.Where(panel => panel.Type is "timeseries" or "bargauge"), panel => Assert.All(
            panel.Targets.Where(target => Resources.Any(target.Json.GetProperty("legendFormat").GetString()!.Contains)), target =>
            {
                var ranking = Assert.Single(Ranking.Matches(target.Expression));
                // Whatever is ranked is asked of one moment: each step of a range query would choose other ten.
                if (!target.Instant)
                    Assert.All(PromQl.Parse(target.Expression[ranking.Index..]).Selectors, selector => Assert.Equal("end()", selector.At));
            }));

    /// <summary>Counters move with CloudWatch's minutes, or every five: a shorter interval than ten would be a saw.</summary>
    [Theory]
    [MemberData(nameof(Files))]
    public void What_is_counted_is_drawn_in_intervals_of_ten_minutes(string file) => Assert.All(
        Dashboard.Load(file).Panels.Where(panel => panel.Targets.Any(target => target.Expression.Contains("$__rate_interval", StringComparison.Ordinal))),
        panel => Assert.Equal("10m", panel.Json.GetProperty("interval").GetString()));

    /// <summary>An exporter that is down is no success.</summary>
    [Theory]
    [MemberData(nameof(Files))]
    public void What_is_not_known_is_not_shown_as_a_number(string file) => Assert.All(
        Dashboard.Load(file).Panels.SelectMany(panel => panel.Targets), target => Assert.DoesNotContain("vector(", target.Expression, StringComparison.Ordinal));

    [Theory]
    [InlineData("AWS/glue", "Runs failed")]
    [InlineData("Pipeline/pipeline", "Glue runs failed, 1 h")]
    public void A_run_fails_in_the_states_that_its_alert_knows(string dashboard, string title) => Assert.Equal(
        States(AlertRule.All.Single(rule => rule.Alert == "GlueJobFailed").Expr),
        States(Assert.Single(Dashboard.Load($"grafana/dashboards/{dashboard}.json").Panels, panel => panel.Title == title).Targets.Single().Expression));

    /// <summary>Buckets are known by their list, which no permission on single buckets takes away.</summary>
    [Fact]
    public void A_bucket_can_be_chosen_though_its_settings_cannot_be_read() => Assert.All(
        Load("s3").Variables.Where(DashboardQuery.IsQuery),
        variable => Assert.Contains("aws_s3_bucket_created_timestamp_seconds", variable.GetRawText(), StringComparison.Ordinal));

    [Theory]
    [InlineData("Runs failed")]
    [InlineData("Success rate")]
    [InlineData("Success rate, by job")]
    public void Without_a_run_there_is_neither_success_nor_failure(string title)
    {
        var panel = Assert.Single(Load("glue").Panels, panel => panel.Title == title);

        Assert.Equal(["aws_glue_job_runs_total"], Metrics(panel));
        Assert.Equal("No runs", panel.Json.GetProperty("fieldConfig").GetProperty("defaults").GetProperty("noValue").GetString());
    }

    [Theory]
    [InlineData("glue", "Jobs, beside their baseline")]
    [InlineData("s3", "Buckets")]
    [InlineData("dynamodb", "Tables")]
    [InlineData("dynamodb", "Indexes")]
    public void Those_that_are_not_drawn_stand_in_a_table(string dashboard, string title)
    {
        var panel = Assert.Single(Load(dashboard).Panels, panel => panel.Title == title);

        Assert.Equal("table", panel.Type);
        Assert.All(panel.Targets, target => Assert.DoesNotMatch(Ranking, target.Expression));
    }

    /// <summary>A link that sets a variable which the dashboard has not shows all there is.</summary>
    [Theory]
    [InlineData("glue", "account_id", "region", "job_name")]
    [InlineData("s3", "account_id", "region", "bucket")]
    [InlineData("dynamodb", "account_id", "region", "table")]
    [InlineData("cloudwatch", "account_id", "region")]
    public void An_alert_chooses_what_it_is_about(string dashboard, params string[] names)
    {
        var linking = AlertRule.All.Where(rule => rule.Annotations["dashboard_url"].Contains($"/d/{dashboard}?", StringComparison.Ordinal)).ToList();

        Assert.NotEmpty(linking);
        Assert.Equal(names, Load(dashboard).Variables.Where(DashboardQuery.IsQuery).Select(variable => variable.GetProperty("name").GetString()!));
        Assert.All(linking, rule => Assert.Equal(names, LinkedVariable.Matches(rule.Annotations["dashboard_url"]).Select(match => match.Groups["name"].Value)));
        // And the dashboard counts it among those that fire.
        var counted = PromQl.Parse(Load(dashboard).Panels.Single(panel => panel.Title == "Alerts firing").Targets.Single().Expression).Selectors
            .SelectMany(selector => selector.Matchers).First(matcher => matcher is { Label: "alertname", Operator: "=~" });
        Assert.All(linking, rule => Assert.Matches($"^({counted.Value})$", rule.Alert));
    }

    /// <summary>What an alert asks of AWS, its chart shows where it begins.</summary>
    [Theory]
    [InlineData("glue", "JVM heap in use", "GlueHeapHigh", 0.9)]
    [InlineData("s3", "Error rate", "S3ErrorRate", 0.01)]
    [InlineData("s3", "First byte latency", "S3Latency", 1)]
    [InlineData("dynamodb", "Successful request latency", "DynamoDBLatency", 0.1)]
    public void A_chart_shows_the_threshold_of_its_alert(string dashboard, string title, string alert, double threshold)
    {
        var defaults = Assert.Single(Load(dashboard).Panels, panel => panel.Title == title).Json.GetProperty("fieldConfig").GetProperty("defaults");

        Assert.Equal("dashed", defaults.GetProperty("custom").GetProperty("thresholdsStyle").GetProperty("mode").GetString());
        Assert.Equal(threshold, defaults.GetProperty("thresholds").GetProperty("steps").EnumerateArray().Last().GetProperty("value").GetDouble());
        Assert.Contains(AlertRule.All, rule => rule.Alert == alert && rule.Expr.Contains(FormattableString.Invariant($"> {threshold}"), StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void The_alerts_of_another_region_are_not_counted_and_those_that_are_lead_to_their_list(string file)
    {
        var panel = Assert.Single(Dashboard.Load(file).Panels, panel => panel.Title == "Alerts firing");

        Assert.Contains("region=~\"$region|\"", Assert.Single(panel.Targets).Expression, StringComparison.Ordinal);
        Assert.Equal("/alerting/list", Assert.Single(panel.Json.GetProperty("fieldConfig").GetProperty("defaults").GetProperty("links").EnumerateArray()).GetProperty("url").GetString());
    }

    /// <summary>Two regions may have a job or a table of the same name; no two a bucket.</summary>
    [Theory]
    [InlineData("glue", "{{job_name}}")]
    [InlineData("dynamodb", "{{table}}")]
    public void A_legend_says_of_which_region(string dashboard, string resource) => Assert.All(
        Load(dashboard).Panels.Where(panel => panel.Type is "timeseries" or "bargauge").SelectMany(panel => panel.Targets)
            .Select(target => target.Json.GetProperty("legendFormat").GetString()!).Where(legend => legend.Contains(resource, StringComparison.Ordinal)),
        legend => Assert.Contains($"{resource} {{{{region}}}}", legend, StringComparison.Ordinal));

    private static Dashboard Load(string name) => Dashboard.Load($"grafana/dashboards/AWS/{name}.json");

    private static HashSet<string> Metrics(Panel panel) =>
        [.. panel.Targets.SelectMany(target => PromQl.Parse(target.Expression).Selectors).Select(selector => selector.Metric)];

    private static string States(string query) => PromQl.Parse(query).Selectors.Single().Matchers.Single(matcher => matcher.Label == "state").Value;

    [GeneratedRegex(@"(top|bottom)k\(10,", RegexOptions.ExplicitCapture)]
    private static partial Regex Ranking { get; }

    [GeneratedRegex(@"[?&]var-(?<name>\w+)=", RegexOptions.ExplicitCapture)]
    private static partial Regex LinkedVariable { get; }
}
