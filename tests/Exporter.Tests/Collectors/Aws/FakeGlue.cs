using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using PipelineExporter.Sources.Aws;
using PipelineExporter.Tests.Sources.Aws;

namespace PipelineExporter.Tests.Collectors.Aws;

/// <summary>A job as Glue has it.</summary>
internal sealed record FakeJob(string Name, DateTimeOffset Created, int MaxRetries)
{
    /// <summary>From then on, until it is created, Glue does not know it: deleted, and made again.</summary>
    public DateTimeOffset? Deleted { get; init; }

    public string Command { get; init; } = "glueetl";

    public string Arguments { get; init; } = """{"--password":"hunter2"}""";

    public static implicit operator FakeJob((string Name, DateTimeOffset Created, int MaxRetries) job) => new(job.Name, job.Created, job.MaxRetries);

    /// <summary>Of a job that was made again, its first life began long ago.</summary>
    public DateTimeOffset? CreatedAt(DateTimeOffset at) => at >= Created ? Created : at < Deleted ? DateTimeOffset.UnixEpoch : null;
}

/// <summary>A run as Glue will have it: what is told of it depends on the time.</summary>
/// <param name="Ends">Null for a run that never ends.</param>
internal sealed record FakeRun(string Job, string Id, DateTimeOffset Starts, DateTimeOffset? Ends, string State = "SUCCEEDED")
{
    public int Attempt { get; init; }

    public string? PreviousRunId { get; init; }

    /// <summary>Until then it waits.</summary>
    public DateTimeOffset? RunsFrom { get; init; }

    public string WaitingState { get; init; } = "WAITING";

    /// <summary>Until then no list has it.</summary>
    public DateTimeOffset? VisibleFrom { get; init; }

    public string ExecutionClass { get; init; } = "STANDARD";

    public bool Queuing { get; init; }

    /// <summary>Whether the time in which it used resources is told before its end.</summary>
    public bool TellsTime { get; init; }

    public double? DpuSeconds { get; init; }

    /// <summary>In which it used resources.</summary>
    public double Seconds => (Ends!.Value - (RunsFrom is { } runs && runs < Ends ? runs : RunsFrom is null ? Starts : Ends.Value)).TotalSeconds;

    public bool IsVisible(DateTimeOffset at) => (VisibleFrom ?? Starts) <= at;

    public bool HasEnded(DateTimeOffset at) => Ends <= at;

    public string StateAt(DateTimeOffset at) => HasEnded(at) ? State : at < RunsFrom ? WaitingState : "RUNNING";
}

/// <summary>Glue and CloudWatch by their JSON protocols, without a network, as of the given clock.</summary>
internal sealed class FakeGlue(TimeProvider time) : HttpMessageHandler
{
    public List<FakeJob> Jobs { get; } = [];

    public List<FakeRun> Runs { get; } = [];

    public List<(string Target, JsonNode Body)> Requests { get; } = [];

    /// <summary>Gives the answer instead of the true one; null for the true one.</summary>
    public Func<string, JsonNode, HttpResponseMessage?> Interfere { get; set; } = (_, _) => null;

    public int LargestPage { get; set; } = 200;

    public int LargestPageOfJobs { get; set; } = 1000;

    public Func<string, IEnumerable<(DateTimeOffset At, double Value)>> Datapoints { get; set; } = _ => [];

    public AwsSource Source(Action<string>? observe = null) => new(
        new() { Name = "eu-west-1", Region = "eu-west-1", AccountId = "123456789012", EndpointUrl = new("http://aws.test") },
        time, observe, FakeAws.Keys, new() { Retries = 1, Delay = TimeSpan.Zero, FailuresBeforeBreak = 1000 }, _ => null, this);

    public static HttpResponseMessage Error(int status, string type) =>
        new((HttpStatusCode)status) { Content = new StringContent($$"""{"__type":"{{type}}","Message":"as the test wants it"}""") };

    public static HttpResponseMessage Json(string json) =>
        new(HttpStatusCode.OK) { Content = new StringContent(json, Encoding.UTF8, "application/x-amz-json-1.1") };

    public HttpResponseMessage Answer(string target, JsonNode body)
    {
        var answer = target.Split('.')[1] switch
        {
            "GetJobs" => GetJobs(body),
            "GetJobRuns" => GetJobRuns(body),
            "GetMetricData" => GetMetricData(body),
            var other => throw new InvalidOperationException(other),
        };
        return answer is null ? Error(400, "EntityNotFoundException") : Json(answer.ToJsonString());
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var target = request.Headers.GetValues("X-Amz-Target").Single();
        var body = JsonNode.Parse(await request.Content!.ReadAsStringAsync(cancellationToken))!;
        lock (Requests)
        {
            Requests.Add((target, body));
            var response = Interfere(target, body) ?? Answer(target, body);
            response.Headers.Date = time.GetUtcNow();
            response.RequestMessage = request;
            return response;
        }
    }

    private JsonObject GetJobs(JsonNode body)
    {
        var jobs = Jobs.Where(job => job.CreatedAt(time.GetUtcNow()) is not null).ToList();
        return Page(nameof(Jobs), body, LargestPageOfJobs, [.. jobs.Select(job => (JsonNode)new JsonObject
        {
            ["Name"] = job.Name, ["CreatedOn"] = Seconds(job.CreatedAt(time.GetUtcNow())!.Value), ["MaxRetries"] = job.MaxRetries, ["ExecutionClass"] = "STANDARD",
            ["GlueVersion"] = "5.0", ["WorkerType"] = "G.2X", ["Command"] = new JsonObject { ["Name"] = job.Command, ["ScriptLocation"] = "s3://hunter2" },
            ["DefaultArguments"] = JsonNode.Parse(job.Arguments),
        })]);
    }

    private JsonObject? GetJobRuns(JsonNode body)
    {
        var now = time.GetUtcNow();
        if (!Jobs.Any(job => job.Name == (string)body["JobName"]! && job.CreatedAt(now) is not null))
            return null;
        return Page("JobRuns", body, LargestPage, [.. Runs.Where(run => run.Job == (string)body["JobName"]! && run.IsVisible(now))
            .OrderByDescending(run => run.Starts).ThenByDescending(run => run.Id, StringComparer.Ordinal).Select(run => (JsonNode)Shape(run, now))]);
    }

    private static JsonObject Page(string name, JsonNode body, int largest, IReadOnlyList<JsonNode> all)
    {
        var from = int.Parse((string?)body["NextToken"] ?? "0", CultureInfo.InvariantCulture);
        var size = Math.Min((int?)body["MaxResults"] ?? largest, largest);
        var answer = new JsonObject { [name] = new JsonArray([.. all.Skip(from).Take(size)]) };
        if (from + size < all.Count)
            answer["NextToken"] = (from + size).ToString(CultureInfo.InvariantCulture);
        return answer;
    }

    private static JsonObject Shape(FakeRun run, DateTimeOffset now)
    {
        var shape = new JsonObject
        {
            ["Id"] = run.Id, ["Attempt"] = run.Attempt, ["JobName"] = run.Job, ["StartedOn"] = Seconds(run.Starts),
            ["LastModifiedOn"] = Seconds(run.HasEnded(now) ? run.Ends!.Value : run.Starts), ["JobRunState"] = run.StateAt(now),
            ["Arguments"] = new JsonObject { ["--password"] = "hunter2" }, ["ErrorMessage"] = "failed with hunter2",
            ["ExecutionTime"] = run.HasEnded(now) ? (int)run.Seconds : run.TellsTime ? (int)(now - (run.RunsFrom ?? run.Starts)).TotalSeconds : 0,
            ["WorkerType"] = "G.2X", ["NumberOfWorkers"] = 5, ["MaxCapacity"] = 10.0, ["ExecutionClass"] = run.ExecutionClass,
            ["JobRunQueuingEnabled"] = run.Queuing,
        };
        if (run.PreviousRunId is { } previous)
            shape["PreviousRunId"] = previous;
        if (run.HasEnded(now))
        {
            shape["CompletedOn"] = Seconds(run.Ends!.Value);
            if (run.DpuSeconds is { } used)
                shape["DPUSeconds"] = used;
        }

        return shape;
    }

    private JsonObject GetMetricData(JsonNode body)
    {
        var (from, until) = (Time(body["StartTime"]!), Time(body["EndTime"]!));
        return new()
        {
            ["MetricDataResults"] = new JsonArray([.. body["MetricDataQueries"]!.AsArray().Select(query =>
            {
                var job = (string)query!["MetricStat"]!["Metric"]!["Dimensions"]!.AsArray().Single(dimension => (string)dimension!["Name"]! == "JobName")!["Value"]!;
                var datapoints = Datapoints(job).Where(datapoint => datapoint.At >= from && datapoint.At < until).OrderByDescending(datapoint => datapoint.At).ToList();
                return (JsonNode)new JsonObject
                {
                    ["Id"] = (string)query["Id"]!, ["Label"] = job, ["StatusCode"] = "Complete",
                    ["Timestamps"] = new JsonArray([.. datapoints.Select(datapoint => (JsonNode)Seconds(datapoint.At))]),
                    ["Values"] = new JsonArray([.. datapoints.Select(datapoint => (JsonNode)datapoint.Value)]),
                };
            })]),
            ["Messages"] = new JsonArray(),
        };
    }

    private static double Seconds(DateTimeOffset at) => at.ToUnixTimeMilliseconds() / 1000.0;

    private static DateTimeOffset Time(JsonNode seconds) => DateTimeOffset.FromUnixTimeMilliseconds((long)(seconds.GetValue<double>() * 1000));
}
