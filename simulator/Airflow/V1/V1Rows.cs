using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Airflow.V1;

/// <summary>The rows of REST v1, their members in alphabetical order.</summary>
internal static class V1Rows
{
    public static readonly IReadOnlySet<string> DagFields = new HashSet<string>
    {
        "dag_display_name", "dag_id", "default_view", "description", "file_token", "fileloc", "has_import_errors", "has_task_concurrency_limits",
        "is_active", "is_paused", "is_subdag", "last_expired", "last_parsed_time", "last_pickled", "max_active_runs", "max_active_tasks",
        "max_consecutive_failed_dag_runs", "next_dagrun", "next_dagrun_create_after", "next_dagrun_data_interval_end",
        "next_dagrun_data_interval_start", "owners", "pickle_id", "root_dag_id", "schedule_interval", "scheduler_lock", "tags",
        "timetable_description",
    };

    public static readonly IReadOnlySet<string> RunFields = new HashSet<string>
    {
        "conf", "dag_id", "dag_run_id", "data_interval_end", "data_interval_start", "end_date", "execution_date", "external_trigger",
        "last_scheduling_decision", "logical_date", "note", "run_type", "start_date", "state",
    };

    public static void Dag(RowWriter row, DagDefinition dag, AirflowData data)
    {
        var cron = dag.Schedule as CronSchedule;
        var next = data.NextRun(dag);
        row.Text("dag_display_name", dag.Id);
        row.Text("dag_id", dag.Id);
        row.Text("default_view", "grid");
        row.Text("description", dag.Description);
        row.Text("file_token", "Ii9vcHQvYWlyZmxvdy9kYWdzIg.simulated");
        row.Text("fileloc", "/opt/airflow/dags/" + dag.File);
        row.Flag("has_import_errors", data.Oddities.IsBroken(dag));
        row.Flag("has_task_concurrency_limits", false);
        row.Flag("is_active", !data.Oddities.IsStale(dag));
        row.Flag("is_paused", dag.IsPaused);
        row.Flag("is_subdag", false);
        row.Null("last_expired");
        row.Time("last_parsed_time", data.LastParse);
        row.Null("last_pickled");
        row.Number("max_active_runs", dag.MaxActiveRuns);
        row.Number("max_active_tasks", 16);
        row.Number("max_consecutive_failed_dag_runs", 0);
        row.Time("next_dagrun", next - cron?.Period);
        row.Time("next_dagrun_create_after", next);
        row.Time("next_dagrun_data_interval_end", next);
        row.Time("next_dagrun_data_interval_start", next - cron?.Period);
        row.Texts("owners", dag.Owners);
        row.Null("pickle_id");
        row.Null("root_dag_id");
        row.Member("schedule_interval", () => ScheduleInterval(row, dag));
        row.Null("scheduler_lock");
        row.Member("tags", () =>
        {
            row.Json.WriteStartArray();
            foreach (var tag in dag.Tags)
            {
                row.Json.WriteStartObject();
                row.Json.WriteString("name", tag);
                row.Json.WriteEndObject();
            }
            row.Json.WriteEndArray();
        });
        row.Text("timetable_description", dag.Schedule is AssetSchedule ? "Triggered by datasets" : dag.Schedule.Description);
    }

    /// <summary>A dataset schedule is a "cron" too, of the word Dataset.</summary>
    static void ScheduleInterval(RowWriter row, DagDefinition dag)
    {
        if (dag.Schedule is NoSchedule)
        {
            row.Json.WriteNullValue();
            return;
        }
        row.Json.WriteStartObject();
        row.Json.WriteString("__type", "CronExpression");
        row.Json.WriteString("value", dag.Schedule is CronSchedule cron ? cron.Cron : "Dataset");
        row.Json.WriteEndObject();
    }

    public static void Run(RowWriter row, RunRow run)
    {
        var interval = Edition.V1.DataInterval(run.Run);
        row.Raw("conf", RunNotes.Conf(run.Run));
        row.Text("dag_id", run.Run.Dag.Id);
        row.Text("dag_run_id", Edition.V1.RunId(run.Run));
        row.Time("data_interval_end", interval?.End);
        row.Time("data_interval_start", interval?.Start);
        row.Time("end_date", run.End);
        row.Time("execution_date", Edition.V1.LogicalDate(run.Run));
        row.Flag("external_trigger", run.Run.Kind is RunKind.Manual or RunKind.Operator);
        row.Time("last_scheduling_decision", run.Run.LastSchedulingDecisionAt(run.Now));
        row.Time("logical_date", Edition.V1.LogicalDate(run.Run));
        row.Text("note", RunNotes.Note(run.Run));
        row.Text("run_type", Edition.V1.RunType(run.Run.Kind));
        row.Time("start_date", run.Start);
        row.Text("state", StateNames.Of(run.State));
        if (run.State == RunState.Quarantined)
            row.Raw(RunNotes.UnknownMember, RunNotes.UnknownValue);
    }

    public static void Task(RowWriter row, TaskRow task, V1Server server)
    {
        row.Text("dag_id", task.Run.Dag.Id);
        row.Text("dag_run_id", Edition.V1.RunId(task.Run));
        row.Seconds("duration", task.Phase.Duration);
        row.Time("end_date", task.Phase.End);
        row.Time("execution_date", Edition.V1.LogicalDate(task.Run));
        Executed(row, task.Instance, task.Phase);
        row.Null("note");
        Queued(row, task.Instance, task.Phase);
        row.Raw("rendered_fields", RunNotes.RenderedFields(task));
        row.Null("rendered_map_index");
        row.Null("sla_miss");
        row.Time("start_date", task.Phase.Start);
        row.Text("state", StateNames.Of(task.Phase.State));
        row.Text("task_display_name", task.Task.Id);
        row.Text("task_id", task.Task.Id);
        row.Member("trigger", () => Trigger(row, task));
        row.Member("triggerer_job", () => TriggererJob(row, task));
        row.Number("try_number", server.TryNumber(task.Task, task.Phase));
        row.Text("unixname", "airflow");
        if (task.Phase.State == TaskState.Quarantined)
            row.Raw(RunNotes.UnknownMember, RunNotes.UnknownValue);
    }

    /// <summary>A row of /tries: without what belongs to the instance rather than to the try.</summary>
    public static void Try(RowWriter row, TaskInstance instance, TaskPhase phase)
    {
        row.Text("dag_id", instance.Run.Dag.Id);
        row.Text("dag_run_id", Edition.V1.RunId(instance.Run));
        row.Seconds("duration", phase.Duration);
        row.Time("end_date", phase.End);
        Executed(row, instance, phase);
        Queued(row, instance, phase);
        row.Time("start_date", phase.Start);
        row.Text("state", StateNames.Of(phase.State));
        row.Text("task_display_name", instance.Task.Id);
        row.Text("task_id", instance.Task.Id);
        row.Number("try_number", phase.Try);
        row.Text("unixname", "airflow");
    }

    static void Executed(RowWriter row, TaskInstance instance, TaskPhase phase)
    {
        row.Null("executor");
        row.Text("executor_config", "{}");
        row.Text("hostname", phase.Pid is null ? "" : RunNotes.Worker);
        row.Number("map_index", instance.MapIndex);
        row.Number("max_tries", phase.MaxTries ?? instance.MaxTries);
    }

    static void Queued(RowWriter row, TaskInstance instance, TaskPhase phase)
    {
        row.Text("operator", instance.Task.Operator);
        row.Number("pid", phase.Pid);
        row.Text("pool", instance.Task.Pool);
        row.Number("pool_slots", 1);
        row.Number("priority_weight", RunNotes.PriorityWeight(instance));
        row.Text("queue", instance.Task.Queue);
        row.Time("queued_when", phase.QueuedAt);
    }

    static void Trigger(RowWriter row, TaskRow task)
    {
        if (task.Phase.State != TaskState.Deferred)
        {
            row.Json.WriteNullValue();
            return;
        }
        row.Json.WriteStartObject();
        row.Text("classpath", "providers.statements.triggers.StatementTrigger");
        row.Time("created_date", task.Phase.At);
        row.Number("id", RunNotes.TriggerId(task));
        row.Text("kwargs", "{}");
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
        row.Null("dag_id");
        row.Null("end_date");
        row.Null("executor_class");
        row.Text("hostname", RunNotes.Worker);
        row.Number("id", 2);
        row.Text("job_type", "TriggererJob");
        row.Time("latest_heartbeat", task.Phase.At);
        row.Time("start_date", RunNotes.ServicesStarted);
        row.Text("state", "running");
        row.Text("unixname", "airflow");
        row.Json.WriteEndObject();
    }

    public static void Pool(RowWriter row, PoolRow pool)
    {
        row.Number("deferred_slots", pool.Deferred);
        row.Text("description", pool.Pool.Description);
        row.Flag("include_deferred", pool.Pool.IncludeDeferred);
        row.Text("name", pool.Pool.Name);
        row.Number("occupied_slots", pool.Occupied);
        row.Number("open_slots", pool.Open);
        row.Number("queued_slots", pool.Queued);
        row.Number("running_slots", pool.Running);
        row.Number("scheduled_slots", pool.Scheduled);
        row.Number("slots", pool.Pool.Slots);
    }

    public static void ImportError(RowWriter row, ImportErrorRow error)
    {
        row.Text("filename", "/opt/airflow/dags/" + error.File);
        row.Number("import_error_id", error.Id);
        row.Text("stack_trace", error.StackTrace);
        row.Time("timestamp", error.ParsedAt);
    }
}
