using System.Collections.Immutable;

namespace PipelineExporter.Configuration;

/// <summary>How long is too long. Each becomes one series per DAG or task, which the alerts compare with and the dashboards draw.</summary>
internal sealed class ThresholdSettings(Section s)
{
    public DurationThreshold DagRunDuration { get; } = s.ChildOrDefault("dag_run_duration", x => new DurationThreshold(x, "2h", ofTasks: false),
        "How long a DAG run may take.");

    /// <summary>Sensors wait by design: the default is not theirs, only an override that names them.</summary>
    public DurationThreshold TaskDuration { get; } = s.ChildOrDefault("task_duration", x => new DurationThreshold(x, "30m", ofTasks: true),
        "How long a try of a task may take. The default does not hold for sensors, which wait by design; an override does.");

    public DurationThreshold DagOverdueGrace { get; } = s.ChildOrDefault("dag_overdue_grace", x => new DurationThreshold(x, "15m", ofTasks: false),
        "How much later than usual a DAG's scheduled run may end.");
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
