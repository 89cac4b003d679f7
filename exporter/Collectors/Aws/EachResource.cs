using System.Collections.Concurrent;
using System.Collections.Frozen;
using PipelineExporter.Sources;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Aws;

/// <summary>What one operation told of each of many resources.</summary>
/// <param name="Given">By name.</param>
/// <param name="Gone">They were deleted since they were listed, or are in another region.</param>
/// <param name="Denied">A refusal by policy, of whichever resource.</param>
/// <param name="Failure">Why other answers are missing; null when none is.</param>
internal sealed record EachResource<T>(
    IReadOnlyDictionary<string, T> Given, IReadOnlySet<string> Gone, AwsException? Denied, SourceIncompleteException? Failure);

internal static class EachResource
{
    private const int Parallelism = 8;

    private static readonly FrozenSet<string> GoneCodes =
        FrozenSet.Create(StringComparer.Ordinal, DynamoDbApi.NotFound, S3Api.NotFound, S3Api.Elsewhere);

    /// <exception cref="AwsException">Every request failed.</exception>
    public static async Task<EachResource<T>> AskAsync<T>(
        IReadOnlyCollection<string> names, Func<string, CancellationToken, Task<T>> ask, CancellationToken cancellationToken)
    {
        var given = new ConcurrentDictionary<string, T>(StringComparer.Ordinal);
        var gone = new ConcurrentDictionary<string, bool>(StringComparer.Ordinal);
        var failures = new ConcurrentQueue<AwsException>();
        AwsException? denied = null;
        await Parallel.ForEachAsync(
            names, new ParallelOptions { MaxDegreeOfParallelism = Parallelism, CancellationToken = cancellationToken },
            async (name, token) =>
            {
                try
                {
                    given[name] = await ask(name, token);
                }
                catch (AwsException e) when (GoneCodes.Contains(e.Code))
                {
                    gone[name] = true;
                }
                catch (AwsException e) when (e.IsAccessDenied)
                {
                    Interlocked.CompareExchange(ref denied, e, null);
                }
                catch (AwsException e)
                {
                    failures.Enqueue(e);
                }
            });
        SourceIncompleteException? failure = null;
        if (failures.TryPeek(out var first))
        {
            if (failures.Count == names.Count)
                throw first;
            failure = new($"{failures.Count} of {names.Count} could not be told of, the first: {first.Message}", first);
        }

        return new(given, gone.Keys.ToHashSet(StringComparer.Ordinal), denied, failure);
    }
}
