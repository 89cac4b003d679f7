using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net.Http.Json;
using System.Reflection;
using System.Text.Json;
using Amazon;
using Amazon.Runtime;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Collectors;
using PipelineExporter.Collectors.Aws;
using PipelineExporter.Collectors.Aws.CloudWatch;
using PipelineExporter.Simulator;
using PipelineExporter.Sources.Aws;
using PipelineExporter.State;

namespace PipelineExporter.Tests.Collectors.Aws;

/// <summary>The collectors as they ship, over HTTP, against a server that checks signatures by an implementation of its own.</summary>
public sealed class AwsOnSimulatorTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private static readonly AWSCredentials Keys = new BasicAWSCredentials("SIMULATOR", "simulator-secret");

    [Fact]
    public async Task Everything_of_an_account_is_collected()
    {
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, default);
        var outcomes = new ConcurrentQueue<string>();
        using var ledger = new TemporaryLedger(TimeProvider.System);

        var collectors = AwsCollectors.For(
            Collection(simulator.Address), new(ledger.Ledger, TimeProvider.System, NullLoggerFactory.Instance, (_, outcome) => outcomes.Enqueue(outcome)), new(), Keys);
        var jobs = await collectors.OfType<GlueJobs>().Single().CollectAsync(default);
        var buckets = await collectors.OfType<S3Buckets>().Single().CollectAsync(default);
        var tables = await collectors.OfType<DynamoDbTables>().Single().CollectAsync(default);
        var discovery = await collectors.OfType<CloudWatchDiscovery>().Single().CollectAsync(default);
        var metrics = await collectors.OfType<CloudWatchCollector>().Single().CollectAsync(default);

        Assert.Equal(
            ["music_streaming_catalog_export", "music_streaming_dynamodb_load", "music_streaming_events_stream", "music_streaming_kpi_computation",
                "music_streaming_royalty_backfill", "music_streaming_validation"],
            jobs.Jobs.Select(job => job.Name));
        Assert.Equal("aws/123456789012/eu-west-1", collectors[0].Identity!.Scope);
        Assert.Equal(5, buckets.Buckets.Length);
        Assert.Equal(["music_streaming_catalog", "music_streaming_kpi", "music_streaming_sessions"], tables.Tables.Select(table => table.Name));
        Assert.Null(discovery.Failure);
        Assert.All(discovery.Metrics, group => Assert.InRange(group.Value, 5, 200));
        foreach (var name in (string[])["aws_s3_bucket_size_bytes", "aws_s3_first_byte_latency_seconds", "aws_dynamodb_request_latency_seconds", "aws_dynamodb_throttled_requests_last_5m", "aws_glue_jvm_heap_usage_ratio", "aws_glue_metrics_timestamp_seconds"])
            Assert.Contains(metrics.Samples, sample => sample.Gauge.Name == name);
        // A bucket without lifecycle rules answers that it has none with an error.
        Assert.All(outcomes, outcome => Assert.Contains(outcome, (string[])["ok", "error"]));
        foreach (ICollector collector in collectors)
            Assert.Null((await collector.FetchAsync(default)).Failure);
    }

    /// <summary>What is billed, and what must go into one request, is told from neighbours: a group that mixes them would cost more than it says.</summary>
    [Fact]
    public async Task In_every_group_the_statistics_of_a_metric_stand_side_by_side()
    {
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, default);
        using var ledger = new TemporaryLedger(TimeProvider.System);
        var collectors = AwsCollectors.For(
            Collection(simulator.Address), new(ledger.Ledger, TimeProvider.System, NullLoggerFactory.Instance, (_, _) => { }), new(), Keys);
        await collectors.OfType<S3Buckets>().Single().CollectAsync(default);
        await collectors.OfType<DynamoDbTables>().Single().CollectAsync(default);
        await collectors.OfType<CloudWatchDiscovery>().Single().CollectAsync(default);

        var plan = collectors.OfType<CloudWatchCollector>().Single().Plan;

        Assert.Equal(
            typeof(CloudWatchGroup).Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(CloudWatchGroup)) && !type.IsAbstract).Select(type => type.Name).Order(),
            plan.Groups.Select(group => group.GetType().Name).Order());
        foreach (var group in plan.Groups)
        {
            var queries = plan[group].Select(metric => metric.Query).ToList();
            var metrics = queries.Select(query => $"{query.Metric.Namespace} {query.Metric.MetricName} {string.Join(' ', query.Metric.Dimensions)}").Distinct().Count();
            Assert.True(metrics > 1, group.Name);
            Assert.True(CloudWatchQuery.ByMetric(queries).Count() == metrics, $"{group.Name} asks for {metrics} metrics");
        }
    }

    /// <summary>A FLEX job that waits for some minutes of each hour, as usual: an exporter that is new must not call it slow, whatever is under way.</summary>
    [Fact]
    public async Task Whenever_an_exporter_first_looks_a_job_that_waited_is_not_slow()
    {
        const string Backfill = "music_streaming_royalty_backfill";
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 11, 23, 6, 7, 20, TimeSpan.Zero));
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null, Time = time }, default);
        var running = 0;
        for (var minute = 0; minute < 9; minute++, time.Advance(Minute))
        {
            using var ledger = new TemporaryLedger(time);
            var collectors = AwsCollectors.For(
                Collection(simulator.Address) with { Glue = new(name => name == Backfill, (_, fromBaseline) => fromBaseline, Minute, Minute) },
                new(ledger.Ledger, time, NullLoggerFactory.Instance, (_, _) => { }), new(), Keys);

            var job = Assert.Single((await collectors.OfType<GlueJobs>().Single().CollectAsync(default)).Jobs);

            Assert.NotNull(job.Threshold);
            running += job.OldestRunningStart is null ? 0 : 1;
            Assert.False(time.GetUtcNow() - job.OldestRunningStart > job.Threshold, $"minute {minute}: {job.OldestRunningStart}, {job.Threshold}");
        }

        Assert.InRange(running, 2, 8);
    }

    /// <summary>Late and revised datapoints, an outage of the exporter, faults of CloudWatch: in the end it is what the simulator sent.</summary>
    [Fact]
    public async Task What_is_counted_over_hours_is_what_was_sent()
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 11, 23, 6, 0, 20, TimeSpan.Zero));
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null, Time = time }, default);
        using var http = new HttpClient { BaseAddress = simulator.Address };
        using var ledger = new TemporaryLedger(time);
        var start = time.GetUtcNow();
        var exporter = await StartAsync();
        await RunAsync(exporter, 20);
        await FaultAsync("""{"source":"cloudwatch","kind":"internal_error","match":"Consumed"}""");
        await FaultAsync("""{"source":"cloudwatch","kind":"error","status":500,"match":"GetMetricData","probability":0.3}""");
        await RunAsync(exporter, 10);
        (await http.DeleteAsync(new Uri("simulator/faults", UriKind.Relative))).EnsureSuccessStatusCode();
        await FaultAsync("""{"source":"cloudwatch","kind":"partial_data"}""");
        await RunAsync(exporter, 5);
        (await http.DeleteAsync(new Uri("simulator/faults", UriKind.Relative))).EnsureSuccessStatusCode();
        await PostAsync("simulator/incidents", """{"name":"dynamodb_throttling"}""");

        time.Advance(TimeSpan.FromHours(1));
        ledger.Restart();
        exporter = await StartAsync();
        await RunAsync(exporter, 5);
        (await http.DeleteAsync(new Uri("simulator/incidents/dynamodb_throttling", UriKind.Relative))).EnsureSuccessStatusCode();
        await RunAsync(exporter, 12);
        var truth = (await http.GetFromJsonAsync<JsonElement>(
            new Uri($"simulator/truth?from={CloudWatchCadence.FloorTo(start, Minute):yyyy-MM-ddTHH:mm:ssZ}&to={time.GetUtcNow():yyyy-MM-ddTHH:mm:ssZ}", UriKind.Relative)))
            .GetProperty("cloud_watch_sums").EnumerateArray().ToList();

        var checkedSums = 0;
        foreach (var (metric, family) in new[]
        {
            ("ThrottledRequests", "aws_dynamodb_throttled_requests_total"), ("WriteThrottleEvents", "aws_dynamodb_write_throttle_events_total"),
        })
        {
            foreach (var sum in truth.Where(sum => sum.GetProperty("metric_name").GetString() == metric))
            {
                Assert.Equal(sum.GetProperty("sum").GetDouble(), Counted(exporter, family, sum.GetProperty("dimensions").GetProperty("TableName").GetString()!));
                checkedSums++;
            }
        }

        Assert.Equal(2, checkedSums);
        await AssertSumAsync("ConsumedReadCapacityUnits", "aws_dynamodb_consumed_read_capacity_units_total", "music_streaming_kpi");
        await AssertSumAsync("AllRequests", "aws_s3_all_requests_total", "music-streaming-raw");
        Assert.True(Counted(exporter, "pipeline_exporter_cloudwatch_revisions_total", "dynamodb_capacity") > 0);

        // Of what comes all the time: until the last period that was counted.
        async Task AssertSumAsync(string metric, string family, string resource)
        {
            var (desc, state) = (exporter.Metrics.Single(one => one.Name == family), ledger.Ledger.For("aws/123456789012/eu-west-1"));
            var series = state.Counted(desc).Where(one => one.Labels[0] == resource).ToList();
            var until = series.Max(one => state.Periods(desc, one.Labels)!.Until);
            var sums = (await http.GetFromJsonAsync<JsonElement>(
                new Uri($"simulator/truth?from={CloudWatchCadence.FloorTo(start, Minute):yyyy-MM-ddTHH:mm:ssZ}&to={until - 10 * Minute:yyyy-MM-ddTHH:mm:ssZ}", UriKind.Relative))).GetProperty("cloud_watch_sums");
            var sent = sums.EnumerateArray().Where(sum => sum.GetProperty("metric_name").GetString() == metric && sum.GetProperty("dimensions").EnumerateObject().Any(one => one.Value.GetString() == resource))
                .Sum(sum => sum.GetProperty("sum").GetDouble());
            // The last minutes may still be revised, and are looked at again within five: what was counted of them is left out.
            var counted = series.Sum(one => one.Value[0] - state.Periods(desc, one.Labels)!.Sum(until - 10 * Minute, until));
            Assert.Equal(sent, counted);
        }

        async Task<CloudWatchCollector> StartAsync()
        {
            var collectors = AwsCollectors.For(
                Collection(simulator.Address), new(ledger.Ledger, time, NullLoggerFactory.Instance, (_, _) => { }), new(), Keys,
                new() { Retries = 1, Delay = TimeSpan.Zero, FailuresBeforeBreak = 100_000 });
            Assert.Null((await collectors.OfType<CloudWatchDiscovery>().Single().CollectAsync(default)).Failure);
            return collectors.OfType<CloudWatchCollector>().Single();
        }

        async Task RunAsync(CloudWatchCollector collector, int minutes)
        {
            for (var i = 0; i < 2 * minutes; i++)
            {
                time.Advance(TimeSpan.FromSeconds(30));
                try
                {
                    await collector.CollectAsync(default);
                }
                catch (AwsException)
                {
                    // What the runner tells of: nothing was answered this time.
                }
            }
        }

        Task FaultAsync(string fault) => PostAsync("simulator/faults", fault);

        async Task PostAsync(string path, string json)
        {
            using var content = new StringContent(json, System.Text.Encoding.UTF8, "application/json");
            (await http.PostAsync(new Uri(path, UriKind.Relative), content)).EnsureSuccessStatusCode();
        }

        double Counted(CloudWatchCollector collector, string family, string first) => ledger.Ledger.For("aws/123456789012/eu-west-1")
            .Counted(collector.Metrics.Single(metric => metric.Name == family)).Where(series => series.Labels[0] == first).Sum(series => series.Value[0]);
    }

    /// <summary>An incident's run that fails at once, and the next scheduled one: Glue starts both again, and the retries fail, too.</summary>
    [Fact]
    public async Task Glue_runs_are_counted_as_they_ended_for_good_when_Glue_itself_retries()
    {
        const string Export = "music_streaming_catalog_export";
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 11, 23, 6, 0, 20, TimeSpan.Zero));
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null, Time = time }, default);
        using var http = new HttpClient { BaseAddress = simulator.Address };
        using var ledger = new TemporaryLedger(time);
        var start = time.GetUtcNow();
        var jobs = AwsCollectors.For(
            Collection(simulator.Address) with { Glue = new(name => name == Export, (_, fromBaseline) => fromBaseline, Minute, Minute) },
            new(ledger.Ledger, time, NullLoggerFactory.Instance, (_, _) => { }), new(), Keys).OfType<GlueJobs>().Single();
        await jobs.CollectAsync(default);
        for (var minute = 1; minute <= 58; minute++)
        {
            if (minute == 10)
                (await http.PostAsJsonAsync(new Uri("simulator/incidents", UriKind.Relative), new { name = "glue_failure" })).EnsureSuccessStatusCode();
            if (minute == 30)
                (await http.DeleteAsync(new Uri("simulator/incidents/glue_failure", UriKind.Relative))).EnsureSuccessStatusCode();
            time.Advance(Minute);
            await jobs.CollectAsync(default);
        }

        var truth = (await http.GetFromJsonAsync<JsonElement>(
            new Uri($"simulator/truth?from={start:yyyy-MM-ddTHH:mm:ssZ}&to={time.GetUtcNow():yyyy-MM-ddTHH:mm:ssZ}", UriKind.Relative)))
            .GetProperty("glue_job_runs").EnumerateArray().Where(row => row.GetProperty("job_name").GetString() == Export).ToList();

        Assert.Equal(2, Truth("count", "FAILED"));
        Assert.Equal((Truth("count", "FAILED"), Truth("count", "SUCCEEDED")), (Counted("aws_glue_job_runs_total", "FAILED"), Counted("aws_glue_job_runs_total", "SUCCEEDED")));
        Assert.Equal((2, Truth("retries", "FAILED")), (Truth("retries"), Counted("aws_glue_job_retries_total")));
        Assert.Equal(Truth("dpu_seconds"), Counted("aws_glue_job_dpu_seconds_total"));

        double Truth(string what, string? state = null) =>
            truth.Where(row => state is null || row.GetProperty("state").GetString() == state).Sum(row => row.GetProperty(what).GetDouble());

        double Counted(string family, string? state = null) => ledger.Ledger.For("aws/123456789012/eu-west-1")
            .Counted(jobs.Metrics.Single(metric => metric.Name == family)).Where(series => state is null || series.Labels[1] == state).Sum(series => series.Value[0]);
    }

    [Theory]
    [InlineData("SIMULATOR", "wrong-secret")]
    [InlineData("somebody", "simulator-secret")]
    public async Task Wrong_keys_are_told_and_the_secret_is_not(string accessKey, string secret)
    {
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, default);
        using var ledger = new TemporaryLedger(TimeProvider.System);
        var collectors = AwsCollectors.For(
            Collection(simulator.Address), new(ledger.Ledger, TimeProvider.System, NullLoggerFactory.Instance, (_, _) => { }), new(), new BasicAWSCredentials(accessKey, secret));

        foreach (ICollector collector in collectors)
        {
            var error = await Assert.ThrowsAsync<AwsException>(() => collector.FetchAsync(default));

            Assert.Contains(error.Code, (string[])["SignatureDoesNotMatch", "InvalidSignatureException", "InvalidClientTokenId", "UnrecognizedClientException"]);
            Assert.DoesNotContain(secret, error.ToString(), StringComparison.Ordinal);
        }
    }

    /// <summary>Its cause may be one of many: the policy, the region, a service that is down. What it does not feed goes on.</summary>
    [Theory]
    [InlineData("s3", "ListBucketMetricsConfigurations", "s3:GetMetricsConfiguration")]
    [InlineData("s3", "GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration")]
    [InlineData("dynamodb", "DescribeTable", "dynamodb:DescribeTable")]
    public async Task A_refused_operation_switches_off_what_it_feeds_and_names_the_action(string service, string operation, string action)
    {
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, default);
        using var http = new HttpClient { BaseAddress = simulator.Address };
        using var fault = new StringContent($$"""{"source":"{{service}}","kind":"error","status":403,"match":"{{operation}}"}""", System.Text.Encoding.UTF8, "application/json");
        (await http.PostAsync(new Uri("simulator/faults", UriKind.Relative), fault)).EnsureSuccessStatusCode();
        using var ledger = new TemporaryLedger(TimeProvider.System);
        var log = new LogLines();
        var collectors = AwsCollectors.For(
            Collection(simulator.Address), new(ledger.Ledger, TimeProvider.System, new OneLog(log), (_, _) => { }), new(), Keys);
        var name = service == "s3" ? "s3_buckets" : "dynamodb_tables";

        var collected = await collectors.Single(collector => collector.Name == name).FetchAsync(default);

        Assert.Null(collected.Failure);
        Assert.Contains(action, Assert.Single(log.All), StringComparison.Ordinal);
        foreach (ICollector collector in collectors)
            Assert.Null((await collector.FetchAsync(default)).Failure);
        Assert.Single(log.All);
    }

    [Fact]
    public async Task Accounts_and_regions_stand_side_by_side_and_a_broken_one_hurts_no_other()
    {
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, default);
        using var ledger = new TemporaryLedger(TimeProvider.System);
        var context = new CollectorContext(ledger.Ledger, TimeProvider.System, NullLoggerFactory.Instance, (_, _) => { });
        var budgets = new AwsBudgets();

        var own = AwsCollectors.For(Collection(simulator.Address), context, budgets, Keys);
        var other = AwsCollectors.For(Collection(simulator.Address, new("arn:aws:iam::210987654321:role/external-id-required", "music-streaming")), context, budgets, Keys);
        var refused = AwsCollectors.For(Collection(simulator.Address, new("arn:aws:iam::210987654321:role/external-id-required", "wrong")), context, budgets, Keys);
        var empty = AwsCollectors.For(Collection(simulator.Address, region: "us-east-1"), context, budgets, Keys);

        foreach (var collector in own.Concat(other).Concat(empty))
            Assert.Null((await collector.FetchAsync(default)).Failure);
        foreach (var collector in refused)
            Assert.Contains("could not be assumed", (await Assert.ThrowsAsync<AwsException>(() => collector.FetchAsync(default))).Message, StringComparison.Ordinal);
        Assert.Equal("aws/210987654321/eu-west-1", other[0].Identity!.Scope);
        Assert.Equal("aws/123456789012/us-east-1", empty[0].Identity!.Scope);
        Assert.Empty((await empty.OfType<DynamoDbTables>().Single().CollectAsync(default)).Tables);
        Assert.NotEmpty((await other.OfType<DynamoDbTables>().Single().CollectAsync(default)).Tables);
    }

    [Fact]
    public async Task Heap_and_executors_of_running_jobs_are_told_though_CloudWatch_lists_nothing()
    {
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, default);
        using var http = new HttpClient { BaseAddress = simulator.Address };
        using var fault = new StringContent("""{"source":"cloudwatch","kind":"error","status":400,"match":"ListMetrics"}""", System.Text.Encoding.UTF8, "application/json");
        (await http.PostAsync(new Uri("simulator/faults", UriKind.Relative), fault)).EnsureSuccessStatusCode();
        using var ledger = new TemporaryLedger(TimeProvider.System);
        var collectors = AwsCollectors.For(
            Collection(simulator.Address), new(ledger.Ledger, TimeProvider.System, NullLoggerFactory.Instance, (_, _) => { }), new(), Keys, new() { Retries = 1, Delay = TimeSpan.Zero });
        Assert.NotNull((await collectors.OfType<CloudWatchDiscovery>().Single().CollectAsync(default)).Failure);

        await collectors.OfType<GlueJobs>().Single().CollectAsync(default);
        var samples = (await collectors.OfType<CloudWatchCollector>().Single().CollectAsync(default)).Samples;

        foreach (var name in (string[])["aws_glue_jvm_heap_usage_ratio", "aws_glue_executors", "aws_glue_executors_needed"])
            Assert.Contains(samples, sample => sample.Gauge.Name == name && sample.Labels[0] == "music_streaming_events_stream");
    }

    /// <summary>Whatever both select would be counted twice into the same series.</summary>
    [Fact]
    public async Task Of_two_sources_that_turn_out_to_be_of_one_account_and_region_the_second_fails()
    {
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, default);
        using var ledger = new TemporaryLedger(TimeProvider.System);
        var context = new CollectorContext(ledger.Ledger, TimeProvider.System, NullLoggerFactory.Instance, (_, _) => { });
        var settings = Collection(simulator.Address);
        var first = AwsCollectors.For(Collection(simulator.Address), context, new(), Keys);
        var second = AwsCollectors.For(settings with { Source = settings.Source with { Name = "twin", AccountId = "123456789012" } }, context, new(), Keys);
        Assert.Null((await first[0].FetchAsync(default)).Failure);

        foreach (var collector in second)
        {
            var error = await Assert.ThrowsAsync<AwsException>(() => collector.FetchAsync(default));

            Assert.Contains("aws/twin is of the same account (123456789012) and region as aws/eu-west-1. Make one entry of both", error.Message, StringComparison.Ordinal);
            Assert.Null(collector.Identity);
        }

        foreach (var collector in first)
            Assert.Null((await collector.FetchAsync(default)).Failure);
    }

    [Theory]
    [InlineData("Glue", "cloudwatch_discovery, glue_jobs", null, "UnknownOperationException")]
    [InlineData("Glue", "cloudwatch_discovery, glue_jobs", 404, "Not Found")]
    [InlineData("DynamoDB", "dynamodb_tables", 200, "Malformed")]
    [InlineData("CloudWatch", "cloudwatch, cloudwatch_discovery", null, "UnknownOperationException")]
    [InlineData("CloudWatch", "cloudwatch, cloudwatch_discovery", 200, "Malformed")]
    [InlineData("S3", "s3_buckets", null, "NotImplemented")]
    [InlineData("S3", "s3_buckets", 200, "Malformed")]
    public async Task A_region_without_a_service_is_told_and_hurts_no_other_service_or_region(string service, string collectors, int? page, string code)
    {
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, default);
        using var http = new HttpClient { BaseAddress = simulator.Address };
        var status = page is null ? "" : $", \"status\": {page}";
        using var fault = new StringContent(
            $$"""{"source": "{{service.ToLowerInvariant()}}", "kind": "no_service", "region": "us-east-1"{{status}}}""", System.Text.Encoding.UTF8, "application/json");
        (await http.PostAsync(new Uri("simulator/faults", UriKind.Relative), fault)).EnsureSuccessStatusCode();
        using var ledger = new TemporaryLedger(TimeProvider.System);
        var context = new CollectorContext(ledger.Ledger, TimeProvider.System, NullLoggerFactory.Instance, (_, _) => { });
        var budgets = new AwsBudgets();

        foreach (var collector in AwsCollectors.For(Collection(simulator.Address), context, budgets, Keys))
            Assert.Null((await collector.FetchAsync(default)).Failure);
        List<(string Collector, AwsException Told)> failed = [];
        foreach (var collector in AwsCollectors.For(Collection(simulator.Address, region: "us-east-1"), context, budgets, Keys))
        {
            if (await FailureAsync(collector) is { } told)
                failed.Add((collector.Name, told));
        }
        Assert.Equal(collectors, string.Join(", ", failed.Select(one => one.Collector).Order()));
        Assert.All(failed, one => Assert.Equal((service, code), (one.Told.Service, one.Told.Code)));
    }

    [Theory]
    [InlineData(600)]
    [InlineData(-600)]
    [InlineData(1500)]
    [InlineData(-1500)]
    public async Task A_clock_that_is_wrong_loses_nothing(double seconds)
    {
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, default);
        var wrong = new FakeTimeProvider(TimeProvider.System.GetUtcNow().AddSeconds(seconds));
        var outcomes = new ConcurrentQueue<string>();
        using var ledger = new TemporaryLedger(wrong);
        var collectors = AwsCollectors.For(
            Collection(simulator.Address) with { Source = Collection(simulator.Address).Source with { AccountId = "123456789012" } },
            new(ledger.Ledger, wrong, NullLoggerFactory.Instance, (_, outcome) => outcomes.Enqueue(outcome)), new(), Keys, new() { Retries = 2, Delay = TimeSpan.Zero });

        await collectors.OfType<CloudWatchDiscovery>().Single().CollectAsync(default);
        var refused = outcomes.Count(outcome => outcome != "ok");
        var metrics = await collectors.OfType<CloudWatchCollector>().Single().CollectAsync(default);

        // What AWS has of the last minutes, whatever this machine takes the time to be.
        Assert.Contains(metrics.Samples, sample => sample.Gauge.Name == "aws_dynamodb_request_latency_seconds");
        var newest = metrics.Samples.Where(sample => sample.Gauge.Name == "aws_dynamodb_metrics_timestamp_seconds").Max(sample => sample.Value);
        Assert.InRange(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() - newest, 60, 400);
        // Refused was what began side by side, and nothing since: it is signed by AWS's time.
        Assert.InRange(refused, 1, outcomes.Count / 2);
        Assert.Equal(refused, outcomes.Count(outcome => outcome != "ok"));
    }

    /// <summary>By a clock that S3 and STS still tolerate; whoever answers first tells the time.</summary>
    [Theory]
    [InlineData("Glue", "error ok ok")]
    [InlineData("CloudWatch", "error ok ok")]
    [InlineData("DynamoDB", "error ok ok")]
    [InlineData("S3", "ok ok")]
    [InlineData("STS", "ok ok")]
    public async Task A_clock_that_is_ten_minutes_wrong_is_refused_once_at_most(string first, string expected)
    {
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, default);
        foreach (var minutes in (int[])[-10, 10])
        {
            var outcomes = new ConcurrentQueue<string>();
            using var source = new AwsSource(
                Collection(simulator.Address).Source, new FakeTimeProvider(TimeProvider.System.GetUtcNow().AddMinutes(minutes)), outcomes.Enqueue, Keys,
                new() { Retries = 1, Delay = TimeSpan.Zero });

            await (first switch
            {
                "Glue" => source.Glue.GetJobsAsync(new(), default),
                "CloudWatch" => source.CloudWatch.ListMetricsAsync(new("AWS/S3", null, []), default),
                "DynamoDB" => source.DynamoDb.ListTablesAsync(null, default),
                "S3" => source.S3.ListBucketsAsync("eu-west-1", null, 10, default),
                _ => (Task)source.GetIdentityAsync(default),
            });
            await source.Glue.GetJobsAsync(new(), default);

            Assert.Equal(expected, string.Join(' ', outcomes));
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData("123456789012")]
    public async Task A_region_that_AWS_does_not_have_is_told_as_such(string? accountId)
    {
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, default);
        using var ledger = new TemporaryLedger(TimeProvider.System);
        var settings = Collection(simulator.Address, region: "eu-nowhere-9");
        var collectors = AwsCollectors.For(
            settings with { Source = settings.Source with { AccountId = accountId } },
            new(ledger.Ledger, TimeProvider.System, NullLoggerFactory.Instance, (_, _) => { }), new(), Keys);

        foreach (var collector in collectors.Where(collector => collector is not CloudWatchCollector)) // It asks for what the others find.
        {
            var error = await FailureAsync(collector);

            Assert.NotNull(error);
            Assert.Contains(error.Code, (string[])["SignatureDoesNotMatch", "InvalidSignatureException", "AuthorizationHeaderMalformed"]);
            Assert.Contains("region", error.Message, StringComparison.Ordinal);
            Assert.DoesNotContain("secret key", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Every_region_that_the_SDK_knows_is_one_of_the_simulators()
    {
        await using var simulator = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, default);
        // Its list holds whatever region it was once asked for, too.
        var regions = typeof(RegionEndpoint).GetFields(BindingFlags.Public | BindingFlags.Static)
            .Where(field => field.FieldType == typeof(RegionEndpoint)).Select(field => ((RegionEndpoint)field.GetValue(null)!).SystemName).ToList();
        Assert.Contains("us-gov-west-1", regions);

        foreach (var region in regions)
        {
            using var source = new AwsSource(Collection(simulator.Address, region: region).Source, TimeProvider.System, keys: Keys);
            Assert.Equal($"aws/123456789012/{region}", (await source.GetIdentityAsync(default)).Scope);
        }
    }

    private static async Task<AwsException?> FailureAsync(ICollector collector)
    {
        try
        {
            return (AwsException?)(await collector.FetchAsync(default)).Failure;
        }
        catch (AwsException e)
        {
            return e;
        }
    }

    private static AwsCollection Collection(Uri simulator, AwsRole? role = null, string region = "eu-west-1") => new()
    {
        // Nobody advances the clock of a test for a request that waits for its turn.
        Source = new() { Name = region, Region = region, EndpointUrl = simulator, Role = role, DataRequestsPerSecond = 1000, ListRequestsPerSecond = 1000 },
        Timeout = TimeSpan.FromSeconds(10),
        Glue = new(_ => true, (_, fromBaseline) => fromBaseline, Minute, Minute),
        S3 = new(_ => true, Minute, TimeSpan.FromDays(1), Minute),
        DynamoDb = new(_ => true, _ => 10, Minute, Minute, Minute, Minute),
    };

    private sealed class TemporaryLedger : IDisposable
    {
        private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("aws-on-simulator-");
        private readonly TimeProvider time;

        public TemporaryLedger(TimeProvider time)
        {
            this.time = time;
            Ledger = Open();
        }

        public Ledger Ledger { get; private set; }

        public void Restart()
        {
            Ledger.Dispose();
            Ledger = Open();
        }

        public void Dispose()
        {
            Ledger.Dispose();
            directory.Delete(recursive: true);
        }

        private Ledger Open() => new(StateFile.Open(directory.FullName, time, NullLogger.Instance), new ScrapeLog(), time, LedgerOptions.Default);
    }
}
