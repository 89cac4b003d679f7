namespace PipelineExporter.Simulator.Airflow.Mwaa;

/// <summary>One environment: where its Airflow is, and how fast it may be asked.</summary>
/// <param name="root">The path of its REST API.</param>
internal sealed class MwaaEnvironment(string root, TimeProvider time)
{
    const int RequestsPerSecond = 10;

    readonly Lock gate = new();
    readonly Queue<DateTimeOffset> admitted = new();

    public string Root => root;

    /// <summary>Not when the last second has had its requests.</summary>
    public bool Admits()
    {
        lock (gate)
        {
            var now = time.GetUtcNow();
            while (admitted.TryPeek(out var oldest) && now - oldest >= TimeSpan.FromSeconds(1))
                admitted.Dequeue();
            if (admitted.Count >= RequestsPerSecond)
                return false;
            admitted.Enqueue(now);
            return true;
        }
    }
}
