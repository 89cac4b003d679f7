namespace PipelineExporter.Collectors;

/// <summary>
/// What a collection fetched is garbage once it is published, and much of it has outlived the young generations by then, where
/// the runtime would let it pile up to three times what is alive. Collected once a quarter of what is alive was allocated, it costs no
/// more than a constant share of what allocating it did; see docs/benchmarks.md.
/// </summary>
internal static class Garbage
{
    private const long Least = 4 << 20;

    private static readonly Lock Gate = new();
    private static long allocated;
    private static long alive;

    /// <summary>Called when much of what was allocated has just been let go.</summary>
    public static void CollectIfMuch()
    {
        lock (Gate)
        {
            if (GC.GetTotalAllocatedBytes() - allocated < Math.Max(Least, alive / 4))
                return;
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            (allocated, alive) = (GC.GetTotalAllocatedBytes(), GC.GetTotalMemory(forceFullCollection: false));
        }
    }
}
