using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;

namespace PipelineExporter.Simulator.Control;

[JsonConverter(typeof(JsonStringEnumConverter<FaultKind>))]
internal enum FaultKind
{
    /// <summary>429, in the words of the source.</summary>
    [JsonStringEnumMemberName("throttle")] Throttle,

    /// <summary><see cref="Fault.Status"/>, 500 unless given, in the words of the source.</summary>
    [JsonStringEnumMemberName("error")] Error,

    /// <summary>The answer comes <see cref="Fault.Latency"/> later.</summary>
    [JsonStringEnumMemberName("latency")] Latency,

    /// <summary>The connection is cut without an answer.</summary>
    [JsonStringEnumMemberName("cut")] Cut,

    /// <summary>200 with JSON, CBOR or XML that ends in its middle.</summary>
    [JsonStringEnumMemberName("broken_json")] BrokenJson,

    /// <summary>
    /// AWS only: the endpoint knows no such operation, as in a region that is without the service; with a <see cref="Fault.Status"/>, a page
    /// of HTML answers instead, as from a proxy.
    /// </summary>
    [JsonStringEnumMemberName("no_service")] NoService,

    /// <summary>Airflow only: a pool without limit exists, at which REST v1 answers 500 for the whole list.</summary>
    [JsonStringEnumMemberName("unlimited_pool")] UnlimitedPool,

    /// <summary>Airflow only: a DAG file cannot be imported, that of the DAG which <see cref="Fault.Match"/> names, or of none.</summary>
    [JsonStringEnumMemberName("import_error")] ImportError,

    /// <summary>Airflow, and AWS under the name of any of its services: its clock is <see cref="Fault.Skew"/> off, forward unless negative.</summary>
    [JsonStringEnumMemberName("clock_skew")] ClockSkew,

    /// <summary>Airflow only: the file of the DAGs that <see cref="Fault.Match"/> names is gone. They get no more runs.</summary>
    [JsonStringEnumMemberName("stale_dag")] StaleDag,

    /// <summary>Airflow only: what succeeds of the tasks, or DAGs, that <see cref="Fault.Match"/> names shows a state that nobody has heard of.</summary>
    [JsonStringEnumMemberName("unknown_state")] UnknownState,

    /// <summary>Airflow only: so do the runs of the DAGs.</summary>
    [JsonStringEnumMemberName("unknown_run_state")] UnknownRunState,

    /// <summary>CloudWatch only: entries of metrics that <see cref="Fault.Match"/> names answer InternalError.</summary>
    [JsonStringEnumMemberName("internal_error")] InternalError,

    /// <summary>CloudWatch only: pages hold 20 datapoints, the rest being PartialData.</summary>
    [JsonStringEnumMemberName("partial_data")] PartialData,

    /// <summary>CloudWatch only: answers carry a message, <see cref="Fault.Match"/>.</summary>
    [JsonStringEnumMemberName("message")] Message,

    /// <summary>CloudWatch only: datapoints of the metrics come <see cref="Fault.Latency"/> later.</summary>
    [JsonStringEnumMemberName("late")] Late,

    /// <summary>CloudWatch only: datapoints of the metrics have half their value when they are six minutes old.</summary>
    [JsonStringEnumMemberName("revise_down")] ReviseDown,

    /// <summary>CloudWatch only: datapoints of the metrics are no numbers.</summary>
    [JsonStringEnumMemberName("nan")] NaN,
}

/// <summary>A fault of one source.</summary>
/// <remarks>What has a default is settable: the JSON source generator would set an absent init-only property to zero.</remarks>
internal sealed record Fault
{
    /// <summary>airflow, mwaa, glue, cloudwatch, dynamodb, s3, sts; or * for every one.</summary>
    public required string Source { get; init; }

    public required FaultKind Kind { get; init; }

    /// <summary>
    /// Strikes only requests whose path (AWS: operation) contains this; or, only what has it in its id is so: of a metric, in its
    /// namespace, its name, or the value of a dimension.
    /// </summary>
    public string? Match { get; init; }

    /// <summary>AWS only: strikes only requests that are signed for this region.</summary>
    public string? Region { get; init; }

    public int? Status { get; init; }

    /// <summary>Seconds.</summary>
    public double Latency { get; set; } = 1;

    /// <summary>Seconds.</summary>
    public double Skew { get; init; }

    /// <summary>Of a request to be struck, 0 to 1.</summary>
    public double Probability { get; set; } = 1;

    /// <summary>How many requests are still struck; null: no end.</summary>
    public int? Count { get; init; }

    public DateTimeOffset? Until { get; init; }

    /// <summary>When it was added.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Something that is so while the fault is on, rather than a request that fails.</summary>
    [JsonIgnore]
    public bool IsCondition => Kind is
        FaultKind.UnlimitedPool or FaultKind.ImportError or FaultKind.ClockSkew or FaultKind.StaleDag or FaultKind.UnknownState or FaultKind.UnknownRunState
        || IsOfData;

    /// <summary>Something wrong with the data of an answer that is none the less given.</summary>
    [JsonIgnore]
    public bool IsOfData => Kind is
        FaultKind.InternalError or FaultKind.PartialData or FaultKind.Message or FaultKind.Late or FaultKind.ReviseDown or FaultKind.NaN;

    static readonly string[] Regional = ["glue", "cloudwatch", "dynamodb", "s3", "sts", "*"];

    static readonly string[] Sources = ["airflow", "mwaa", .. Regional];

    /// <summary>What is wrong with it; null when it can strike.</summary>
    public string? Problem => this switch
    {
        _ when !Sources.Contains(Source) => $"unknown source '{Source}', known are: {string.Join(", ", Sources)}",
        { Kind: FaultKind.NoService } or { Region: not null } when !Regional.Contains(Source) => $"no_service and region are for {string.Join(", ", Regional)}",
        { Region: not null, IsCondition: true } => "region is for faults that strike requests",
        { Probability: not (> 0 and <= 1) } => "probability is above 0 and at most 1",
        { Latency: not (>= 0 and <= 3600) } => "latency is in seconds, 0 to 3600",
        { Skew: not (>= -86400 and <= 86400) } => "skew is in seconds, at most a day either way",
        { Kind: FaultKind.NoService, Status: 200 } => null,
        { Status: not (null or (>= 400 and <= 599)) } => "status is 400 to 599, or, of no_service, 200",
        { Count: < 1 } => "count is at least 1",
        _ => null,
    };
}

/// <summary>Decides which requests are struck by a fault, and strikes them.</summary>
internal sealed class FaultInjector(TimeProvider time, int seed)
{
    readonly Lock gate = new();
    readonly Random random = new(seed);
    ImmutableArray<Fault> faults = [];

    /// <summary>Those that can still strike.</summary>
    public ImmutableArray<Fault> All
    {
        get
        {
            lock (gate)
                return faults = faults.RemoveAll(IsOver);
        }
    }

    public void Add(Fault fault)
    {
        lock (gate)
            faults = faults.Add(fault with { Since = time.GetUtcNow() });
    }

    /// <summary>Removes the faults of one source, or all.</summary>
    public void Clear(string? source = null)
    {
        lock (gate)
            faults = source is null ? [] : faults.RemoveAll(fault => fault.Source == source);
    }

    /// <summary>Whether a standing condition is on; asking does not use it up.</summary>
    public bool IsOn(string source, FaultKind kind) => On(source, kind).Any();

    /// <summary>The standing conditions of a kind.</summary>
    public IEnumerable<Fault> On(string source, FaultKind kind) => All.Where(fault => fault.Kind == kind && (fault.Source == source || fault.Source == "*"));

    /// <summary>How far a source's clock is off, all its faults together.</summary>
    public TimeSpan ClockSkew(string source) => TimeSpan.FromSeconds(On(source, FaultKind.ClockSkew).Sum(fault => fault.Skew));

    /// <summary>
    /// Lets what is due strike this request. True when it was answered or cut, and nothing more is to be written.
    /// <paramref name="target"/> is the path, or the operation of an AWS call; <paramref name="writeError"/> answers a
    /// status (429 for throttling) as the source would, <paramref name="writeBroken"/> with half of an answer.
    /// </summary>
    /// <param name="regional">Null of a source that has no regions.</param>
    public async Task<bool> StrikeAsync(
        HttpContext context, string source, string target, Func<HttpContext, int, Task> writeError, Func<HttpContext, Task>? writeBroken = null,
        RegionalRequest? regional = null)
    {
        foreach (var fault in Due(source, target, regional?.Region))
        {
            switch (fault.Kind)
            {
                case FaultKind.Latency:
                    await Task.Delay(TimeSpan.FromSeconds(fault.Latency), time, context.RequestAborted);
                    continue;
                case FaultKind.Cut:
                    context.Abort();
                    return true;
                case FaultKind.BrokenJson:
                    await (writeBroken ?? WriteBrokenAsync)(context);
                    return true;
                case FaultKind.NoService:
                    await (fault.Status is { } status ? WritePageAsync(context, status) : regional!.WriteUnknown(context));
                    return true;
                case FaultKind.Throttle:
                    await writeError(context, fault.Status ?? StatusCodes.Status429TooManyRequests);
                    return true;
                case FaultKind.Error:
                    await writeError(context, fault.Status ?? StatusCodes.Status500InternalServerError);
                    return true;
                default:
                    throw new InvalidOperationException($"fault {fault.Kind} does not strike requests");
            }
        }
        return false;
    }

    static Task WriteBrokenAsync(HttpContext context)
    {
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync("""{"total_entries": 1, "broken": [{"of""", context.RequestAborted);
    }

    /// <summary>Nothing in it is the source's own.</summary>
    static Task WritePageAsync(HttpContext context, int status)
    {
        context.Response.Headers.Clear();
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/html";
        return context.Response.WriteAsync(
            "<!DOCTYPE html>\n<html><head><title>Proxy</title></head><body><h1>There is no such service</h1></body></html>\n", context.RequestAborted);
    }

    /// <summary>What is wrong with the data of one more answer.</summary>
    public IReadOnlyList<Fault> OfData(string source) => Use(source, fault => fault.IsOfData, goesOn: _ => true);

    List<Fault> Due(string source, string target, string? region) => Use(
        source,
        fault => !fault.IsCondition && (fault.Match is not { } match || target.Contains(match, StringComparison.Ordinal))
            && (fault.Region is null || fault.Region == region) && (fault.Kind != FaultKind.NoService || region is not null),
        goesOn: fault => fault.Kind == FaultKind.Latency);

    /// <summary>The faults that chance lets bear on one request, in their order, to the first behind which nothing goes on.</summary>
    List<Fault> Use(string source, Func<Fault, bool> bears, Func<Fault, bool> goesOn)
    {
        lock (gate)
        {
            faults = faults.RemoveAll(IsOver);
            List<Fault> used = [];
            foreach (var fault in faults)
            {
                if ((fault.Source != source && fault.Source != "*") || !bears(fault))
                    continue;
                if (fault.Probability < 1 && random.NextDouble() >= fault.Probability)
                    continue;
                used.Add(fault);
                if (fault.Count is { } count)
                    faults = faults.Replace(fault, fault with { Count = count - 1 });
                if (!goesOn(fault))
                    break;
            }
            return used;
        }
    }

    bool IsOver(Fault fault) => fault.Count <= 0 || fault.Until <= time.GetUtcNow();
}

/// <summary>A request to a source that may be there in one region and not in another.</summary>
/// <param name="WriteUnknown">Answers that there is no such operation, as the source would.</param>
internal sealed record RegionalRequest(string Region, Func<HttpContext, Task> WriteUnknown);
