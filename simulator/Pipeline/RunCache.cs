namespace PipelineExporter.Simulator.Pipeline;

/// <summary>Remembers the runs that were asked for last: two generations, the older dropped when the younger is full.</summary>
internal sealed class RunCache
{
    const int Generation = 2048;

    readonly Lock gate = new();
    Dictionary<(RunKey Key, bool Fails), DagRun> young = [];
    Dictionary<(RunKey Key, bool Fails), DagRun> old = [];

    /// <summary>How many were played rather than remembered.</summary>
    public int Played { get; private set; }

    public DagRun Get((RunKey Key, bool Fails) name, Func<DagRun> play)
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
            if (young.Count == Generation)
                (young, old) = ([], young);
            young.Add(name, run);
            return run;
        }
    }
}
