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

    public GlueSettings? Glue { get; } = s.Child("glue", x => new GlueSettings(x), "Glue jobs.");

    public static AwsSettings Read(Section s)
    {
        var source = new AwsSettings(s);
        s.NotSupported("s3", "dynamodb", "logs", "cost");
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

        if (!s.Has("glue"))
        {
            s.Error("has nothing to collect: add glue");
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
}
