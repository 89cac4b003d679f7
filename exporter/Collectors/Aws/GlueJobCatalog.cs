using System.Collections.Immutable;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Aws;

/// <param name="Jobs">By name.</param>
/// <param name="ReadAt">By AWS's clock, before the list was asked for: a job that is missing was created later, or matches nothing.</param>
/// <param name="Failure">Why the list, which was due, is as of before; null when it is not.</param>
internal sealed record GlueJobList(ImmutableSortedDictionary<string, GlueJob> Jobs, DateTimeOffset ReadAt, AwsException? Failure = null);

/// <summary>The Glue jobs that the configuration selects: read every five minutes, shared by the collectors of one source.</summary>
internal sealed class GlueJobCatalog(AwsSource source, Func<string, bool> isSelected, TimeProvider time) : IDisposable
{
    private const int PageSize = 1000;

    private static readonly TimeSpan Fresh = TimeSpan.FromMinutes(5);

    private readonly SemaphoreSlim gate = new(1);
    private GlueJobList? list;
    private long readAt;

    /// <summary>A list that cannot be read leaves the one before, with the failure; it is asked for again at the next call.</summary>
    /// <exception cref="AwsException">There is no list yet, and AWS did not give it.</exception>
    public async Task<GlueJobList> GetAsync(CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken);
        try
        {
            if (list is null || time.GetElapsedTime(readAt) >= Fresh)
            {
                var (asked, askedAt) = (time.GetUtcNow(), time.GetTimestamp());
                try
                {
                    var jobs = await ReadAsync(cancellationToken);
                    (list, readAt) = (new(jobs, asked + source.Clock.Offset), askedAt);
                }
                catch (AwsException e) when (list is not null)
                {
                    return list with { Failure = e };
                }
            }

            return list;
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>A job turned out to be deleted.</summary>
    public async Task ForgetAsync(string name, CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken);
        if (list is not null)
            list = list with { Jobs = list.Jobs.Remove(name) };
        gate.Release();
    }

    public void Dispose() => gate.Dispose();

    private async Task<ImmutableSortedDictionary<string, GlueJob>> ReadAsync(CancellationToken cancellationToken)
    {
        var jobs = ImmutableSortedDictionary.CreateBuilder<string, GlueJob>(StringComparer.Ordinal);
        var pages = new AwsPages(AwsService.Glue, "GetJobs");
        do
        {
            var page = await source.Glue.GetJobsAsync(new(pages.NextToken, PageSize), cancellationToken);
            foreach (var job in page.Jobs)
            {
                if (job is not { Name.Length: > 0 })
                    throw AwsException.Malformed(AwsService.Glue, "GetJobs", "a job has no name");
                if (isSelected(job.Name))
                    jobs[job.Name] = job;
            }

            pages.Read(page.NextToken);
        }
        while (pages.More);
        return jobs.ToImmutable();
    }
}
