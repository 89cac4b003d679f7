using System.Diagnostics;
using System.Text.Json;

namespace PipelineExporter.Stack.Tests.EndToEnd;

/// <summary>The whole chain with real parts: a run that fails in Airflow and Glue becomes a mail and a Slack message.</summary>
public sealed class PipelineFailureTests(ITestOutputHelper output)
{
    private const string Dag = Messages.Dag;

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
        var mail = await simulator.MailAsync(Messages.IsFiring, TimeSpan.FromMinutes(4), stack.Output);
        output.WriteLine($"incident → mail: {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s");
        var slack = await simulator.SlackAsync(IsFiringInSlack, TimeSpan.FromSeconds(30), stack.Output);
        output.WriteLine($"incident → Slack: {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s");

        Assert.Equal(["oncall@company.com"], mail.GetProperty("envelope").GetProperty("to").EnumerateArray().Select(to => to.GetString()));
        Assert.Equal("alertmanager@company.com", mail.GetProperty("envelope").GetProperty("from").GetString());
        Assert.Equal("oncall@company.com", Header(mail, "To"));
        Assert.Equal("alertmanager@company.com", Header(mail, "From"));
        Assert.StartsWith("multipart/alternative", Header(mail, "Content-Type"), StringComparison.Ordinal);
        Assert.Equal($"[FIRING] PipelineFailure: {Dag}, production", mail.GetProperty("subject").GetString());
        // While the incident is on, scheduled runs fail too: the message names the one that failed last when it was made.
        var failed = (await prometheus.QueryAsync($$"""last_over_time(airflow_dag_last_failed_run_info{dag_id="{{Dag}}"}[10m])"""))
            .Select(sample => sample.Labels.GetProperty("run_id").GetString()!).ToList();
        var run = Assert.Single(failed, one => mail.GetProperty("text").GetString()!.Contains(one, StringComparison.Ordinal));
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
            Assert.Matches(@"\b[1-9]\d* failed in 1h", text);
            Assert.Contains("Since", text, StringComparison.Ordinal);
            Assert.Contains(run, System.Net.WebUtility.HtmlDecode(text), StringComparison.Ordinal);
            foreach (var link in links)
                Assert.Contains(link, System.Net.WebUtility.HtmlDecode(text), StringComparison.Ordinal);
        }

        using var browser = new HttpClient();
        var page = await browser.GetStringAsync(new Uri(stack.Simulator, $"airflow3/dags/{Dag}/runs/{Uri.EscapeDataString(run)}"), TestContext.Current.CancellationToken);
        Assert.Contains(run, System.Net.WebUtility.HtmlDecode(page), StringComparison.Ordinal);

        var payload = slack.GetProperty("payload");
        Assert.Equal("#data-pipeline-alerts", payload.GetProperty("channel").GetString());
        var attachment = slack.SlackAttachment();
        Assert.Equal("danger", attachment.GetProperty("color").GetString());
        foreach (var link in links)
            Assert.Contains(link, attachment.GetProperty("text").GetString()!, StringComparison.Ordinal);
    }

    private static string Header(JsonElement mail, string name) => Assert.Single(
        mail.GetProperty("headers").EnumerateArray(), header => header.GetProperty("name").GetString() == name).GetProperty("value").GetString()!;

    private static bool IsFiringInSlack(JsonElement message) => message.SlackTitle().StartsWith("[FIRING] PipelineFailure", StringComparison.Ordinal);
}
