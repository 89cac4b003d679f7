using PipelineExporter.Stack.Tests.EndToEnd;
using PipelineExporter.Stack.Tests.Tools;

namespace PipelineExporter.Stack.Tests.Rules;

/// <summary>A real Prometheus with the shipped files and compose's arguments, alone with Alertmanager: there is no exporter.</summary>
public sealed class PrometheusLinksTests(AlertmanagerFixture alertmanager) : IClassFixture<AlertmanagerFixture>
{
    [Fact]
    public async Task Without_an_exporter_an_alert_arrives_with_a_runbook_that_opens_and_with_no_address_among_its_labels()
    {
        using var folder = new TemporaryDirectory();
        var files = folder.CopyOf(Repository.File("prometheus"));
        var configuration = Path.Combine(files, "prometheus.yml");
        var text = await File.ReadAllTextAsync(configuration, TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(
            configuration,
            text.Replace("alertmanager:9093", alertmanager.Authority, StringComparison.Ordinal)
                .Replace("evaluation_interval: 30s", "evaluation_interval: 1s", StringComparison.Ordinal),
            TestContext.Current.CancellationToken);
        var address = new Uri($"http://127.0.0.1:{Port.Free()}");
        // The first alert is sent before Alertmanager is discovered, and is lost; the next one a minute later unless told otherwise.
        IEnumerable<string> arguments = ["--rules.alert.resend-delay=1s", .. ComposeFile.Service("prometheus").Command.Select(argument => argument
            .Replace("/etc/prometheus", files, StringComparison.Ordinal)
            .Replace("tsdb.path=/prometheus", $"tsdb.path={folder.File("data")}", StringComparison.Ordinal)
            .Replace("web.listen-address=:9090", $"web.listen-address={address.Authority}", StringComparison.Ordinal))];
        await using var prometheus = await RunningProcess.StartAsync("prometheus", arguments, new Uri(address, "/-/ready"));

        var alert = await alertmanager.WaitForAlertAsync("alertname=\"Watchdog\"");

        Assert.Equal(["alertname", "family", "severity"], alert["labels"]!.AsObject().Select(label => label.Key).Order(StringComparer.Ordinal));
        var runbook = new Uri(alert["annotations"]!["runbook_url"]!.ToString());
        Assert.Equal("http://localhost:9090", runbook.GetLeftPart(UriPartial.Authority));
        using var http = new HttpClient();
        Assert.Equal(
            await File.ReadAllTextAsync(Repository.File("prometheus", "runbooks", "Watchdog.md"), TestContext.Current.CancellationToken),
            await http.GetStringAsync(new Uri(address, runbook.AbsolutePath), TestContext.Current.CancellationToken));
    }
}
