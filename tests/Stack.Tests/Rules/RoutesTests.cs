using PipelineExporter.Stack.Tests.Tools;
using YamlDotNet.Serialization;

namespace PipelineExporter.Stack.Tests.Rules;

/// <summary>Who hears of which alert, as amtool resolves the labels that the rules give.</summary>
public sealed class RoutesTests
{
    public static TheoryData<string, string> Alerts => new()
    {
        { "alertname=PipelineFailure severity=critical family=pipeline_failure environment=production dag_id=music_streaming_validation", "oncall" },
        { "alertname=PipelineUnrecovered severity=warning family=pipeline_failure environment=production dag_id=music_streaming_validation", "pipeline-slack" },
        { "alertname=AirflowTaskFailure severity=warning family=task_failure environment=production dag_id=d task_id=t", "team" },
        { "alertname=AirflowTaskFailure severity=warning family=task_failure environment=production dag_id=d", "team" },
        { "alertname=AirflowDagDuration severity=warning family=dag_duration environment=production dag_id=d", "team-email" },
        { "alertname=AirflowTaskDuration severity=warning family=task_duration environment=production dag_id=d task_id=t", "pipeline-slack" },
        { "alertname=AirflowDagOverdue severity=warning family=dag_overdue environment=production dag_id=d", "pipeline-slack" },
        { "alertname=AirflowComponentUnhealthy severity=critical family=airflow environment=production component=scheduler", "oncall" },
        { "alertname=AirflowComponentUnhealthy severity=warning family=airflow environment=production component=triggerer", "pipeline-slack" },
        { "alertname=AirflowQueueBacklog severity=warning family=airflow environment=production queue=default", "pipeline-slack" },
        { "alertname=AirflowPoolSaturated severity=warning family=airflow environment=production pool=default_pool", "pipeline-slack" },
        { "alertname=AirflowWorkerCpuHigh severity=warning family=airflow environment=production cluster=BaseWorker", "pipeline-slack" },
        { "alertname=AirflowWorkerMemoryHigh severity=warning family=airflow environment=production cluster=BaseWorker", "pipeline-slack" },
        { "alertname=AirflowImportErrors severity=warning family=airflow environment=production", "pipeline-slack" },
        { "alertname=AirflowRetryStorm severity=warning family=airflow environment=production", "pipeline-slack" },
        { "alertname=ExporterDown severity=critical family=exporter job=pipeline-exporter", "oncall" },
        { "alertname=ExporterDown severity=warning family=exporter job=pipeline-exporter instance=b", "oncall" },
        { "alertname=CollectorFailing severity=warning family=exporter job=pipeline-exporter source=airflow/production collector=airflow_runs", "oncall" },
        { "alertname=CloudWatchMetricsFailing severity=warning family=exporter job=pipeline-exporter account_id=123456789012 region=eu-west-1 group=s3_requests", "team" },
        { "alertname=AwsAccessDenied severity=warning family=exporter job=pipeline-exporter account_id=123456789012 region=eu-west-1 operation=DescribeTable", "team" },
        { "alertname=AwsSpendBrake severity=warning family=exporter job=pipeline-exporter account_id=123456789012 region=eu-west-1 group=s3_storage", "team" },
        { "alertname=AwsSpendBrake severity=warning family=exporter job=pipeline-exporter account_id=123456789012 region=eu-west-1 group=dynamodb_throttles", "team" },
        { "alertname=GlueJobSlow severity=warning family=performance_warning account_id=123456789012 region=eu-west-1 job_name=j", "team-mail" },
        { "alertname=DynamoDBThrottling severity=warning family=performance_warning account_id=123456789012 region=eu-west-1 table=t", "team-mail" },
        { "alertname=GlueJobSlow severity=warning family=performance_warning environment=production account_id=123456789012 region=eu-west-1 job_name=j", "team-mail" },
        { "alertname=DynamoDBThrottling severity=warning family=performance_warning environment=production account_id=123456789012 region=eu-west-1 table=t", "team-mail" },
        { "alertname=GlueJobFailed severity=warning family=glue job_name=j", "team" },
        { "alertname=GlueJobFailed severity=warning family=glue account_id=123456789012 region=eu-west-1 job_name=j", "team" },
        { "alertname=GlueQueueWait severity=warning family=glue account_id=123456789012 region=eu-west-1 job_name=j", "team" },
        { "alertname=GlueHeapHigh severity=warning family=glue account_id=123456789012 region=eu-west-1 job_name=j role=driver", "team" },
        { "alertname=GlueExecutorsStarved severity=warning family=glue account_id=123456789012 region=eu-west-1 job_name=j", "team" },
        { "alertname=S3ErrorRate severity=warning family=s3 account_id=123456789012 region=eu-west-1 bucket=b class=5xx", "team" },
        { "alertname=S3Latency severity=warning family=s3 account_id=123456789012 region=eu-west-1 bucket=b", "team" },
        { "alertname=DynamoDBLatency severity=warning family=dynamodb account_id=123456789012 region=eu-west-1 table=t operation=GetItem", "team" },
        { "alertname=DynamoDBErrors severity=warning family=dynamodb account_id=123456789012 region=eu-west-1 table=t", "team" },
        { "alertname=Watchdog severity=none family=exporter", "watchdog" },
    };

    [Theory]
    [MemberData(nameof(Alerts))]
    public async Task An_alert_reaches_its_receiver(string labels, string receiver) => Assert.Equal(receiver, await ReceiversAsync(labels));

    [Theory]
    [InlineData("alertname=Other severity=warning", "pipeline-slack")]
    [InlineData("alertname=Other severity=critical", "pipeline-slack")]
    [InlineData("alertname=Other", "pipeline-slack")]
    [InlineData("alertname=InfoInhibitor severity=none", "nobody")]
    public async Task What_no_route_is_made_for_is_heard_unless_it_is_no_alert(string labels, string receiver) =>
        Assert.Equal(receiver, await ReceiversAsync(labels));

    [Fact]
    public void Every_shape_of_every_alert_has_its_route_tested()
    {
        var tested = Alerts.Select(row => row.Data.Item1).ToList();

        Assert.All(AlertRule.All, rule => Assert.Contains(
            tested,
            labels => labels.StartsWith($"alertname={rule.Alert} severity={rule.Labels["severity"]} family={rule.Labels["family"]}", StringComparison.Ordinal)));
    }

    /// <summary>amtool tells receivers, and not how often they are told.</summary>
    [Theory]
    [InlineData("AwsAccessDenied", "24h")]
    [InlineData("AwsSpendBrake", "24h")]
    [InlineData("CloudWatchMetricsFailing", "24h")]
    public void What_can_wait_for_the_morning_is_said_once_a_day_and_what_the_guide_asks_for_more_often(string alert, string interval)
    {
        var configuration = new DeserializerBuilder().Build().Deserialize<Dictionary<string, object>>(
            File.ReadAllText(Repository.File("prometheus", "alertmanager", "alertmanager.yml")));
        var routes = (List<object>)((Dictionary<object, object>)configuration["route"])["routes"];

        var route = Assert.Single(routes.Cast<Dictionary<object, object>>(), route => ((List<object>)route["matchers"]).Any(matcher => $"{matcher}".Contains(alert, StringComparison.Ordinal)));

        Assert.Equal(interval, route["repeat_interval"]);
        var blind = Assert.Single(((List<object>)route["routes"]).Cast<Dictionary<object, object>>());
        Assert.Equal(["group=\"dynamodb_throttles\""], (List<object>)blind["matchers"]);
        Assert.Equal("4h", blind["repeat_interval"]);
    }

    private static async Task<string> ReceiversAsync(string labels) => (await Command.SucceedAsync(
        "amtool", ["config", "routes", "test", "--config.file=prometheus/alertmanager/alertmanager.yml", .. labels.Split(' ')])).Trim();
}
