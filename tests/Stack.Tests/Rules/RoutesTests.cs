using PipelineExporter.Stack.Tests.Tools;

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

    private static async Task<string> ReceiversAsync(string labels) => (await Command.SucceedAsync(
        "amtool", ["config", "routes", "test", "--config.file=prometheus/alertmanager/alertmanager.yml", .. labels.Split(' ')])).Trim();
}
