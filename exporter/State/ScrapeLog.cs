namespace PipelineExporter.State;

/// <summary>
/// Remembers which pages were scraped. A held value may change once two scrapes have read a page that shows it, which holds
/// when the second newest of all pages read is at least as new as the first page with that value.
/// </summary>
internal sealed class ScrapeLog
{
    private readonly Lock gate = new();
    private long newest = -1;
    private long secondNewest = -1;

    /// <summary>Notes that a scrape of the page of <paramref name="generation"/> was answered in full.</summary>
    public void Answered(long generation)
    {
        lock (gate)
        {
            if (generation >= newest)
                (newest, secondNewest) = (generation, newest);
            else if (generation > secondNewest)
                secondNewest = generation;
        }
    }

    /// <summary>Whether pages of at least <paramref name="generation"/> were scraped twice.</summary>
    public bool ScrapedTwiceSince(long generation)
    {
        lock (gate)
            return secondNewest >= generation;
    }
}
