using System.Collections.Immutable;

namespace PipelineExporter.Configuration;

/// <summary>How long is too long, and how much too much. Each becomes one series per DAG, task, job or table, which the alerts compare with and the dashboards draw.</summary>
internal sealed class ThresholdSettings(Section s)
{
    public DurationThreshold DagRunDuration { get; } = s.ChildOrDefault("dag_run_duration", x => new DurationThreshold(x, "2h", ofTasks: false),
        "How long a DAG run may take.");

    /// <summary>Sensors wait by design: the default is not theirs, only an override that names them.</summary>
    public DurationThreshold TaskDuration { get; } = s.ChildOrDefault("task_duration", x => new DurationThreshold(x, "30m", ofTasks: true),
        "How long a try of a task may take. The default does not hold for sensors, which wait by design; an override does.");

    public DurationThreshold DagOverdueGrace { get; } = s.ChildOrDefault("dag_overdue_grace", x => new DurationThreshold(x, "15m", ofTasks: false),
        "How much later than usual a DAG's scheduled run may end.");

    public GlueThreshold GlueJobDuration { get; } = s.ChildOrDefault("glue_job_duration", x => new GlueThreshold(x),
        "How long a run of a Glue job may take, waiting for resources not included. Streaming jobs, which run for ever, have none.");

    public TableThreshold DynamoDbThrottledRequests { get; } = s.ChildOrDefault("dynamodb_throttled_requests", x => new TableThreshold(x),
        "How many requests to a DynamoDB table may be throttled in five minutes.");
}

/// <summary>A default and what takes its place for some DAGs or tasks.</summary>
/// <param name="fallback">The default of the default.</param>
/// <param name="ofTasks">Whether an override may name a task.</param>
internal sealed class DurationThreshold(Section s, string fallback, bool ofTasks)
{
    public TimeSpan? Default { get; } = NullIfNever(s.Optional("default", Values.DurationOrNever("1s", "365d"), fallback, "Holds where no override does."));

    /// <summary>The first that fits holds.</summary>
    public ImmutableArray<ThresholdOverride> Overrides { get; } = s.List("overrides", x => new ThresholdOverride(x, ofTasks), _ => null, "dag",
        "The first that fits takes the place of the default.");

    /// <summary>Null: never too long.</summary>
    public TimeSpan? For(string environment, string dagId) =>
        Overrides.FirstOrDefault(one => one.Fits(environment, dagId)) is { } fitting ? fitting.Value : Default;

    /// <inheritdoc cref="For(string, string)"/>
    public TimeSpan? ForTask(string environment, string dagId, string taskId, bool isSensor) =>
        Overrides.FirstOrDefault(one => one.Fits(environment, dagId) && one.FitsTask(taskId, isSensor)) is { } fitting ? fitting.Value
        : isSensor ? null
        : Default;

    internal static TimeSpan? NullIfNever(TimeSpan value) => value == Values.Never ? null : value;
}

/// <summary>A threshold of the DAGs or tasks whose names fit.</summary>
internal sealed class ThresholdOverride(Section s, bool ofTasks)
{
    private readonly Pattern environment = s.Optional("environment", Values.Pattern, "*", "Airflows that it is for.");

    private readonly Pattern dag = s.Optional("dag", Values.Pattern, "*", "DAGs that it is for.");

    private readonly Pattern? task = ofTasks ? s.Maybe("task", Values.Pattern, "every task but sensors", "Tasks that it is for, sensors included.") : null;

    public TimeSpan? Value { get; } = DurationThreshold.NullIfNever(
        s.Required("value", Values.DurationOrNever("1s", "365d"), "Holds instead of the default; `never` switches it off."));

    public bool Fits(string environmentName, string dagId) => environment.IsMatch(environmentName) && dag.IsMatch(dagId);

    public bool FitsTask(string taskId, bool isSensor) => task?.IsMatch(taskId) ?? !isSensor;
}

/// <summary>A default and what takes its place for some Glue jobs.</summary>
internal sealed class GlueThreshold(Section s)
{
    private readonly TimeSpan fallback = s.Optional("default", Values.DurationOrBaselineOrNever("1s", "365d"), "baseline",
        "Holds where no override does. `baseline`: 120 % of the median of the job's own successful runs of the last 30 days, 7 at least, and no less than a minute above it.");

    /// <summary>The first that fits holds.</summary>
    private readonly ImmutableArray<AwsThresholdOverride<TimeSpan>> overrides = s.List("overrides", x => new AwsThresholdOverride<TimeSpan>(
            x, "job", "Jobs", Values.DurationOrBaselineOrNever("1s", "365d"), "Holds instead of the default; `never` switches it off, `baseline` is as in the default."), _ => null, "job",
        "The first that fits takes the place of the default.");

    /// <param name="source">Name of the AWS source.</param>
    /// <param name="fromBaseline">What follows from the job's baseline; null when there is none.</param>
    /// <returns>Null: never too long.</returns>
    public TimeSpan? For(string source, string job, TimeSpan? fromBaseline)
    {
        var value = overrides.FirstOrDefault(one => one.Fits(source, job))?.Value ?? fallback;
        return value == Values.Baseline ? fromBaseline : DurationThreshold.NullIfNever(value);
    }
}

/// <summary>A default and what takes its place for some DynamoDB tables.</summary>
internal sealed class TableThreshold(Section s)
{
    private readonly double fallback = s.Optional("default", Values.CountOrNever(0, 1_000_000), "10", "Holds where no override does.");

    private readonly ImmutableArray<AwsThresholdOverride<double>> overrides = s.List("overrides", x => new AwsThresholdOverride<double>(
            x, "table", "Tables", Values.CountOrNever(0, 1_000_000), "Holds instead of the default; `never` switches it off."), _ => null, "table",
        "The first that fits takes the place of the default.");

    /// <param name="source">Name of the AWS source.</param>
    /// <returns>Infinity: never too many.</returns>
    public double For(string source, string table) => overrides.FirstOrDefault(one => one.Fits(source, table))?.Value ?? fallback;
}

/// <summary>A threshold of the resources of AWS whose names fit.</summary>
/// <param name="key">What such a resource is called.</param>
/// <param name="resources">What many are called.</param>
/// <param name="type">Of the threshold.</param>
/// <param name="meaning">Of the threshold, for the reference.</param>
internal sealed class AwsThresholdOverride<T>(Section s, string key, string resources, ValueType<T> type, string meaning)
{
    private readonly Pattern source = s.Optional("source", Values.Pattern, "*", "AWS sources that it is for, by their `name`.");

    private readonly Pattern name = s.Optional(key, Values.Pattern, "*", $"{resources} that it is for.");

    public T Value { get; } = s.Required("value", type, meaning);

    public bool Fits(string sourceName, string resourceName) => source.IsMatch(sourceName) && name.IsMatch(resourceName);
}
