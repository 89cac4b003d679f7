using System.Text.Json.Nodes;

namespace PipelineExporter.Simulator.Tests.Aws;

/// <summary>Debian's aws CLI, which shares no line with this repository, can use the simulator.</summary>
public sealed class AwsCliTests(SimulatorFixture fixture) : IClassFixture<SimulatorFixture>
{
    readonly AwsCli aws = new(fixture.Simulator.Address);

    [Fact]
    public async Task Lists_jobs()
    {
        var jobs = (await aws.AnswerAsync("glue", "get-jobs"))["Jobs"]!.AsArray();
        var names = (await aws.AnswerAsync("glue", "list-jobs"))["JobNames"]!.AsArray();

        Assert.Equal(
            ["music_streaming_catalog_export", "music_streaming_dynamodb_load", "music_streaming_events_stream", "music_streaming_kpi_computation",
                "music_streaming_royalty_backfill", "music_streaming_validation"],
            jobs.Select(job => (string)job!["Name"]!));
        Assert.Equal(jobs.Select(job => (string)job!["Name"]!), names.Select(name => (string)name!));
        Assert.Equal("2026-01-12T09:30:00+00:00", (string)jobs[0]!["CreatedOn"]!);
    }

    [Fact]
    public async Task Pages_through_runs()
    {
        var runs = (await aws.AnswerAsync("glue", "get-job-runs", "--job-name", "music_streaming_validation", "--page-size", "150", "--max-items", "400"))["JobRuns"]!.AsArray();

        Assert.Equal(400, runs.Select(run => (string)run!["Id"]!).Distinct().Count());
        var starts = runs.Select(run => (DateTimeOffset)run!["StartedOn"]!).ToList();
        Assert.Equal(starts.OrderDescending(), starts);
        Assert.InRange(starts[0], TimeProvider.System.GetUtcNow().AddHours(-1), TimeProvider.System.GetUtcNow());
    }

    [Fact]
    public async Task Reads_metrics_over_the_query_protocol()
    {
        var metrics = (await aws.AnswerAsync("cloudwatch", "list-metrics", "--namespace", "Glue", "--metric-name", "glue.driver.aggregate.elapsedTime", "--dimensions", "Name=JobRunId,Value=ALL"))["Metrics"]!.AsArray();
        var now = TimeProvider.System.GetUtcNow();
        var data = await aws.AnswerAsync(
            "cloudwatch", "get-metric-data",
            "--start-time", now.AddHours(-3).ToString("O"),
            "--end-time", now.ToString("O"),
            "--metric-data-queries", $$"""[{"Id": "a", "MetricStat": {"Metric": {{metrics[0]!.ToJsonString()}}, "Period": 300, "Stat": "Average"} }]""");

        Assert.Equal(5, metrics.Count);
        var result = Assert.Single(data["MetricDataResults"]!.AsArray())!;
        Assert.Equal("Complete", (string)result["StatusCode"]!);
        Assert.NotEmpty(result["Values"]!.AsArray());
        Assert.All(result["Values"]!.AsArray(), value => Assert.InRange((double)value!, 1, 30_000));
    }

    [Fact]
    public async Task Reads_a_metric_page_by_page()
    {
        var now = TimeProvider.System.GetUtcNow();
        const string query = """
            [{"Id": "a", "MetricStat": {"Metric": {"Namespace": "AWS/DynamoDB", "MetricName": "ConsumedReadCapacityUnits",
              "Dimensions": [{"Name": "TableName", "Value": "music_streaming_kpi"}]}, "Period": 60, "Stat": "Sum"}}]
            """;
        string[] arguments =
        [
            "cloudwatch", "get-metric-data", "--start-time", now.AddHours(-3).ToString("O"), "--end-time", now.AddHours(-1).ToString("O"), "--metric-data-queries", query,
        ];
        var whole = await aws.AnswerAsync(arguments);
        var paged = await aws.AnswerAsync([.. arguments, "--page-size", "50"]);
        var page = await aws.AnswerAsync([.. arguments, "--max-datapoints", "50"]);

        // The start is rounded down to a minute.
        Assert.InRange(Count(whole), 120, 121);
        Assert.Equal(Count(whole), Count(paged));
        Assert.Equal((50, "PartialData"), (Count(page), (string)page["MetricDataResults"]![0]!["StatusCode"]!));

        static int Count(JsonNode data) => data["MetricDataResults"]!.AsArray().Sum(result => result!["Values"]!.AsArray().Count);
    }

    [Fact]
    public async Task Lists_metrics_over_as_many_pages_as_there_are_and_goes_on_where_it_stopped()
    {
        string[] arguments =
            ["cloudwatch", "list-metrics", "--namespace", "Glue", "--metric-name", "glue.driver.aggregate.bytesRead", "--dimensions", "Name=JobName,Value=music_streaming_catalog_export"];
        var all = Runs(await aws.AnswerAsync(arguments));
        var first = await aws.AnswerAsync([.. arguments, "--max-items", "600"]);
        var rest = await aws.AnswerAsync([.. arguments, "--starting-token", (string)first["NextToken"]!]);

        // A run every 20 minutes; while the CLI reads one may come and one may go.
        Assert.InRange(all.Count, 14 * 72, (14 * 72) + 4);
        Assert.Equal(all.Count, all.Distinct().Count());
        Assert.Equal("ALL", all[0]);
        Assert.Equal(600, Runs(first).Count);
        Assert.True(all.Except(Runs(first).Concat(Runs(rest))).Count() <= 1);
        Assert.Empty(Runs(first).Intersect(Runs(rest)));

        static List<string> Runs(JsonNode listed) =>
            [.. listed["Metrics"]!.AsArray().Select(metric => (string)metric!["Dimensions"]!.AsArray().Single(dimension => (string)dimension!["Name"]! == "JobRunId")!["Value"]!)];
    }

    [Theory]
    [InlineData("glue get-jobs", "Jobs", "Name")]
    [InlineData("dynamodb list-tables", "TableNames", null)]
    public async Task Pages_hold_no_more_than_was_asked_for_and_lead_to_the_next(string operation, string member, string? name)
    {
        var arguments = operation.Split(' ');
        var all = Names(await aws.AnswerAsync(arguments));
        List<string> paged = [];
        string[] more = [];
        do
        {
            var page = await aws.AnswerAsync([.. arguments, "--page-size", "2", "--max-items", "2", .. more]);
            Assert.InRange(Names(page).Count, 1, 2);
            paged.AddRange(Names(page));
            more = page["NextToken"] is { } next ? ["--starting-token", (string)next!] : [];
        }
        while (more.Length > 0);

        Assert.InRange(all.Count, 3, 6);
        Assert.Equal(all, paged);

        List<string> Names(JsonNode page) => [.. page[member]!.AsArray().Select(one => (string)(name is null ? one : one![name])!)];
    }

    [Fact]
    public async Task Lists_and_describes_tables()
    {
        var names = (await aws.AnswerAsync("dynamodb", "list-tables", "--page-size", "2"))["TableNames"]!.AsArray();
        var sessions = (await aws.AnswerAsync("dynamodb", "describe-table", "--table-name", "music_streaming_sessions"))["Table"]!;
        var kpi = (await aws.AnswerAsync("dynamodb", "describe-table", "--table-name", "music_streaming_kpi"))["Table"]!;

        Assert.Equal(["music_streaming_catalog", "music_streaming_kpi", "music_streaming_sessions"], names.Select(name => (string)name!));
        Assert.Equal((200, "by_day"), ((int)sessions["ProvisionedThroughput"]!["ReadCapacityUnits"]!, (string)sessions["LocalSecondaryIndexes"]![0]!["IndexName"]!));
        Assert.Null(sessions["BillingModeSummary"]);
        Assert.Equal("PAY_PER_REQUEST", (string)kpi["BillingModeSummary"]!["BillingMode"]!);
        Assert.Contains("ResourceNotFoundException", await aws.RefusalAsync("dynamodb", "describe-table", "--table-name", "nobody"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lists_buckets_and_reads_their_settings()
    {
        var names = (await aws.AnswerAsync("s3api", "list-buckets"))["Buckets"]!.AsArray().Select(bucket => (string)bucket!["Name"]!).ToList();
        var lifecycle = (await aws.AnswerAsync("s3api", "get-bucket-lifecycle-configuration", "--bucket", "music-streaming-logs"))["Rules"]![0]!;
        var metrics = (await aws.AnswerAsync("s3api", "list-bucket-metrics-configurations", "--bucket", "music-streaming-raw"))["MetricsConfigurationList"]!.AsArray();
        var location = (await aws.AnswerAsync("s3api", "get-bucket-location", "--bucket", "music-streaming-raw"))["LocationConstraint"];
        var (code, _, _) = await aws.RunAsync([], "s3api", "head-bucket", "--bucket", "music-streaming-raw");

        Assert.Contains("music-streaming-raw", names);
        Assert.Equal(5, names.Count);
        Assert.Equal(("archive-logs", "Enabled", 30, "GLACIER"), (
            (string)lifecycle["ID"]!, (string)lifecycle["Status"]!, (int)lifecycle["Transitions"]![0]!["Days"]!, (string)lifecycle["Transitions"]![1]!["StorageClass"]!));
        Assert.Equal("EntireBucket", (string)metrics[0]!["Id"]!);
        Assert.Equal("eu-west-1", (string)location!);
        Assert.Equal(0, code);
        Assert.Contains(
            "NoSuchLifecycleConfiguration", await aws.RefusalAsync("s3api", "get-bucket-lifecycle-configuration", "--bucket", "music-streaming-scripts"), StringComparison.Ordinal);
        Assert.Contains("NoSuchBucket", await aws.RefusalAsync("s3api", "list-bucket-metrics-configurations", "--bucket", "nobodys-bucket"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Is_sent_on_to_the_region_of_a_bucket()
    {
        foreach (var region in new[] { "us-east-1", "eu-central-1" })
        {
            var (_, output, _) = await aws.RunAsync(
                new() { ["AWS_REGION"] = region }, "s3api", "list-bucket-metrics-configurations", "--bucket", "music-streaming-raw");
            Assert.Contains("EntireBucket", output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Finds_another_account_under_a_role_of_it_and_nothing_in_another_region()
    {
        var credentials = (await aws.AnswerAsync(
            "sts", "assume-role", "--role-arn", "arn:aws:iam::210987654321:role/reader", "--role-session-name", "cli"))["Credentials"]!;
        Dictionary<string, string> role = new()
        {
            ["AWS_ACCESS_KEY_ID"] = (string)credentials["AccessKeyId"]!,
            ["AWS_SECRET_ACCESS_KEY"] = (string)credentials["SecretAccessKey"]!,
            ["AWS_SESSION_TOKEN"] = (string)credentials["SessionToken"]!,
        };
        Dictionary<string, string> elsewhere = new() { ["AWS_REGION"] = "us-east-1" };
        async Task<JsonArray> ListAsync(Dictionary<string, string> environment, string service, string operation, string member) =>
            JsonNode.Parse((await aws.RunAsync(environment, service, operation)).Output)![member]!.AsArray();

        Assert.Equal("music-streaming-archive", (string)Assert.Single(await ListAsync(role, "s3api", "list-buckets", "Buckets"))!["Name"]!);
        Assert.Equal("music_streaming_kpi", (string)Assert.Single(await ListAsync(role, "dynamodb", "list-tables", "TableNames"))!);
        Assert.Single(await ListAsync(role, "glue", "list-jobs", "JobNames"));
        Assert.Empty(await ListAsync(elsewhere, "dynamodb", "list-tables", "TableNames"));
        Assert.Empty(await ListAsync(elsewhere, "glue", "list-jobs", "JobNames"));
    }

    [Fact]
    public async Task Is_given_credentials_by_every_means_of_STS()
    {
        var session = (await aws.AnswerAsync("sts", "get-session-token"))["Credentials"]!;
        var web = (await aws.AnswerAsync(
            "sts", "assume-role-with-web-identity", "--role-arn", "arn:aws:iam::210987654321:role/reader", "--role-session-name", "cli",
            "--web-identity-token", "simulator-web-identity-token"))["AssumedRoleUser"]!;

        Assert.StartsWith("ASIA", (string)session["AccessKeyId"]!, StringComparison.Ordinal);
        Assert.Equal("arn:aws:sts::210987654321:assumed-role/reader/cli", (string)web["Arn"]!);
        Assert.Contains(
            "AccessDenied", await aws.RefusalAsync("sts", "assume-role", "--role-arn", "arn:aws:iam::210987654321:role/external-id-required", "--role-session-name", "cli"),
            StringComparison.Ordinal);
        Assert.NotNull((await aws.AnswerAsync(
            "sts", "assume-role", "--role-arn", "arn:aws:iam::210987654321:role/external-id-required", "--role-session-name", "cli", "--external-id", "music-streaming"))["Credentials"]);
    }

    [Fact]
    public async Task Reads_the_workers_metrics_as_mwaa_sends_them()
    {
        var metrics = (await aws.AnswerAsync(
            "cloudwatch", "list-metrics", "--namespace", "AWS/MWAA", "--metric-name", "MemoryUtilization", "--dimensions", "Name=Environment,Value=music-streaming"))["Metrics"]!.AsArray();
        var now = TimeProvider.System.GetUtcNow();
        var data = await aws.AnswerAsync(
            "cloudwatch", "get-metric-data",
            "--start-time", now.AddMinutes(-20).ToString("O"),
            "--end-time", now.ToString("O"),
            "--metric-data-queries", $$"""[{"Id": "a", "MetricStat": {"Metric": {{metrics[0]!.ToJsonString()}}, "Period": 60, "Stat": "Maximum"} }]""");

        Assert.Equal(
            ["AdditionalWorker", "BaseWorker", "Scheduler", "WebServer"],
            metrics.Select(metric => (string)metric!["Dimensions"]!.AsArray().Single(dimension => (string)dimension!["Name"]! == "Cluster")!["Value"]!).Order());
        var result = Assert.Single(data["MetricDataResults"]!.AsArray())!;
        Assert.InRange(result["Values"]!.AsArray().Count, 17, 20);
        Assert.All(result["Values"]!.AsArray(), value => Assert.InRange((double)value!, 20, 70));
    }

    [Fact]
    public async Task Assumes_a_role_and_uses_it()
    {
        var assumed = await aws.AnswerAsync("sts", "assume-role", "--role-arn", "arn:aws:iam::123456789012:role/reader", "--role-session-name", "cli");
        var credentials = assumed["Credentials"]!;
        Dictionary<string, string> role = new()
        {
            ["AWS_ACCESS_KEY_ID"] = (string)credentials["AccessKeyId"]!,
            ["AWS_SECRET_ACCESS_KEY"] = (string)credentials["SecretAccessKey"]!,
            ["AWS_SESSION_TOKEN"] = (string)credentials["SessionToken"]!,
        };

        Assert.Equal("arn:aws:iam::123456789012:user/simulator", (string)(await aws.AnswerAsync("sts", "get-caller-identity"))["Arn"]!);
        var (code, output, _) = await aws.RunAsync(role, "sts", "get-caller-identity");
        Assert.Equal(0, code);
        Assert.Equal("arn:aws:sts::123456789012:assumed-role/reader/cli", (string)JsonNode.Parse(output)!["Arn"]!);
    }

    [Fact]
    public async Task Is_refused_with_a_wrong_secret()
    {
        var (code, _, error) = await aws.RunAsync(new() { ["AWS_SECRET_ACCESS_KEY"] = "other" }, "glue", "list-jobs");

        Assert.NotEqual(0, code);
        Assert.Contains("(InvalidSignatureException) when calling the ListJobs operation", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Is_told_of_unknown_operations_and_jobs()
    {
        var (_, _, operation) = await aws.RunAsync([], "glue", "get-databases");
        var (_, _, job) = await aws.RunAsync([], "glue", "get-job-runs", "--job-name", "nobody");

        Assert.Contains("(UnknownOperationException)", operation, StringComparison.Ordinal);
        Assert.Contains("(EntityNotFoundException) when calling the GetJobRuns operation", job, StringComparison.Ordinal);
        Assert.Contains("Job with name: nobody not found.", job, StringComparison.Ordinal);
    }
}
