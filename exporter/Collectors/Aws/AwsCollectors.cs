using System.Collections.Immutable;
using Amazon.Runtime;
using PipelineExporter.Collectors.Aws.CloudWatch;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Aws;

/// <summary>What is collected of one account and region.</summary>
internal sealed record AwsCollection
{
    public required AwsSourceOptions Source { get; init; }

    /// <summary>How long one answer is waited for.</summary>
    public required TimeSpan Timeout { get; init; }

    /// <summary>US dollars that the account's requests may cost a UTC day; null for no limit.</summary>
    public double? MaxUsdPerDay { get; init; }

    /// <summary>Null when Glue is not watched.</summary>
    public GlueSelection? Glue { get; init; }

    /// <summary>Null when S3 is not watched.</summary>
    public S3Selection? S3 { get; init; }

    /// <summary>Null when DynamoDB is not watched.</summary>
    public DynamoDbSelection? DynamoDb { get; init; }
}

/// <param name="IsSelected">Whether the job of this name is watched.</param>
/// <param name="Threshold">How long a run of a job may take, given what follows from its baseline; null: for ever.</param>
/// <param name="MetricsInterval">Between two questions to CloudWatch; null for none.</param>
/// <param name="Executors">Whether executors are told one by one.</param>
internal sealed record GlueSelection(
    Func<string, bool> IsSelected, Func<string, TimeSpan?, TimeSpan?> Threshold, TimeSpan PollInterval, TimeSpan? MetricsInterval = null, bool Executors = false);

/// <param name="IsSelected">Whether the bucket of this name is watched.</param>
/// <param name="StorageInterval">Between two questions to CloudWatch for sizes; null for none.</param>
/// <param name="RequestsInterval">Between two questions to CloudWatch for requests; null for none.</param>
internal sealed record S3Selection(Func<string, bool> IsSelected, TimeSpan PollInterval, TimeSpan? StorageInterval, TimeSpan? RequestsInterval);

/// <param name="IsSelected">Whether the table of this name is watched.</param>
/// <param name="ThrottledThreshold">How many requests to a table may be throttled in five minutes; infinity: any number.</param>
/// <param name="CapacityInterval">Between two questions to CloudWatch for consumed capacity; null for none.</param>
/// <param name="ThrottlesInterval">Between two questions to CloudWatch for throttles and errors; null for none.</param>
/// <param name="OperationsInterval">Between two questions to CloudWatch for requests and latencies; null for none.</param>
internal sealed record DynamoDbSelection(
    Func<string, bool> IsSelected, Func<string, double> ThrottledThreshold, TimeSpan PollInterval, TimeSpan? CapacityInterval, TimeSpan? ThrottlesInterval, TimeSpan? OperationsInterval);

/// <summary>The collectors of an AWS source. A new one is a file of its own and a line here.</summary>
internal static class AwsCollectors
{
    /// <param name="budgets">Shared by all sources: some may be of one account.</param>
    /// <param name="keys">Instead of those that the SDK finds.</param>
    /// <param name="resilience">Instead of the usual one.</param>
    /// <exception cref="AwsException">An endpoint variable of the environment holds no address.</exception>
    public static ImmutableArray<ICollector> For(AwsCollection settings, CollectorContext context, AwsBudgets budgets, AWSCredentials? keys, AwsResilience? resilience = null)
    {
        var source = new AwsSource(
            settings.Source, context.Time, outcome => context.CountRequest(settings.Source.FullName, outcome), keys,
            (resilience ?? new()) with { AttemptTimeout = settings.Timeout }, claim: scope => context.Ledger.Claim(scope, settings.Source.FullName));
        var spend = new AwsSpend(source, budgets, context.Ledger, settings.MaxUsdPerDay);
        var collectors = ImmutableArray.CreateBuilder<ICollector>();
        var groups = ImmutableArray.CreateBuilder<CloudWatchGroup>();
        CloudWatchPlan? plan = null;
        if (settings.Glue is { } glue)
        {
            var catalog = new GlueJobCatalog(source, glue.IsSelected, context.Time);
            var metrics = glue.MetricsInterval is { } interval ? new GlueMetricsGroup(catalog, interval, glue.Executors) : null;
            collectors.Add(new GlueJobs(source, catalog, context.Ledger, context.Time, glue) { Reporting = jobs => metrics?.Report(jobs, plan!) });
            if (metrics is not null)
                groups.Add(metrics);
        }

        if (settings.S3 is { } s3)
        {
            var catalog = new S3BucketCatalog(source, s3.IsSelected, s3.PollInterval, context.Time);
            var buckets = new S3Buckets(source, catalog, s3.PollInterval, context.Logs.CreateLogger<S3Buckets>()) { IsExhausted = () => spend.IsExhausted };
            collectors.Add(buckets);
            if (s3.StorageInterval is { } storage)
                groups.Add(new S3StorageGroup(catalog.Watched, storage));
            if (s3.RequestsInterval is { } requests)
                groups.Add(new S3RequestsGroup(catalog.Watched, () => buckets.Filters, requests));
        }

        if (settings.DynamoDb is { } dynamoDb)
        {
            var catalog = new DynamoDbTableCatalog(source, dynamoDb.IsSelected, dynamoDb.PollInterval, context.Time);
            collectors.Add(new DynamoDbTables(source, catalog, dynamoDb.PollInterval, context.Logs.CreateLogger<DynamoDbTables>())
            {
                ThrottledThreshold = dynamoDb.ThrottledThreshold,
            });
            if (dynamoDb.CapacityInterval is { } capacity)
                groups.Add(new DynamoDbCapacityGroup(catalog.Watched, capacity));
            if (dynamoDb.ThrottlesInterval is { } throttles)
                groups.Add(new DynamoDbThrottlesGroup(catalog.Watched, throttles));
            if (dynamoDb.OperationsInterval is { } operations)
                groups.Add(new DynamoDbOperationsGroup(catalog.Watched, operations));
        }

        // Without any group it still counts what the others ask for.
        plan = new CloudWatchPlan(groups.DrainToImmutable());
        collectors.Add(new CloudWatchDiscovery(source, plan, context.Ledger, spend));
        collectors.Add(new CloudWatchCollector(
            source, plan, context.Ledger, spend, context.Time, context.Logs.CreateLogger<CloudWatchCollector>()));

        return collectors.DrainToImmutable();
    }
}
