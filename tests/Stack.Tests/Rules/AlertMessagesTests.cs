using System.Text.RegularExpressions;
using PipelineExporter.Stack.Tests.Tools;

namespace PipelineExporter.Stack.Tests.Rules;

/// <summary>What people get to read, through a real Alertmanager.</summary>
public sealed partial class AlertMessagesTests(AlertmanagerFixture alertmanager) : IClassFixture<AlertmanagerFixture>
{
    // What may not be taken for markup: of HTML, of Slack (links, mentions, emphasis), of a URL, and of a matcher.
    private const string NastyDag = """<img src=x onerror=alert(1)> & <!channel>|_a_*b*~c~`d`'"\ %41+é""";
    private const string NastyRun = "manual__<b>2026-11-23</b>|T10:00:00+00:00";

    private static readonly DateTimeOffset Start = new(2026, 11, 23, 10, 0, 1, TimeSpan.Zero);

    [Fact]
    public async Task A_failure_arrives_by_mail_with_all_that_is_known_and_with_names_as_they_are()
    {
        await alertmanager.PostAsync(Failure(NastyDag, "mail"));

        var mail = await alertmanager.MailAsync(subject => subject.EndsWith(", mail", StringComparison.Ordinal));

        Assert.Equal($"[FIRING] PipelineFailure: {NastyDag}, mail", mail.Subject);
        Assert.Equal("oncall@company.com", Assert.Single(mail.Header("To")));
        Assert.Equal("alertmanager@company.com", Assert.Single(mail.Header("From")));
        Assert.All<string>(
            [
                "FIRING", "A DAG run failed.", $"Run of {NastyDag} failed.", $"dag_id:        {NastyDag}", "environment:   mail", "severity:      critical",
                "Since:         Mon 23 Nov 2026 10:00:01 UTC", "Value:         1 failed in 1h", $"Failed run:    {NastyRun}",
                "https://airflow.example.com/dags/d?a=1&b=2", "http://localhost:3000/d/pipeline?a=1&b=2", "http://localhost:9894/runbooks/PipelineFailure",
            ],
            expected => Assert.Contains(expected, mail.Text, StringComparison.Ordinal));
        Assert.DoesNotContain("RESOLVED", mail.Text, StringComparison.Ordinal);

        var html = mail.Html;
        Assert.DoesNotContain("<img", html, StringComparison.Ordinal);
        Assert.DoesNotContain("<b>", html, StringComparison.Ordinal);
        Assert.DoesNotContain("ZgotmplZ", html, StringComparison.Ordinal);
        Assert.All<string>(
            [
                "Firing", $"Run of {NastyDag} failed.", NastyDag, NastyRun, "Mon 23 Nov 2026 10:00:01 UTC", "1 failed in 1h",
                "Failed run in Airflow", "Dashboard", "Runbook", "Silence this alert",
            ],
            expected => Assert.Contains(expected, mail.HtmlTexts()));
        Assert.DoesNotContain("Resolved", mail.HtmlTexts());
        Assert.Equal(
            ["https://airflow.example.com/dags/d?a=1&b=2", "http://localhost:3000/d/pipeline?a=1&b=2", "http://localhost:9894/runbooks/PipelineFailure"],
            mail.HtmlLinks().Take(3));
        await AssertSilencesAsync(mail.HtmlLinks().ElementAt(3), NastyDag, "mail");
        await AssertSilencesAsync(SilenceInText.Match(mail.Text).Value, NastyDag, "mail");
    }

    [Fact]
    public async Task A_failure_arrives_in_Slack_with_links_and_with_nothing_of_a_name_read_as_markup()
    {
        await alertmanager.PostAsync(Failure(NastyDag, "slack"));

        var message = await alertmanager.SlackAsync(title => title.EndsWith(", slack", StringComparison.Ordinal));

        var escapedDag = NastyDag.Replace("&", "&amp;", StringComparison.Ordinal)
            .Replace("<", "&lt;", StringComparison.Ordinal).Replace(">", "&gt;", StringComparison.Ordinal);
        Assert.Equal("#data-pipeline-alerts", message.Channel);
        Assert.Equal($"[FIRING] PipelineFailure: {escapedDag}, slack", message.Attachment.Title);
        Assert.Equal(message.Attachment.Title, message.Attachment.Fallback);
        Assert.Equal("http://localhost:3000/d/pipeline?a=1&b=2", message.Attachment.TitleLink);
        Assert.Equal("danger", message.Attachment.Color);
        Assert.DoesNotContain("text", message.Attachment.MrkdwnIn);
        Assert.StartsWith(
            $"""
            Firing
            A DAG run failed. Run of {escapedDag} failed.
            Since Mon 23 Nov 2026 10:00:01 UTC · 1 failed in 1h
            Failed run manual__&lt;b&gt;2026-11-23&lt;/b&gt;|T10:00:00+00:00
            <https://airflow.example.com/dags/d?a=1&amp;b=2|Failed run in Airflow> · <http://localhost:3000/d/pipeline?a=1&amp;b=2|Dashboard> · <http://localhost:9894/runbooks/PipelineFailure|Runbook> · <http://alertmanager.example.com/#/silences/new?filter=
            """,
            message.Attachment.Text,
            StringComparison.Ordinal);
        var links = message.Attachment.Links();
        Assert.Equal(["Failed run in Airflow", "Dashboard", "Runbook", "Silence"], links.Select(link => link.Text));
        Assert.Equal(4, message.Attachment.Text.Count(character => character == '<'));
        await AssertSilencesAsync(links[3].Url, NastyDag, "slack");
    }

    [Fact]
    public async Task A_repaired_failure_arrives_as_resolved_and_says_how_long_it_took()
    {
        await alertmanager.PostAsync(Failure("repaired", "resolved"));
        await alertmanager.MailAsync(subject => subject == "[FIRING] PipelineFailure: repaired, resolved");
        await alertmanager.SlackAsync(title => title == "[FIRING] PipelineFailure: repaired, resolved");

        await alertmanager.PostAsync(Failure("repaired", "resolved") with { EndsAt = Start.AddSeconds(3723.9) });

        var mail = await alertmanager.MailAsync(subject => subject == "[RESOLVED] PipelineFailure: repaired, resolved");
        Assert.All<string>(
            [
                "RESOLVED", "Since:         Mon 23 Nov 2026 10:00:01 UTC", "Resolved:      Mon 23 Nov 2026 11:02:04 UTC, after 1h2m3s",
                "https://airflow.example.com/dags/d?a=1&b=2",
            ],
            expected => Assert.Contains(expected, mail.Text, StringComparison.Ordinal));
        Assert.DoesNotContain("FIRING", mail.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("silences", mail.Text, StringComparison.Ordinal);
        Assert.Contains("Mon 23 Nov 2026 11:02:04 UTC, after 1h2m3s", mail.HtmlTexts());
        Assert.DoesNotContain("Firing", mail.HtmlTexts());

        var message = await alertmanager.SlackAsync(title => title == "[RESOLVED] PipelineFailure: repaired, resolved");
        Assert.Equal("good", message.Attachment.Color);
        Assert.StartsWith(
            "Resolved\ndag_id repaired, environment resolved\n"
            + "Since Mon 23 Nov 2026 10:00:01 UTC, resolved Mon 23 Nov 2026 11:02:04 UTC, after 1h2m3s\n",
            message.Attachment.Text,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_fires_and_what_is_resolved_stand_apart_in_one_message()
    {
        await alertmanager.PostAsync(Collector("mixed", "airflow_runs").BeganNow(), Collector("mixed", "airflow_pools").BeganNow());
        await alertmanager.MailAsync(subject => subject.StartsWith("[FIRING:2] CollectorFailing: pipeline-exporter, mixed", StringComparison.Ordinal));

        await alertmanager.PostAsync(Collector("mixed", "airflow_pools") with { EndsAt = Start.AddSeconds(60) });

        const string both = "[FIRING:1, RESOLVED:1] CollectorFailing: pipeline-exporter, mixed";
        var text = (await alertmanager.MailAsync(subject => subject == both)).Text;
        Assert.InRange(text.IndexOf("airflow_runs", StringComparison.Ordinal), text.IndexOf("FIRING", StringComparison.Ordinal), text.IndexOf("RESOLVED", StringComparison.Ordinal));
        Assert.True(text.IndexOf("airflow_pools", StringComparison.Ordinal) > text.IndexOf("RESOLVED", StringComparison.Ordinal));

        var message = await alertmanager.SlackAsync(title => title == both);
        Assert.Equal("warning", message.Attachment.Color);
        Assert.Matches(@"^Firing\n.*airflow_runs(.|\n)*\nResolved\ncollector airflow_pools, ", message.Attachment.Text);
    }

    [Fact]
    public async Task A_storm_is_one_message_that_Slack_does_not_cut_in_the_middle()
    {
        await alertmanager.PostAsync([.. Enumerable.Range(10, 12).Select(number => Collector("storm", $"collector_{number}").BeganNow())]);

        var message = await alertmanager.SlackAsync(title => title.EndsWith(", storm", StringComparison.Ordinal));

        Assert.Equal("[FIRING:12] CollectorFailing: pipeline-exporter, storm", message.Attachment.Title);
        Assert.Equal(10, message.Attachment.Text.Split("|Silence>").Length - 1);
        Assert.EndsWith("and more: <http://alertmanager.example.com|all 12>", message.Attachment.Text.TrimEnd(), StringComparison.Ordinal);
        var mail = await alertmanager.MailAsync(subject => subject == message.Attachment.Title);
        Assert.All(Enumerable.Range(10, 12), number => Assert.Contains($"collector_{number}", mail.Text, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_name_cannot_add_a_header_to_the_mail_nor_a_line_to_the_Slack_message()
    {
        await alertmanager.PostAsync(Failure("d\r\nBcc: other@example.com\r\n\r\nbody", "header"));

        var mail = await alertmanager.MailAsync(subject => subject.EndsWith(", header", StringComparison.Ordinal));
        Assert.Empty(mail.Header("Bcc"));
        Assert.Equal("oncall@company.com", Assert.Single(mail.Header("To")));
        var message = await alertmanager.SlackAsync(title => title.EndsWith(", header", StringComparison.Ordinal));
        Assert.Contains("Run of d Bcc: other@example.com body failed.", message.Attachment.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_critical_alert_mutes_the_warnings_about_the_same_thing_and_no_others()
    {
        static PostedAlert Alert(string name, string severity, params (string Name, string Value)[] labels) => Failure("", "") with
        {
            Labels = labels.Append(("alertname", name)).Append(("severity", severity)).Append(("team", "inhibition"))
                .ToDictionary(label => label.Item1, label => label.Item2),
        };

        await alertmanager.PostAsync(
            Alert("PipelineFailure", "critical", ("family", "pipeline_failure"), ("environment", "e"), ("dag_id", "d")),
            Alert("SameDag", "warning", ("environment", "e"), ("dag_id", "d")),
            Alert("OtherDag", "warning", ("environment", "e"), ("dag_id", "other")),
            Alert("OtherEnvironment", "warning", ("environment", "other"), ("dag_id", "d")),
            Alert("NoDag", "warning", ("environment", "e")),
            Alert("NoLabels", "warning"),
            Alert("ExporterDown", "critical", ("family", "exporter"), ("job", "muted")),
            Alert("ExporterDown", "warning", ("family", "exporter"), ("job", "muted"), ("instance", "a")),
            Alert("CollectorFailing", "warning", ("family", "exporter"), ("job", "muted"), ("source", "s")),
            Alert("CollectorFailing", "warning", ("family", "exporter"), ("job", "other"), ("source", "s")),
            Alert("CriticalToo", "critical", ("environment", "e"), ("dag_id", "d")));

        // Inhibition is worked out when a group is flushed.
        await alertmanager.SlackAsync(title => title.Contains("CriticalToo", StringComparison.Ordinal));
        await alertmanager.SlackAsync(title => title.Contains("NoLabels", StringComparison.Ordinal));
        var alerts = await alertmanager.QueryAsync("team=\"inhibition\"");
        Assert.Equal(
            ["CollectorFailing muted", "ExporterDown muted a", "SameDag"],
            alerts
                .Where(alert => alert!["status"]!["inhibitedBy"]!.AsArray().Count > 0)
                .Select(alert => alert!["labels"]!)
                .Select(labels => string.Join(' ', new[] { labels["alertname"], labels["job"], labels["instance"] }.OfType<object>()))
                .Order(StringComparer.Ordinal));
    }

    [GeneratedRegex(@"http\S+/silences/new\S+", RegexOptions.ExplicitCapture)]
    private static partial Regex SilenceInText { get; }

    [GeneratedRegex("""\G[{,](?<matcher>[a-z_]+="([^"\\]|\\.)*")""", RegexOptions.ExplicitCapture)]
    private static partial Regex Matcher { get; }

    /// <summary>The link opens a new silence with matchers that fit this very alert and no other.</summary>
    private async Task AssertSilencesAsync(string link, string dag, string environment)
    {
        const string start = $"{AlertmanagerFixture.ExternalUrl}/#/silences/new?filter=";
        Assert.StartsWith(start, link, StringComparison.Ordinal);
        Assert.DoesNotContain("+", link, StringComparison.Ordinal);
        var filter = Uri.UnescapeDataString(link[start.Length..]);
        var matchers = Matcher.Matches(filter).Select(match => match.Groups["matcher"].Value).ToList();
        Assert.Equal(filter, $"{{{string.Join(',', matchers)}}}");
        Assert.Equal(5, matchers.Count);

        var alert = Assert.Single(await alertmanager.QueryAsync(matchers));
        Assert.Equal(dag, alert!["labels"]!["dag_id"]!.ToString());
        Assert.Equal(environment, alert["labels"]!["environment"]!.ToString());
    }

    private static PostedAlert Failure(string dag, string environment) => new(
        new Dictionary<string, string>
        {
            ["alertname"] = "PipelineFailure",
            ["severity"] = "critical",
            ["family"] = "pipeline_failure",
            ["environment"] = environment,
            ["dag_id"] = dag,
        },
        new Dictionary<string, string>
        {
            ["summary"] = "A DAG run failed.",
            ["description"] = $"Run of {dag} failed.",
            ["value"] = "1 failed in 1h",
            ["run_id"] = NastyRun,
            ["run_url"] = "https://airflow.example.com/dags/d?a=1&b=2",
            ["dashboard_url"] = "http://localhost:3000/d/pipeline?a=1&b=2",
            ["runbook_url"] = "http://localhost:9894/runbooks/PipelineFailure",
        },
        Start,
        EndsAt: new DateTimeOffset(2100, 1, 1, 0, 0, 0, TimeSpan.Zero));

    private static PostedAlert Collector(string source, string collector) => new(
        new Dictionary<string, string>
        {
            ["alertname"] = "CollectorFailing",
            ["severity"] = "warning",
            ["family"] = "exporter",
            ["job"] = "pipeline-exporter",
            ["source"] = source,
            ["collector"] = collector,
        },
        new Dictionary<string, string>
        {
            ["summary"] = "A collector cannot read its source.",
            ["description"] = $"Collector {collector} of {source} is failing.",
            ["value"] = "no success yet",
            ["dashboard_url"] = "http://localhost:3000/d/pipeline",
            ["runbook_url"] = "http://localhost:9090/user/CollectorFailing.md",
        },
        Start,
        EndsAt: new DateTimeOffset(2100, 1, 1, 0, 0, 0, TimeSpan.Zero));
}
