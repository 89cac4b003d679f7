using System.Net;
using Microsoft.Extensions.Time.Testing;

namespace PipelineExporter.Simulator.Tests.Airflow;

public sealed class RunPagesTests
{
    [Theory]
    [InlineData("airflow2/dags/music_streaming_validation/grid?dag_run_id=", "failed")]
    [InlineData("airflow3/dags/music_streaming_validation/runs/", "failed")]
    public async Task The_run_that_an_incident_let_fail_is_shown_with_its_failed_task(string path, string state)
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 11, 23, 12, 3, 4, TimeSpan.Zero));
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null, Time = time }, TestContext.Current.CancellationToken);
        using var http = new HttpClient { BaseAddress = simulator.Address };
        using var incident = SimulatorClient.Json("""{"name": "dag_failure"}""");
        (await http.PostAsync("simulator/incidents", incident, TestContext.Current.CancellationToken)).EnsureSuccessStatusCode();
        time.Advance(TimeSpan.FromSeconds(30));

        var page = await http.GetStringAsync(path + Uri.EscapeDataString("manual__2026-11-23T12:03:04+00:00"), TestContext.Current.CancellationToken);

        Assert.Contains("<h1>music_streaming_validation</h1>", page, StringComparison.Ordinal);
        Assert.True(page.Split($">{state}<").Length > 2, page); // the run, and a task of it
    }

    [Theory]
    [InlineData("airflow2/dags/music_streaming_validation/grid?dag_run_id=%3Cb%3E")]
    [InlineData("airflow3/dags/%3Cb%3E/runs/manual__2026-11-23T12:03:04+00:00")]
    public async Task An_unknown_run_is_404_and_its_name_is_text(string path)
    {
        await using var simulator = await SimulatorHost.StartAsync(
            new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, TestContext.Current.CancellationToken);
        using var http = new HttpClient { BaseAddress = simulator.Address };

        using var answer = await http.GetAsync(path, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Contains("&lt;b&gt;", await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }
}
