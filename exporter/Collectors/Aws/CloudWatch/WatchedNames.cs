namespace PipelineExporter.Collectors.Aws.CloudWatch;

/// <summary>Which resources are watched, and which of them are known to exist.</summary>
/// <param name="IsSelected">Whether the configuration names it.</param>
/// <param name="Existing">Null when that could not be found out: then whatever CloudWatch lists is taken to exist.</param>
internal sealed record WatchedNames(Func<string, bool> IsSelected, IReadOnlySet<string>? Existing)
{
    /// <summary>Those that exist, as far as it is known.</summary>
    public IEnumerable<string> Known => Existing ?? Enumerable.Empty<string>();

    /// <summary>CloudWatch goes on listing the metrics of what was deleted for two weeks.</summary>
    public bool Contains(string name) => IsSelected(name) && Existing?.Contains(name) != false;
}
