using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Collectors.Aws.CloudWatch;
using PipelineExporter.Sources.Aws;
using PipelineExporter.Tests.Sources.Aws;

namespace PipelineExporter.Tests.Collectors.Aws.CloudWatch;

public sealed class CloudWatchRequestTests : IDisposable
{
    private const int Sent = 3 * CloudWatchRequest.AtOnce;

    private readonly FakeTimeProvider time = new(new(2026, 11, 23, 6, 0, 0, TimeSpan.Zero));
    private readonly FakeCloudWatch cloudWatch;
    private readonly AwsSource source;

    public CloudWatchRequestTests()
    {
        cloudWatch = new(time);
        source = cloudWatch.Source(retries: 20);
    }

    public void Dispose()
    {
        source.Dispose();
        cloudWatch.Dispose();
    }

    [Fact]
    public async Task Others_are_asked_while_the_caller_deals_with_one()
    {
        var answered = 0;
        await foreach (var request in SendAllAsync())
        {
            if (answered++ == 0)
                await UntilAsync(() => cloudWatch.Count("GetMetricData") > CloudWatchRequest.AtOnce);
            Assert.True(request.Questions[0].IsComplete);
            // Whoever is slow is not given more than fits.
            Assert.InRange(cloudWatch.Count("GetMetricData"), answered, answered + (2 * CloudWatchRequest.AtOnce));
        }

        Assert.Equal(Sent, answered);
        Assert.Equal(Sent, cloudWatch.Count("GetMetricData"));
    }

    [Fact]
    public async Task Whoever_takes_no_more_ends_what_is_on_its_way()
    {
        await Assert.ThrowsAsync<InvalidOperationException>(async () =>
        {
            await foreach (var request in SendAllAsync())
                throw new InvalidOperationException("as the test wants it");
        });

        var asked = cloudWatch.Count("GetMetricData");
        Assert.InRange(asked, 1, (2 * CloudWatchRequest.AtOnce) + 1);
        await Task.Delay(TimeSpan.FromMilliseconds(100));
        Assert.Equal(asked, cloudWatch.Count("GetMetricData"));
    }

    [Fact]
    public async Task A_cancellation_reaches_the_caller()
    {
        using var cancellation = new CancellationTokenSource();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var request in SendAllAsync(cancellation.Token))
                await cancellation.CancelAsync();
        });

        Assert.True(cloudWatch.Count("GetMetricData") < Sent);
    }

    [Fact]
    public async Task One_that_hangs_fails_after_a_minute_and_the_others_are_answered()
    {
        cloudWatch.Hangs = (_, body) => body.ToJsonString().Contains("\"table0\"", StringComparison.Ordinal);
        var answered = new List<CloudWatchRequest>();

        var all = TakeAsync();
        await UntilAsync(() => answered.Count == Sent - 1);
        var waited = await AwsSourceTests.AdvanceUntilAsync(time, TimeSpan.FromSeconds(5), all);

        Assert.InRange(waited, TimeSpan.FromSeconds(55), TimeSpan.FromSeconds(70));
        Assert.Equal("Timeout", Assert.Single(answered, request => request.Failure is not null).Failure!.Code);
        Assert.Equal(Sent - 1, answered.Count(request => request.Questions.All(question => question.IsComplete)));

        async Task TakeAsync()
        {
            await foreach (var request in SendAllAsync())
                answered.Add(request);
        }
    }

    private IAsyncEnumerable<CloudWatchRequest> SendAllAsync(CancellationToken cancellationToken = default)
    {
        var until = time.GetUtcNow();
        var questions = Enumerable.Range(0, Sent * CloudWatchRequest.MostQueries).Select(i =>
        {
            var table = $"table{i}";
            cloudWatch.Add("AWS/DynamoDB", "Reads", ("TableName", table));
            var query = new CloudWatchQuery(FakeGroup.Reads, [table], new("AWS/DynamoDB", "Reads", [new("TableName", table)]), "Sum", CloudWatchCadence.Minute);
            return new MetricQuestion(query, TimeSpan.FromMinutes(1), until.AddMinutes(-3), until);
        });
        return CloudWatchRequest.SendAllAsync(source, [.. CloudWatchRequest.Pack([.. questions])], _ => { }, cancellationToken);
    }

    private static async Task UntilAsync(Func<bool> isSo)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!isSo())
            await Task.Delay(TimeSpan.FromMilliseconds(5), timeout.Token);
    }
}
