namespace PipelineExporter.Stack.Tests.EndToEnd;

/// <summary>A failure that nobody repairs, with the shipped times divided by sixty.</summary>
public sealed class PipelineUnrecoveredTests
{
    [Fact]
    public async Task A_failed_run_that_nobody_repairs_is_told_of_again_when_its_alert_has_ended()
    {
        await using var stack = await ComposeStack.StartAsync(ScaledTimes.Edit);
        using var simulator = new SimulatorClient(stack.Simulator);

        await simulator.StartIncidentAsync("dag_failure");
        await simulator.MailAsync(Messages.IsFiring, TimeSpan.FromMinutes(1.5), stack.Output);
        var slack = await simulator.SlackAsync(
            message => message.SlackTitle().StartsWith("[FIRING] PipelineUnrecovered", StringComparison.Ordinal), TimeSpan.FromMinutes(4), stack.Output);

        Assert.Contains(Messages.Dag, slack.SlackTitle(), StringComparison.Ordinal);
        // The task that failed with its run was never news of its own.
        Assert.DoesNotContain(await simulator.AllAsync("slack"), message => message.SlackTitle().Contains("AirflowTaskFailure", StringComparison.Ordinal));
    }
}
