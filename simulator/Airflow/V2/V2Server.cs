namespace PipelineExporter.Simulator.Airflow.V2;

/// <summary>What an Airflow 3 of some version can and says.</summary>
internal sealed record V2Server(Version Version)
{
    static readonly Version V31 = new(3, 1), V32 = new(3, 2), V33 = new(3, 3);

    static readonly (Version Since, string Member)[] News =
    [
        (V32, "timetable_partitioned"), (V32, "allowed_run_types"), (V32, "partition_key"),
        (V33, "timetable_periodic"), (V33, "is_backfillable"), (V33, "partition_date"),
    ];

    /// <summary>Members of rows that came later.</summary>
    public IReadOnlySet<string> Absent { get; } = News.Where(news => Version < news.Since).Select(news => news.Member).ToHashSet();

    public bool HasRunDuration => Version >= V31;

    public bool HasCursors => Version >= V33;

    /// <summary>Tasks that wait for a person, and runs that another DAG's operator triggered, have names of their own.</summary>
    public bool KnowsAwaitingInput => Version >= V33;

    public Edition Edition => Version >= V33 ? Edition.V2 : Edition.V2Before33;
}
