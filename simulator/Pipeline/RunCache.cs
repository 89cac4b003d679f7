namespace PipelineExporter.Simulator.Pipeline;

/// <summary>Remembers the runs that were asked for last: two generations, the older dropped when the younger is full.</summary>
/// <param name="generation">Runs of a generation; one takes some 7 kB.</param>
internal sealed class RunCache(int generation)
{
    readonly Lock gate = new();
    Dictionary<(RunKey Key, Disturbance? Disturbance), DagRun> young = [];
    Dictionary<(RunKey Key, Disturbance? Disturbance), DagRun> old = [];

    /// <summary>How many were played rather than remembered.</summary>
    public int Played { get; private set; }

    public DagRun Get((RunKey Key, Disturbance? Disturbance) name, Func<DagRun> play)
    {
        lock (gate)
        {
            if (young.TryGetValue(name, out var run))
                return run;
            if (!old.TryGetValue(name, out run))
            {
                run = play();
                Played++;
            }
            if (young.Count == generation)
                (young, old) = ([], young);
            young.Add(name, run);
            return run;
        }
    }
}
