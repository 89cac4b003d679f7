using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using PipelineExporter.Sources.Aws;
using PipelineExporter.Tests.Sources.Aws;

namespace PipelineExporter.Tests.Collectors.Aws.CloudWatch;

/// <summary>What CloudWatch has of one metric: each datapoint with the values that it had, by the time from which it had them.</summary>
internal sealed class FakeMetric(string space, string name, (string Name, string Value)[] dimensions)
{
    public string Space => space;

    public string Name => name;

    public (string Name, string Value)[] Dimensions => dimensions;

    /// <summary>ListMetrics tells of it.</summary>
    public bool IsListed { get; set; } = true;

    public SortedDictionary<DateTimeOffset, List<(DateTimeOffset VisibleAt, double Value)>> Datapoints { get; } = [];

    /// <summary>Publishes a datapoint, or another value of one.</summary>
    public void Publish(DateTimeOffset start, double value, DateTimeOffset visibleAt)
    {
        if (!Datapoints.TryGetValue(start, out var values))
            Datapoints.Add(start, values = []);
        values.Add((visibleAt, value));
    }

    public double? At(DateTimeOffset start, DateTimeOffset now) =>
        Datapoints.GetValueOrDefault(start)?.Where(value => value.VisibleAt <= now).Select(value => (double?)value.Value).LastOrDefault();
}

/// <summary>CloudWatch by its JSON protocol, without a network, as of the given clock.</summary>
internal sealed class FakeCloudWatch(TimeProvider time) : HttpMessageHandler
{
    private readonly Dictionary<string, FakeMetric> byKey = [];
    private int inFlight;

    private DateTimeOffset Now => time.GetUtcNow() + Ahead;

    public List<FakeMetric> Metrics { get; } = [];

    public List<(string Operation, JsonNode Body, DateTimeOffset At)> Requests { get; } = [];

    /// <summary>Gives the answer instead of the true one; null for the true one.</summary>
    public Func<string, JsonNode, HttpResponseMessage?> Interfere { get; set; } = (_, _) => null;

    /// <summary>Whether a request is never answered.</summary>
    public Func<string, JsonNode, bool> Hangs { get; set; } = (_, _) => false;

    /// <summary>The status of the result of a metric instead of Complete.</summary>
    public Func<string, string?> StatusOf { get; set; } = _ => null;

    /// <summary>By what a datapoint's value is multiplied for a statistic, to tell one from another.</summary>
    public Func<string, double> FactorOf { get; set; } = _ => 1;

    /// <summary>Changes a true answer to GetMetricData.</summary>
    public Action<JsonObject> Distort { get; set; } = _ => { };

    public List<(string Code, string Value)> Messages { get; } = [];

    public int LargestPage { get; set; } = 100_800;

    /// <summary>While each page is read a datapoint comes, which pushes the last one of the page onto the next, too.</summary>
    public bool PagesOverlap { get; set; }

    /// <summary>How long an answer takes, by the real clock.</summary>
    public TimeSpan Latency { get; set; }

    /// <summary>How far AWS's clock is ahead of the given one.</summary>
    public TimeSpan Ahead { get; set; }

    public int MostInFlight { get; private set; }

    /// <summary>May be asked while requests are on their way.</summary>
    public int Count(string operation)
    {
        lock (Requests)
            return Requests.Count(request => request.Operation == operation);
    }

    /// <summary>How many metrics were asked for.</summary>
    public int Asked => Requests.Where(request => request.Operation == "GetMetricData").Sum(request => request.Body["MetricDataQueries"]!.AsArray().Count);

    public FakeMetric Add(string space, string name, params (string Name, string Value)[] dimensions)
    {
        var metric = new FakeMetric(space, name, dimensions);
        Metrics.Add(metric);
        byKey.TryAdd(Key(space, name, dimensions), metric); // it may be listed twice
        return metric;
    }

    public AwsSource Source(int retries = 1, int dataRequestsPerSecond = 1000) => new(
        new()
        {
            Name = "eu-west-1", Region = "eu-west-1", AccountId = "123456789012", EndpointUrl = new("http://aws.test"),
            DataRequestsPerSecond = dataRequestsPerSecond, ListRequestsPerSecond = 1000,
        },
        time, null, FakeAws.Keys, new() { Retries = retries, Delay = TimeSpan.Zero, FailuresBeforeBreak = 100_000 }, _ => null, this);

    public static HttpResponseMessage Error(int status, string type, string message = "as the test wants it") =>
        Answer((HttpStatusCode)status, $$"""{"__type":"com.amazon.coral.service#{{type}}","message":"{{message}}"}""");

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var operation = request.Headers.GetValues("X-Amz-Target").Single().Split('.')[1];
        var body = JsonNode.Parse(await request.Content!.ReadAsStringAsync(cancellationToken))!;
        lock (Requests)
            MostInFlight = Math.Max(MostInFlight, ++inFlight);
        if (Hangs(operation, body))
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
        if (Latency > TimeSpan.Zero)
            await Task.Delay(Latency, cancellationToken);
        lock (Requests)
        {
            inFlight--;
            Requests.Add((operation, body, time.GetUtcNow()));
            var response = Interfere(operation, body)
                ?? Answer(HttpStatusCode.OK, (operation == "ListMetrics" ? ListMetrics(body) : GetMetricData(body)).ToJsonString());
            response.Headers.Date = Now;
            response.RequestMessage = request;
            return response;
        }
    }

    public static HttpResponseMessage Answer(HttpStatusCode status, string json, string type = "application/x-amz-json-1.0") =>
        new(status) { Content = new StringContent(json, Encoding.UTF8, type) };

    private JsonObject ListMetrics(JsonNode body)
    {
        const int page = 500;
        var filters = body["Dimensions"]?.AsArray().Select(filter => ((string)filter!["Name"]!, (string?)filter["Value"])).ToList() ?? [];
        var offset = body["NextToken"] is { } token ? int.Parse((string)token!, CultureInfo.InvariantCulture) : 0;
        var all = Metrics
            .Where(metric => metric.IsListed && metric.Space == (string)body["Namespace"]! && (body["MetricName"] is not { } name || metric.Name == (string)name!)
                && filters.TrueForAll(filter => metric.Dimensions.Any(dimension => dimension.Name == filter.Item1 && (filter.Item2 ?? dimension.Value) == dimension.Value)))
            .ToList();
        var answer = new JsonObject
        {
            [nameof(Metrics)] = new JsonArray([.. all.Skip(offset).Take(page).Select(metric => new JsonObject
            {
                ["Namespace"] = metric.Space,
                ["MetricName"] = metric.Name,
                ["Dimensions"] = new JsonArray([.. metric.Dimensions.Select(dimension => new JsonObject { ["Name"] = dimension.Name, ["Value"] = dimension.Value })]),
            })]),
        };
        if (all.Count > offset + page)
            answer["NextToken"] = (offset + page).ToString(CultureInfo.InvariantCulture);
        return answer;
    }

    private JsonObject GetMetricData(JsonNode body)
    {
        var (from, until) = (Time(body["StartTime"]!), Time(body["EndTime"]!));
        var offset = body["NextToken"] is { } token ? int.Parse((string)token!, CultureInfo.InvariantCulture) : 0;
        var (seen, results) = (0, new JsonArray());
        foreach (var query in body["MetricDataQueries"]!.AsArray())
        {
            var points = Points(query!["MetricStat"]!, from, until);
            var page = points.Where((_, i) => seen + i >= offset - (PagesOverlap ? 1 : 0) && seen + i < offset + LargestPage).ToList();
            var isLast = seen + points.Count <= offset + LargestPage;
            seen += points.Count;
            if (seen <= offset && offset > 0)
                continue;
            results.Add(new JsonObject
            {
                ["Id"] = (string)query["Id"]!,
                ["Label"] = (string)query["MetricStat"]!["Metric"]!["MetricName"]!,
                ["StatusCode"] = StatusOf((string)query["MetricStat"]!["Metric"]!["MetricName"]!) ?? (isLast ? "Complete" : "PartialData"),
                ["Timestamps"] = new JsonArray([.. page.Select(point => JsonValue.Create((double)point.Start.ToUnixTimeSeconds()))]),
                ["Values"] = new JsonArray([.. page.Select(point => double.IsFinite(point.Value)
                    ? JsonValue.Create(point.Value)
                    : (JsonNode)JsonValue.Create(point.Value.ToString(CultureInfo.InvariantCulture)))]),
            });
        }

        var answer = new JsonObject
        {
            ["MetricDataResults"] = results,
            [nameof(Messages)] = new JsonArray([.. Messages.Select(message => new JsonObject { ["Code"] = message.Code, ["Value"] = message.Value })]),
        };
        if (seen > offset + LargestPage)
            answer["NextToken"] = (offset + LargestPage).ToString(CultureInfo.InvariantCulture);
        Distort(answer);
        return answer;
    }

    // Sums of the shorter periods that a longer one holds; of fine ones only those of the last 15 days, as CloudWatch keeps them.
    private List<(DateTimeOffset Start, double Value)> Points(JsonNode stat, DateTimeOffset from, DateTimeOffset until)
    {
        var shape = stat["Metric"]!;
        var key = Key((string)shape["Namespace"]!, (string)shape["MetricName"]!, shape["Dimensions"]!.AsArray().Select(dimension => ((string)dimension!["Name"]!, (string)dimension["Value"]!)));
        var period = TimeSpan.FromSeconds((int)stat["Period"]!);
        var now = Now;
        var kept = period < TimeSpan.FromMinutes(5) ? 15 : period < TimeSpan.FromHours(1) ? 63 : 455;
        return byKey.TryGetValue(key, out var found)
            ? [.. found.Datapoints.Keys
                .Where(start => start > now - TimeSpan.FromDays(kept) && Of(start) >= from && Of(start) < until)
                .Select(start => (start, Value: found.At(start, now)))
                .Where(point => point.Value is not null)
                .GroupBy(point => Of(point.start))
                .OrderByDescending(point => point.Key)
                .Select(point => (point.Key, point.Sum(one => one.Value!.Value) * FactorOf((string)stat["Stat"]!)))]
            : [];

        DateTimeOffset Of(DateTimeOffset start) => start.AddTicks(-(start.UtcTicks % period.Ticks));
    }

    private static string Key(string space, string name, IEnumerable<(string Name, string Value)> dimensions) =>
        string.Join('\n', [space, name, .. dimensions.Order().Select(dimension => $"{dimension.Name}={dimension.Value}")]);

    private static DateTimeOffset Time(JsonNode seconds) => DateTimeOffset.FromUnixTimeMilliseconds((long)Math.Round((double)seconds * 1000));
}
