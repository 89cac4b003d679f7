namespace PipelineExporter.Stack.Tests.Rules;

/// <summary>What people get to read about Airflow, and what they are spared, through a real Alertmanager.</summary>
public sealed class AirflowMessagesTests(AlertmanagerFixture alertmanager) : IClassFixture<AlertmanagerFixture>
{
    private const string Airflow = "https://airflow.example.com/dags/d";
    private const string Dashboard = "http://localhost:3000/d/airflow?var-environment=e&var-dag_id=d";

    private static readonly DateTimeOffset Start = new(2026, 11, 23, 10, 0, 1, TimeSpan.Zero);

    /// <summary>Alert, its severity and family, the labels that say what it is about, and whom a mail reaches, if any.</summary>
    public static TheoryData<string, string, string, string[], string?> Alerts => new()
    {
        { "AirflowTaskFailure", "warning", "task_failure", ["dag_id", "task_id"], "team@company.com" },
        { "AirflowTaskDuration", "warning", "task_duration", ["dag_id", "task_id"], null },
        { "AirflowDagOverdue", "warning", "dag_overdue", ["dag_id"], null },
        { "AirflowComponentUnhealthy", "critical", "airflow", ["component"], "oncall@company.com" },
        { "AirflowComponentUnhealthy", "warning", "airflow", ["component"], null },
        { "AirflowQueueBacklog", "warning", "airflow", ["queue"], null },
        { "AirflowPoolSaturated", "warning", "airflow", ["pool"], null },
        { "AirflowWorkerCpuHigh", "warning", "airflow", ["cluster"], null },
        { "AirflowImportErrors", "warning", "airflow", [], null },
    };

    [Theory]
    [MemberData(nameof(Alerts))]
    public async Task An_alert_names_what_it_is_about_and_links_to_where_that_can_be_seen(
        string name, string severity, string family, string[] about, string? to)
    {
        var environment = $"{name} {severity}";
        var alert = Alert(name, severity, family, [("environment", environment), .. about.Select(label => (label, $"the {label}"))]);

        await alertmanager.PostAsync(alert);

        // What is narrowest comes first, the environment last.
        var subject = $"[FIRING] {name}: {string.Concat(about.Reverse().Select(label => $"the {label}, "))}{environment}";
        var message = (await alertmanager.SlackAsync(title => title == subject)).Attachment;
        Assert.Equal(severity == "critical" ? "danger" : "warning", message.Color);
        Assert.Equal(alert.Annotations["dashboard_url"], message.TitleLink);
        Assert.StartsWith(
            $"Firing\nIt is slow. It takes 3h.\nSince Mon 23 Nov 2026 10:00:01 UTC · running for 3h, threshold 2h\n<",
            message.Text,
            StringComparison.Ordinal);
        string[] links = about.Contains("dag_id") ? ["DAG in Airflow", "Dashboard", "Runbook"] : ["Dashboard", "Runbook"];
        Assert.Equal([.. links, "Silence"], message.Links().Select(link => link.Text));
        Assert.All(
            about.Append("environment"),
            label => Assert.Contains(Uri.EscapeDataString($"{label}=\"{alert.Labels[label]}\""), message.Links()[^1].Url, StringComparison.Ordinal));

        if (to is null)
            return;
        var mail = await alertmanager.MailAsync(received => received == subject);
        Assert.Equal(to, Assert.Single(mail.Header("To")));
        Assert.All(about, label => Assert.Contains($"{label + ":",-14} the {label}", mail.Text, StringComparison.Ordinal));
        Assert.Equal(links.Append("Silence this alert"), mail.HtmlTexts().Where(links.Append("Silence this alert").Contains));
        Assert.Equal(alert.Annotations.Where(one => one.Key.EndsWith("_url", StringComparison.Ordinal)).Select(one => one.Value), mail.HtmlLinks().Take(links.Length));
        Assert.All(alert.Annotations.Values, text => Assert.Contains(text, mail.Text, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_slow_DAG_is_told_by_mail_alone()
    {
        await alertmanager.PostAsync(Alert("AirflowDagDuration", "warning", "dag_duration", [("environment", "slow"), ("dag_id", "d")]));

        var mail = await alertmanager.MailAsync(subject => subject == "[FIRING] AirflowDagDuration: d, slow");

        Assert.Equal("team@company.com", Assert.Single(mail.Header("To")));
        Assert.Equal([Airflow, Dashboard, "http://localhost:9894/runbooks/AirflowDagDuration"], mail.HtmlLinks().Take(3));
        Assert.Single(await alertmanager.TitlesAsync(), title => title.EndsWith(": d, slow", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Tasks_of_a_DAG_that_fail_together_are_one_message_and_names_are_no_markup()
    {
        const string nasty = "<b>|_a_*b*&\"\\";
        await alertmanager.PostAsync(
            TaskFailure("together", nasty, "first").BeganNow(),
            TaskFailure("together", nasty, "second").BeganNow(),
            TaskFailure("alone", nasty, nasty));

        var together = await alertmanager.SlackAsync(title => title.EndsWith(", together", StringComparison.Ordinal));
        var alone = await alertmanager.SlackAsync(title => title.EndsWith(", alone", StringComparison.Ordinal));

        const string escaped = "&lt;b&gt;|_a_*b*&amp;\"\\";
        Assert.Equal($"[FIRING:2] AirflowTaskFailure: {escaped}, together", together.Attachment.Title);
        Assert.Equal(8, together.Attachment.Links().Count);
        Assert.Equal($"[FIRING] AirflowTaskFailure: {escaped}, {escaped}, alone", alone.Attachment.Title);
        var mail = await alertmanager.MailAsync(subject => subject.EndsWith(", alone", StringComparison.Ordinal));
        Assert.Equal($"[FIRING] AirflowTaskFailure: {nasty}, {nasty}, alone", mail.Subject);
        Assert.DoesNotContain("<b>", mail.Html, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_failed_task_waits_for_the_failure_of_its_DAG_which_mutes_it_and_is_told_when_it_failed_alone()
    {
        await alertmanager.PostAsync(TaskFailure("waits", "with_its_run", "t").BeganNow());
        // Its run is seen to have failed a poll later.
        await Task.Delay(TimeSpan.FromMilliseconds(500), TestContext.Current.CancellationToken);
        await alertmanager.PostAsync(
            Alert("PipelineFailure", "critical", "pipeline_failure", [("environment", "waits"), ("dag_id", "with_its_run")]),
            TaskFailure("waits", "alone", "t").BeganNow());

        await alertmanager.SlackAsync(title => title == "[FIRING] AirflowTaskFailure: t, alone, waits");
        var mail = await alertmanager.MailAsync(subject => subject == "[FIRING] AirflowTaskFailure: t, alone, waits");

        Assert.Equal("team@company.com", Assert.Single(mail.Header("To")));
        // The other one's wait was over before.
        Assert.Equal(
            ["[FIRING] PipelineFailure: with_its_run, waits"],
            (await alertmanager.TitlesAsync()).Where(title => title.Contains("with_its_run", StringComparison.Ordinal)).Distinct());
        Assert.NotEmpty(await InhibitedByAsync("AirflowTaskFailure", "waits", "with_its_run"));
        Assert.Empty(await InhibitedByAsync("AirflowTaskFailure", "waits", "alone"));
    }

    [Theory]
    [InlineData("critical", "stands", "stands", true)]
    [InlineData("critical", "stands_too", "goes_on", false)]
    [InlineData("warning", "triggerless", "triggerless", false)]
    [InlineData("critical", "", "", false)]
    public async Task An_Airflow_that_starts_nothing_mutes_its_own_overdue_DAGs_and_no_others(
        string severity, string unhealthy, string overdue, bool muted)
    {
        var test = $"{severity}-{unhealthy}-{overdue}";
        await alertmanager.PostAsync(
            Alert("AirflowComponentUnhealthy", severity, "airflow", [("environment", unhealthy), ("component", "c"), ("test", test)]),
            Alert("AirflowDagOverdue", "warning", "dag_overdue", [("environment", overdue), ("dag_id", "d"), ("test", test)]));

        await alertmanager.SlackAsync(title => title.Contains("AirflowComponentUnhealthy", StringComparison.Ordinal) && title.EndsWith(test, StringComparison.Ordinal));

        var alert = Assert.Single(await alertmanager.QueryAsync("alertname=\"AirflowDagOverdue\"", $"test=\"{test}\""));
        Assert.Equal(muted, alert!["status"]!["inhibitedBy"]!.AsArray().Count > 0);
    }

    [Fact]
    public async Task A_database_that_is_down_mutes_the_components_that_need_it_in_the_same_Airflow()
    {
        // The database first: an alert that is old already is sent at once, on a busy machine before it is known to be muted.
        await alertmanager.PostAsync(Component("down", "metadatabase"));
        await alertmanager.SlackAsync(title => title == "[FIRING] AirflowComponentUnhealthy: metadatabase, down, database");

        await alertmanager.PostAsync(
            Component("down", "scheduler"), Component("down", "triggerer"), Component("up", "scheduler"), Component("up", "triggerer"));
        await alertmanager.SlackAsync(title => title == "[FIRING] AirflowComponentUnhealthy: scheduler, up, database");

        var muted = (await alertmanager.QueryAsync("test=\"database\"")).Where(alert => alert!["status"]!["inhibitedBy"]!.AsArray().Count > 0);
        Assert.Equal(
            ["down scheduler", "down triggerer"],
            muted.Select(alert => $"{alert!["labels"]!["environment"]} {alert["labels"]!["component"]}").Order(StringComparer.Ordinal));

        static PostedAlert Component(string environment, string component) => Alert(
            "AirflowComponentUnhealthy", component == "triggerer" ? "warning" : "critical", "airflow",
            [("environment", environment), ("component", component), ("test", "database")]);
    }

    private async Task<IEnumerable<string>> InhibitedByAsync(string name, string environment, string dag)
    {
        var alert = Assert.Single(await alertmanager.QueryAsync($"alertname=\"{name}\"", $"environment=\"{environment}\"", $"dag_id=\"{dag}\""));
        return alert!["status"]!["inhibitedBy"]!.AsArray().Select(by => by!.ToString());
    }

    private static PostedAlert TaskFailure(string environment, string dag, string task) =>
        Alert("AirflowTaskFailure", "warning", "task_failure", [("environment", environment), ("dag_id", dag), ("task_id", task)]);

    private static PostedAlert Alert(string name, string severity, string family, IEnumerable<(string Name, string Value)> labels)
    {
        var all = labels.Append(("alertname", name)).Append(("severity", severity)).Append(("family", family))
            .ToDictionary(label => label.Item1, label => label.Item2);
        var annotations = new Dictionary<string, string>
        {
            ["summary"] = "It is slow.",
            ["description"] = "It takes 3h.",
            ["value"] = "running for 3h, threshold 2h",
        };
        if (all.ContainsKey("dag_id"))
            annotations.Add("dag_url", Airflow);
        annotations.Add("dashboard_url", Dashboard);
        annotations.Add("runbook_url", $"http://localhost:9894/runbooks/{name}");
        return new PostedAlert(all, annotations, Start, EndsAt: new DateTimeOffset(2100, 1, 1, 0, 0, 0, TimeSpan.Zero));
    }
}
