using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Amazon.Runtime;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Collectors;
using PipelineExporter.Collectors.Aws;
using PipelineExporter.Collectors.Aws.CloudWatch;
using PipelineExporter.Metrics;
using PipelineExporter.Scraping;
using PipelineExporter.Simulator;
using PipelineExporter.Sources.Aws;
using PipelineExporter.State;
using PipelineExporter.Tests.Scraping;
using PipelineExporter.Tests.Sources.Aws;

namespace PipelineExporter.Tests.Collectors.Aws;

/// <summary>
/// An exporter in trouble beside one in none. Both watch one simulator over the same hours, the former through a server that answers as the
/// test wants it; in the end both must have counted the same.
/// </summary>
internal sealed class BesideControl : IAsyncDisposable
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly SimulatorHost simulator;
    private readonly FakeAws between;
    private readonly HttpClient http = new(new SocketsHttpHandler { AllowAutoRedirect = false });

    private BesideControl(FakeTimeProvider time, SimulatorHost simulator, FakeAws between, TimeSpan skew, Func<AwsSourceOptions, AwsSourceOptions> change)
    {
        (Time, this.simulator, this.between) = (time, simulator, between);
        between.Answer = AnswerAsync;
        Control = new(change(Options(simulator.Address)), time);
        Troubled = new(change(Options(between.Address)), new SkewedTime(time, skew));
    }

    public FakeTimeProvider Time { get; }

    public RunExporter Control { get; }

    public RunExporter Troubled { get; }

    /// <summary>Answers a request of the exporter in trouble; null lets it pass on to the simulator.</summary>
    public Func<FakeRequest, FakeAnswer?> Interfere { get; set; } = _ => null;

    /// <summary>What the exporter in trouble has asked.</summary>
    public IEnumerable<FakeRequest> Requests => between.Requests;

    /// <param name="skew">How far the troubled exporter's clock is ahead.</param>
    /// <param name="change">Of both exporters' settings.</param>
    /// <param name="sessions">How long the keys of a role last.</param>
    public static async Task<BesideControl> StartAsync(TimeSpan skew = default, Func<AwsSourceOptions, AwsSourceOptions>? change = null, TimeSpan? sessions = null)
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 11, 23, 6, 0, 20, TimeSpan.Zero));
        var aws = await SimulatorHost.StartAsync(new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null, Time = time, CredentialLifetime = sessions }, default);
        return new(time, aws, await FakeAws.StartAsync(), skew, change ?? (options => options));
    }

    /// <summary>Both collect whatever is due, every minute.</summary>
    public async Task RunAsync(int minutes)
    {
        for (var i = 0; i < minutes; i++)
        {
            Time.Advance(Minute);
            await Task.WhenAll(Control.CollectAsync(), Troubled.CollectAsync());
        }
    }

    /// <summary>Whatever the control has counted, by name and labels, with what the other has: each pair must be equal.</summary>
    public IReadOnlyList<(string Series, string Control, string Troubled)> Counts()
    {
        var (control, troubled) = (Control.Counted(), Troubled.Counted());
        Assert.Equal(control.Keys.Order(StringComparer.Ordinal), troubled.Keys.Order(StringComparer.Ordinal));
        return [.. control.Keys.Select(series => (series, Until(control[series], troubled[series]), Until(troubled[series], control[series])))];
    }

    public void AssertSameCounts()
    {
        var counts = Counts();
        Assert.Equal([], counts.Where(one => one.Control != one.Troubled).Select(one => $"{one.Series} is {one.Troubled} and should be {one.Control}").Take(5));
        // There was something to lose.
        Assert.True(counts.Count(one => one.Control.Split(' ').Any(number => number != "0")) > 20);
    }

    public async ValueTask DisposeAsync()
    {
        Control.Dispose();
        Troubled.Dispose();
        http.Dispose();
        await between.DisposeAsync();
        await simulator.DisposeAsync();
    }

    private static AwsSourceOptions Options(Uri address) => new()
    {
        // Nobody advances the clock for a request that waits for its turn.
        Name = "eu-west-1", Region = "eu-west-1", EndpointUrl = address, DataRequestsPerSecond = 1000, ListRequestsPerSecond = 1000,
    };

    // Both may not be at the same minute, and CloudWatch may still change the last ones: of sums by the minute these are left out.
    private static string Until((double[] Value, PeriodSums? Periods) one, (double[] Value, PeriodSums? Periods) other)
    {
        var value = one.Periods is { } periods && other.Periods is { } others
            ? [one.Value[0] - periods.Sum((periods.Until < others.Until ? periods.Until : others.Until) - 10 * periods.Period, DateTimeOffset.MaxValue)]
            : one.Value;
        return string.Join(' ', value.Select(number => Math.Round(number, 6).ToString(CultureInfo.InvariantCulture)));
    }

    private async Task AnswerAsync(HttpContext context, FakeRequest request)
    {
        context.Response.Headers.Date = Time.GetUtcNow().ToString("R");
        if (Interfere(request) is { } answer)
            await answer.WriteAsync(context);
        else
            await PassOnAsync(context, request);
    }

    private async Task PassOnAsync(HttpContext context, FakeRequest request)
    {
        var target = new Uri(simulator.Address.GetLeftPart(UriPartial.Authority) + context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget,
            new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        using var passed = new HttpRequestMessage(new(context.Request.Method), target);
        if (request.Body.Length > 0)
            passed.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(request.Body));
        foreach (var (name, value) in request.Headers)
        {
            if (!passed.Headers.TryAddWithoutValidation(name, value))
                passed.Content?.Headers.TryAddWithoutValidation(name, value);
        }

        using var answer = await http.SendAsync(passed, context.RequestAborted);
        context.Response.StatusCode = (int)answer.StatusCode;
        context.Response.ContentType = answer.Content.Headers.ContentType?.ToString();
        await context.Response.Body.WriteAsync(await answer.Content.ReadAsByteArrayAsync(context.RequestAborted), context.RequestAborted);
    }

    private sealed class SkewedTime(TimeProvider right, TimeSpan skew) : TimeProvider
    {
        public override long TimestampFrequency => right.TimestampFrequency;

        public override DateTimeOffset GetUtcNow() => right.GetUtcNow() + skew;

        public override long GetTimestamp() => right.GetTimestamp();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            right.CreateTimer(callback, state, dueTime, period);
    }
}

/// <summary>All collectors of a source as they are run, published and logged, on a clock that the test advances.</summary>
internal sealed partial class RunExporter : IDisposable
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    // In memory where there is such a directory: commits wait for the disk.
    private readonly DirectoryInfo folder = Directory.Exists("/dev/shm")
        ? Directory.CreateDirectory($"/dev/shm/run-exporter-{Guid.NewGuid():N}")
        : Directory.CreateTempSubdirectory("run-exporter-");

    private readonly AwsSourceOptions options;
    private readonly TimeProvider time;
    private readonly Dictionary<ICollector, long> lastRuns = [];
    private Ledger ledger = null!;
    private List<CollectorRunner> runners = null!;

    public RunExporter(AwsSourceOptions options, TimeProvider time)
    {
        (this.options, this.time) = (options, time);
        Start();
    }

    public LogLines Log { get; } = new();

    public SnapshotStore Store { get; private set; } = null!;

    public ScrapeLog Scrapes { get; private set; } = null!;

    /// <summary>What the collectors' last collections came to.</summary>
    public IReadOnlyDictionary<string, CollectorStatus?> Status => runners.ToDictionary(runner => runner.Collector.Name, runner => runner.Status);

    public string Page => Store.Page.Text();

    /// <summary>What a new process finds: the state file, and nothing remembered.</summary>
    public void Restart()
    {
        ledger.Dispose();
        Start();
    }

    public async Task CollectAsync()
    {
        foreach (var runner in runners)
        {
            if (lastRuns.TryGetValue(runner.Collector, out var last) && time.GetElapsedTime(last) < runner.Collector.Interval)
                continue;
            lastRuns[runner.Collector] = time.GetTimestamp();
            await runner.RunOnceAsync(CancellationToken.None);
        }
    }

    /// <summary>Every counter and histogram of AWS, or of the exporter itself, by name and labels.</summary>
    public IReadOnlyDictionary<string, (double[] Value, PeriodSums? Periods)> Counted(bool isOwn = false)
    {
        var counted = new Dictionary<string, (double[], PeriodSums?)>(StringComparer.Ordinal);
        foreach (var collector in runners.Select(runner => runner.Collector))
        {
            var state = ledger.For(collector.Identity!.Scope);
            foreach (var metric in collector.Metrics.Where(metric => metric.Type != MetricType.Gauge && IsOwn(metric.Name) == isOwn))
            {
                foreach (var (labels, value) in state.Counted(metric))
                    counted.Add($"{metric.Name}{{{string.Join(',', labels)}}}", (value, state.Periods(metric, labels)));
            }
        }

        return counted;
    }

    /// <summary>The series of AWS that these collectors show, without their values.</summary>
    public IReadOnlyList<string> Shown(Func<string, bool> isOfCollector)
    {
        var families = runners.Where(runner => isOfCollector(runner.Collector.Name)).SelectMany(runner => runner.Collector.Metrics).Select(metric => metric.Name).ToHashSet();
        return [.. Sample().Matches(Page).Where(sample => families.Contains(FamilyOf(sample.Groups["name"].Value)) && !IsOwn(sample.Value)).Select(sample => sample.Value).Order(StringComparer.Ordinal)];
    }

    public void Dispose()
    {
        ledger.Dispose();
        folder.Delete(recursive: true);
    }

    private static bool IsOwn(string name) => name.StartsWith("pipeline_exporter_", StringComparison.Ordinal);

    private static string FamilyOf(string name) => Suffix().Replace(name, "");

    private void Start()
    {
        (Store, Scrapes) = (new(), new());
        ledger = new(StateFile.Open(folder.FullName, time, Log), Scrapes, time, LedgerOptions.Default);
        lastRuns.Clear();
        var collection = new AwsCollection
        {
            Source = options,
            Timeout = TimeSpan.FromSeconds(10),
            // The others have thousands of runs to be read first.
            Glue = new(name => name is not ("music_streaming_validation" or "music_streaming_kpi_computation" or "music_streaming_dynamodb_load"), (_, fromBaseline) => fromBaseline, Minute, Minute),
            S3 = new(_ => true, Minute, TimeSpan.FromDays(1), Minute),
            DynamoDb = new(_ => true, _ => 10, Minute, Minute, Minute, Minute),
        };
        // They start side by side: discovery, which comes first here, learns AWS's time and what exists from no other.
        runners =
        [
            .. AwsCollectors.For(
                collection, new(ledger, time, new OneLog(Log), (_, _) => { }), new(), new BasicAWSCredentials("SIMULATOR", "simulator-secret"),
                new() { Retries = 1, Delay = TimeSpan.Zero, FailuresBeforeBreak = 100_000 })
            .OrderBy(collector => collector is CloudWatchDiscovery ? 0 : 1)
            .Select(collector => new CollectorRunner(collector, ledger, Store, RunnerOptions.For(collector.Interval), time, Log)),
        ];
    }

    [GeneratedRegex(@"^(?<name>[a-z_0-9]+)(\{[^}]*\})?(?= )", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex Sample();

    [GeneratedRegex("_(bucket|count|sum)$", RegexOptions.ExplicitCapture)]
    private static partial Regex Suffix();
}

/// <summary>One log, whoever writes.</summary>
internal sealed class OneLog(ILogger log) : ILoggerFactory
{
    public ILogger CreateLogger(string categoryName) => log;

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public void Dispose()
    {
    }
}
