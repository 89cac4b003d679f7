using System.Text.RegularExpressions;
using PipelineExporter.Stack.Tests.Rules;

namespace PipelineExporter.Stack.Tests.Grafana;

/// <summary>The dashboard that Airflow's alerts link to holds all that the monitoring guide asks of Airflow.</summary>
public sealed class AirflowDashboardTests
{
    private static readonly Dashboard Airflow = Dashboard.Load("grafana/dashboards/Airflow/airflow.json");

    private static readonly string[] Names = ["environment", "dag_id", "task_id"];

    [Fact]
    public void Its_rows_are_in_the_order_in_which_somebody_asks_who_was_paged() => Assert.Equal(
        [
            "Is Airflow broken, and what of it?", "DAG performance", "Tasks", "Workers, queues and pools",
            "Airflow's health, and the exporter's view of it",
        ],
        Airflow.Root.GetProperty("panels").EnumerateArray().Where(panel => panel.GetProperty("type").GetString() == "row").Select(row => row.GetProperty("title").GetString()!));

    [Fact]
    public void The_first_row_says_what_is_wrong_in_eight_numbers() => Assert.Equal(
        [
            "Alerts firing", "DAG runs failed and open", "Tasks failed, 1 h", "DAGs overdue", "Components down", "Files not imported", "Queued for longest",
            "Pools saturated",
        ],
        Airflow.Panels.TakeWhile(panel => panel.Type == "stat").Select(panel => panel.Title));

    // The guide's key metrics of Airflow, in its order.
    [Theory]
    [InlineData("Task duration", "airflow_task_duration_seconds_sum", "airflow_task_duration_seconds_count", "airflow_task_duration_threshold_seconds")]
    [InlineData("DAG duration", "airflow_dag_run_duration_seconds_sum", "airflow_dag_run_duration_seconds_count", "airflow_dag_run_duration_threshold_seconds")]
    [InlineData("Task success rate", "airflow_task_instances_finished_total", "airflow_task_tries_total")]
    [InlineData("Retries", "airflow_task_retries_total")]
    [InlineData("Task instances live, by state", "airflow_task_instances")]
    [InlineData("Task instances finished, by state", "airflow_task_instances_finished_total")]
    [InlineData("Worker CPU", "cluster:airflow_worker_cpu_utilization:ratio")]
    [InlineData("Worker memory", "cluster:airflow_worker_memory_utilization:ratio")]
    [InlineData("Queue length", "airflow_queued_task_instances")]
    [InlineData("Pool slot usage", "airflow_pool_slots", "airflow_pool_slots_limit")]
    public void What_the_guide_asks_for_is_drawn_over_time(string title, params string[] metrics)
    {
        var panel = Airflow.Panels.Single(panel => panel.Title == title);

        Assert.Equal("timeseries", panel.Type);
        Assert.Superset(metrics.ToHashSet(), Metrics(panel));
    }

    [Theory]
    [InlineData("DAG runs live, beside their threshold", "airflow_dag_run_oldest_running_start_timestamp_seconds", "airflow_dag_run_duration_threshold_seconds")]
    [InlineData("Tasks live, beside their threshold", "airflow_task_oldest_running_start_timestamp_seconds", "airflow_task_duration_threshold_seconds")]
    [InlineData("Slowest DAGs", "airflow_dag_run_duration_seconds_bucket", "airflow_dag_run_duration_threshold_seconds", "airflow_dag_runs_over_threshold_total")]
    [InlineData("Slowest tasks", "airflow_task_last_duration_seconds", "airflow_task_duration_threshold_seconds", "airflow_task_instances_over_threshold_total")]
    public void What_takes_long_stands_beside_its_threshold(string title, params string[] metrics)
    {
        var panel = Airflow.Panels.Single(panel => panel.Title == title);

        Assert.Equal("table", panel.Type);
        Assert.Superset(metrics.ToHashSet(), Metrics(panel));
    }

    [Fact]
    public void An_alert_can_choose_the_environment_the_DAG_and_the_task() => Assert.Equal(
        Names, Airflow.Variables.Where(DashboardQuery.IsQuery).Select(variable => variable.GetProperty("name").GetString()!));

    [Fact]
    public void It_counts_and_lists_every_alert_that_links_to_it()
    {
        var linking = AlertRule.All.Where(rule => rule.Annotations.GetValueOrDefault("dashboard_url", "").Contains("/d/airflow", StringComparison.Ordinal)).ToList();
        string[] places = ["Alerts firing", "Firing alerts"];

        Assert.All(linking, rule => Assert.All(
            Regex.Matches(rule.Annotations["dashboard_url"], @"[?&]var-(\w+)=").Select(match => match.Groups[1].Value), name => Assert.Contains(name, Names)));
        Assert.All(Airflow.Panels.Where(panel => places.Contains(panel.Title)), panel =>
        {
            var families = PromQl.Parse(panel.Targets.Single().Expression).Selectors.SelectMany(selector => selector.Matchers).Single(matcher => matcher.Label == "family").Value;
            Assert.All(linking, rule => Assert.Matches($"^({families})$", rule.Labels["family"]));
        });
    }

    // With "task_detail: dag" the tasks of a DAG are one series, whose task_id is empty.
    [Fact]
    public void Tasks_without_a_name_are_shown_whatever_task_is_chosen() => Assert.All(
        Airflow.Panels.SelectMany(panel => panel.Targets).SelectMany(target => PromQl.Parse(target.Expression).Selectors).SelectMany(selector => selector.Matchers).Where(matcher => matcher.Label == "task_id"),
        matcher => Assert.Equal(new("task_id", "=~", "$task_id|"), matcher));

    [Fact]
    public void What_is_drawn_for_each_DAG_or_task_is_limited() => Assert.All(
        Airflow.Panels.Where(panel => panel.Type is "timeseries" or "bargauge").SelectMany(panel => panel.Targets),
        target => Assert.True(
            !target.Json.GetProperty("legendFormat").GetString()!.Contains("{{dag_id}}", StringComparison.Ordinal) || target.Expression.Contains("topk(10,", StringComparison.Ordinal)
                || target.Expression.Contains("bottomk(10,", StringComparison.Ordinal),
            $"{target.Expression} draws a line for every DAG"));

    private static HashSet<string> Metrics(Panel panel) =>
        [.. panel.Targets.SelectMany(target => PromQl.Parse(target.Expression).Selectors).Select(selector => selector.Metric)];
}
