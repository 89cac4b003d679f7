using System.Collections.Immutable;
using System.Net;
using PipelineExporter.Metrics;
using PipelineExporter.Sources.Airflow;
using PipelineExporter.State;

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

    /// <summary>How long one collection asks for the history of DAGs: a first start with thousands of them asks on at the next one.</summary>
    private static readonly TimeSpan LongestAsking = TimeSpan.FromMinutes(1);

    public override string Name => "airflow_dags";

    public override string Asks => "1 request for each 100 DAGs: `/dags`; and once for each DAG that is new to the exporter: `/dags/{dag}/dagRuns`, its last 5 successes.";

    public override TimeSpan Interval { get; } = TimeSpan.FromMinutes(5);

    /// <summary>The run counters are <see cref="AirflowRuns"/>' to publish.</summary>
    public override IReadOnlyList<MetricDesc> Metrics { get; } = [Info, Paused, NextRun];

    protected internal override async Task<ImmutableArray<Dag>> CollectAsync(CancellationToken cancellationToken)
    {
        var api = await Environment.Connection.ApiAsync(cancellationToken);
        ImmutableArray<Dag> dags = [.. (await api.DagsAsync(cancellationToken)).Where(dag => Environment.Settings.Includes(dag.DagId))];
        var ledger = Environment.Ledger;
        var batch = ledger.Begin();
        foreach (var dag in dags)
        {
            Environment.Runs.Declare(batch, dag.DagId, "manual");
            if (dag.ScheduledRunType is { } type)
                Environment.Runs.Declare(batch, dag.DagId, type);
            foreach (var kept in RunMetrics.Kept)
                batch.Touch(kept, dag.DagId);
        }
        Environment.Dags.Update(dags, ledger, batch);
        batch.Commit();

        await AskForHistoryAsync(api, dags, ledger, cancellationToken);
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
                sink.Set(NextRun, Seconds(next), dag.DagId);
        }
    }

    /// <summary>A DAG's last success is asked for once, however old it is; afterwards the polls of runs keep it.</summary>
    private async Task AskForHistoryAsync(IAirflowApi api, ImmutableArray<Dag> dags, SourceLedger ledger, CancellationToken cancellationToken)
    {
        if (Environment.Settings.Skip.Contains("airflow_runs"))
            return;
        var time = Environment.Context.Time;
        var started = time.GetTimestamp();
        try
        {
            foreach (var dag in dags.Where(dag => ledger.Kept(RunMetrics.LastSuccess, dag.DagId) is null))
            {
                if (time.GetElapsedTime(started) > LongestAsking)
                    return;
                var successes = await api.LastSuccessesAsync(dag.DagId, cancellationToken);
                var batch = ledger.Begin();
                if (successes.Count == 0)
                    batch.Keep(RunMetrics.LastSuccess, RunMetrics.Never, dag.DagId);
                RunMetrics.Keep(batch, ledger, successes);
                batch.Commit();
            }
        }
        catch (AirflowException e) when (e.Status == HttpStatusCode.Forbidden)
        {
            // The list of DAGs may be read and runs may not: the collector of runs fails alone, and says so.
        }
    }

    private static string Names(IEnumerable<string>? names) =>
        Short(string.Join(',', (names ?? []).Select(name => name.Trim()).Where(name => name.Length > 0).Distinct().Order(StringComparer.Ordinal).Take(MostNames)));

    private static string Short(string text) =>
        text.Length <= LongestText ? text : text[..(char.IsHighSurrogate(text[LongestText - 1]) ? LongestText - 1 : LongestText)] + "…";
}
