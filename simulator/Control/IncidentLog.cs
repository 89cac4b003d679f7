using System.Collections.Immutable;

namespace PipelineExporter.Simulator.Control;

/// <summary>What can be made to go wrong, by the name under which it is started.</summary>
/// <param name="Area">Where, for people: kinds of one area stand together.</param>
/// <param name="Alert">What it makes fire, with the shipped rules.</param>
internal sealed record IncidentKind(string Name, string Area, string Alert, string Description)
{
    /// <summary>A run of music_streaming_validation starts at once and fails, and so does every later one until the end.</summary>
    public const string DagFailure = "dag_failure";
    public const string TaskFailure = "task_failure";
    public const string RetriesStorm = "retries_storm";
    public const string DagSlow = "dag_slow";
    public const string TaskSlow = "task_slow";
    public const string DagOverdue = "dag_overdue";
    public const string SchedulerDown = "scheduler_down";
    public const string PoolFull = "pool_full";
    public const string QueueBacklog = "queue_backlog";
    public const string ImportError = "import_error";
    public const string WorkerCpu = "worker_cpu";
    public const string WorkerMemory = "worker_memory";
    public const string GlueFailure = "glue_failure";
    public const string GlueSlow = "glue_slow";
    public const string GlueQueueWait = "glue_queue_wait";
    public const string GlueHeap = "glue_heap";
    public const string ExecutorsStarved = "executors_starved";
    public const string DynamoDbThrottling = "dynamodb_throttling";
    public const string DynamoDbLatency = "dynamodb_latency";
    public const string DynamoDbErrors = "dynamodb_errors";
    public const string S3Errors = "s3_errors";
    public const string S3Latency = "s3_latency";

    const string Failures = "Failures", Delays = "Delays", Airflow = "Airflow itself", Workers = "Workers", Glue = "Glue", DynamoDb = "DynamoDB", S3 = "S3";

    public static readonly ImmutableArray<IncidentKind> All =
    [
        new(DagFailure, Failures, "PipelineFailure",
            "music_streaming_validation starts a run at once that fails within 20 s, and its Glue job run with it; " +
            "runs that start until the end fail too; at the end a run starts that succeeds"),
        new(TaskFailure, Failures, "AirflowTaskFailure",
            "label_notifications starts a run at once whose task send_notices fails for good, and so it does in later runs until the end; " +
            "the runs succeed all the same, as their last task archives whatever happened"),
        new(RetriesStorm, Failures, "AirflowRetryStorm",
            "partner_webhooks starts a run each minute whose deliveries fail at every try but the last; none fails for good"),
        new(DagSlow, Delays, "AirflowDagDuration",
            "a run of quarterly_royalty_audit has been waiting for the ledger for two hours, and goes on waiting until the end"),
        new(TaskSlow, Delays, "AirflowTaskDuration",
            "task rebuild_index of search_index_rebuild has been running for half an hour, and goes on until the end; " +
            "a slow one takes 80 minutes more at most, but others follow"),
        new(DagOverdue, Delays, "AirflowDagOverdue",
            "release_calendar_import, which has a custom timetable, should have run an hour ago and has not; at the end it does"),
        new(SchedulerDown, Airflow, "AirflowComponentUnhealthy",
            "the scheduler's heartbeat stops, and 30 s later Airflow calls it unhealthy; work goes on"),
        new(PoolFull, Airflow, "AirflowPoolSaturated",
            "renderings of cover_art_rendering take all four slots of render_pool, and four more wait for them all the time"),
        new(QueueBacklog, Airflow, "AirflowQueueBacklog",
            "no worker takes tasks from the queue gpu: fingerprint_tracks of audio_fingerprints has been waiting there for ten minutes, and waits until the end"),
        new(ImportError, Airflow, "AirflowImportErrors",
            "a DAG file, broken.py, cannot be imported"),
        new(WorkerCpu, Workers, "AirflowWorkerCpuHigh",
            "the base workers' CPU is busy, 96 to 99.5 % in CloudWatch; visible some two minutes later"),
        new(WorkerMemory, Workers, "AirflowWorkerMemoryHigh",
            "the base workers' memory is full, 96 to 99.5 % in CloudWatch; visible some two minutes later"),
        new(GlueFailure, Glue, "GlueJobFailed",
            "music_streaming_catalog_export, which a trigger of Glue starts, fails at once, and so does Glue's second try of it; later runs fail too until the end"),
        new(GlueSlow, Glue, "GlueJobSlow",
            "a run of music_streaming_catalog_export has been running for nearly five minutes instead of three, and goes on until the end"),
        new(GlueQueueWait, Glue, "GlueQueueWait",
            "a run of music_streaming_royalty_backfill has been waiting for capacity for 40 minutes, and waits until the end"),
        new(GlueHeap, Glue, "GlueHeapHigh",
            "the driver of music_streaming_events_stream has 95 to 98 % of its heap in use; visible some two minutes later"),
        new(ExecutorsStarved, Glue, "GlueExecutorsStarved",
            "music_streaming_events_stream needs 20 executors and runs 2; visible some two minutes later"),
        new(DynamoDbThrottling, DynamoDb, "DynamoDBThrottling",
            "some 30 PutItem requests a minute to music_streaming_sessions are throttled; visible some two minutes later"),
        new(DynamoDbLatency, DynamoDb, "DynamoDBLatency",
            "GetItem of music_streaming_kpi takes 250 ms instead of four; visible some two minutes later"),
        new(DynamoDbErrors, DynamoDb, "DynamoDBErrors",
            "DynamoDB answers some 6 requests a minute to music_streaming_kpi with status 500; visible some two minutes later"),
        new(S3Errors, S3, "S3ErrorRate",
            "S3 answers a tenth of the requests to music-streaming-raw with status 503; visible some two minutes later"),
        new(S3Latency, S3, "S3Latency",
            "the first byte from music-streaming-raw takes 2 to 3 s; visible some two minutes later"),
    ];
}

/// <summary>One time that an incident was on: [Start, End), open while End is null.</summary>
internal sealed record Incident(string Name, DateTimeOffset Start, DateTimeOffset? End)
{
    public bool Covers(DateTimeOffset at) => Start <= at && (End is null || at < End);
}

/// <summary>
/// Every incident with its start and end. Starting or ending one changes nothing that happened before, so an instant
/// that was asked about answers the same for ever.
/// </summary>
internal sealed class IncidentLog(TimeProvider time)
{
    readonly Lock gate = new();
    ImmutableArray<Incident> incidents = [];

    /// <summary>By start, the ended ones too.</summary>
    public ImmutableArray<Incident> All
    {
        get
        {
            lock (gate)
                return incidents;
        }
    }

    public IEnumerable<Incident> Named(string name) => All.Where(incident => incident.Name == name);

    /// <summary>The one of a name that is on at an instant.</summary>
    public Incident? At(string name, DateTimeOffset at) => All.FirstOrDefault(incident => incident.Name == name && incident.Covers(at));

    /// <summary>Starts an incident now; one that is on stays as it is. Null when there is none of this name.</summary>
    public Incident? Start(string name)
    {
        if (!IncidentKind.All.Any(kind => kind.Name == name))
            return null;
        lock (gate)
        {
            if (incidents.FirstOrDefault(incident => incident.Name == name && incident.End is null) is { } on)
                return on;
            var started = new Incident(name, time.GetUtcNow(), End: null);
            incidents = incidents.Add(started);
            return started;
        }
    }

    /// <summary>Ends an incident now; null when it was not on.</summary>
    public Incident? End(string name)
    {
        lock (gate)
        {
            if (incidents.FirstOrDefault(incident => incident.Name == name && incident.End is null) is not { } on)
                return null;
            var ended = on with { End = time.GetUtcNow() };
            incidents = incidents.Replace(on, ended);
            return ended;
        }
    }
}
