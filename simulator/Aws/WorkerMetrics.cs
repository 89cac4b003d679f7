using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Aws;

/// <summary>CPU and memory of the containers that an MWAA environment runs in: each container sends a sample a minute.</summary>
internal static class WorkerMetrics
{
    public const string Environment = "music-streaming";

    /// <summary>The cluster that the incidents worker_cpu and worker_memory burden.</summary>
    const string Burdened = "BaseWorker";

    static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    static readonly (string Cluster, int Containers)[] Clusters = [("Scheduler", 2), (Burdened, 3), ("AdditionalWorker", 1), ("WebServer", 2)];

    public static IEnumerable<MetricSeries> Of(PipelineModel model) => Clusters.SelectMany(cluster => new[]
    {
        Series(model, cluster.Cluster, cluster.Containers, "CPUUtilization", IncidentKind.WorkerCpu),
        Series(model, cluster.Cluster, cluster.Containers, "MemoryUtilization", IncidentKind.WorkerMemory),
    });

    static MetricSeries Series(PipelineModel model, string cluster, int containers, string name, string incident) => new(
        "AWS/MWAA",
        name,
        [new("Environment", Environment), new("Cluster", cluster)],
        "Percent",
        (from, to) => Samples(model, $"{cluster} {name}", containers, cluster == Burdened ? incident : null, from, to));

    static IEnumerable<MetricSample> Samples(PipelineModel model, string name, int containers, string? incident, DateTimeOffset from, DateTimeOffset to)
    {
        for (var minute = from.UtcTicks / Interval.Ticks; minute * Interval.Ticks < to.UtcTicks; minute++)
        {
            for (var container = 0; container < containers; container++)
            {
                var dice = new Dice(model.Seed, name, (minute << 8) + container);
                var at = new DateTimeOffset(minute * Interval.Ticks, TimeSpan.Zero).AddSeconds((container * 5) + dice.Between(0.0, 4));
                var isBurdened = incident is not null && model.Incidents.At(incident, at) is not null;
                if (at >= from && at < to)
                    yield return new MetricSample(at, isBurdened ? dice.Between(96, 99.5) : Usual(minute, container) + dice.Between(-4.0, 4));
            }
        }
    }

    /// <summary>Between 26 and 64 %, up and down with the hours; the containers one after the other.</summary>
    static double Usual(long minute, int container) => 45 + (19 * Math.Sin(((minute / 180.0) + (container / 7.0)) * 2 * Math.PI));
}
