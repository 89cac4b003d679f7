using System.Collections.Immutable;

namespace PipelineExporter.Simulator.Pipeline;

/// <summary>The DAGs, pools and Glue jobs of the music-streaming pipeline.</summary>
internal static class Catalog
{
    public const string Validation = "music_streaming_validation";
    public const string KpiComputation = "music_streaming_kpi_computation";
    public const string DynamoDbLoad = "music_streaming_dynamodb_load";

    /// <summary>The task that fails in the incident dag_failure.</summary>
    public const string ValidationGlueTask = "validate_streams";

    // The DAGs of the other incidents.
    public const string LabelNotifications = "label_notifications";
    public const string RoyaltyAudit = "quarterly_royalty_audit";
    public const string SearchIndex = "search_index_rebuild";
    public const string AudioFingerprints = "audio_fingerprints";
    public const string CoverArt = "cover_art_rendering";
    public const string Webhooks = "partner_webhooks";
    public const string ReleaseCalendar = "release_calendar_import";

    public static readonly ImmutableArray<GlueJob> GlueJobs =
    [
        new(Validation, "G.1X", NumberOfWorkers: 5, DpuPerWorker: 1, "STANDARD", "4.0"),
        new(KpiComputation, "G.1X", NumberOfWorkers: 10, DpuPerWorker: 1, "STANDARD", "4.0"),
        new(DynamoDbLoad, "G.1X", NumberOfWorkers: 2, DpuPerWorker: 1, "FLEX", "4.0"),
    ];

    public static readonly ImmutableArray<PoolDefinition> Pools =
    [
        new(PoolDefinition.Default, 128, "Default pool"),
        new("glue_pool", 8, "AWS Glue jobs"),
        new("enrichment_pool", 2, "The metadata provider allows two connections"),
        new("royalty_pool", 3, "Statements requested at a time, waiting ones too", IncludeDeferred: true),
        new("render_pool", 4, "Graphics cards that render covers"),
    ];

    public static PoolDefinition FindPool(string name) => Pools.FirstOrDefault(pool => pool.Name == name) ?? LoadCatalog.Pool;

    public static readonly ImmutableArray<DagDefinition> Dags =
    [
        new(Validation, Every(10), [
            Sensor("wait_for_stream_files") with { Pokes = (0, 2), PokeInterval = 8 },
            new("list_new_files") { Upstream = ["wait_for_stream_files"], Retries = 2, RetryChance = 0.08 },
            Glue(ValidationGlueTask, GlueJobs[0], (100, 160)) with { Upstream = ["list_new_files"] },
            new("validate_reference_data") { Upstream = ["list_new_files"], Seconds = (8, 25) },
            new("publish_valid_files") { Upstream = [ValidationGlueTask, "validate_reference_data"] },
        ])
        {
            Description = "Validates the stream files that arrived since the last run.",
            Tags = ["glue", "music-streaming", "tier:1"],
            EndsWithin = TimeSpan.FromMinutes(6),
        },
        new(KpiComputation, new AssetSchedule(Validation, "publish_valid_files"), [
            new("load_reference_tables") { Seconds = (3, 8) },
            Glue("compute_kpis", GlueJobs[1], (150, 220)) with { Upstream = ["load_reference_tables"] },
            new("compute_genre_kpis") { Upstream = ["load_reference_tables"], Seconds = (10, 30), Mapped = (4, 4), Retries = 1, RetryChance = 0.05 },
            new("trigger_dynamodb_load")
            {
                Upstream = ["compute_kpis", "compute_genre_kpis"],
                Operator = "TriggerDagRunOperator",
                OperatorName = "TriggerDagRunOperator",
            },
        ])
        {
            Description = "Computes the KPIs of each day, genre and hour.",
            Owners = ["analytics", "data-platform"],
            Tags = ["glue", "kpi", "music-streaming", "tier:1"],
            EndsWithin = TimeSpan.FromMinutes(12),
        },
        new(DynamoDbLoad, new NoSchedule { TriggeredBy = (KpiComputation, "trigger_dynamodb_load") }, [
            Glue("load_kpi_tables", GlueJobs[2], (50, 90)),
            new("refresh_read_models") { Upstream = ["load_kpi_tables"], Seconds = (3, 9) },
            new("verify_item_counts") { Upstream = ["load_kpi_tables"] },
        ])
        {
            Description = "Loads the KPIs into the DynamoDB tables that the applications read.",
            Tags = ["dynamodb", "glue", "music-streaming", "tier:1"],
            EndsWithin = TimeSpan.FromMinutes(16),
        },
        new("stream_event_ingest", Every(1), [
            new("pull_events") { Seconds = (3, 8) },
            new("deduplicate_events") { Upstream = ["pull_events"], Seconds = (4, 10), Retries = 2, RetryChance = 0.08, RetryDelay = 4 },
            new("store_events") { Upstream = ["deduplicate_events"], Seconds = (2, 6) },
        ])
        {
            Description = "Pulls play events from the edge brokers.",
            Tags = ["ingest", "music-streaming"],
            File = "ingest.py",
            EndsWithin = TimeSpan.FromMinutes(2),
        },
        new("playlist_refresh", Every(2), [
            new("choose_refresh") { Kind = TaskKind.Branch, Operator = "_BranchPythonDecoratedOperator", OperatorName = "@task.branch" },
            new("refresh_changed_playlists") { Upstream = ["choose_refresh"], Seconds = (5, 15) },
            new("refresh_all_playlists") { Upstream = ["choose_refresh"], Seconds = (15, 35) },
            new("publish_playlists") { Upstream = ["refresh_changed_playlists", "refresh_all_playlists"], NoneFailed = true },
            Empty("done") with { Upstream = ["publish_playlists"] },
        ])
        {
            Description = "Refreshes editorial and personal playlists.",
            Owners = ["personalisation"],
            Tags = ["music-streaming", "playlists"],
            File = "playlists.py",
            EndsWithin = TimeSpan.FromMinutes(2),
        },
        new("partner_feed_sync", Every(3), [
            new("fetch_feed") { Seconds = (4, 9), Retries = 3, RetryChance = 0.4, RetryDelay = 12 },
            new("merge_feed") { Upstream = ["fetch_feed"], Seconds = (3, 8) },
        ])
        {
            Description = "Fetches the labels' delivery feed from a partner that often answers at the second try.",
            Owners = ["catalog"],
            Tags = ["catalog", "music-streaming"],
            File = "partners.py",
            EndsWithin = TimeSpan.FromMinutes(3),
        },
        new("royalty_export", Every(4), [
            new("request_statement"),
            new("wait_for_statement")
            {
                Kind = TaskKind.Deferrable,
                Upstream = ["request_statement"],
                Deferred = (40, 90),
                Operator = "StatementSensorAsync",
                OperatorName = "StatementSensorAsync",
                Pool = "royalty_pool",
            },
            new("export_royalties") { Upstream = ["wait_for_statement"], Seconds = (5, 20), Queue = "high_memory" },
        ])
        {
            Description = "Exports what is owed to rights holders.",
            Owners = ["finance"],
            Tags = ["finance", "music-streaming"],
            File = "royalties.py",
            EndsWithin = TimeSpan.FromMinutes(4),
        },
        new("track_metadata_enrichment", Every(5), [
            new("list_tracks"),
            new("enrich_track")
            {
                Upstream = ["list_tracks"],
                Seconds = (8, 20),
                Mapped = (5, 8),
                Retries = 2,
                RetryChance = 0.1,
                RetryDelay = 10,
                Pool = "enrichment_pool",
            },
            new("store_metadata") { Upstream = ["enrich_track"] },
        ])
        {
            Description = "Asks a metadata provider about new tracks, two at a time.",
            Owners = ["catalog"],
            Tags = ["catalog", "music-streaming"],
            File = "catalog.py",
            MaxActiveRuns = 1,
            EndsWithin = TimeSpan.FromMinutes(5),
        },
        new("listener_sessions", Every(5, offset: 1), [
            Sensor("wait_for_partition") with { Pokes = (2, 5) },
            new("build_sessions") { Upstream = ["wait_for_partition"], Seconds = (10, 30), Retries = 1, RetryChance = 0.05 },
            new("write_sessions") { Upstream = ["build_sessions"] },
        ])
        {
            Description = "Cuts play events into listening sessions.",
            Owners = ["analytics"],
            Tags = ["analytics", "music-streaming"],
            File = "sessions.py",
            EndsWithin = TimeSpan.FromMinutes(4),
        },
        new("recommendation_features", Every(5, offset: 3), [
            new("user_features") { Seconds = (20, 50) },
            new("track_features") { Seconds = (15, 40) },
            new("context_features") { Seconds = (10, 30) },
            new("join_features") { Upstream = ["user_features", "track_features", "context_features"], Seconds = (5, 15), Queue = "high_memory" },
        ])
        {
            Description = "Features of the recommender.",
            Owners = ["personalisation"],
            Tags = ["music-streaming", "recommender"],
            File = "recommender.py",
            EndsWithin = TimeSpan.FromMinutes(3),
        },
        new("catalog_hourly_snapshot", new CronSchedule("5 * * * *", "At 5 minutes past the hour", TimeSpan.FromHours(1), TimeSpan.FromMinutes(5)), [
            new("list_changed_labels") { Seconds = (2, 5) },
            new("snapshot_label") { Upstream = ["list_changed_labels"], Seconds = (20, 90), Mapped = (0, 4) },
            new("merge_snapshot") { Upstream = ["snapshot_label"], Seconds = (5, 20) },
        ])
        {
            Description = "Snapshots the labels that changed; in some hours none did.",
            Owners = ["catalog"],
            Tags = ["catalog", "music-streaming"],
            File = "catalog.py",
            EndsWithin = TimeSpan.FromMinutes(6),
        },
        new("daily_business_report", new CronSchedule("0 3 * * *", "At 03:00", TimeSpan.FromDays(1), TimeSpan.FromHours(3)), [
            new("collect_figures") { Seconds = (200, 500), Retries = 1, RetryChance = 0.05, RetryDelay = 60 },
            new("render_report") { Upstream = ["collect_figures"], Seconds = (30, 90) },
            new("send_report") { Upstream = ["render_report"] },
        ])
        {
            Description = "Yesterday in figures.",
            Owners = ["analytics"],
            Tags = ["music-streaming", "report"],
            File = "reports.py",
            MaxActiveRuns = 1,
            EndsWithin = TimeSpan.FromMinutes(25),
        },
        new("legacy_catalog_import", new CronSchedule("0 1 * * *", "At 01:00", TimeSpan.FromDays(1), TimeSpan.FromHours(1)), [
            new("import_catalog") { Seconds = (60, 120) },
        ])
        {
            Description = "Replaced by partner_feed_sync.",
            Owners = ["catalog"],
            Tags = ["catalog", "legacy"],
            File = "legacy.py",
            IsPaused = true,
            EndsWithin = TimeSpan.FromMinutes(5),
        },
        new("replay_stream_day", new NoSchedule { ByHandEvery = TimeSpan.FromHours(3) }, [
            new("select_day"),
            new("replay_hour") { Upstream = ["select_day"], Seconds = (15, 40), Mapped = (6, 6) },
            new("compare_totals") { Upstream = ["replay_hour"], Seconds = (3, 8) },
        ])
        {
            Description = "Replays one day, when someone asks for it.",
            Tags = ["music-streaming", "operations"],
            File = "operations.py",
            EndsWithin = TimeSpan.FromMinutes(3),
        },
        new(LabelNotifications, Every(15), [
            new("collect_notices") { Seconds = (3, 8) },
            new("send_notices") { Upstream = ["collect_notices"], Seconds = (5, 15) },
            new("archive_notices") { Upstream = ["send_notices"], AllDone = true },
        ])
        {
            Description = "Tells labels what became of their deliveries; the notices are archived whether they could be sent or not.",
            Owners = ["catalog"],
            Tags = ["catalog", "music-streaming"],
            File = "labels.py",
            EndsWithin = TimeSpan.FromMinutes(2),
        },
        new(RoyaltyAudit, new NoSchedule { ByHandEvery = TimeSpan.FromHours(8) }, [
            Sensor("wait_for_ledger") with { Pokes = (1, 3) },
            new("compare_statements") { Upstream = ["wait_for_ledger"], Seconds = (30, 90) },
            new("send_findings") { Upstream = ["compare_statements"] },
        ])
        {
            Description = "Compares a quarter's statements with the ledger, when finance has closed it.",
            Owners = ["controlling"],
            Tags = ["finance", "music-streaming"],
            File = "royalties.py",
            EndsWithin = TimeSpan.FromMinutes(4),
        },
        new(SearchIndex, new NoSchedule { ByHandEvery = TimeSpan.FromHours(6) }, [
            new("rebuild_index") { Seconds = (60, 120), Queue = "high_memory" },
            new("swap_index") { Upstream = ["rebuild_index"] },
        ])
        {
            Description = "Builds the search index anew after a change of its mapping.",
            Owners = ["catalog"],
            Tags = ["music-streaming", "search"],
            File = "search.py",
            EndsWithin = TimeSpan.FromMinutes(4),
        },
        new(AudioFingerprints, new NoSchedule { ByHandEvery = TimeSpan.FromHours(4) }, [
            new("fingerprint_tracks") { Seconds = (40, 80), Queue = "gpu" },
            new("store_fingerprints") { Upstream = ["fingerprint_tracks"], Seconds = (3, 8) },
        ])
        {
            Description = "Fingerprints the tracks of a delivery, on workers with a graphics card.",
            Owners = ["catalog"],
            Tags = ["catalog", "music-streaming"],
            File = "audio.py",
            EndsWithin = TimeSpan.FromMinutes(3),
        },
        new(CoverArt, new NoSchedule { ByHandEvery = TimeSpan.FromHours(3) }, [
            new("list_covers"),
            new("render_cover") { Upstream = ["list_covers"], Seconds = (10, 25), Mapped = (3, 8), Pool = "render_pool" },
            new("publish_covers") { Upstream = ["render_cover"], Seconds = (3, 8) },
        ])
        {
            Description = "Renders covers in every size, four at a time.",
            Owners = ["catalog"],
            Tags = ["catalog", "music-streaming"],
            File = "covers.py",
            EndsWithin = TimeSpan.FromMinutes(3),
        },
        new(Webhooks, new NoSchedule { ByHandEvery = TimeSpan.FromMinutes(30) }, [
            new("collect_events"),
            new("deliver_webhook") { Upstream = ["collect_events"], Mapped = (2, 6), Retries = 4, RetryChance = 0.03, RetryDelay = 3 },
            new("note_deliveries") { Upstream = ["deliver_webhook"] },
        ])
        {
            Description = "Delivers events to partners' systems; the application starts it when there are some.",
            Owners = ["catalog"],
            Tags = ["catalog", "music-streaming"],
            File = "partners.py",
            EndsWithin = TimeSpan.FromMinutes(3),
        },

        // A custom timetable calls itself as it likes.
        new(ReleaseCalendar, new CronSchedule("Release calendar", "When the labels' calendar names a release", TimeSpan.FromHours(4), TimeSpan.FromMinutes(95)), [
            new("fetch_calendar") { Seconds = (5, 15) },
            new("announce_releases") { Upstream = ["fetch_calendar"], Seconds = (10, 30) },
        ])
        {
            Description = "Imports what the labels release next.",
            Owners = ["catalog"],
            Tags = ["catalog", "music-streaming"],
            File = "releases.py",
            EndsWithin = TimeSpan.FromMinutes(2),
        },
    ];

    static CronSchedule Every(int minutes, int offset = 0)
    {
        var cron = (minutes, offset) switch
        {
            (1, 0) => "* * * * *",
            (_, 0) => $"*/{minutes} * * * *",
            _ => $"{offset}-59/{minutes} * * * *",
        };
        var description = (minutes, offset) switch
        {
            (1, 0) => "Every minute",
            (_, 0) => $"Every {minutes} minutes",
            _ => $"Every {minutes} minutes, minutes {offset} through 59 past the hour",
        };
        return new CronSchedule(cron, description, TimeSpan.FromMinutes(minutes), TimeSpan.FromMinutes(offset));
    }

    static TaskDefinition Sensor(string id) => new(id)
    {
        Kind = TaskKind.RescheduleSensor,
        Operator = "FileSensor",
        OperatorName = "FileSensor",
        Seconds = (0.4, 1.5),
    };

    static TaskDefinition Empty(string id) => new(id) { Kind = TaskKind.Empty, Operator = "EmptyOperator", OperatorName = "EmptyOperator" };

    static TaskDefinition Glue(string id, GlueJob job, (double Low, double High) seconds) => new(id)
    {
        GlueJob = job,
        Seconds = seconds,
        Operator = "GlueJobOperator",
        OperatorName = "GlueJobOperator",
        Pool = "glue_pool",
    };
}
