namespace PipelineExporter.Simulator.Tests.Aws;

/// <summary>One simulator on free ports, for tests that leave no trace in it.</summary>
public sealed class SimulatorFixture : IAsyncLifetime
{
    public SimulatorHost Simulator { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Simulator = await SimulatorHost.StartAsync(
        new SimulatorOptions { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, TestContext.Current.CancellationToken);

    public ValueTask DisposeAsync() => Simulator.DisposeAsync();
}
