using PipelineExporter.Configuration;

namespace PipelineExporter.Tests.Configuration;

public sealed class ThresholdSettingsTests
{
    [Fact]
    public void The_guides_thresholds_are_the_defaults()
    {
        var thresholds = Parse("").Thresholds;

        Assert.Equal(TimeSpan.FromHours(2), thresholds.DagRunDuration.For("production", "any"));
        Assert.Equal(TimeSpan.FromMinutes(30), thresholds.TaskDuration.ForTask("production", "any", "load", isSensor: false));
        Assert.Null(thresholds.TaskDuration.ForTask("production", "any", "wait", isSensor: true));
        Assert.Equal(TimeSpan.FromMinutes(15), thresholds.DagOverdueGrace.For("production", "any"));
    }

    [Fact]
    public void The_first_override_that_fits_holds()
    {
        var thresholds = Parse("""
            thresholds:
              dag_run_duration:
                default: 1h
                overrides:
                  - { environment: staging, value: never }
                  - { dag: "daily_*", value: 4h }
                  - { dag: "*", environment: "prod*", value: 3h }
              task_duration:
                default: never
                overrides:
                  - { dag: training, task: "train_*", value: 2h }
                  - { dag: training, value: 45m }
            """).Thresholds;

        Assert.Null(thresholds.DagRunDuration.For("staging", "daily_report"));
        Assert.Equal(TimeSpan.FromHours(4), thresholds.DagRunDuration.For("production", "daily_report"));
        Assert.Equal(TimeSpan.FromHours(3), thresholds.DagRunDuration.For("production", "hourly"));
        Assert.Equal(TimeSpan.FromHours(1), thresholds.DagRunDuration.For("test", "hourly"));

        Assert.Equal(TimeSpan.FromHours(2), thresholds.TaskDuration.ForTask("any", "training", "train_model", isSensor: false));
        Assert.Equal(TimeSpan.FromHours(2), thresholds.TaskDuration.ForTask("any", "training", "train_sensor", isSensor: true));
        Assert.Equal(TimeSpan.FromMinutes(45), thresholds.TaskDuration.ForTask("any", "training", "load", isSensor: false));
        Assert.Null(thresholds.TaskDuration.ForTask("any", "training", "wait", isSensor: true)); // an override without a task is none for sensors
        Assert.Null(thresholds.TaskDuration.ForTask("any", "other", "load", isSensor: false));
    }

    [Fact]
    public void A_Glue_job_is_measured_by_its_baseline_unless_something_else_is_configured()
    {
        var (minute, hour) = (TimeSpan.FromMinutes(1), TimeSpan.FromHours(1));
        var plain = Parse("").Thresholds.GlueJobDuration;
        Assert.Equal((minute, null), (plain.For("eu-west-1", "any", minute), plain.For("eu-west-1", "any", null)));

        var thresholds = Parse("""
            thresholds:
              glue_job_duration:
                default: 1h
                overrides:
                  - { source: staging, value: never }
                  - { job: "music_*", value: baseline }
                  - { job: load, value: 90m }
            """).Thresholds.GlueJobDuration;
        Assert.Null(thresholds.For("staging", "music_load", minute));
        Assert.Equal(minute, thresholds.For("eu-west-1", "music_load", minute));
        Assert.Null(thresholds.For("eu-west-1", "music_load", null));
        Assert.Equal(TimeSpan.FromMinutes(90), thresholds.For("eu-west-1", "load", minute));
        Assert.Equal(hour, thresholds.For("eu-west-1", "other", minute));
    }

    [Fact]
    public void Ten_throttled_requests_are_too_many_unless_something_else_is_configured()
    {
        Assert.Equal(10, Parse("").Thresholds.DynamoDbThrottledRequests.For("eu-west-1", "any"));

        var thresholds = Parse("""
            thresholds:
              dynamodb_throttled_requests:
                default: 20
                overrides:
                  - { source: staging, value: never }
                  - { table: "batch_*", value: 500 }
            """).Thresholds.DynamoDbThrottledRequests;
        Assert.Equal(double.PositiveInfinity, thresholds.For("staging", "batch_load"));
        Assert.Equal((500, 20), (thresholds.For("eu-west-1", "batch_load"), thresholds.For("eu-west-1", "orders")));
    }

    [Theory]
    [InlineData("dynamodb_throttled_requests: { default: -1 }", "thresholds.dynamodb_throttled_requests.default: expected a whole number from 0 to 1000000, found '-1'")]
    [InlineData("dynamodb_throttled_requests: { overrides: [{ table: a }] }", "thresholds.dynamodb_throttled_requests.overrides[0].value: is required: a whole number from 0 to 1000000, or never")]
    [InlineData("glue_job_duration: { default: usual }", "thresholds.glue_job_duration.default: expected baseline, never, or a duration such as 30s, 1h30m or 35d, found 'usual'")]
    [InlineData("glue_job_duration: { overrides: [{ job: a }] }", "thresholds.glue_job_duration.overrides[0].value: is required: baseline, a duration from 1s to 365d, or never")]
    [InlineData("dag_run_duration: { default: baseline }", "thresholds.dag_run_duration.default: expected a duration such as 30s, 1h30m or 35d, found 'baseline'")]
    [InlineData("dag_run_duration: { overrides: [{ dag: a }] }", "thresholds.dag_run_duration.overrides[0].value: is required: a duration from 1s to 365d, or never")]
    [InlineData("dag_run_duration: { overrides: [{ dag: a, task: b, value: 1h }] }", "thresholds.dag_run_duration.overrides[0].task: unknown key")]
    [InlineData("task_duration: { default: 0 }", "thresholds.task_duration.default: expected a duration from 1s to 365d")]
    [InlineData("task_durations: { default: 1h }", "thresholds.task_durations: unknown key; did you mean 'task_duration'?")]
    public void A_mistake_is_named_with_its_key(string thresholds, string expected) => Assert.Contains(
        expected, Assert.Throws<ConfigurationException>(() => Parse($"thresholds: {{ {thresholds} }}")).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("task_detail: none", "airflow[0].task_detail: expected one of full, dag, found 'none'")]
    [InlineData("skip: [pool]", "airflow[0].skip[0]: expected one of dags, import_errors, pools, runs, tasks, workers, found 'pool'; did you mean 'pools'?")]
    [InlineData("dag_run_duration_buckets: [5m, 1m]", "airflow[0].dag_run_duration_buckets: expected each bucket longer than the one before")]
    [InlineData("dag_run_duration_buckets: []", "airflow[0].dag_run_duration_buckets: expected a list")]
    [InlineData("dags: { exclude: [\"a$\"] }", "airflow[0].dags.exclude[0]: expected a name")]
    public void A_mistake_in_how_an_Airflow_is_watched_is_named_with_its_key(string line, string expected) => Assert.Contains(
        expected, Assert.Throws<ConfigurationException>(() => Parse("", line)).Message, StringComparison.Ordinal);

    [Fact]
    public void DAGs_are_chosen_by_patterns()
    {
        var dags = Parse("", """dags: { include: ["music_*", kpi], exclude: ["*_test"] }""").Airflow[0].Dags;

        Assert.True(dags.Includes("music_load"));
        Assert.True(dags.Includes("kpi"));
        Assert.False(dags.Includes("music_load_test"));
        Assert.False(dags.Includes("other"));
    }

    private static ExporterConfiguration Parse(string rest, string line = "timeout: 30s") => ExporterConfiguration.Parse(
        $$"""
        airflow:
          - environment: production
            url: https://airflow.example.com
            {{line}}
        {{rest}}
        """);
}
