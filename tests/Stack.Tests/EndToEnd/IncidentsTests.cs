using System.Text.Json;

namespace PipelineExporter.Stack.Tests.EndToEnd;

/// <summary>Each incident of the simulated Airflow and AWS fires the one alert that is made for it, with the shipped times divided by sixty.</summary>
public sealed class IncidentsTests(ITestOutputHelper output)
{
    /// <summary>Incident, its alert, and what the alert is about.</summary>
    private static readonly (string Incident, string Alert, string Subject)[] Incidents =
    [
        ("task_failure", "AirflowTaskFailure", "dag_id=label_notifications task_id=send_notices"),
        ("dag_slow", "AirflowDagDuration", "dag_id=quarterly_royalty_audit"),
        ("task_slow", "AirflowTaskDuration", "dag_id=search_index_rebuild task_id=rebuild_index"),
        ("dag_overdue", "AirflowDagOverdue", "dag_id=release_calendar_import"),
        ("scheduler_down", "AirflowComponentUnhealthy", "component=scheduler"),
        ("pool_full", "AirflowPoolSaturated", "pool=render_pool"),
        ("queue_backlog", "AirflowQueueBacklog", "queue=gpu"),
        ("worker_cpu", "AirflowWorkerCpuHigh", "cluster=BaseWorker"),
        ("worker_memory", "AirflowWorkerMemoryHigh", "cluster=BaseWorker"),
        ("import_error", "AirflowImportErrors", ""),
        ("retries_storm", "AirflowRetryStorm", ""),
        ("glue_failure", "GlueJobFailed", "job_name=music_streaming_catalog_export"),
        ("glue_slow", "GlueJobSlow", "job_name=music_streaming_catalog_export"),
        ("glue_queue_wait", "GlueQueueWait", "job_name=music_streaming_royalty_backfill"),
        ("glue_heap", "GlueHeapHigh", "job_name=music_streaming_events_stream"),
        ("executors_starved", "GlueExecutorsStarved", "job_name=music_streaming_events_stream"),
        ("dynamodb_throttling", "DynamoDBThrottling", "table=music_streaming_sessions"),
        ("dynamodb_latency", "DynamoDBLatency", "table=music_streaming_kpi"),
        ("dynamodb_errors", "DynamoDBErrors", "table=music_streaming_kpi"),
        ("s3_errors", "S3ErrorRate", "bucket=music-streaming-raw"),
        ("s3_latency", "S3Latency", "bucket=music-streaming-raw"),
    ];

    private static readonly string[] SubjectLabels = ["dag_id", "task_id", "component", "pool", "queue", "cluster", "job_name", "table", "bucket"];

    /// <remarks>CloudWatch shows a minute some two minutes later, and that does not scale.</remarks>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(11);

    /// <summary>
    /// All of them at once: their subjects differ, so that an alert too many or about another subject shows as well as it would
    /// alone, in a twentieth of the time.
    /// </summary>
    [Fact]
    public async Task Every_incident_fires_its_alert_about_its_subject_and_no_other()
    {
        await using var stack = await ComposeStack.StartAsync(Edit);
        using var simulator = new SimulatorClient(stack.Simulator);
        using var prometheus = new PrometheusClient(stack.Prometheus);
        await prometheus.WaitAsync(
            """count_over_time(airflow_task_instances_finished_total{dag_id="stream_event_ingest",state="failed"}[1m])""",
            samples => samples.Any(sample => sample.Value >= 5), TimeSpan.FromMinutes(2), stack.Output);
        Assert.Empty(await FiringAsync(prometheus));

        var started = TimeProvider.System.GetTimestamp();
        foreach (var (incident, _, _) in Incidents)
            await simulator.StartIncidentAsync(incident);
        var expected = Incidents.Select(one => $"{one.Alert} {one.Subject}".TrimEnd()).ToHashSet();
        var fired = new HashSet<string>();
        while (!expected.IsSubsetOf(fired))
        {
            foreach (var alert in (await FiringAsync(prometheus)).Where(fired.Add))
                output.WriteLine($"{TimeProvider.System.GetElapsedTime(started).TotalSeconds,5:0} s  {alert}");
            if (TimeProvider.System.GetElapsedTime(started) > Patience)
                Assert.Fail($"Not within {Patience}: {string.Join(", ", expected.Except(fired))}\n{stack.Output()}");
            await Task.Delay(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken);
        }

        Assert.Equal(expected.Order(), fired.Order());

        // Who hears of them.
        await simulator.MailAsync(mail => Is(mail, "AirflowDagDuration", "team@company.com"), Patience, stack.Output);
        await simulator.MailAsync(mail => Is(mail, "AirflowTaskFailure", "team@company.com"), Patience, stack.Output);
        await simulator.MailAsync(mail => Is(mail, "AirflowComponentUnhealthy", "oncall@company.com"), Patience, stack.Output);
        await simulator.MailAsync(mail => Is(mail, "GlueJobSlow: music_streaming_catalog_export", "team@company.com"), Patience, stack.Output);
        await simulator.MailAsync(mail => Is(mail, "DynamoDBThrottling: music_streaming_sessions", "team@company.com"), Patience, stack.Output);
        await simulator.MailAsync(mail => Is(mail, "GlueJobFailed: music_streaming_catalog_export", "team@company.com"), Patience, stack.Output);
        await simulator.MailAsync(mail => Is(mail, "S3ErrorRate: music-streaming-raw", "team@company.com"), Patience, stack.Output);
        foreach (var alert in (string[])["AirflowTaskFailure", "AirflowTaskDuration", "AirflowQueueBacklog", "AirflowPoolSaturated", "AirflowWorkerCpuHigh", "AirflowImportErrors", "AirflowRetryStorm", "GlueJobFailed", "DynamoDBErrors", "S3Latency"])
            await simulator.SlackAsync(message => message.SlackTitle().StartsWith($"[FIRING] {alert}", StringComparison.Ordinal), Patience, stack.Output);
        var mails = await simulator.AllAsync("mail");
        Assert.DoesNotContain(mails, mail => Subject(mail).Contains("AirflowTaskDuration", StringComparison.Ordinal));
        var slack = await simulator.AllAsync("slack");
        foreach (var mailed in (string[])["AirflowDagDuration", "GlueJobSlow", "DynamoDBThrottling"])
            Assert.DoesNotContain(slack, message => message.SlackTitle().Contains(mailed, StringComparison.Ordinal));
    }

    /// <remarks>
    /// A count within a window shrinks with the window. Tasks take as long as ever: a pool may be full for a minute. CloudWatch's minutes
    /// are as long as ever, too: what it counted last was counted within as long.
    /// </remarks>
    private static string Edit(string path, string text) => Path.GetFileName(path) switch
    {
        "airflow.rules.yml" => ScaledTimes.Edit(path, text.Replace("        for: 15m\n", "        for: 90m\n", StringComparison.Ordinal))
            .Replace(") > 30\n", ") > 1\n", StringComparison.Ordinal),
        "s3.rules.yml" or "dynamodb.rules.yml" => ScaledTimes.Edit(path, text.Replace("[9m]", "[540m]", StringComparison.Ordinal)),
        _ => ScaledTimes.Edit(path, text),
    };

    /// <remarks>
    /// Without the alerts about the monitoring itself: ExporterDown fires after five seconds here, CollectorFailing after ten, for which a
    /// machine that is busy with other tests may well leave the exporter waiting. No incident is meant to fire them.
    /// </remarks>
    private static async Task<IReadOnlyList<string>> FiringAsync(PrometheusClient prometheus) =>
    [
        .. (await prometheus.QueryAsync("""ALERTS{alertstate="firing", family!="exporter"}""")).Select(sample =>
            string.Join(' ', SubjectLabels
                .Where(label => sample.Labels.TryGetProperty(label, out _))
                .Select(label => $"{label}={sample.Labels.GetProperty(label).GetString()}")
                .Prepend(sample.Labels.GetProperty("alertname").GetString()))),
    ];

    private static bool Is(JsonElement mail, string alert, string to) =>
        Subject(mail).StartsWith($"[FIRING] {alert}", StringComparison.Ordinal)
        && mail.GetProperty("envelope").GetProperty("to").EnumerateArray().Any(one => one.GetString() == to);

    private static string Subject(JsonElement mail) => mail.GetProperty("subject").GetString()!;
}
