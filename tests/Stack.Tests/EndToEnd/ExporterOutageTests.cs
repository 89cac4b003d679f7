namespace PipelineExporter.Stack.Tests.EndToEnd;

/// <summary>Failures that nobody watched, with the shipped times divided by sixty.</summary>
public sealed class ExporterOutageTests
{
    [Fact]
    public async Task A_run_that_fails_while_the_exporter_is_down_is_reported_when_it_is_back()
    {
        await using var stack = await ComposeStack.StartAsync(ScaledTimes.Edit);
        using var simulator = new SimulatorClient(stack.Simulator);
        using var prometheus = new PrometheusClient(stack.Prometheus);
        await prometheus.WaitAsync(
            $$"""count_over_time(airflow_dag_runs_total{dag_id="{{Messages.Dag}}",state="failed"}[1m])""",
            samples => samples.Any(sample => sample.Value >= 3), TimeSpan.FromMinutes(1), stack.Output);
        await stack.StopServiceAsync("exporter");

        await simulator.StartIncidentAsync("dag_failure");
        // It fails within 20 s; nobody looks.
        await Task.Delay(TimeSpan.FromSeconds(21), TestContext.Current.CancellationToken);
        Assert.DoesNotContain(await simulator.AllAsync("mail"), Messages.IsFiring);
        await stack.StartServiceAsync("exporter");

        await simulator.MailAsync(Messages.IsFiring, TimeSpan.FromMinutes(1.5), stack.Output);
    }
}
