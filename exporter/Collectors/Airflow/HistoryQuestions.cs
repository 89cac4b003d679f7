using PipelineExporter.Sources.Airflow;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>Asks for the last successes of DAGs of which the polls have not told yet: once for each, however long ago they were.</summary>
internal sealed class HistoryQuestions(AirflowEnvironment environment)
{
    /// <summary>How long one poll may ask: a first start with thousands of DAGs asks on at the next ones.</summary>
    private static readonly TimeSpan LongestAsking = TimeSpan.FromSeconds(10);

    /// <summary>DAGs whose question failed: the others come first.</summary>
    private readonly HashSet<string> failed = [];

    /// <param name="open">DAGs with an open failure, which a success may have made good: they are asked for first.</param>
    /// <param name="again">DAGs to be asked for though something is known of them.</param>
    /// <param name="others">DAGs that can wait.</param>
    public async Task AskAsync(
        IAirflowApi api, IEnumerable<string> open, IEnumerable<string> again, IEnumerable<string> others, CancellationToken cancellationToken)
    {
        var ledger = environment.Ledger;
        var time = environment.Context.Time;
        var started = time.GetTimestamp();
        var unknown = open.Concat(others).Where(dag => !RunHistory.IsKnown(ledger, dag)).OrderBy(failed.Contains);
        foreach (var dag in again.Concat(unknown).Distinct().ToList())
        {
            if (time.GetElapsedTime(started) > LongestAsking)
                return;
            try
            {
                var successes = await api.LastSuccessesAsync(dag, cancellationToken);
                var batch = ledger.Begin();
                RunHistory.NoteAnswer(batch, ledger, dag, successes);
                batch.Commit();
                failed.Remove(dag);
            }
            catch (AirflowException)
            {
                // The poll itself was answered: this DAG may be forbidden, or its history too slow to read. It is asked for again,
                // after the others.
                failed.Add(dag);
                return;
            }
        }
    }
}
