using System.Collections.Immutable;
using Amazon.Runtime;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Aws;

/// <summary>What is collected of one account and region.</summary>
internal sealed record AwsCollection
{
    public required AwsSourceOptions Source { get; init; }

    /// <summary>How long one answer is waited for.</summary>
    public required TimeSpan Timeout { get; init; }

    /// <summary>Null when Glue is not watched.</summary>
    public GlueSelection? Glue { get; init; }
}

/// <param name="IsSelected">Whether the job of this name is watched.</param>
internal sealed record GlueSelection(Func<string, bool> IsSelected, TimeSpan PollInterval);

/// <summary>The collectors of an AWS source. A new one is a file of its own and a line here.</summary>
internal static class AwsCollectors
{
    /// <param name="keys">Instead of those that the SDK finds.</param>
    /// <exception cref="AwsException">An endpoint variable of the environment holds no address.</exception>
    public static ImmutableArray<ICollector> For(AwsCollection settings, CollectorContext context, AWSCredentials? keys)
    {
        var source = new AwsSource(
            settings.Source, context.Time, outcome => context.CountRequest(settings.Source.FullName, outcome), keys, new() { AttemptTimeout = settings.Timeout });
        if (settings.Glue is not { } glue)
            return [];
        var catalog = new GlueJobCatalog(source, glue.IsSelected, context.Time);
        return
        [
            new GlueJobs(source, catalog, context.Ledger, glue.PollInterval),
            new GlueMetrics(source, catalog, glue.PollInterval),
        ];
    }
}
