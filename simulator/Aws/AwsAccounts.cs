using System.Collections.Frozen;
using System.Collections.Immutable;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Aws;

/// <summary>What an account has.</summary>
/// <param name="model">Of what the jobs do.</param>
internal sealed class AwsAccount(
    string id,
    PipelineModel model,
    ImmutableArray<GlueJob> glueJobs,
    ImmutableArray<BucketDefinition> buckets,
    ImmutableArray<TableDefinition> tables,
    Func<MetricCatalog> createMetrics)
{
    readonly FrozenDictionary<string, BucketDefinition> bucketsByName = buckets.ToFrozenDictionary(bucket => bucket.Name);
    readonly FrozenDictionary<string, TableDefinition> tablesByName = tables.ToFrozenDictionary(table => table.Name);
    readonly Lazy<MetricCatalog> metrics = new(createMetrics);

    public string Id => id;

    public PipelineModel Model => model;

    public ImmutableArray<GlueJob> GlueJobs => glueJobs;

    public ImmutableArray<BucketDefinition> Buckets => buckets;

    public ImmutableArray<TableDefinition> Tables => tables;

    public MetricCatalog Metrics => metrics.Value;

    public BucketDefinition? Bucket(string name) => bucketsByName.GetValueOrDefault(name);

    public TableDefinition? Table(string name) => tablesByName.GetValueOrDefault(name);
}

/// <summary>What each account holds, all of it in one region: other regions, and accounts that nobody knows, hold nothing.</summary>
internal sealed class AwsAccounts
{
    readonly AwsAccount pipeline;
    readonly AwsAccount other;

    /// <param name="model">Of the pipeline's own account; the other one has little, and leads a quiet life of its own.</param>
    public AwsAccounts(PipelineModel model, TimeProvider time)
    {
        pipeline = new(AwsCredentials.AccountId, model, model.GlueJobs, model.Buckets, model.Tables, () => new MetricCatalog(model));
        other = Other(new PipelineModel(model.Seed + 1, new IncidentLog(time)));
    }

    /// <summary>The caller's, as far as the region of the call, which is one of AWS's, has anything of it.</summary>
    public AwsAccount? In(AwsCall call) => call.Region == AwsCredentials.Region ? Of(call) : null;

    /// <summary>The caller's, wherever it has anything.</summary>
    public AwsAccount Of(AwsCall call) => call.Principal.AccountId == AwsCredentials.AccountId ? pipeline : other;

    /// <summary>Buckets have names that are their own in the whole world.</summary>
    public AwsAccount? OwnerOf(string bucket) =>
        pipeline.Bucket(bucket) is not null ? pipeline : other.Bucket(bucket) is not null ? other : null;

    static AwsAccount Other(PipelineModel model)
    {
        var (job, table) = (model.GlueJobs[0], model.Tables[0]);
        var bucket = model.Buckets[0] with { Name = "music-streaming-archive" };
        return new(
            AwsCredentials.OtherAccountId, model, [job], [bucket], [table],
            () => new MetricCatalog(model, [.. SparkMetrics.Of(model, job), .. S3Metrics.Of(model, bucket), .. DynamoDbMetrics.Of(model, table)]));
    }
}
