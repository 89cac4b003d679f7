using System.Collections.Immutable;

namespace PipelineExporter.Configuration;

/// <summary>Which DAGs of an Airflow are watched.</summary>
internal sealed class DagSelection(Section s)
{
    public ImmutableArray<Pattern> Include { get; } = s.Many("include", Values.Pattern, ["*"], "DAGs to watch.");

    public ImmutableArray<Pattern> Exclude { get; } = s.ManyOrNone("exclude", Values.Pattern, "DAGs among them not to watch.");

    public bool Includes(string dagId) => Include.Any(pattern => pattern.IsMatch(dagId)) && !Exclude.Any(pattern => pattern.IsMatch(dagId));
}
