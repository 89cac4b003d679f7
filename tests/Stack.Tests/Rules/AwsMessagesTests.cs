namespace PipelineExporter.Stack.Tests.Rules;

/// <summary>What people get to read about AWS, and what they are spared, through a real Alertmanager.</summary>
public sealed class AwsMessagesTests(AlertmanagerFixture alertmanager) : IClassFixture<AlertmanagerFixture>
{
    private const string Dashboard = "http://localhost:3000/d/glue?var-account_id=a&var-region=r";

    private static readonly DateTimeOffset Start = new(2026, 11, 23, 10, 0, 1, TimeSpan.Zero);

    /// <summary>Alert, its family, what it is about, what else it says of it, and whether Slack hears of it besides the team.</summary>
    public static TheoryData<string, string, string, string[], bool> Alerts => new()
    {
        { "GlueJobSlow", "performance_warning", "job_name", [], false },
        { "GlueJobFailed", "glue", "job_name", [], true },
        { "GlueQueueWait", "glue", "job_name", [], true },
        { "GlueHeapHigh", "glue", "job_name", ["role"], true },
        { "GlueExecutorsStarved", "glue", "job_name", [], true },
        { "S3ErrorRate", "s3", "bucket", ["class"], true },
        { "S3Latency", "s3", "bucket", [], true },
        { "DynamoDBThrottling", "performance_warning", "table", [], false },
        { "DynamoDBLatency", "dynamodb", "table", ["operation"], true },
        { "DynamoDBErrors", "dynamodb", "table", [], true },
        { "CloudWatchMetricsFailing", "exporter", "group", [], true },
        { "AwsAccessDenied", "exporter", "operation", [], true },
        { "AwsSpendBrake", "exporter", "group", [], true },
    };

    [Theory]
    [MemberData(nameof(Alerts))]
    public async Task An_alert_names_first_what_it_is_about_and_says_where_that_is(string name, string family, string about, string[] more, bool slack)
    {
        var alert = Alert(name, family, ("environment", "production"), ("account_id", "123456789012"), ("region", "eu-west-1"), (about, $"the {about}"));
        alert = alert with { Labels = alert.Labels.Concat(more.Select(label => KeyValuePair.Create(label, $"the {label}"))).ToDictionary() };

        await alertmanager.PostAsync(alert);

        // The job, bucket or table comes first, and then the rest by the names of its labels. The exporter's own know no resource.
        var rest = alert.Labels.Where(label => label.Key is not ("alertname" or "severity" or "family") && (label.Key != about || family == "exporter"))
            .OrderBy(label => label.Key, StringComparer.Ordinal).Select(label => label.Value);
        var subject = $"[FIRING] {name}: {string.Join(", ", family == "exporter" ? rest : rest.Prepend($"the {about}"))}";
        var mail = await alertmanager.MailAsync(received => received == subject);
        Assert.Equal("team@company.com", Assert.Single(mail.Header("To")));
        Assert.All(alert.Labels, label => Assert.Contains($"{label.Key + ":",-14} {label.Value}", mail.Text, StringComparison.Ordinal));
        Assert.All(alert.Annotations.Values, text => Assert.Contains(text, mail.Text, StringComparison.Ordinal));
        Assert.Equal([Dashboard, $"http://localhost:9894/runbooks/{name}"], mail.HtmlLinks().Take(2));
        Assert.Contains("Silence this alert", mail.HtmlTexts());

        if (!slack)
            return; // that nothing arrives is seen below
        var message = await alertmanager.SlackAsync(title => title == subject);
        Assert.Equal("#data-pipeline-alerts", message.Channel);
        Assert.Equal("warning", message.Attachment.Color);
        Assert.Equal(Dashboard, message.Attachment.TitleLink);
        Assert.StartsWith("Firing\nIt is slow. It takes 3h.\nSince Mon 23 Nov 2026 10:00:01 UTC · 3h\n<", message.Attachment.Text, StringComparison.Ordinal);
        Assert.Equal(["Dashboard", "Runbook", "Silence"], message.Attachment.Links().Select(link => link.Text));
        Assert.All(
            more.Append(about),
            label => Assert.Contains(Uri.EscapeDataString($"{label}=\"the {label}\""), message.Attachment.Links()[^1].Url, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("GlueJobSlow", "job_name")]
    [InlineData("DynamoDBThrottling", "table")]
    public async Task A_performance_warning_and_its_recovery_reach_the_team_by_mail_alone(string name, string about)
    {
        var alert = Alert(name, "performance_warning", ("account_id", "123456789012"), ("region", "recovery"), (about, "x"));
        await alertmanager.PostAsync(alert);
        await alertmanager.MailAsync(subject => subject == $"[FIRING] {name}: x, 123456789012, recovery");

        await alertmanager.PostAsync(alert with { EndsAt = Start.AddSeconds(3723) });
        // Sent at the same time, and to Slack too: when it is there, a message about the other would be.
        var failed = Alert("GlueJobFailed", "glue", ("account_id", "123456789012"), ("region", $"after {name}"), ("job_name", "x"));
        await alertmanager.PostAsync(failed);

        var mail = await alertmanager.MailAsync(subject => subject == $"[RESOLVED] {name}: x, 123456789012, recovery");
        Assert.Equal("team@company.com", Assert.Single(mail.Header("To")));
        Assert.Contains("Resolved:      Mon 23 Nov 2026 11:02:04 UTC, after 1h2m3s", mail.Text, StringComparison.Ordinal);
        await alertmanager.SlackAsync(title => title == $"[FIRING] GlueJobFailed: x, 123456789012, after {name}");
        // A mail each of the firing and of the resolved alert, and nothing in Slack.
        Assert.Equal(
            [$"[FIRING] {name}: x, 123456789012, recovery", $"[RESOLVED] {name}: x, 123456789012, recovery"],
            (await alertmanager.TitlesAsync()).Where(title => title.EndsWith("recovery", StringComparison.Ordinal) && title.Contains(name, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_recovery_in_Slack_says_what_recovered_and_after_how_long()
    {
        var alert = Alert("S3ErrorRate", "s3", ("account_id", "123456789012"), ("region", "slack"), ("bucket", "b"), ("class", "5xx"));
        await alertmanager.PostAsync(alert);
        await alertmanager.SlackAsync(title => title == "[FIRING] S3ErrorRate: b, 123456789012, 5xx, slack");

        await alertmanager.PostAsync(alert with { EndsAt = Start.AddSeconds(600) });

        var message = await alertmanager.SlackAsync(title => title == "[RESOLVED] S3ErrorRate: b, 123456789012, 5xx, slack");
        Assert.Equal("good", message.Attachment.Color);
        Assert.StartsWith(
            "Resolved\naccount_id 123456789012, bucket b, class 5xx, region slack\n"
            + "Since Mon 23 Nov 2026 10:00:01 UTC, resolved Mon 23 Nov 2026 10:10:01 UTC, after 10m0s\n",
            message.Attachment.Text,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_wrong_with_one_job_or_bucket_is_one_message_and_another_is_one_of_its_own()
    {
        await alertmanager.PostAsync(
            Alert("GlueHeapHigh", "glue", ("account_id", "1"), ("region", "grouped"), ("job_name", "j"), ("role", "driver")),
            Alert("GlueHeapHigh", "glue", ("account_id", "1"), ("region", "grouped"), ("job_name", "j"), ("role", "all")),
            Alert("GlueHeapHigh", "glue", ("account_id", "2"), ("region", "grouped"), ("job_name", "j"), ("role", "all")),
            Alert("S3ErrorRate", "s3", ("account_id", "1"), ("region", "grouped"), ("bucket", "b"), ("class", "4xx")),
            Alert("S3ErrorRate", "s3", ("account_id", "1"), ("region", "grouped"), ("bucket", "b"), ("class", "5xx")),
            Alert("AwsSpendBrake", "exporter", ("account_id", "1"), ("region", "grouped"), ("job", "pipeline-exporter"), ("group", "s3_storage")),
            Alert("AwsSpendBrake", "exporter", ("account_id", "1"), ("region", "grouped"), ("job", "pipeline-exporter"), ("group", "s3_requests")));

        foreach (var title in (string[])
            [
                "[FIRING:2] GlueHeapHigh: j, 1, grouped", "[FIRING] GlueHeapHigh: j, 2, grouped, all", "[FIRING:2] S3ErrorRate: b, 1, grouped",
                "[FIRING:2] AwsSpendBrake: 1, pipeline-exporter, grouped",
            ])
        {
            await alertmanager.SlackAsync(received => received == title);
        }
    }

    [Fact]
    public async Task A_failing_DAG_mutes_its_tasks_and_not_the_Glue_job_that_failed_with_it()
    {
        var failure = Alert("PipelineFailure", "pipeline_failure", ("environment", "muting"), ("dag_id", "music_streaming_kpi_computation"));
        await alertmanager.PostAsync(
            failure with { Labels = new Dictionary<string, string>(failure.Labels) { ["severity"] = "critical" } },
            Alert("AirflowTaskFailure", "task_failure", ("environment", "muting"), ("dag_id", "music_streaming_kpi_computation"), ("task_id", "t")),
            Alert("GlueJobFailed", "glue", ("environment", "muting"), ("account_id", "123456789012"), ("region", "r"), ("job_name", "music_streaming_kpi_computation")));

        await alertmanager.SlackAsync(title => title == "[FIRING] PipelineFailure: music_streaming_kpi_computation, muting");
        await alertmanager.SlackAsync(title => title == "[FIRING] GlueJobFailed: music_streaming_kpi_computation, 123456789012, muting, r");

        var muted = (await alertmanager.QueryAsync("environment=\"muting\"")).Where(alert => alert!["status"]!["inhibitedBy"]!.AsArray().Count > 0);
        Assert.Equal(["AirflowTaskFailure"], muted.Select(alert => alert!["labels"]!["alertname"]!.ToString()));
    }

    private static PostedAlert Alert(string name, string family, params IReadOnlyList<(string Name, string Value)> labels) => new(
        labels.Append(("alertname", name)).Append(("severity", "warning")).Append(("family", family)).ToDictionary(label => label.Item1, label => label.Item2),
        new Dictionary<string, string>
        {
            ["summary"] = "It is slow.",
            ["description"] = "It takes 3h.",
            ["value"] = "3h",
            ["dashboard_url"] = Dashboard,
            ["runbook_url"] = $"http://localhost:9894/runbooks/{name}",
        },
        Start,
        EndsAt: new DateTimeOffset(2100, 1, 1, 0, 0, 0, TimeSpan.Zero));
}
