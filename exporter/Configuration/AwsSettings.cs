using System.Collections.Immutable;

namespace PipelineExporter.Configuration;

/// <summary>One region of one AWS account. A key is one line here: its property, type, default and meaning.</summary>
internal sealed class AwsSettings(Section s)
{
    private readonly string? name = s.Maybe("name", Values.Name, "the region", "Name of this source: `aws/<name>`.");

    public string Name => name ?? Region;

    public string Region { get; } = s.Required("region", Values.Region, "Region: label `region` of its metrics.");

    /// <summary>Null: STS is asked.</summary>
    public string? AccountId { get; } = s.Maybe("account_id", Values.AccountId, "asked of STS",
        "Account: label `account_id` of its metrics.");

    /// <summary>Null: the credentials are used as they are.</summary>
    public string? RoleArn { get; } = s.Maybe("role_arn", Values.RoleArn, "none", "Role to assume.");

    public string? ExternalId { get; } = s.Maybe("external_id", Values.ExternalId, "none", "External ID that the role asks for.");

    /// <summary>Null: AWS's own endpoints, or those that <c>AWS_ENDPOINT_URL</c> names.</summary>
    public Uri? EndpointUrl { get; } = s.Maybe("endpoint_url", Values.Url, "AWS", "Endpoint of every service, for a stand-in of AWS.");

    public TimeSpan PollInterval { get; } = s.Optional("poll_interval", Values.Duration("1s", "1d"), "60s",
        "Time from one collection to the next.");

    public TimeSpan Timeout { get; } = s.Optional("timeout", Values.Duration("1s", "10m"), "30s", "Longest wait for one answer.");

    public TimeSpan StaleAfter => staleAfter ?? 3 * PollInterval;

    private readonly TimeSpan? staleAfter = s.MaybeValue("stale_after", Values.Duration("1s", "30d"), "3 × `poll_interval`",
        "How long gauges outlive the last good collection.");

    public ImmutableArray<KeyValuePair<string, string>> Labels { get; } = s.Pairs("labels",
        Values.LabelName("account_id", "region"), Values.LabelValue, "Labels that every metric of this source carries.");

    public int SeriesLimit { get; } = s.Optional("series_limit", Values.Integer(1, 10_000_000), "100000",
        "A collector with more series than this fails.");

    public bool UseFips { get; } = s.Optional("use_fips", Values.Boolean, "false",
        "Ask the FIPS endpoints of AWS; also on with `AWS_USE_FIPS_ENDPOINT=true`.");

    public CloudWatchSettings CloudWatch { get; } = s.ChildOrDefault("cloudwatch", x => new CloudWatchSettings(x), "How CloudWatch may be asked.");

    /// <summary>Null: no limit.</summary>
    public decimal? MaxUsdPerDay { get; } = s.MaybeValue("max_usd_per_day", Values.Usd, "no limit",
        "What requests to this account may cost a UTC day, all its regions together. Near it, the least important groups of metrics are asked less often, or not at all; past it, nothing is asked that is billed, but for one look at what there is after a restart. CloudWatch's metrics of an Airflow's workers are not held by it.");

    public GlueSettings? Glue { get; } = s.Child("glue", x => new GlueSettings(x), "Glue jobs.");

    public S3Settings? S3 { get; } = s.Child("s3", x => new S3Settings(x), "S3 buckets.");

    public DynamoDbSettings? DynamoDb { get; } = s.Child("dynamodb", x => new DynamoDbSettings(x), "DynamoDB tables.");

    /// <summary>As far as the file tells: null for that of the exporter's own credentials.</summary>
    private string? Account => AccountId ?? RoleArn?.Split(':')[4];

    /// <summary>Two entries of one account and region would count everything that both select twice into the same series.</summary>
    public static string? Clash(AwsSettings first, AwsSettings second) =>
        first.Region is not null && first.Region == second.Region && first.Account == second.Account && (first.Account is not null || first.EndpointUrl == second.EndpointUrl)
            ? $"{Printable.Quoted(second.Name)} is of the same account and region as {Printable.Quoted(first.Name)}: make one entry of both"
            : null;

    public static AwsSettings Read(Section s)
    {
        var source = new AwsSettings(s);
        s.NotSupported("logs", "cost");
        if (s.Describing)
        {
            return source;
        }

        if (source.ExternalId is not null && source.RoleArn is null)
        {
            s.Error("external_id", "has no effect without role_arn");
        }

        if (source is { AccountId: { } account, RoleArn: { } role } && role.Split(':')[4] != account)
        {
            s.Error("account_id", $"expected {role.Split(':')[4]}, the account of role_arn, found '{account}'");
        }

        if (source.StaleAfter < source.PollInterval)
        {
            s.Error("stale_after", "expected at least poll_interval: every value would vanish before its successor comes");
        }

        if (!s.Has("glue") && !s.Has("s3") && !s.Has("dynamodb"))
        {
            s.Error("has nothing to collect: add glue, s3, dynamodb, or several of them");
        }

        return source;
    }
}

internal sealed class GlueSettings(Section s)
{
    public ImmutableArray<Pattern> Jobs { get; } = s.Many("jobs", Values.Pattern, ["*"], "Jobs to watch.");

    /// <summary>Null: the source's.</summary>
    public TimeSpan? PollInterval { get; } = s.MaybeValue("poll_interval", Values.Duration("1s", "1d"), "the source's",
        "Time from one collection of Glue to the next.");

    /// <summary>Null: they are not asked for.</summary>
    public TimeSpan? MetricsInterval { get; } = Interval.Read(s, "metrics_interval", "60s",
        "Time from one question to CloudWatch for what Spark reports to the next; it is billed.");

    public bool Executors { get; } = s.Optional("executors", Values.Boolean, "false",
        "Heap and CPU of each executor as well; every one is billed.");
}

internal sealed class S3Settings(Section s)
{
    public ImmutableArray<Pattern> Buckets { get; } = s.Many("buckets", Values.Pattern, ["*"], "Buckets to watch.");

    public TimeSpan PollInterval { get; } = s.Optional("poll_interval", Values.Duration("1m", "1d"), "15m",
        "Time from one look at the buckets and their settings to the next.");

    /// <summary>Null: they are not asked for.</summary>
    public TimeSpan? StorageInterval { get; } = Interval.Read(s, "storage_interval", "1d",
        "Time from one question to CloudWatch for sizes and object counts to the next; S3 measures them once a day.");

    /// <inheritdoc cref="StorageInterval"/>
    public TimeSpan? RequestsInterval { get; } = Interval.Read(s, "requests_interval", "60s",
        "Time from one question to CloudWatch for requests, errors and latencies to the next; only buckets with request metrics have them.");
}

internal sealed class DynamoDbSettings(Section s)
{
    public ImmutableArray<Pattern> Tables { get; } = s.Many("tables", Values.Pattern, ["*"], "Tables to watch.");

    public TimeSpan PollInterval { get; } = s.Optional("poll_interval", Values.Duration("1m", "1d"), "5m",
        "Time from one look at the tables to the next.");

    /// <summary>Null: they are not asked for.</summary>
    public TimeSpan? CapacityInterval { get; } = Interval.Read(s, "capacity_interval", "60s",
        "Time from one question to CloudWatch for consumed capacity to the next.");

    /// <inheritdoc cref="CapacityInterval"/>
    public TimeSpan? ThrottlesInterval { get; } = Interval.Read(s, "throttles_interval", "60s",
        "The same for throttled requests and errors, which alerts need.");

    /// <inheritdoc cref="CapacityInterval"/>
    public TimeSpan? OperationsInterval { get; } = Interval.Read(s, "operations_interval", "60s",
        "The same for requests and latencies by operation.");
}

/// <summary>Quotas are of an account and region, and shared with whoever else asks there.</summary>
internal sealed class CloudWatchSettings(Section s)
{
    public int RequestsPerSecond { get; } = s.Optional("requests_per_second", Values.Integer(1, 1000), "45",
        "Calls of `GetMetricData` a second at most; AWS allows 50.");

    public int ListRequestsPerSecond { get; } = s.Optional("list_requests_per_second", Values.Integer(1, 1000), "24",
        "Calls of `ListMetrics` a second at most; AWS allows 25.");
}

/// <summary>How often a group of CloudWatch's metrics is asked for.</summary>
internal static class Interval
{
    /// <returns>Null for <c>never</c>.</returns>
    public static TimeSpan? Read(Section s, string key, string fallback, string meaning)
    {
        var interval = s.Optional(key, Values.DurationOrNever("60s", "1d"), fallback, $"{meaning} A longer one costs less, and loses nothing. `never`: not at all.");
        return interval == Values.Never ? null : interval;
    }
}
