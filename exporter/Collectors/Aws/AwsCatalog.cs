using PipelineExporter.Collectors.Aws.CloudWatch;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Aws;

/// <summary>A list of resources that one collector keeps fresh, and others of the same source read along with it.</summary>
/// <typeparam name="TList">An immutable record.</typeparam>
/// <param name="isSelected">Whether the configuration names a resource.</param>
/// <param name="interval">Of the collector.</param>
internal abstract class AwsCatalog<TList>(Func<string, bool> isSelected, TimeProvider time, TimeSpan interval) : IDisposable
    where TList : class
{
    private readonly SemaphoreSlim gate = new(1);
    private TList? list;
    private long readAt;

    /// <summary>The list as the collector left it; read only when there is none, or the collector has missed a turn.</summary>
    /// <exception cref="AwsException">The list is due and AWS did not give it.</exception>
    public Task<TList> GetAsync(CancellationToken cancellationToken) => GetAsync(2 * interval, cancellationToken);

    /// <summary>For the collector at its turn.</summary>
    /// <inheritdoc cref="GetAsync(CancellationToken)"/>
    public Task<TList> RefreshAsync(CancellationToken cancellationToken) => GetAsync(interval / 2, cancellationToken);

    /// <summary>The list as it was read last, for CloudWatch, which can be asked without: it waits for no list, and misses none that cannot be had.</summary>
    public WatchedNames Watched() => new(isSelected, Volatile.Read(ref list) is { } last ? NamesOf(last) : null);

    public void Dispose() => gate.Dispose();

    protected abstract Task<TList> ReadAsync(CancellationToken cancellationToken);

    protected abstract IReadOnlySet<string> NamesOf(TList read);

    protected bool IsSelected(string name) => isSelected(name);

    private async Task<TList> GetAsync(TimeSpan oldest, CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken);
        try
        {
            if (list is not null && time.GetElapsedTime(readAt) < oldest)
                return list;
            var asked = time.GetTimestamp();
            var read = await ReadAsync(cancellationToken);
            Volatile.Write(ref list, read);
            readAt = asked;
            return read;
        }
        finally
        {
            gate.Release();
        }
    }
}
