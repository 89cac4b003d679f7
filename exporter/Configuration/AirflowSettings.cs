using System.Collections.Immutable;

namespace PipelineExporter.Configuration;

/// <summary>One Airflow. A key is one line here: its property, type, default and meaning.</summary>
internal sealed class AirflowSettings(Section s)
{
    public string Environment { get; } = s.Required("environment", Values.Name,
        "Name of this Airflow: label `environment` of its metrics, and `airflow/<environment>` as a source.");

    /// <summary>Null with <c>auth.mwaa</c>.</summary>
    public Uri? Url { get; } = s.Maybe("url", Values.Url, "required, except with `auth.mwaa`", "Address of its web server, without `/api/…`.");

    /// <summary>Null where only the configuration could tell, and does not.</summary>
    public Uri? ExternalUrl => externalUrl ?? Url;

    private readonly Uri? externalUrl = s.Maybe("external_url", Values.Url, "`url`; with `auth.mwaa` none",
        "The same as a browser reaches it: label `url` of `airflow_environment_info`, which links begin with.");

    /// <summary>Null: requests carry no credentials.</summary>
    public AirflowAuth? Auth { get; } = s.Child("auth", AirflowAuth.Read, "Credentials, exactly one kind.");

    public bool AllowInsecureAuth { get; } = s.Optional("allow_insecure_auth", Values.Boolean, "false",
        "Send credentials over plain http to another host than this one. They can be read on the way.");

    public TimeSpan PollInterval { get; } = s.Optional("poll_interval", Values.Duration("1s", "1d"), "30s",
        "Time from one collection to the next.");

    public TimeSpan Timeout { get; } = s.Optional("timeout", Values.Duration("1s", "10m"), "30s", "Longest wait for one answer.");

    public TimeSpan StaleAfter => staleAfter ?? 3 * PollInterval;

    private readonly TimeSpan? staleAfter = s.MaybeValue("stale_after", Values.Duration("1s", "30d"), "3 × `poll_interval`",
        "How long gauges outlive the last good collection.");

    /// <summary>Gauges only: what ended before the first poll is never counted.</summary>
    public TimeSpan Lookback { get; } = s.Optional("lookback", Values.Duration("0", "7d"), "1h",
        "How far back the first poll looks for the values of gauges.");

    public DagSelection Dags { get; } = s.ChildOrDefault("dags", x => new DagSelection(x), "Which DAGs are watched.");

    /// <summary>Whether task metrics are told by task.</summary>
    public bool TaskDetail { get; } = s.Optional("task_detail", Values.OneOf("full", "dag"), "full",
        "`full`: the metrics of tasks are told by task. `dag`: their `task_id` is empty, and all tasks of a DAG are one.") == "full";

    public ImmutableArray<TimeSpan> DagRunDurationBuckets { get; } = s.Many("dag_run_duration_buckets", Values.Duration("1s", "365d"),
        ["1m", "5m", "15m", "30m", "1h", "2h", "4h", "8h"], "Buckets of `airflow_dag_run_duration_seconds`, in ascending order.");

    public ImmutableArray<TimeSpan> TaskDurationBuckets { get; } = s.ManyOrNone("task_duration_buckets", Values.Duration("1s", "365d"),
        "Buckets of `airflow_task_duration_seconds`, in ascending order; without, it has a sum and a count only.");

    public ImmutableArray<string> Skip { get; } = s.ManyOrNone("skip", Values.OneOf([.. Collectors]),
        "Collectors that are not run, for a user that may not read what they ask for.");

    public ImmutableArray<KeyValuePair<string, string>> Labels { get; } = s.Pairs("labels",
        Values.LabelName("environment"), Values.LabelValue, "Labels that every metric of this source carries.");

    public int SeriesLimit { get; } = s.Optional("series_limit", Values.Integer(1, 10_000_000), "200000",
        "A collector with more series than this fails.");

    /// <summary>Null: with <c>auth.mwaa</c> those that MWAA reports, else none.</summary>
    public WorkerSettings? Workers { get; } = s.Child("workers", WorkerSettings.Read, "CPU and memory of the workers; with `auth.mwaa` not needed.");

    /// <summary>What can be skipped: the names of the collectors without <c>airflow_</c>. Health asks for nothing that needs a permission,
    /// and notices an upgrade.</summary>
    public static IReadOnlyList<string> Collectors { get; } = ["dags", "import_errors", "pools", "runs", "tasks", "workers"];

    public static AirflowSettings Read(Section s)
    {
        var source = new AirflowSettings(s);
        if (s.Describing)
        {
            return source;
        }

        MwaaAuth.CheckUrl(s, source.Auth);
        if (source.Url is { } url)
        {
            if (url.AbsolutePath.Contains("/api/", StringComparison.Ordinal))
            {
                s.Error("url", "expected the address of the web server: leave out what begins with /api/");
            }

            if (source is { Auth: not null, AllowInsecureAuth: false } && url.Scheme == Uri.UriSchemeHttp && !Values.IsLoopback(url))
            {
                s.Error("url", "credentials would cross the network in the clear: use https, or set allow_insecure_auth: true");
            }
        }

        CheckOrder("dag_run_duration_buckets", source.DagRunDurationBuckets);
        CheckOrder("task_duration_buckets", source.TaskDurationBuckets);

        if (source.StaleAfter < source.PollInterval)
        {
            s.Error("stale_after", "expected at least poll_interval: every value would vanish before its successor comes");
        }

        return source;

        void CheckOrder(string key, ImmutableArray<TimeSpan> buckets)
        {
            for (var i = 1; i < buckets.Length; i++)
            {
                if (buckets[i] <= buckets[i - 1])
                {
                    s.Error(key, "expected each bucket longer than the one before");
                    return;
                }
            }
        }
    }
}

/// <summary>How requests to Airflow prove who sends them.</summary>
internal abstract class AirflowAuth
{
    public static AirflowAuth? Read(Section s) => s.OneOf<AirflowAuth>(
        ("basic", x => new BasicAuth(x), "User and password with every request (Airflow 2)."),
        ("token", x => new TokenAuth(x), "User and password for a token, and the token with every request (Airflow 3)."),
        ("bearer", x => new BearerAuth(x), "A token that somebody else renews."),
        ("mwaa", MwaaAuth.Read, "Amazon MWAA: requests go through AWS, with AWS credentials."));
}

internal sealed class BasicAuth(Section s) : AirflowAuth
{
    public string Username { get; } = s.Required("username", Values.Text, "User.");

    public Secret Password { get; } = s.Secret("password", "the user's password");
}

internal sealed class TokenAuth(Section s) : AirflowAuth
{
    public string Username { get; } = s.Required("username", Values.Text, "User.");

    public Secret Password { get; } = s.Secret("password", "the user's password");
}

internal sealed class BearerAuth(Section s) : AirflowAuth
{
    public Secret Token { get; } = s.Secret("token", "the token");
}
