using System.Collections.Frozen;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Aws;

/// <summary>What a run of a Glue job used.</summary>
internal static class GlueCapacity
{
    // DPUs of a worker, by AWS's price list.
    private static readonly FrozenDictionary<string, double> DpusOfWorker = new Dictionary<string, double>
    {
        ["Standard"] = 1, ["G.025X"] = 0.25, ["G.1X"] = 1, ["G.2X"] = 2, ["G.4X"] = 4, ["G.8X"] = 8, ["G.12X"] = 12, ["G.16X"] = 16,
        ["R.1X"] = 1, ["R.2X"] = 2, ["R.4X"] = 4, ["R.8X"] = 8, ["Z.2X"] = 2,
    }.ToFrozenDictionary();

    // A thousand of the largest workers for two years: what is more is nonsense, which a counter would never forget.
    private const double Most = 1e12;

    /// <summary>
    /// DPU seconds: as Glue tells them (auto-scaled and FLEX runs), else workers × their size × execution time, else, for
    /// workers of a type not known here, capacity × execution time. AWS bills one minute of each run at least, which is not in it.
    /// </summary>
    public static double DpuSeconds(GlueJobRun run)
    {
        var seconds = run.ExecutionTime ?? 0;
        var used = run.DPUSeconds
            ?? (run is { WorkerType: { } type, NumberOfWorkers: { } workers } && DpusOfWorker.TryGetValue(type, out var dpus)
                ? dpus * workers * seconds
                : (run.MaxCapacity ?? 0) * seconds);
        return used is > 0 and < Most ? used : 0;
    }
}
