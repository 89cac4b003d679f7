using System.Collections.Concurrent;
using Amazon.Runtime;
using PipelineExporter.Simulator;
using PipelineExporter.Sources.Airflow;

namespace PipelineExporter.Tests.Collectors.Airflow;

/// <summary>Amazon MWAA over HTTP, against a server that checks signatures and limits by an implementation of its own.</summary>
public sealed class MwaaOnSimulatorTests
{
    [Theory]
    [InlineData("music-streaming", "3.")]
    [InlineData("music-streaming-2", "2.")]
    public async Task Both_versions_are_asked_everything_through_Amazon(string name, string version)
    {
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, default);
        var outcomes = new ConcurrentQueue<string>();
        using var connection = Connect(simulator.Address, name, "simulator-secret", outcomes);
        var api = await connection.ApiAsync(default);
        var since = TimeProvider.System.GetUtcNow().AddHours(-2);

        var finished = await api.FinishedTaskInstancesAsync(since, default);

        Assert.StartsWith(version, api.Version);
        Assert.NotEmpty(finished.Rows);
        Assert.InRange(finished.Date, since.AddHours(1.9), since.AddHours(2.1));
        await api.LiveTaskInstancesAsync(default);
        Assert.NotEmpty(await api.DagsAsync(default));
        Assert.NotEmpty((await api.PoolsAsync(default)).Pools);
        Assert.NotEmpty((await api.EndedRunsAsync(since, default)).Rows);
        Assert.Equal("healthy", (await api.HealthAsync(default))["scheduler"].Status);
        Assert.DoesNotContain("throttled", outcomes);
        Assert.InRange(outcomes.Count(outcome => outcome == "error"), 0, 1); // the question for the states of 3.x is answered by a refusal
    }

    [Theory]
    [InlineData("nowhere", "simulator-secret", "There is no environment nowhere in eu-west-1")]
    [InlineData("music-streaming", "wrong-secret", "The secret key does not belong to the access key")]
    public async Task What_is_configured_wrongly_is_told_and_the_secret_is_not(string name, string secret, string told)
    {
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, default);
        using var connection = Connect(simulator.Address, name, secret, []);

        var error = await Assert.ThrowsAsync<AirflowException>(() => connection.ApiAsync(default));

        Assert.Contains(told, error.Message);
        Assert.DoesNotContain(secret, error.ToString());
    }

    private static AirflowConnection Connect(Uri simulator, string name, string secret, ConcurrentQueue<string> outcomes) => new(
        new AirflowEndpoint("production", simulator, new AirflowCredential.Mwaa(
            name, new() { Name = "production", Region = "eu-west-1", EndpointUrl = simulator }, new BasicAWSCredentials("SIMULATOR", secret))),
        TimeProvider.System,
        outcomes.Enqueue);
}
