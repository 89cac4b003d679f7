using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Airflow.V2;

/// <summary>The rows of REST v2, their members in the server's order.</summary>
internal static class V2Rows
{
    public static void Dag(RowWriter row, DagDefinition dag, AirflowData data)
    {
        var next = data.NextRun(dag);
        var isCron = dag.Schedule is CronSchedule;
        row.Text("dag_id", dag.Id);
        row.Text("dag_display_name", dag.Id);
        row.Flag("is_paused", dag.IsPaused);
        row.Flag("is_stale", data.Oddities.IsStale(dag));
        row.Time("last_parsed_time", data.LastParse);
        row.Seconds("last_parse_duration", 0.335_645);
        row.Null("last_expired");
        row.Text("bundle_name", "dags-folder");
        row.Null("bundle_version");
        row.Text("relative_fileloc", dag.File);
        row.Text("fileloc", "/opt/airflow/dags/" + dag.File);
        row.Text("description", dag.Description);
        row.Text("timetable_summary", dag.Schedule.Summary);
        row.Text("timetable_description", dag.Schedule.Description);
        row.Flag("timetable_partitioned", false);
        row.Flag("timetable_periodic", isCron);
        row.Member("tags", () =>
        {
            row.Json.WriteStartArray();
            foreach (var tag in dag.Tags)
            {
                row.Json.WriteStartObject();
                row.Text("name", tag);
                row.Text("dag_id", dag.Id);
                row.Text("dag_display_name", dag.Id);
                row.Json.WriteEndObject();
            }
            row.Json.WriteEndArray();
        });
        row.Number("max_active_tasks", 16);
        row.Number("max_active_runs", dag.MaxActiveRuns);
        row.Number("max_consecutive_failed_dag_runs", 0);
        row.Flag("has_task_concurrency_limits", false);
        row.Flag("has_import_errors", data.Oddities.IsBroken(dag));
        row.Time("next_dagrun_logical_date", next);
        row.Time("next_dagrun_data_interval_start", next);
        row.Time("next_dagrun_data_interval_end", next);
        row.Time("next_dagrun_run_after", next);
        row.Null("allowed_run_types");
        row.Texts("owners", dag.Owners);
        row.Flag("is_backfillable", isCron);
        row.Text("file_token", "Ii9vcHQvYWlyZmxvdy9kYWdzIg.simulated");
    }

    public static void Run(RowWriter row, RunRow run, V2Server server)
    {
        var interval = Edition.V2.DataInterval(run.Run);
        row.Text("dag_run_id", Edition.V2.RunId(run.Run));
        row.Text("dag_id", run.Run.Dag.Id);
        row.Time("logical_date", Edition.V2.LogicalDate(run.Run));
        row.Time("queued_at", run.Run.At(run.Now).QueuedAt);
        row.Time("start_date", run.Start);
        row.Time("end_date", run.End);
        if (server.HasRunDuration)
            row.Seconds("duration", run.Duration);
        row.Time("data_interval_start", interval?.Start);
        row.Time("data_interval_end", interval?.End);
        row.Time("run_after", run.Run.RunAfter);
        row.Time("last_scheduling_decision", run.Run.LastSchedulingDecisionAt(run.Now));
        row.Text("run_type", server.Edition.RunType(run.Run.Kind));
        row.Text("state", StateNames.Of(run.State));
        row.Text("triggered_by", run.Run.Kind switch
        {
            RunKind.Scheduled => "timetable",
            RunKind.Asset => "asset",
            RunKind.Operator => "operator",
            _ => "rest_api",
        });
        row.Text("triggering_user_name", run.Run.Kind == RunKind.Manual ? "admin" : null);
        row.Raw("conf", RunNotes.Conf(run.Run));
        row.Text("note", RunNotes.Note(run.Run));
        row.Member("dag_versions", () =>
        {
            row.Json.WriteStartArray();
            DagVersion(row, run.Run.Dag);
            row.Json.WriteEndArray();
        });
        row.Null("bundle_version");
        row.Text("dag_display_name", run.Run.Dag.Id);
        row.Null("partition_key");
        row.Null("partition_date");
        if (run.State == RunState.Quarantined)
            row.Raw(RunNotes.UnknownMember, RunNotes.UnknownValue);
    }

    public static void Task(RowWriter row, TaskRow task)
    {
        row.Text("id", task.Id.ToString());
        Key(row, task.Instance);
        row.Time("logical_date", Edition.V2.LogicalDate(task.Run));
        row.Time("run_after", task.Run.RunAfter);
        Executed(row, task.Instance, task.Phase);
        row.Null("note");
        row.Null("rendered_map_index");
        row.Raw("rendered_fields", RunNotes.RenderedFields(task));
        row.Member("trigger", () => Trigger(row, task));
        row.Member("triggerer_job", () => TriggererJob(row, task));
        row.Member("dag_version", () => DagVersion(row, task.Run.Dag));
        if (task.Phase.State == TaskState.Quarantined)
            row.Raw(RunNotes.UnknownMember, RunNotes.UnknownValue);
    }

    /// <summary>A row of /tries: it has no id.</summary>
    public static void Try(RowWriter row, TaskInstance instance, TaskPhase phase)
    {
        Key(row, instance);
        Executed(row, instance, phase);
        row.Member("dag_version", () => DagVersion(row, instance.Run.Dag));
    }

    static void Key(RowWriter row, TaskInstance instance)
    {
        row.Text("task_id", instance.Task.Id);
        row.Text("dag_id", instance.Run.Dag.Id);
        row.Text("dag_run_id", Edition.V2.RunId(instance.Run));
        row.Number("map_index", instance.MapIndex);
    }

    static void Executed(RowWriter row, TaskInstance instance, TaskPhase phase)
    {
        row.Time("start_date", phase.Start);
        row.Time("end_date", phase.End);
        row.Seconds("duration", phase.Duration);
        row.Text("state", StateNames.Of(phase.State));
        row.Number("try_number", phase.Try);
        row.Number("max_tries", phase.MaxTries ?? instance.MaxTries);
        row.Text("task_display_name", instance.Task.Id);
        row.Text("dag_display_name", instance.Run.Dag.Id);
        row.Text("hostname", phase.Pid is null ? "" : RunNotes.Worker);
        row.Text("unixname", "airflow");
        row.Text("pool", instance.Task.Pool);
        row.Number("pool_slots", 1);
        row.Text("queue", instance.Task.Queue);
        row.Number("priority_weight", RunNotes.PriorityWeight(instance));
        row.Text("operator", instance.Task.Operator);
        row.Text("operator_name", instance.Task.OperatorName);
        row.Time("queued_when", phase.QueuedAt);
        row.Time("scheduled_when", phase.ScheduledAt);
        row.Number("pid", phase.Pid);
        row.Null("executor");
        row.Text("executor_config", "{}");
    }

    static void Trigger(RowWriter row, TaskRow task)
    {
        if (task.Phase.State != TaskState.Deferred)
        {
            row.Json.WriteNullValue();
            return;
        }
        row.Json.WriteStartObject();
        row.Number("id", RunNotes.TriggerId(task));
        row.Text("classpath", "providers.statements.triggers.StatementTrigger");
        row.Text("kwargs", "{}");
        row.Time("created_date", task.Phase.At);
        row.Null("queue");
        row.Number("triggerer_id", 2);
        row.Json.WriteEndObject();
    }

    static void TriggererJob(RowWriter row, TaskRow task)
    {
        if (task.Phase.State != TaskState.Deferred)
        {
            row.Json.WriteNullValue();
            return;
        }
        row.Json.WriteStartObject();
        row.Number("id", 2);
        row.Null("dag_id");
        row.Text("state", "running");
        row.Text("job_type", "TriggererJob");
        row.Time("start_date", RunNotes.ServicesStarted);
        row.Null("end_date");
        row.Time("latest_heartbeat", task.Phase.At);
        row.Null("executor_class");
        row.Text("hostname", RunNotes.Worker);
        row.Text("unixname", "airflow");
        row.Null("dag_display_name");
        row.Json.WriteEndObject();
    }

    static void DagVersion(RowWriter row, DagDefinition dag)
    {
        row.Json.WriteStartObject();
        row.Text("id", Uuid7.New(RunNotes.ServicesStarted, new Dice(0, dag.Id, 0)).ToString());
        row.Number("version_number", 1);
        row.Text("dag_id", dag.Id);
        row.Text("bundle_name", "dags-folder");
        row.Null("bundle_version");
        row.Time("created_at", RunNotes.ServicesStarted);
        row.Text("dag_display_name", dag.Id);
        row.Null("bundle_url");
        row.Json.WriteEndObject();
    }

    public static void Pool(RowWriter row, PoolRow pool)
    {
        row.Text("name", pool.Pool.Name);
        row.Number("slots", pool.Pool.Slots);
        row.Text("description", pool.Pool.Description);
        row.Flag("include_deferred", pool.Pool.IncludeDeferred);
        row.Number("occupied_slots", pool.Occupied);
        row.Number("running_slots", pool.Running);
        row.Number("queued_slots", pool.Queued);
        row.Number("scheduled_slots", pool.Scheduled);
        row.Number("open_slots", pool.Open);
        row.Number("deferred_slots", pool.Deferred);
        row.Null("team_name");
    }

    public static void ImportError(RowWriter row, ImportErrorRow error)
    {
        row.Number("import_error_id", error.Id);
        row.Time("timestamp", error.ParsedAt);
        row.Text("filename", error.File);
        row.Text("bundle_name", "dags-folder");
        row.Text("stack_trace", error.StackTrace);
    }
}
