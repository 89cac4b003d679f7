using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json.Nodes;
using Amazon.Runtime;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Collectors;
using PipelineExporter.Collectors.Airflow;
using PipelineExporter.Configuration;
using PipelineExporter.Metrics;
using PipelineExporter.Sources.Airflow;
using PipelineExporter.Sources.Aws;
using PipelineExporter.Tests.Collectors.Aws;
using PipelineExporter.Tests.Sources.Aws;

namespace PipelineExporter.Tests.Collectors.Airflow;

public sealed class AirflowWorkersTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 23, 6, 2, 30, TimeSpan.Zero);

    private static readonly WorkerCollection OfMwaa = AirflowOnAws.Workers(
        ExporterConfiguration.Parse("airflow: [{ environment: production, auth: { mwaa: { name: music-streaming, region: eu-west-1 } } }]").Airflow[0], FakeAws.Keys)!;

    [Fact]
    public void A_snapshot_is_written_by_cluster()
    {
        var rig = new Rig(OfMwaa);

        Assert.Equal(
            new Dictionary<string, double>
            {
                ["airflow_worker_cpu_utilization_ratio{BaseWorker}"] = 0.5, ["airflow_worker_memory_utilization_ratio{Scheduler}"] = 0.25,
            },
            GlueRig.Written(rig.Collector, new WorkersSnapshot(
                ImmutableSortedDictionary<string, double>.Empty.Add("BaseWorker", 0.5), ImmutableSortedDictionary<string, double>.Empty.Add("Scheduler", 0.25))));
        Assert.Equal(("airflow/production", TimeSpan.FromMinutes(1)), (rig.Collector.Source, rig.Collector.Interval));
        Assert.Equal([new("environment", "production"), new("team", "data")], rig.Collector.Identity!.Labels);
    }

    [Fact]
    public async Task The_four_clusters_of_MWAA_are_asked_for_at_once_and_the_newest_settled_minute_counts()
    {
        var rig = new Rig(OfMwaa);
        // At 06:02:30 the minute from 05:59 has settled; that from 06:00 has not.
        rig.Datapoints = (metric, cluster) => (metric, cluster) switch
        {
            ("CPUUtilization", "BaseWorker") => [(At(5, 58), 10), (At(5, 59), 97.5), (At(6, 0), 99)],
            ("MemoryUtilization", "BaseWorker") => [(At(5, 52), 40)],
            ("CPUUtilization", "Scheduler") => [(At(5, 51), 40)],
            _ => [],
        };

        var snapshot = await rig.CollectAsync();

        Assert.Equal(new Dictionary<string, double> { ["BaseWorker"] = 0.975 }, snapshot.Cpu.ToDictionary());
        Assert.Equal(new Dictionary<string, double> { ["BaseWorker"] = 0.4 }, snapshot.Memory.ToDictionary());
        Assert.Equal(["ListMetrics", "GetMetricData"], rig.Requests.Select(request => request.Operation));
        Assert.Equal(
            """{"Namespace":"AWS/MWAA","MetricName":"CPUUtilization","Dimensions":[{"Name":"Environment","Value":"music-streaming"},{"Name":"Cluster"}],"RecentlyActive":"PT3H"}""",
            rig.Requests[0].Body.ToJsonString());
        var asked = rig.Requests[1].Body;
        Assert.Equal((At(5, 52).ToUnixTimeSeconds(), At(6, 0).ToUnixTimeSeconds()), ((long)asked["StartTime"]!, (long)asked["EndTime"]!));
        Assert.Equal(
            """{"Id":"m7","MetricStat":{"Metric":{"Namespace":"AWS/MWAA","MetricName":"MemoryUtilization","Dimensions":[{"Name":"Environment","Value":"music-streaming"},{"Name":"Cluster","Value":"WebServer"}]},"Period":60,"Stat":"Average"}}""",
            asked["MetricDataQueries"]![7]!.ToJsonString());
    }

    [Fact]
    public async Task A_cluster_that_falls_silent_vanishes_within_ten_minutes()
    {
        var rig = new Rig(OfMwaa) { Datapoints = (_, cluster) => cluster == "BaseWorker" ? [(At(5, 59), 50)] : [] };

        var seen = 0;
        for (var minute = 0; minute < 20; minute++, rig.Time.Advance(TimeSpan.FromMinutes(1)))
        {
            if ((await rig.CollectAsync()).Cpu.ContainsKey("BaseWorker"))
                seen = minute;
        }

        // The minute ended at 06:00; at 06:09:30 it is still told, at 06:10:30 no more.
        Assert.Equal(7, seen);
    }

    [Fact]
    public async Task Clusters_are_those_that_are_listed_every_15_minutes()
    {
        var rig = new Rig(OfMwaa) { Clusters = ["NewKind", "BaseWorker"], Datapoints = (_, _) => [(At(5, 59), 50)] };

        Assert.Equal(["BaseWorker", "NewKind"], (await rig.CollectAsync()).Cpu.Keys);
        rig.Clusters = ["Other"];
        rig.Time.Advance(TimeSpan.FromMinutes(14));
        await rig.CollectAsync();
        Assert.Equal(2, rig.Count("ListMetrics")); // two pages
        rig.Time.Advance(TimeSpan.FromMinutes(1));
        await rig.CollectAsync();

        Assert.Equal(3, rig.Count("ListMetrics"));
        Assert.Equal("Other", (string?)rig.Requests[^1].Body["MetricDataQueries"]![0]!["MetricStat"]!["Metric"]!["Dimensions"]![1]!["Value"]);
    }

    [Fact]
    public async Task A_metric_with_further_dimensions_is_no_cluster()
    {
        var rig = new Rig(OfMwaa) { Clusters = ["BaseWorker"], FurtherDimension = true };

        await rig.CollectAsync();

        Assert.Equal(8, rig.Requests[^1].Body["MetricDataQueries"]!.AsArray().Count); // the four that are asked for while none is listed
    }

    [Fact]
    public async Task Metrics_of_ones_own_without_clusters_are_one_series()
    {
        var rig = new Rig(Configured("namespace: CWAgent, cpu_metric: cpu, memory_metric: mem, dimensions: { Fleet: airflow }, unit: ratio"))
        {
            Datapoints = (metric, _) => [(At(5, 59), metric == "cpu" ? 0.75 : 0.5)],
        };

        var snapshot = await rig.CollectAsync();

        Assert.Equal(new Dictionary<string, double> { [""] = 0.75 }, snapshot.Cpu.ToDictionary());
        Assert.Equal(new Dictionary<string, double> { [""] = 0.5 }, snapshot.Memory.ToDictionary());
        Assert.Equal(
            """{"Namespace":"CWAgent","MetricName":"cpu","Dimensions":[{"Name":"Fleet","Value":"airflow"}]}""",
            Assert.Single(rig.Requests).Body["MetricDataQueries"]![0]!["MetricStat"]!["Metric"]!.ToJsonString());
    }

    [Fact]
    public async Task Metrics_of_ones_own_are_looked_for_every_five_minutes_while_there_are_none()
    {
        var rig = new Rig(Configured("namespace: CWAgent, cluster_dimension: Group"));

        for (var minute = 0; minute < 6; minute++, rig.Time.Advance(TimeSpan.FromMinutes(1)))
            await rig.CollectAsync();
        rig.Clusters = ["a"];
        rig.Time.Advance(TimeSpan.FromMinutes(5));
        await rig.CollectAsync();

        Assert.Equal((3, 1), (rig.Count("ListMetrics"), rig.Count("GetMetricData")));
    }

    [Fact]
    public async Task Silence_is_told_once_and_again_after_there_was_a_value()
    {
        var rig = new Rig(OfMwaa);
        await rig.CollectAsync();
        await rig.CollectAsync();
        Assert.Equal(
            "Warning: airflow/production: CloudWatch has no value of the last 10 minutes in eu-west-1 of AWS/MWAA CPUUtilization or MemoryUtilization with "
            + "the dimensions asked for. Are there containers running, and are region, namespace, names and dimensions right?",
            Assert.Single(rig.Log.All));

        rig.Datapoints = (_, _) => [(At(5, 59), 50)];
        await rig.CollectAsync();
        rig.Datapoints = (_, _) => [];
        await rig.CollectAsync();

        Assert.Equal(2, rig.Log.All.Count);
    }

    [Theory]
    [InlineData("""{"Metrics":[null]}""")]
    [InlineData("""{"Metrics":[{"Dimensions":[null,null]}]}""")]
    [InlineData("""{"Metrics":[{"Dimensions":[{"Name":"Environment","Value":"music-streaming"},{"Name":"Cluster"}]}]}""")]
    public async Task A_list_of_nonsense_is_an_empty_one(string list)
    {
        var rig = new Rig(OfMwaa) { List = list };

        await rig.CollectAsync();

        Assert.Equal(8, rig.Requests[^1].Body["MetricDataQueries"]!.AsArray().Count);
    }

    [Fact]
    public async Task A_missing_permission_is_told_with_the_action()
    {
        var rig = new Rig(OfMwaa) { Fails = true };

        var error = await Assert.ThrowsAsync<AwsException>(rig.CollectAsync);

        Assert.Contains("Allow cloudwatch:ListMetrics in the IAM policy", error.Message);
    }

    [Fact]
    public void The_configuration_decides_whether_workers_are_watched()
    {
        Assert.Null(AirflowOnAws.Workers(ExporterConfiguration.Parse("""airflow: [{ environment: production, url: "http://localhost" }]""").Airflow[0], null));
        var configured = Configured("namespace: CWAgent, cluster_dimension: Group, role_arn: \"arn:aws:iam::012345678901:role/x\", external_id: abc");

        Assert.Equal(("eu-central-1", new AwsRole("arn:aws:iam::012345678901:role/x", "abc")), (configured.Source.Region, configured.Source.Role));
        Assert.Equal(("CWAgent", "Group", true), (configured.Namespace, configured.ClusterDimension, configured.IsPercent));
        Assert.Empty(configured.ClustersUntilListed);
        Assert.Empty(configured.Dimensions);
    }

    private static WorkerCollection Configured(string keys) => AirflowOnAws.Workers(
        ExporterConfiguration.Parse($$"""
            airflow:
              - environment: production
                auth: { mwaa: { name: music-streaming, region: eu-west-1 } }
                workers: { cloudwatch: { region: eu-central-1, {{keys}} } }
            """).Airflow[0],
        FakeAws.Keys)!;

    private static DateTimeOffset At(int hour, int minute) => new(2026, 11, 23, hour, minute, 0, TimeSpan.Zero);

    /// <summary>The collector, and a CloudWatch that holds what the test says.</summary>
    private sealed class Rig : HttpMessageHandler
    {
        public Rig(WorkerCollection workers)
        {
            var source = new AwsSource(
                workers.Source with { EndpointUrl = new("http://aws.test") }, Time, null, FakeAws.Keys, new() { Retries = 1, Delay = TimeSpan.Zero }, _ => null, this);
            var endpoint = new AirflowEndpoint("production", new("http://airflow.test"), null);
            var environment = new AirflowEnvironment(
                new AirflowConnection(endpoint, Time, _ => { }),
                new(endpoint, [new("team", "data")], TimeSpan.FromSeconds(30), TimeSpan.FromHours(1)),
                new(Ledger: null!, Time, new OneLog(Log), (_, _) => { }));
            Collector = new(environment, workers, source);
        }

        public FakeTimeProvider Time { get; } = new(Start);

        public LogLines Log { get; } = new();

        public AirflowWorkers Collector { get; }

        public string[] Clusters { get; set; } = [];

        public bool FurtherDimension { get; init; }

        public bool Fails { get; init; }

        /// <summary>The list of metrics instead of the true one.</summary>
        public string? List { get; init; }

        public Func<string, string?, IEnumerable<(DateTimeOffset At, double Value)>> Datapoints { get; set; } = (_, _) => [];

        public List<(string Operation, JsonNode Body)> Requests { get; } = [];

        public Task<WorkersSnapshot> CollectAsync() => Collector.CollectAsync(CancellationToken.None);

        public int Count(string operation) => Requests.Count(request => request.Operation == operation);

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var operation = request.Headers.GetValues("X-Amz-Target").Single().Split('.')[1];
            var body = JsonNode.Parse(await request.Content!.ReadAsStringAsync(cancellationToken))!;
            Requests.Add((operation, body));
            var response = Fails ? FakeGlue.Error(400, "AccessDeniedException")
                : operation == "ListMetrics" && List is not null ? FakeGlue.Json(List)
                : FakeGlue.Json((operation == "ListMetrics" ? ListMetrics(body) : GetMetricData(body)).ToJsonString());
            response.Headers.Date = Time.GetUtcNow();
            response.RequestMessage = request;
            return response;
        }

        /// <summary>Two pages.</summary>
        private JsonObject ListMetrics(JsonNode body)
        {
            var isFirst = body["NextToken"] is null;
            var page = isFirst ? Clusters.Take(1) : Clusters.Skip(1);
            var answer = new JsonObject
            {
                ["Metrics"] = new JsonArray([.. page.Select(cluster => (JsonNode)new JsonObject
                {
                    ["Namespace"] = (string?)body["Namespace"], ["MetricName"] = (string?)body["MetricName"],
                    ["Dimensions"] = new JsonArray(
                    [
                        .. body["Dimensions"]!.AsArray().Select(filter => new JsonObject
                        {
                            ["Name"] = (string?)filter!["Name"], ["Value"] = (string?)filter["Value"] ?? cluster,
                        }),
                        .. FurtherDimension ? [new JsonObject { ["Name"] = "Container", ["Value"] = "1" }] : (JsonNode[])[],
                    ]),
                })]),
            };
            if (isFirst && Clusters.Length > 1)
                answer["NextToken"] = "more";
            return answer;
        }

        private JsonObject GetMetricData(JsonNode body)
        {
            var (from, until) = (Instant(body["StartTime"]!), Instant(body["EndTime"]!));
            return new()
            {
                ["MetricDataResults"] = new JsonArray([.. body["MetricDataQueries"]!.AsArray().Select(query =>
                {
                    var metric = query!["MetricStat"]!["Metric"]!;
                    var cluster = (string?)metric["Dimensions"]!.AsArray().LastOrDefault(dimension => (string)dimension!["Name"]! is "Cluster" or "Group")?["Value"];
                    var points = Datapoints((string)metric["MetricName"]!, cluster).Where(point => point.At >= from && point.At < until).Reverse().ToList();
                    return (JsonNode)new JsonObject
                    {
                        ["Id"] = (string)query["Id"]!, ["StatusCode"] = "Complete",
                        ["Timestamps"] = new JsonArray([.. points.Select(point => (JsonNode)point.At.ToUnixTimeSeconds())]),
                        ["Values"] = new JsonArray([.. points.Select(point => (JsonNode)point.Value)]),
                    };
                })]),
            };
        }

        private static DateTimeOffset Instant(JsonNode seconds) => DateTimeOffset.FromUnixTimeMilliseconds((long)(seconds.GetValue<double>() * 1000));
    }

    private sealed class OneLog(ILogger log) : ILoggerFactory
    {
        public ILogger CreateLogger(string categoryName) => log;

        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

        public void Dispose()
        {
        }
    }
}
