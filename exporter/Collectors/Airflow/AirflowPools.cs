using PipelineExporter.Metrics;
using PipelineExporter.Sources.Airflow;

namespace PipelineExporter.Collectors.Airflow;

/// <summary>Pools and their slots.</summary>
internal sealed partial class AirflowPools(AirflowEnvironment environment) : AirflowCollector<PoolList>(environment)
{
    public static readonly MetricDesc Slots = MetricDesc.Gauge(
        "airflow_pool_slots",
        "Slots of the pool by state: running, queued, scheduled, deferred, occupied (running and queued, and deferred where the pool includes them), open (+Inf when unlimited).",
        "pool", "state");

    public static readonly MetricDesc Limit = MetricDesc.Gauge("airflow_pool_slots_limit", "Slots that the pool has; +Inf when unlimited.", "pool");

    private int unlisted;

    public override string Name => "airflow_pools";

    public override string Asks => "1 request for each 100 pools: `/pools`. Where Airflow 2 has unlimited pools, the list is found out by some more, once in 20 times.";

    public override IReadOnlyList<MetricDesc> Metrics { get; } = [Slots, Limit];

    protected internal override async Task<PoolList> CollectAsync(CancellationToken cancellationToken)
    {
        var api = await Environment.Connection.ApiAsync(cancellationToken);
        var pools = await api.PoolsAsync(cancellationToken);
        if (pools.Unlisted != unlisted && pools.Unlisted > 0)
            LogUnlisted(Environment.Context.Logs.CreateLogger<AirflowPools>(), Source, pools.Unlisted);
        unlisted = pools.Unlisted;
        return pools.Unlisted == 0 ? pools : pools with { Pools = [.. pools.Pools, .. Unlimited(pools.Pools)] };
    }

    /// <summary>Pools that the server cannot list, so far as live task instances are in them: their slots add up to what is used.</summary>
    private IEnumerable<Pool> Unlimited(IReadOnlyList<Pool> listed) =>
        from row in Environment.LiveInstances
        where row.Pool is not null
        group row by row.Pool into rows
        where !listed.Any(other => other.Name == rows.Key)
        select new Pool
        {
            Name = rows.Key,
            Slots = -1,
            OpenSlots = -1,
            RunningSlots = SlotsIn(rows, "running"),
            QueuedSlots = SlotsIn(rows, "queued"),
            OccupiedSlots = SlotsIn(rows, "running") + SlotsIn(rows, "queued"),
            ScheduledSlots = SlotsIn(rows, "scheduled"),
            DeferredSlots = SlotsIn(rows, "deferred"),
        };

    private static int SlotsIn(IEnumerable<TaskInstance> rows, string state) => rows.Where(row => row.State == state).Sum(row => row.PoolSlots ?? 1);

    protected internal override void Write(PoolList snapshot, MetricSink sink)
    {
        foreach (var pool in snapshot.Pools)
        {
            sink.Set(Slots, pool.RunningSlots, pool.Name, "running");
            sink.Set(Slots, pool.QueuedSlots, pool.Name, "queued");
            sink.Set(Slots, pool.ScheduledSlots, pool.Name, "scheduled");
            sink.Set(Slots, pool.DeferredSlots, pool.Name, "deferred");
            sink.Set(Slots, pool.OccupiedSlots, pool.Name, "occupied");
            sink.Set(Slots, pool.Slots < 0 ? double.PositiveInfinity : pool.OpenSlots, pool.Name, "open");
            sink.Set(Limit, pool.Slots < 0 ? double.PositiveInfinity : pool.Slots, pool.Name);
        }
    }

    [LoggerMessage(LogLevel.Warning,
        "{source}: Airflow 2 answers 500 to a list of pools that holds one with unlimited slots (-1), and there are {count} such pools. "
        + "The other pools are exported as listed, those only while task instances are in them. Give such a pool a large number of slots instead")]
    private static partial void LogUnlisted(ILogger log, string source, int count);
}
