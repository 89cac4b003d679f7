namespace PipelineExporter.Stack.Tests.EndToEnd;

/// <summary>The end of an incident, with the shipped times divided by sixty.</summary>
public sealed class RecoveryTests
{
    [Fact]
    public async Task A_repaired_run_is_reported_as_resolved()
    {
        await using var stack = await ComposeStack.StartAsync(ScaledTimes.Edit);
        using var simulator = new SimulatorClient(stack.Simulator);
        await simulator.StartIncidentAsync("dag_failure");
        var firing = await simulator.MailAsync(Messages.IsFiring, TimeSpan.FromMinutes(1.5), stack.Output);
        await simulator.EndIncidentAsync("dag_failure");

        var mail = await simulator.MailAsync(Messages.IsResolved, TimeSpan.FromMinutes(2), stack.Output);
        var slack = await simulator.SlackAsync(
            message => message.SlackTitle().StartsWith("[RESOLVED] PipelineFailure", StringComparison.Ordinal),
            TimeSpan.FromSeconds(30), stack.Output);

        Assert.Contains(Messages.Dag, mail.GetProperty("subject").GetString(), StringComparison.Ordinal);
        Assert.Contains("Resolved", mail.GetProperty("text").GetString(), StringComparison.Ordinal);
        Assert.Equal("good", slack.SlackAttachment().GetProperty("color").GetString());
        Assert.Equal(1, (await simulator.AllAsync("mail")).Count(Messages.IsFiring));
        Assert.True(firing.GetProperty("received_at").GetDateTimeOffset() < mail.GetProperty("received_at").GetDateTimeOffset());
    }
}
