using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using PipelineExporter.Metrics;
using PipelineExporter.Scraping;
using PipelineExporter.Stack.Tests.Tools;
using PipelineExporter.State;
using PipelineExporter.Tests.Scraping;

namespace PipelineExporter.Tests.Web;

public sealed class MetricsEndpointTests
{
    private static readonly MetricDesc Slots = MetricDesc.Gauge("pool_slots", "Slots of a pool.", "pool");
    private static readonly MetricDesc Runs = MetricDesc.Counter("dag_runs_total", "Finished runs.", "dag_id");
    private static readonly MetricDesc Durations = MetricDesc.Histogram("dag_run_duration_seconds", "Durations of runs.", [0.25, 60], "dag_id");

    private readonly SnapshotStore store = new();
    private readonly ScrapeLog scrapes = new();
    private readonly string page;

    public MetricsEndpointTests()
    {
        // Many parts, large and small, of two sources.
        foreach (var environment in (string[])["production", "development"])
        {
            var sink = new MetricSink([new("environment", environment)], [Slots, Runs, Durations], 10_000);
            for (var i = 0; i < 1000; i++)
                sink.Set(Slots, i / 3.0, $"pool {i}");
            sink.Set(Slots, double.PositiveInfinity, "größe 🎵 \"quoted\" <b>&amp;\\");
            sink.Add(Runs, [3], "etl");
            sink.Add(Durations, [1, 2, 3, 777.25], "etl");
            store.Publish(environment, [.. FamilyRenderer.Render(sink, gauges: true, []), .. FamilyRenderer.Render(sink, gauges: false, [])]);
        }

        page = store.Page.Text();
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData("gzip", true)]
    [InlineData("GZIP", true)]
    [InlineData("deflate, gzip;q=1.0, *;q=0.5", true)]
    [InlineData("br, *", true)]
    [InlineData("gzip;q=0.001", true)]
    [InlineData("gzip;q=0", false)]
    [InlineData("gzip;q=0, *", false)]
    [InlineData("*;q=0", false)]
    [InlineData("identity", false)]
    [InlineData("br", false)]
    [InlineData("", false)]
    [InlineData(";;;", false)]
    public async Task The_page_is_compressed_for_those_who_ask_for_gzip(string? accepted, bool gzip)
    {
        await using var server = await MetricsServer.StartAsync(store, scrapes);
        using var http = new HttpClient(new SocketsHttpHandler { AutomaticDecompression = DecompressionMethods.None });
        using var request = new HttpRequestMessage(HttpMethod.Get, server.Url);
        if (accepted is not null)
            request.Headers.TryAddWithoutValidation("Accept-Encoding", accepted);
        using var response = await http.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(gzip ? ["gzip"] : [], response.Content.Headers.ContentEncoding);
        Assert.Equal(["Accept-Encoding"], response.Headers.Vary);
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", response.Content.Headers.ContentType!.ToString());
        var body = await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
        Assert.Equal(gzip ? store.Page.GzipLength : store.Page.PlainLength, response.Content.Headers.ContentLength);
        Assert.Equal(response.Content.Headers.ContentLength, body.Length);
        if (!gzip)
            Assert.Equal(page, Encoding.UTF8.GetString(body));
    }

    [Fact]
    public async Task Dotnet_reads_the_compressed_page_whole()
    {
        await using var server = await MetricsServer.StartAsync(store, scrapes);
        using var http = new HttpClient(new SocketsHttpHandler { AutomaticDecompression = DecompressionMethods.GZip });
        Assert.Equal(page, await http.GetStringAsync(server.Url, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_head_request_gets_the_same_headers_and_is_no_scrape()
    {
        await using var server = await MetricsServer.StartAsync(store, scrapes);
        using var http = new HttpClient();
        for (var i = 0; i < 2; i++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Head, server.Url);
            request.Headers.AcceptEncoding.Add(new StringWithQualityHeaderValue("gzip"));
            using var response = await http.SendAsync(request, TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.Equal(["gzip"], response.Content.Headers.ContentEncoding);
            Assert.Equal(store.Page.GzipLength, response.Content.Headers.ContentLength);
            Assert.Empty(await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
        }

        Assert.False(scrapes.ScrapedTwiceSince(0));
    }

    [Fact]
    public async Task A_page_that_was_answered_was_scraped_and_one_cut_off_was_not()
    {
        var large = new MetricSink([], [Slots], 200_000);
        for (var i = 0; i < 200_000; i++)
            large.Set(Slots, i, $"some pool with a name that takes its room {i}");
        store.Publish("large", FamilyRenderer.Render(large, gauges: true, []));

        using var ended = new SemaphoreSlim(0);
        await using var server = await MetricsServer.StartAsync(store, scrapes, ended: () => ended.Release());
        for (var i = 0; i < 2; i++)
        {
            using var client = new TcpClient { LingerState = new(enable: true, seconds: 0) };
            await client.ConnectAsync(IPAddress.Loopback, server.Url.Port, TestContext.Current.CancellationToken);
            await client.GetStream().WriteAsync("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"u8.ToArray(), TestContext.Current.CancellationToken);
            await client.GetStream().ReadExactlyAsync(new byte[100], TestContext.Current.CancellationToken);
            client.Close();
            Assert.True(await ended.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken));
        }

        Assert.False(scrapes.ScrapedTwiceSince(0));
        using var http = new HttpClient();
        for (var i = 0; i < 2; i++)
        {
            await http.GetByteArrayAsync(server.Url, TestContext.Current.CancellationToken);
            Assert.True(await ended.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken));
        }

        Assert.True(scrapes.ScrapedTwiceSince(store.Page.Generation));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Curl_reads_it_whole(bool compressed)
    {
        await using var server = await MetricsServer.StartAsync(store, scrapes);
        string[] arguments = ["--silent", "--show-error", "--fail", .. compressed ? (string[])["--compressed"] : [], server.Url.ToString()];
        Assert.Equal(page, await Command.SucceedAsync("curl", arguments));
    }

    [Fact]
    public async Task Chromium_shows_it_whole()
    {
        await using var server = await MetricsServer.StartAsync(store, scrapes);
        using var profile = new TemporaryDirectory();
        var dom = await Command.SucceedAsync(
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", $"--user-data-dir={profile.Path}", "--dump-dom", server.Url.ToString());
        var from = dom.IndexOf("# HELP", StringComparison.Ordinal);
        Assert.True(from >= 0, dom);
        var shown = WebUtility.HtmlDecode(dom[from..dom.LastIndexOf("</pre>", StringComparison.Ordinal)]);
        Assert.Equal(page, shown);
    }

    [Fact]
    public async Task Prometheus_reads_it_whole()
    {
        await using var server = await MetricsServer.StartAsync(store, scrapes);
        await using var prometheus = await PrometheusServer.StartAsync(server.Url.Port);
        var samples = page.Split('\n').Count(line => line is not ("" or ['#', ..]));
        await prometheus.WaitForAsync("""scrape_samples_scraped{job="pipeline-exporter"}""", values => values is [var count] && count == samples);
        Assert.Equal([1.0], (await prometheus.QueryAsync("up")).Select(sample => sample.Value));
        foreach (var environment in (string[])["production", "development"])
        {
            var slots = (await prometheus.QueryAsync($$"""pool_slots{environment="{{environment}}"}"""))
                .ToDictionary(sample => sample.Labels["pool"], sample => sample.Value);
            Assert.Equal(1001, slots.Count);
            Assert.All(Enumerable.Range(0, 1000), i => Assert.Equal(i / 3.0, slots[$"pool {i}"]));
            Assert.Equal(double.PositiveInfinity, slots["größe 🎵 \"quoted\" <b>&amp;\\"]);
            Assert.Equal([1.0, 3, 6], (await prometheus.QueryAsync($$"""dag_run_duration_seconds_bucket{environment="{{environment}}"}""")).Select(sample => sample.Value).Order());
            Assert.Equal(777.25, Assert.Single(await prometheus.QueryAsync($$"""dag_run_duration_seconds_sum{environment="{{environment}}"}""")).Value);
            Assert.Equal(6, Assert.Single(await prometheus.QueryAsync($$"""dag_run_duration_seconds_count{environment="{{environment}}"}""")).Value);
            Assert.Equal(3, Assert.Single(await prometheus.QueryAsync($$"""dag_runs_total{environment="{{environment}}"}""")).Value);
        }
    }
}
