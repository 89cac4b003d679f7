using System.Collections.Immutable;
using System.Globalization;

namespace PipelineExporter.Simulator.Pipeline;

/// <summary>
/// Any number of DAGs that only make work: each runs every two hours with about eight task instances, so that 1,000 of them make some
/// 100,000 task instances a day. Which of them run when is known without looking at each.
/// </summary>
internal static class LoadCatalog
{
    const int PeriodMinutes = 120;

    /// <summary>Several times what the longest run takes; the shorter, the fewer runs a question has to look at.</summary>
    static readonly TimeSpan EndsWithin = TimeSpan.FromMinutes(15);

    public static readonly PoolDefinition Pool = new("load_pool", 16_384, "The load's");

    static readonly ImmutableArray<TaskDefinition> Plain =
    [
        Task("extract"),
        Task("clean", "extract"),
        Task("enrich_users", "clean"),
        Task("enrich_tracks", "clean"),
        Task("join", "enrich_users", "enrich_tracks"),
        Task("aggregate", "join"),
        Task("check", "aggregate"),
        Task("publish", "check"),
    ];

    static readonly ImmutableArray<TaskDefinition> Mapped =
    [
        Task("extract"),
        Task("load_part", "extract") with { Mapped = (3, 5) },
        Task("merge", "load_part"),
        Task("check", "merge"),
        Task("publish", "check"),
    ];

    public static IEnumerable<DagDefinition> Dags(int count)
    {
        for (var i = 0; i < count; i++)
        {
            var (hour, minute) = Math.DivRem(i % PeriodMinutes, 60);
            var cron = $"{minute} {(hour == 0 ? "*/2" : "1-23/2")} * * *";
            yield return new DagDefinition(
                "load_" + i.ToString("D4", CultureInfo.InvariantCulture),
                new CronSchedule(cron, $"At {minute} minutes past the hour, every 2 hours", TimeSpan.FromMinutes(PeriodMinutes), TimeSpan.FromMinutes(i % PeriodMinutes)),
                i % 4 == 0 ? Mapped : Plain)
            {
                Description = "Makes work.",
                Owners = [$"team-{i % 12:D2}"],
                Tags = ["load"],
                File = $"load_{i / 100:D2}.py",
                EndsWithin = EndsWithin,
            };
        }
    }

    /// <summary>The numbers of the DAGs, of so many, of which a run may have changed in [since, now].</summary>
    public static IEnumerable<int> DueIn(DateTimeOffset since, DateTimeOffset now, int count)
    {
        var last = now.ToUnixTimeSeconds() / 60;
        var first = Math.Max((since - DateTimeOffset.UnixEpoch > EndsWithin ? since - EndsWithin : DateTimeOffset.UnixEpoch).ToUnixTimeSeconds() / 60, last - PeriodMinutes + 1);
        for (var minute = first; minute <= last; minute++)
        {
            for (var i = (int)(minute % PeriodMinutes); i < count; i += PeriodMinutes)
                yield return i;
        }
    }

    static TaskDefinition Task(string id, params ImmutableArray<string> upstream) => new(id)
    {
        Upstream = upstream,
        Seconds = (10, 50),
        Retries = 1,
        RetryChance = 0.01,
        RetryDelay = 10,
        Pool = Pool.Name,
    };
}
