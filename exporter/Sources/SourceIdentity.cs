using System.Collections.Immutable;

namespace PipelineExporter.Sources;

/// <summary>Which system the samples come from.</summary>
/// <param name="Scope">Names the source in the ledger, e.g. <c>airflow/production</c> or <c>aws/123456789012/eu-west-1</c>.</param>
/// <param name="Labels">What the source adds to each of its samples.</param>
internal sealed record SourceIdentity(string Scope, ImmutableArray<KeyValuePair<string, string>> Labels);
