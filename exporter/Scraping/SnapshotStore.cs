using System.Collections.Immutable;
using PipelineExporter.Metrics;

namespace PipelineExporter.Scraping;

/// <summary>Holds what each collector published last, and the page made of it. Readers take one reference and never wait.</summary>
internal sealed class SnapshotStore
{
    private readonly Lock gate = new();
    private readonly SortedDictionary<string, ImmutableArray<FamilyPart>> owners = new(StringComparer.Ordinal);
    private volatile MetricsPage page = MetricsPage.Empty;

    public MetricsPage Page => page;

    /// <summary>Replaces all that <paramref name="owner"/> published by these parts, and returns the new page's generation.</summary>
    /// <exception cref="MetricException">Another owner publishes a family of the same source already; nothing was replaced.</exception>
    public long Publish(string owner, ImmutableArray<FamilyPart> parts)
    {
        lock (gate)
        {
            foreach (var (other, published) in owners)
            {
                if (other != owner && parts.FirstOrDefault(part => published.Any(part.Collides)) is { } part)
                {
                    throw new MetricException(
                        part.Name, $"is published for {part.Source} by {other} already: two configured sources are the same one, so make them one");
                }
            }

            owners[owner] = parts;
            var next = new MetricsPage(page.Generation + 1, owners.Values.SelectMany(part => part));
            page = next;
            return next.Generation;
        }
    }
}
