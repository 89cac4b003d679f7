using System.Globalization;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Airflow;

/// <summary>What Airflow 2 (REST v1) and Airflow 3 (REST v2) call the same run.</summary>
internal abstract class Edition
{
    public static readonly Edition V1 = new Airflow2();

    public static readonly Edition V2 = new Airflow3(namesOperatorRuns: true);

    /// <summary>A run that another DAG's operator triggered was a manual one.</summary>
    public static readonly Edition V2Before33 = new Airflow3(namesOperatorRuns: false);

    public string RunId(DagRun run)
    {
        var prefix = run.Kind switch
        {
            RunKind.Scheduled => "scheduled__",
            RunKind.Asset => AssetPrefix,
            _ => "manual__",
        };
        var at = run.Kind == RunKind.Scheduled ? LogicalDate(run)!.Value : run.RunAfter;
        return prefix + AirflowTime.Format(at, zulu: false) + (run.Kind == RunKind.Asset ? AssetSuffix(run) : "");
    }

    /// <summary>The moment in a run id; null when it holds none. The run was set off then, or one period later.</summary>
    public static DateTimeOffset? MomentOf(string runId)
    {
        var at = runId.IndexOf("__", StringComparison.Ordinal);
        if (at < 0)
            return null;
        var text = runId[(at + 2)..].Split('_')[0];
        return AirflowTime.TryParse(text, out var moment) == AirflowTime.Parsed.Ok ? moment : null;
    }

    public abstract string RunType(RunKind kind);

    public abstract DateTimeOffset? LogicalDate(DagRun run);

    public abstract (DateTimeOffset Start, DateTimeOffset End)? DataInterval(DagRun run);

    /// <summary>
    /// Whether a date range takes a null for now. Of GETs, Airflow 3 does, so that what has not ended passes end_date_gte;
    /// Airflow 2 drops it.
    /// </summary>
    public abstract bool NullIsNow { get; }

    protected abstract string AssetPrefix { get; }

    protected abstract string AssetSuffix(DagRun run);

    /// <summary>A cron schedule names a run by the start of the interval that it covers.</summary>
    sealed class Airflow2 : Edition
    {
        public override bool NullIsNow => false;

        protected override string AssetPrefix => "dataset_triggered__";

        protected override string AssetSuffix(DagRun run) => "";

        public override string RunType(RunKind kind) => kind switch
        {
            RunKind.Scheduled => "scheduled",
            RunKind.Asset => "dataset_triggered",
            _ => "manual",
        };

        public override DateTimeOffset? LogicalDate(DagRun run) => DataInterval(run)!.Value.Start;

        public override (DateTimeOffset Start, DateTimeOffset End)? DataInterval(DagRun run) =>
            run.Dag.Schedule is CronSchedule cron && run.Kind == RunKind.Scheduled
                ? (run.RunAfter - cron.Period, run.RunAfter)
                : (run.RunAfter, run.RunAfter);
    }

    /// <summary>A cron schedule names a run by the moment at which it starts; other runs have no logical date.</summary>
    sealed class Airflow3(bool namesOperatorRuns) : Edition
    {
        public override bool NullIsNow => true;

        protected override string AssetPrefix => "asset_triggered__";

        protected override string AssetSuffix(DagRun run) => "_" + run.Suffix;

        public override string RunType(RunKind kind) => kind switch
        {
            RunKind.Scheduled => "scheduled",
            RunKind.Asset => "asset_triggered",
            RunKind.Operator when namesOperatorRuns => "operator_triggered",
            _ => "manual",
        };

        public override DateTimeOffset? LogicalDate(DagRun run) => run.Kind is RunKind.Scheduled or RunKind.Operator ? run.RunAfter : null;

        public override (DateTimeOffset Start, DateTimeOffset End)? DataInterval(DagRun run) =>
            LogicalDate(run) is { } date ? (date, date) : null;
    }
}

/// <summary>Airflow's words for states.</summary>
internal static class StateNames
{
    static readonly string[] Tasks =
    [
        "none", "scheduled", "queued", "running", "success", "failed", "up_for_retry", "up_for_reschedule", "upstream_failed", "skipped", "deferred",
        "removed", "restarting", "awaiting_input", "quarantined",
    ];

    static readonly string[] Runs = ["queued", "running", "success", "failed", "quarantined"];

    /// <summary>Null for a task that nobody has looked at yet.</summary>
    public static string? Of(TaskState state) => state == TaskState.None ? null : Tasks[(int)state];

    public static string Of(RunState state) => Runs[(int)state];

    public static TaskState? Task(string name) => Array.IndexOf(Tasks, name) is var i and >= 0 ? (TaskState)i : null;

    public static RunState? Run(string name) => Array.IndexOf(Runs, name) is var i and >= 0 ? (RunState)i : null;
}

/// <summary>Airflow's dates: ISO 8601 with six digits of fraction, or none when it is zero.</summary>
internal static class AirflowTime
{
    public enum Parsed { Ok, NoZone, NoDate }

    public static string Format(DateTimeOffset at, bool zulu)
    {
        var format = at.Ticks % TimeSpan.TicksPerSecond == 0 ? "yyyy-MM-dd'T'HH:mm:ss" : "yyyy-MM-dd'T'HH:mm:ss.ffffff";
        return at.UtcDateTime.ToString(format, CultureInfo.InvariantCulture) + (zulu ? "Z" : "+00:00");
    }

    public static Parsed TryParse(string text, out DateTimeOffset at)
    {
        at = default;
        if (text.Length < 19 || text[10] is not ('T' or ' ') || text.AsSpan(19).Contains(' ') ||
            !DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out at))
        {
            return Parsed.NoDate;
        }
        return text.AsSpan(19).IndexOfAny("Z+-") >= 0 ? Parsed.Ok : Parsed.NoZone;
    }
}
