namespace PipelineExporter.Stack.Tests.Grafana;

/// <summary>The main dashboard holds the monitoring guide's widget as the guide has it.</summary>
public sealed class PipelineDashboardTests
{
    private static readonly Dashboard Pipeline = Dashboard.Load("grafana/dashboards/Pipeline/pipeline.json");

    private static Panel Widget => Pipeline.Panels.Single(panel => panel.Title == "Glue Job Duration");

    [Fact]
    public void Glue_Job_Duration_shows_the_three_jobs_in_eu_west_1_in_the_guides_order() => Assert.Equal(
        ["music_streaming_validation", "music_streaming_kpi_computation", "music_streaming_dynamodb_load"],
        Widget.Targets.Select(target =>
        {
            var selector = PromQl.Parse(target.Expression).Selectors.Single();
            Assert.Equal("aws_glue_driver_elapsed_time_average_seconds", selector.Metric);
            Assert.Contains(new("region", "=", "eu-west-1"), selector.Matchers);
            return selector.Matchers.Single(matcher => matcher.Label == "job_name").Value;
        }));

    [Fact]
    public void Glue_Job_Duration_draws_a_point_for_each_300_seconds_and_says_that_it_is_no_duration()
    {
        Assert.Equal("5m", Widget.Json.GetProperty("interval").GetString());
        Assert.Contains("Average over 300 s", Widget.Json.GetProperty("description").GetString(), StringComparison.Ordinal);
        Assert.Contains("not the job's duration", Widget.Json.GetProperty("description").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void The_real_durations_stand_beside_it()
    {
        var beside = Pipeline.Panels.Single(panel => panel.Title == "Glue job duration, real");

        Assert.Equal(Widget.Json.GetProperty("gridPos").GetProperty("y").GetInt32(), beside.Json.GetProperty("gridPos").GetProperty("y").GetInt32());
        Assert.Equal(
            ["aws_glue_job_last_run_duration_seconds", "aws_glue_job_oldest_running_start_timestamp_seconds"],
            beside.Targets.Select(target => PromQl.Parse(target.Expression).Selectors.Single().Metric));
    }

    [Fact]
    public void The_first_row_says_whether_it_is_broken_what_is_and_since_when() => Assert.Equal(
        ["Alerts firing", "Firing for", "DAG runs failed and open", "DAG runs failed, 1 h", "Glue runs failed, 1 h", "Airflow components down", "Collectors failing", "Exporter"],
        Pipeline.Panels.TakeWhile(panel => panel.Type == "stat").Select(panel => panel.Title));
}
