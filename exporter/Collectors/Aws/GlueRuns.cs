using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Aws;

/// <param name="Runs">Newest first.</param>
/// <param name="Pages">Where the reading ended.</param>
internal sealed record GlueRunList(IReadOnlyCollection<GlueJobRun> Runs, AwsPages Pages);

/// <summary>Reads lists of runs, page by page.</summary>
internal sealed class GlueRuns(AwsSource source)
{
    public const int LargePage = 200;
    public const int SmallPage = 25;

    // Runs may become visible a little out of order.
    private static readonly TimeSpan Overlap = TimeSpan.FromMinutes(5);

    /// <summary>Where runs begin to matter that are read back to <paramref name="watermark"/>.</summary>
    public static DateTimeOffset OldestOf(DateTimeOffset watermark) => watermark - Overlap;

    /// <summary>The job's runs, newest first, back to <paramref name="watermark"/> or a little further.</summary>
    /// <exception cref="AwsException">Not all of them could be read.</exception>
    public async Task<GlueRunList> ReadAsync(string job, DateTimeOffset watermark, int size, CancellationToken cancellationToken)
    {
        var pages = new AwsPages(AwsService.Glue, "GetJobRuns");
        var runs = new Dictionary<string, GlueJobRun>();
        IReadOnlyList<GlueJobRun> page;
        do
        {
            page = await ReadPageAsync(job, pages, cancellationToken, size);
            foreach (var run in page)
                runs[run.Id] = run; // A run that starts between two pages pushes another onto both.
        }
        while (pages.More && !(page.Count > 0 && GlueRunState.StartOf(page[^1]) < OldestOf(watermark)));
        return new(runs.Values, pages);
    }

    public async Task<IReadOnlyList<GlueJobRun>> ReadPageAsync(string job, AwsPages pages, CancellationToken cancellationToken, int size = LargePage)
    {
        var page = await source.Glue.GetJobRunsAsync(new(job, pages.NextToken, size), cancellationToken);
        foreach (var run in page.JobRuns)
        {
            if (run is not { Id.Length: > 0 } || !GlueRunState.IsWord(run.JobRunState))
                throw AwsException.Malformed(AwsService.Glue, "GetJobRuns", "a run has no id or no state");
        }

        pages.Read(page.NextToken);
        return page.JobRuns;
    }
}
