using System.Diagnostics;
using System.Text.Json;

namespace PipelineExporter.Stack.Tests.EndToEnd;

/// <summary>The whole chain with real parts: a run that fails in Airflow and Glue becomes a mail and a Slack message.</summary>
public sealed class PipelineFailureTests(ITestOutputHelper output)
{
    private const string Dag = "music_streaming_validation";

    [Fact]
    public async Task A_failed_run_reaches_mail_and_Slack_with_the_files_and_times_that_are_shipped()
    {
        await using var stack = await ComposeStack.StartAsync();
        using var simulator = new SimulatorClient(stack.Simulator);
        using var prometheus = new PrometheusClient(stack.Prometheus);
        // The very first failure of a DAG that never failed: its counter stands at 0.
        await prometheus.WaitAsync(
            $$"""airflow_dag_runs_total{dag_id="{{Dag}}",state="failed"}""",
            samples => samples.Count > 0 && samples.All(sample => sample.Value == 0), TimeSpan.FromSeconds(90), stack.Output);

        var started = Stopwatch.GetTimestamp();
        await simulator.StartIncidentAsync("dag_failure");
        var mail = await simulator.MailAsync(IsFiring, TimeSpan.FromMinutes(4), stack.Output);
        output.WriteLine($"incident → mail: {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s");
        var slack = await simulator.SlackAsync(IsFiringInSlack, TimeSpan.FromSeconds(30), stack.Output);
        output.WriteLine($"incident → Slack: {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s");

        Assert.Equal(["oncall@company.com"], mail.GetProperty("envelope").GetProperty("to").EnumerateArray().Select(to => to.GetString()));
        Assert.Equal("alertmanager@company.com", mail.GetProperty("envelope").GetProperty("from").GetString());
        Assert.Contains(Dag, mail.GetProperty("subject").GetString(), StringComparison.Ordinal);
        var run = Assert.Single(await prometheus.QueryAsync($$"""airflow_dag_last_failed_run_info{dag_id="{{Dag}}"}""")).Labels.GetProperty("run_id").GetString()!;
        string[] links =
        [
            $"/airflow3/dags/{Dag}/runs/{Uri.EscapeDataString(run)}",
            "/d/pipeline",
            "/runbooks/PipelineFailure",
            "/#/silences/new?filter=",
        ];
        foreach (var body in (string[])["text", "html"])
        {
            var text = mail.GetProperty(body).GetString()!;
            Assert.Contains(Dag, text, StringComparison.Ordinal);
            Assert.Contains("1 failed", text, StringComparison.Ordinal);
            Assert.Contains("Since", text, StringComparison.Ordinal);
            Assert.Contains(run, System.Net.WebUtility.HtmlDecode(text), StringComparison.Ordinal);
            foreach (var link in links)
                Assert.Contains(link, System.Net.WebUtility.HtmlDecode(text), StringComparison.Ordinal);
        }

        var payload = slack.GetProperty("payload");
        Assert.Equal("#data-pipeline-alerts", payload.GetProperty("channel").GetString());
        var attachment = Assert.Single(payload.GetProperty("attachments").EnumerateArray());
        Assert.Equal("danger", attachment.GetProperty("color").GetString());
        foreach (var link in links)
            Assert.Contains(link, attachment.GetProperty("text").GetString()!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_repaired_run_is_reported_as_resolved()
    {
        await using var stack = await ComposeStack.StartAsync(ScaledTimes.Edit);
        using var simulator = new SimulatorClient(stack.Simulator);
        await simulator.StartIncidentAsync("dag_failure");
        var firing = await simulator.MailAsync(IsFiring, TimeSpan.FromMinutes(1.5), stack.Output);
        await simulator.EndIncidentAsync("dag_failure");

        var mail = await simulator.MailAsync(IsResolved, TimeSpan.FromMinutes(2), stack.Output);
        var slack = await simulator.SlackAsync(
            message => Attachment(message).GetProperty("title").GetString()!.StartsWith("[RESOLVED]", StringComparison.Ordinal) && Mentions(message),
            TimeSpan.FromSeconds(30), stack.Output);

        Assert.Contains(Dag, mail.GetProperty("subject").GetString(), StringComparison.Ordinal);
        Assert.Contains("Resolved", mail.GetProperty("text").GetString(), StringComparison.Ordinal);
        Assert.Equal("good", Attachment(slack).GetProperty("color").GetString());
        Assert.Equal(1, (await simulator.AllAsync("mail")).Count(IsFiring));
        Assert.True(firing.GetProperty("received_at").GetDateTimeOffset() < mail.GetProperty("received_at").GetDateTimeOffset());
    }

    [Fact]
    public async Task A_run_that_fails_while_the_exporter_is_down_is_reported_when_it_is_back()
    {
        await using var stack = await ComposeStack.StartAsync(ScaledTimes.Edit);
        using var simulator = new SimulatorClient(stack.Simulator);
        using var prometheus = new PrometheusClient(stack.Prometheus);
        await prometheus.WaitAsync(
            $$"""count_over_time(airflow_dag_runs_total{dag_id="{{Dag}}",state="failed"}[1m])""",
            samples => samples.Any(sample => sample.Value >= 3), TimeSpan.FromMinutes(1), stack.Output);
        await stack.StopServiceAsync("exporter");

        await simulator.StartIncidentAsync("dag_failure");
        // It fails within 20 s; nobody looks.
        await Task.Delay(TimeSpan.FromSeconds(21), TestContext.Current.CancellationToken);
        Assert.DoesNotContain(await simulator.AllAsync("mail"), IsFiring);
        await stack.StartServiceAsync("exporter");

        await simulator.MailAsync(IsFiring, TimeSpan.FromMinutes(1.5), stack.Output);
    }

    private static bool IsFiring(JsonElement mail) =>
        mail.GetProperty("subject").GetString()!.StartsWith("[FIRING] PipelineFailure", StringComparison.Ordinal);

    private static bool IsResolved(JsonElement mail) =>
        mail.GetProperty("subject").GetString()!.StartsWith("[RESOLVED] PipelineFailure", StringComparison.Ordinal);

    private static bool IsFiringInSlack(JsonElement message) =>
        Attachment(message).GetProperty("title").GetString()!.StartsWith("[FIRING] PipelineFailure", StringComparison.Ordinal);

    private static bool Mentions(JsonElement message) =>
        Attachment(message).GetProperty("title").GetString()!.Contains("PipelineFailure", StringComparison.Ordinal);

    private static JsonElement Attachment(JsonElement message) => message.GetProperty("payload").GetProperty("attachments")[0];
}
