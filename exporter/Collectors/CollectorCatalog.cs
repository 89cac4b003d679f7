using Amazon.Runtime;
using PipelineExporter.Collectors.Airflow;
using PipelineExporter.Collectors.Aws;
using PipelineExporter.Collectors.Aws.CloudWatch;
using PipelineExporter.Configuration;
using PipelineExporter.Sources.Airflow;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors;

/// <summary>Every collector, for every source that the configuration names. What is not made here does not run.</summary>
internal static class CollectorCatalog
{
    /// <summary>
    /// After an outage, a list of an Airflow of 10,000 DAGs, which is read whole before anything of it is stored, takes minutes; so
    /// do, at first, the runs of a week of 500 Glue jobs.
    /// </summary>
    private static readonly TimeSpan CatchUp = TimeSpan.FromMinutes(15);

    /// <param name="awsKeys">Instead of those that the AWS SDK finds.</param>
    public static IReadOnlyList<ScheduledCollector> Create(
        ExporterConfiguration configuration, CollectorContext context, AWSCredentials? awsKeys = null)
    {
        return
        [
            .. configuration.Airflow.SelectMany(airflow => AirflowCollectors
                .For(Collection(airflow, configuration.Thresholds, awsKeys), context)
                .Select(collector => Schedule(collector, airflow.PollInterval, airflow.StaleAfter, airflow.SeriesLimit, CatchUp))),
            .. AwsCollectorsOf(configuration, context, awsKeys).SelectMany(source => source.Collectors
                .Select(collector => Schedule(
                    collector, source.Settings.PollInterval, source.Settings.StaleAfter, source.Settings.SeriesLimit, collector is GlueJobs ? CatchUp : default))),
        ];
    }

    /// <summary>Those of each AWS source.</summary>
    public static IEnumerable<(AwsSettings Settings, IReadOnlyList<ICollector> Collectors)> AwsCollectorsOf(
        ExporterConfiguration configuration, CollectorContext context, AWSCredentials? awsKeys)
    {
        var budgets = new AwsBudgets();
        return configuration.Aws.Select(aws =>
            (aws, (IReadOnlyList<ICollector>)AwsCollectors.For(Collection(aws, configuration.Thresholds), context, budgets, awsKeys)));
    }

    private static AirflowCollection Collection(Configuration.AirflowSettings airflow, ThresholdSettings thresholds, AWSCredentials? awsKeys) =>
        new(Endpoint(airflow, awsKeys), airflow.Labels, airflow.PollInterval, airflow.Lookback)
        {
            Includes = airflow.Dags.Includes,
            TaskDetail = airflow.TaskDetail,
            DagRunDurationBuckets = [.. airflow.DagRunDurationBuckets.Select(bucket => bucket.TotalSeconds)],
            TaskDurationBuckets = [.. airflow.TaskDurationBuckets.Select(bucket => bucket.TotalSeconds)],
            Skip = [.. airflow.Skip.Select(name => "airflow_" + name)],
            Thresholds = new(
                dag => thresholds.DagRunDuration.For(airflow.Environment, dag),
                (dag, task, isSensor) => thresholds.TaskDuration.ForTask(airflow.Environment, dag, task, isSensor),
                dag => thresholds.DagOverdueGrace.For(airflow.Environment, dag)),
            Workers = AirflowOnAws.Workers(airflow, awsKeys),
        };

    private static AwsCollection Collection(AwsSettings aws, ThresholdSettings thresholds) => new()
    {
        Source = new()
        {
            Name = aws.Name,
            Region = aws.Region,
            AccountId = aws.AccountId,
            Role = aws.RoleArn is { } role ? new(role, aws.ExternalId) : null,
            EndpointUrl = aws.EndpointUrl,
            UseFips = aws.UseFips,
            Labels = aws.Labels,
            DataRequestsPerSecond = aws.CloudWatch.RequestsPerSecond,
            ListRequestsPerSecond = aws.CloudWatch.ListRequestsPerSecond,
        },
        Timeout = aws.Timeout,
        MaxUsdPerDay = (double?)aws.MaxUsdPerDay,
        Glue = aws.Glue is { } glue
            ? new(
                name => glue.Jobs.Any(pattern => pattern.IsMatch(name)),
                (job, fromBaseline) => thresholds.GlueJobDuration.For(aws.Name, job, fromBaseline),
                glue.PollInterval ?? aws.PollInterval, glue.MetricsInterval, glue.Executors)
            : null,
        S3 = aws.S3 is { } s3 ? new(name => s3.Buckets.Any(pattern => pattern.IsMatch(name)), s3.PollInterval, s3.StorageInterval, s3.RequestsInterval) : null,
        DynamoDb = aws.DynamoDb is { } dynamoDb
            ? new(
                name => dynamoDb.Tables.Any(pattern => pattern.IsMatch(name)),
                table => thresholds.DynamoDbThrottledRequests.For(aws.Name, table), dynamoDb.PollInterval,
                dynamoDb.CapacityInterval, dynamoDb.ThrottlesInterval, dynamoDb.OperationsInterval)
            : null,
    };

    private static AirflowEndpoint Endpoint(Configuration.AirflowSettings airflow, AWSCredentials? awsKeys) =>
        (airflow.Auth is MwaaAuth mwaa
            ? AirflowOnAws.Endpoint(airflow, mwaa, awsKeys)
            : new(airflow.Environment, airflow.Url!, Credential(airflow.Auth))) with { ExternalUrl = airflow.ExternalUrl, Timeout = airflow.Timeout };

    private static AirflowCredential? Credential(AirflowAuth? auth) => auth switch
    {
        null => null,
        BasicAuth basic => new AirflowCredential.Basic(basic.Username, basic.Password.Read),
        TokenAuth token => new AirflowCredential.Login(token.Username, token.Password.Read),
        BearerAuth bearer => new AirflowCredential.Bearer(bearer.Token.Read),
        _ => throw new NotSupportedException($"{auth.GetType().Name} has no credential"),
    };

    // A collector that is slower than its source's interval may become stale more slowly, too.
    private static ScheduledCollector Schedule(
        ICollector collector, TimeSpan pollInterval, TimeSpan staleAfter, int seriesLimit, TimeSpan catchUp = default)
    {
        var options = RunnerOptions.For(collector.Interval);
        return new(collector, options with
        {
            Timeout = catchUp > options.Timeout ? catchUp : options.Timeout,
            StaleAfter = staleAfter * Math.Max(1, collector.Interval / pollInterval),
            SeriesLimit = seriesLimit,
        });
    }
}
