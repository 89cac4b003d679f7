using System.Net;
using System.Text.Json;
using PipelineExporter.Simulator.Airflow;
using PipelineExporter.Simulator.Aws;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;
using PipelineExporter.Simulator.Tests.Aws;

namespace PipelineExporter.Simulator.Tests.Control;

/// <summary>The truth against what a walk through the API shows of the same interval, with an incident in it.</summary>
public sealed class TruthTests : IAsyncLifetime
{
    const string Interval = "from=2026-11-23T11:45:00Z&to=2026-11-23T12:15:00Z";

    static readonly DateTimeOffset From = new(2026, 11, 23, 11, 45, 0, TimeSpan.Zero), To = new(2026, 11, 23, 12, 15, 0, TimeSpan.Zero);

    readonly SimulatorClient simulator = new();

    public async ValueTask InitializeAsync()
    {
        await simulator.InitializeAsync();
        await simulator.ControlAsync(HttpMethod.Post, "/incidents", """{"name": "dag_failure"}""");
        simulator.Time.Advance(TimeSpan.FromMinutes(11));
        await simulator.ControlAsync(HttpMethod.Delete, "/incidents/dag_failure");
        simulator.Time.Advance(TimeSpan.FromMinutes(30));
    }

    public ValueTask DisposeAsync() => simulator.DisposeAsync();

    [Theory]
    [InlineData("2.11", "&airflow=2")]
    [InlineData("3.3", "")]
    public async Task Runs_tries_outcomes_and_retries_are_those_of_the_api(string version, string airflow)
    {
        var truth = await simulator.ControlAsync(HttpMethod.Get, $"/truth?{Interval}{airflow}");

        var runs = (await WalkAsync(version, "/dags/~/dagRuns?end_date_gte=2026-11-23T11:45:00Z", "dag_runs")).Where(row => Ended(row, "end_date")).ToList();
        Assert.Equal(
            Count(runs, row => $"{Text(row, "dag_id")} {Text(row, "run_type")} {Text(row, "state")}"),
            Counts(truth, "dag_runs", row => $"{Text(row, "dag_id")} {Text(row, "run_type")} {Text(row, "state")}"));
        Assert.Contains("music_streaming_validation manual failed 1", Counts(truth, "dag_runs", row => $"{Text(row, "dag_id")} {Text(row, "run_type")} {Text(row, "state")}"));

        var rows = await WalkAsync(version, "/dags/~/dagRuns/~/taskInstances?updated_at_gte=2026-11-23T11:45:00Z", "task_instances");
        List<JsonElement> tries = [];
        foreach (var row in rows)
            tries.AddRange(row.GetProperty("try_number").GetInt32() < 2 && Text(row, "state") != "up_for_retry" ? [row] : await TriesAsync(version, row));
        var ended = tries.Where(row => row.GetProperty("try_number").GetInt32() > 0 && IsFinal(row) && Ended(row, "end_date")).ToList();
        Assert.Equal(Count(ended, Outcome), Counts(truth, "task_tries", Outcome));
        Assert.Contains("music_streaming_validation validate_streams failed 2", Counts(truth, "task_tries", Outcome));

        // Rows without dates have ended too; when, only the model knows: their run tells about when.
        var finished = rows.Where(row => IsFinal(row) && Ended(row, "end_date")).ToList();
        var dateless = Counts(truth, "task_instances_finished", Outcome).Except(Count(finished, Outcome)).ToList();
        Assert.All(dateless, outcome => Assert.StartsWith("catalog_hourly_snapshot snapshot_label skipped", outcome, StringComparison.Ordinal));
        Assert.Empty(Count(finished, Outcome).Except(Counts(truth, "task_instances_finished", Outcome)));

        var retries = tries.Where(row => row.GetProperty("try_number").GetInt32() > 1 && Ended(row, "start_date") &&
            Text(row, "state") is not ("scheduled" or "queued"));
        Assert.Equal(Count(retries, row => $"{Text(row, "dag_id")} {Text(row, "task_id")}"), Counts(truth, "task_retries", row => $"{Text(row, "dag_id")} {Text(row, "task_id")}"));
        Assert.True(truth.GetProperty("task_retries").GetArrayLength() > 0);
    }

    [Fact]
    public async Task Glue_runs_are_counted_by_job_and_state()
    {
        var truth = await simulator.ControlAsync(HttpMethod.Get, $"/truth?{Interval}");
        var glue = truth.GetProperty("glue_job_runs").EnumerateArray().ToDictionary(row => $"{Text(row, "job_name")} {Text(row, "state")}", row => row.GetProperty("count").GetInt32());
        Assert.Equal(2, glue["music_streaming_validation FAILED"]);
        Assert.InRange(glue["music_streaming_validation SUCCEEDED"], 2, 4);
        Assert.True(truth.GetProperty("glue_job_runs").EnumerateArray().All(row => row.GetProperty("dpu_seconds").GetDouble() > 0));
    }

    /// <summary>Its retry starts after the interval, too.</summary>
    [Theory]
    [InlineData(4.5, 0)]
    [InlineData(12, 1)]
    public async Task Of_a_Glue_run_that_Glue_itself_retried_only_the_last_attempt_is_its_outcome(double seconds, int outcomes)
    {
        var start = simulator.Time.GetUtcNow();
        await simulator.ControlAsync(HttpMethod.Post, "/incidents", """{"name": "glue_failure"}""");
        simulator.Time.Advance(TimeSpan.FromSeconds(seconds));
        var truth = await simulator.ControlAsync(HttpMethod.Get, $"/truth?from={start:yyyy-MM-ddTHH:mm:ssZ}&to={simulator.Time.GetUtcNow():yyyy-MM-ddTHH:mm:ss.fffZ}");

        var failed = Assert.Single(truth.GetProperty("glue_job_runs").EnumerateArray(), row => Text(row, "state") == "FAILED");
        Assert.Equal("music_streaming_catalog_export", Text(failed, "job_name"));
        Assert.Equal((outcomes, 1), (failed.GetProperty("count").GetInt32(), failed.GetProperty("retries").GetInt32()));
        // Each of them ran three seconds on four DPUs.
        Assert.Equal(12 * (outcomes + 1), failed.GetProperty("dpu_seconds").GetDouble());
    }

    [Fact]
    public async Task Two_halves_make_the_whole()
    {
        var whole = await simulator.ControlAsync(HttpMethod.Get, $"/truth?{Interval}");
        var first = await simulator.ControlAsync(HttpMethod.Get, "/truth?from=2026-11-23T11:45:00Z&to=2026-11-23T12:00:07.5Z");
        var second = await simulator.ControlAsync(HttpMethod.Get, "/truth?from=2026-11-23T12:00:07.5Z&to=2026-11-23T12:15:00Z");
        foreach (var name in new[] { "task_tries", "task_instances_finished", "task_retries", "dag_runs", "glue_job_runs" })
            Assert.Equal(Sum(whole, name), Sum(first, name) + Sum(second, name));
    }

    [Fact]
    public void Sums_of_CloudWatch_are_what_it_tells_when_nothing_is_late_any_more()
    {
        var cloudWatch = ServiceCall.CloudWatch();
        var sums = Sums(From, To);

        Assert.Equal(["AWS/DynamoDB", "AWS/S3", "Glue"], sums.Select(sum => sum.Namespace).Distinct().Order());
        Assert.All(sums.Chunk(500), chunk =>
        {
            var results = ServiceCall.Json(cloudWatch, "GetMetricData", $$"""
                {"StartTime": {{From.ToUnixTimeSeconds()}}, "EndTime": {{To.ToUnixTimeSeconds()}}, "MetricDataQueries": [{{string.Join(',', chunk.Select(Query))}}]}
                """, To.AddMinutes(10))["MetricDataResults"]!.AsArray();
            Assert.All(chunk.Zip(results), pair => Assert.Equal(
                pair.First.Sum, pair.Second!["Values"]!.AsArray().Sum(value => (double)value!), tolerance: 1e-9 * pair.First.Sum));
        });

        // What is not there was nothing.
        Assert.Equal(
            new MetricCatalog(ServiceCall.Model).All.Count(series => series.Unit is "Count" or "Bytes" && series.Samples(From, To).Any(sample => sample.Value > 0)), sums.Count);
        var middle = From.AddMinutes(7.3);
        var halves = Sums(From, middle).Concat(Sums(middle, To)).GroupBy(Name).ToDictionary(parts => parts.Key, parts => parts.Sum(part => part.Sum));
        Assert.Equal(sums.Count, halves.Count);
        Assert.All(sums, sum => Assert.Equal(sum.Sum, halves[Name(sum)], tolerance: 1e-9 * sum.Sum));

        static IReadOnlyList<MetricSum> Sums(DateTimeOffset from, DateTimeOffset to) => Truth.Of(ServiceCall.Model, new EditLog(1), Edition.V2, from, to).CloudWatchSums;

        static string Name(MetricSum sum) => string.Join(' ', [sum.Namespace, sum.MetricName, .. sum.Dimensions.Values]);

        static string Query(MetricSum sum, int i) => $$"""
            {"Id": "m{{i}}", "MetricStat": {"Period": 60, "Stat": "Sum", "Metric": {"Namespace": "{{sum.Namespace}}", "MetricName": "{{sum.MetricName}}", "Dimensions": [{{
            string.Join(',', sum.Dimensions.Select(dimension => $$"""{"Name": "{{dimension.Key}}", "Value": "{{dimension.Value}}"}"""))}}]} } }
            """;
    }

    [Theory]
    [InlineData("")]
    [InlineData("?from=yesterday&to=2026-11-23T12:00:00Z")]
    [InlineData("?from=2026-11-23T12:00:00Z&to=2027-11-23T12:00:00Z")]
    public async Task An_interval_that_is_none_or_in_the_future_is_refused(string query) =>
        await simulator.ControlAsync(HttpMethod.Get, "/truth" + query, status: HttpStatusCode.BadRequest);

    /// <summary>Pages of 100, whatever the order.</summary>
    async Task<List<JsonElement>> WalkAsync(string version, string query, string name)
    {
        List<JsonElement> rows = [];
        for (var total = 1; rows.Count < total;)
        {
            var page = await simulator.GetAsync(version, $"{query}&limit=100&offset={rows.Count}");
            total = page.GetProperty("total_entries").GetInt32();
            rows.AddRange(page.GetProperty(name).EnumerateArray());
        }
        return rows;
    }

    async Task<IReadOnlyList<JsonElement>> TriesAsync(string version, JsonElement row)
    {
        var index = row.GetProperty("map_index").GetInt32();
        return await simulator.RowsAsync(version,
            $"/dags/{Text(row, "dag_id")}/dagRuns/{Uri.EscapeDataString(Text(row, "dag_run_id")!)}/taskInstances/{Text(row, "task_id")}{(index < 0 ? "" : $"/{index}")}/tries",
            "task_instances");
    }

    static bool IsFinal(JsonElement row) => Text(row, "state") is "success" or "failed" or "skipped" or "upstream_failed";

    static bool Ended(JsonElement row, string name) => row.GetProperty(name) is { ValueKind: JsonValueKind.String } date && date.GetDateTimeOffset() is var at && at >= From && at < To;

    static string Outcome(JsonElement row) => $"{Text(row, "dag_id")} {Text(row, "task_id")} {Text(row, "state")}";

    static List<string> Count(IEnumerable<JsonElement> rows, Func<JsonElement, string> key) =>
        [.. rows.CountBy(key).Select(count => $"{count.Key} {count.Value}").Order(StringComparer.Ordinal)];

    static List<string> Counts(JsonElement truth, string name, Func<JsonElement, string> key) =>
        [.. truth.GetProperty(name).EnumerateArray().Select(row => $"{key(row)} {row.GetProperty("count").GetInt32()}").Order(StringComparer.Ordinal)];

    static int Sum(JsonElement truth, string name) => truth.GetProperty(name).EnumerateArray().Sum(row => row.GetProperty("count").GetInt32());

    static string? Text(JsonElement row, string name) => SimulatorClient.Text(row, name);
}
