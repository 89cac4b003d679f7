using System.Collections.Immutable;
using PipelineExporter.Metrics;
using PipelineExporter.Sources.Airflow;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>The DAGs there are. Their run counters are born here, at zero, so that even the first failure of a DAG is an increase.</summary>
internal sealed class AirflowDags(AirflowEnvironment environment) : AirflowCollector<ImmutableArray<Dag>>(environment)
{
    public static readonly MetricDesc Info = MetricDesc.Gauge(
        "airflow_dag_info",
        "The DAG's owners and tags, each sorted and joined by commas (at most 20 of either), and its schedule in Airflow's words.", "dag_id", "owners", "tags", "schedule");

    public static readonly MetricDesc Paused = MetricDesc.Gauge("airflow_dag_paused", "Whether the DAG is paused (1) or not (0).", "dag_id");

    public static readonly MetricDesc NextRun = MetricDesc.Gauge(
        "airflow_dag_next_run_timestamp_seconds",
        "When Airflow will make the next run; absent without a schedule, and while no more runs may be active.", "dag_id");

    /// <summary>Listed names at most, and their characters: a label is no place for a document.</summary>
    private const int MostNames = 20;

    private const int LongestText = 256;

    public override string Name => "airflow_dags";

    public override string Asks => "1 request for each 100 DAGs: `/dags`.";

    /// <summary>Once in ten polls, and at least every 5 minutes.</summary>
    public override TimeSpan Interval { get; } = TimeSpan.FromTicks(Math.Max(
        Math.Min(TimeSpan.FromMinutes(5).Ticks, 10 * environment.Settings.PollInterval.Ticks), environment.Settings.PollInterval.Ticks));

    /// <summary>The run counters are <see cref="AirflowRuns"/>' to publish.</summary>
    public override IReadOnlyList<MetricDesc> Metrics { get; } = [Info, Paused, NextRun];

    protected internal override async Task<ImmutableArray<Dag>> CollectAsync(CancellationToken cancellationToken)
    {
        var api = await Environment.Connection.ApiAsync(cancellationToken);
        ImmutableArray<Dag> dags = [.. Watched(await api.DagsAsync(cancellationToken), dag => dag.DagId)];
        var ledger = Environment.Ledger;
        var batch = ledger.Begin();
        foreach (var dag in dags)
        {
            Environment.Runs.Declare(batch, dag.DagId, "manual");
            if (dag.ScheduledRunType is { } type)
                Environment.Runs.Declare(batch, dag.DagId, type);
            RunMetrics.Touch(batch, dag.DagId);
            RunHistory.Touch(batch, dag.DagId);
        }
        Environment.Dags.Update(dags, ledger, batch, forget: ledger.Oldest);
        batch.Commit();
        return dags;
    }

    protected internal override void Write(ImmutableArray<Dag> snapshot, MetricSink sink)
    {
        foreach (var dag in snapshot)
        {
            sink.Set(Info, 1, dag.DagId, Names(dag.Owners), Names(dag.Tags?.Select(tag => tag.Name)), Short(dag.Schedule));
            if (dag.IsPaused is { } paused)
                sink.Set(Paused, paused ? 1 : 0, dag.DagId);
            if (dag.NextRun is { } next)
                sink.Set(NextRun, next.ToUnixSeconds(), dag.DagId);
        }
    }

    private static string Names(IEnumerable<string>? names) =>
        Short(string.Join(',', (names ?? []).Select(name => name.Trim()).Where(name => name.Length > 0).Distinct().Order(StringComparer.Ordinal).Take(MostNames)));

    private static string Short(string text) =>
        text.Length <= LongestText ? text : text[..(char.IsHighSurrogate(text[LongestText - 1]) ? LongestText - 1 : LongestText)] + "…";
}
