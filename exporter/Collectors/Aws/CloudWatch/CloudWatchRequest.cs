using System.Collections.Frozen;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading.Channels;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Aws.CloudWatch;

/// <summary>One call of GetMetricData: up to 500 questions over services and namespaces, in one span of time.</summary>
internal sealed class CloudWatchRequest
{
    public const int MostQueries = 500;

    /// <summary>So many are sent at once: 10,000 metrics take two rounds, and all of the quota can be used while an answer takes no more than a quarter of a second.</summary>
    public const int AtOnce = 11;

    /// <summary>So long one is waited for, with all its attempts: half of what a collection may take, or one that hangs would end it, and what others were answered.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(60);

    /// <summary>More than fit on one page would come in many, and take as many calls.</summary>
    private const int MostDatapoints = 100_800;

    /// <summary>Enough to find two questions that CloudWatch does not take among the others; a server that takes none is not asked for each.</summary>
    private const int MostRefusals = 24;

    private static readonly FrozenSet<string> InvalidCodes = FrozenSet.Create(
        StringComparer.Ordinal, "ValidationError", "ValidationException", "InvalidParameterValue", "InvalidParameterValueException", "InvalidParameterCombination", "InvalidParameterCombinationException");

    private static readonly string[] Ids = [.. Enumerable.Range(0, MostQueries).Select(i => $"m{i}")];

    private readonly List<MetricQuestion> questions = [];
    private int refusals;
    private double datapointsASecond;

    public IReadOnlyList<MetricQuestion> Questions => questions;

    /// <summary>Why a page could not be had; the questions that are not complete were not answered. Null when all pages came.</summary>
    public AwsException? Failure { get; private set; }

    private DateTimeOffset From { get; set; } = DateTimeOffset.MaxValue;

    private DateTimeOffset Until { get; set; } = DateTimeOffset.MinValue;

    /// <summary>Lets go of the questions, once their answers are stored: those of 50,000 metrics are 10 MB.</summary>
    public void Release() => questions.Clear();

    /// <summary>Packs questions into as few calls as it takes; the statistics of one metric, side by side, stay together.</summary>
    public static IEnumerable<CloudWatchRequest> Pack(IReadOnlyList<MetricQuestion> questions)
    {
        var metrics = new List<AskedMetric>(questions.Count);
        var first = 0;
        foreach (var (statistics, _) in CloudWatchQuery.ByMetric(questions.Select(question => question.Query)))
        {
            metrics.Add(AskedMetric.Of(questions, first, statistics));
            first += statistics;
        }

        // By the beginning of what they ask for: a call has one span of time for all of its questions. Periods are counted from there,
        // and those that are too fine for its age are not given at all, so that each call has one. Otherwise in their order.
        metrics.Sort((x, y) => (x.Period, x.From, x.First).CompareTo((y.Period, y.From, y.First)));
        CloudWatchRequest? last = null;
        foreach (var metric in metrics)
        {
            if (last?.Fits(metric) == false)
            {
                yield return last;
                last = null;
            }

            last ??= new();
            for (var i = 0; i < metric.Statistics; i++)
                last.questions.Add(questions[metric.First + i]);
            last.Widen(metric);
        }

        if (last is not null)
            yield return last;
    }

    /// <summary>
    /// Sends all of them, <see cref="AtOnce"/> at a time, and gives each when it has been answered or has failed; one that fails hurts
    /// no other. While the caller is busy with one, others are on their way.
    /// </summary>
    /// <param name="message">Told of what CloudWatch says of a request as a whole.</param>
    public static async IAsyncEnumerable<CloudWatchRequest> SendAllAsync(
        AwsSource source, IReadOnlyList<CloudWatchRequest> requests, Action<CloudWatchMessage> message,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var answered = Channel.CreateBounded<CloudWatchRequest>(new BoundedChannelOptions(AtOnce) { SingleReader = true });
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var sending = SendAsync();
        try
        {
            await foreach (var request in answered.Reader.ReadAllAsync(cancellationToken))
                yield return request;
        }
        finally
        {
            // Whoever takes no more of them wants none to go on.
            await stop.CancelAsync();
            await sending;
        }

        async Task SendAsync()
        {
            Exception? error = null;
            try
            {
                await Parallel.ForEachAsync(
                    requests, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = stop.Token },
                    async (request, token) =>
                    {
                        using var deadline = new CancellationTokenSource(Longest, source.Time);
                        using var either = CancellationTokenSource.CreateLinkedTokenSource(token, deadline.Token);
                        try
                        {
                            await request.SendAsync(source.CloudWatch, request.questions, message, either.Token);
                        }
                        catch (AwsException e)
                        {
                            request.Failure = e;
                        }
                        catch (OperationCanceledException e) when (deadline.IsCancellationRequested && !token.IsCancellationRequested)
                        {
                            request.Failure = new(
                                AwsService.CloudWatch.Id, CloudWatchOperation.GetMetricData, "Timeout", $"no answer within {Longest.TotalSeconds:0} s, attempts included", inner: e);
                        }

                        await answered.Writer.WriteAsync(request, token);
                    });
            }
            catch (Exception e) // Thrown where the answers are read.
            {
                error = e;
            }

            answered.Writer.Complete(error);
        }
    }

    /// <summary>Asks, and follows the answer to its last page. What is complete when a page fails was answered.</summary>
    /// <exception cref="AwsException">A page could not be had; the questions that are not complete were not answered.</exception>
    private async Task SendAsync(
        ICloudWatchApi cloudWatch, List<MetricQuestion> asked, Action<CloudWatchMessage> message, CancellationToken cancellationToken)
    {
        try
        {
            await ReadAsync(cloudWatch, asked, message, cancellationToken);
        }
        catch (AwsException e) when (InvalidCodes.Contains(e.Code) && ++refusals <= MostRefusals)
        {
            // For one question that CloudWatch does not take it refuses all of the call: by halves that one is found, and hurts no other.
            if (asked.Count == 1)
            {
                Failure = e;
                return;
            }

            var half = asked.Count / 2;
            await SendAsync(cloudWatch, asked[..half], message, cancellationToken);
            await SendAsync(cloudWatch, asked[half..], message, cancellationToken);
        }
    }

    private async Task ReadAsync(
        ICloudWatchApi cloudWatch, List<MetricQuestion> asked, Action<CloudWatchMessage> message, CancellationToken cancellationToken)
    {
        var queries = asked.Select((question, i) => new MetricDataQuery(
            Ids[i], new(question.Query.Metric, (int)question.Period.TotalSeconds, question.Query.Stat))).ToArray();
        var pages = new AwsPages(AwsService.CloudWatch, CloudWatchOperation.GetMetricData);
        do
        {
            var page = await cloudWatch.GetMetricDataAsync(new(queries, From, Until, "TimestampDescending", pages.NextToken), cancellationToken);
            foreach (var question in asked)
                question.Answers++;
            foreach (var said in page.Messages)
            {
                if (said is not null)
                    message(said);
            }

            foreach (var result in page.MetricDataResults)
                Take(result, asked);
            pages.Read(page.NextToken);
        }
        while (pages.More);
        foreach (var question in asked)
        {
            if (!question.IsComplete)
                question.Failure ??= "CloudWatch left it out of its answer";
        }
    }

    private bool Fits(AskedMetric metric)
    {
        var span = (metric.Until > Until ? metric.Until : Until) - (metric.From < From ? metric.From : From);
        return questions.Count + metric.Statistics <= MostQueries
            && questions[0].Period == metric.Period
            && span.TotalSeconds * (datapointsASecond + metric.DatapointsASecond) <= MostDatapoints;
    }

    private void Widen(AskedMetric metric)
    {
        datapointsASecond += metric.DatapointsASecond;
        From = metric.From < From ? metric.From : From;
        Until = metric.Until > Until ? metric.Until : Until;
    }

    private static void Take(MetricDataResult? result, List<MetricQuestion> asked)
    {
        if (result?.Id is not ['m', ..] || !int.TryParse(result.Id.AsSpan(1), out var index) || index < 0 || index >= asked.Count)
            return;
        var question = asked[index];
        if (result.Timestamps.Count != result.Values.Count)
        {
            question.Failure = "its times and values do not fit each other";
            return;
        }

        question.Add(result.Timestamps, result.Values);
        switch (result.StatusCode)
        {
            case "PartialData": // the rest is on the next page
                break;
            case null or "Complete":
                question.IsComplete = question.Failure is null;
                break;
            default:
                question.Failure = $"CloudWatch answered {(IsWord(result.StatusCode) ? result.StatusCode : "a status of its own")}";
                break;
        }
    }

    private static bool IsWord(string text) => text.Length <= 32 && text.All(char.IsAsciiLetter);

    /// <summary>The statistics of one metric, which stand side by side among the questions.</summary>
    [StructLayout(LayoutKind.Auto)]
    private readonly record struct AskedMetric(int First, int Statistics, TimeSpan Period, DateTimeOffset From, DateTimeOffset Until)
    {
        public double DatapointsASecond => Statistics / Period.TotalSeconds;

        public static AskedMetric Of(IReadOnlyList<MetricQuestion> questions, int first, int statistics)
        {
            var (from, until) = (DateTimeOffset.MaxValue, DateTimeOffset.MinValue);
            for (var i = first; i < first + statistics; i++)
            {
                from = questions[i].From < from ? questions[i].From : from;
                until = questions[i].Until > until ? questions[i].Until : until;
            }

            return new(first, statistics, questions[first].Period, from, until);
        }
    }
}
