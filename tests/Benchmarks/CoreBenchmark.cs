using System.IO.Compression;
using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.ResponseCompression;
using Microsoft.Extensions.Logging.Abstractions;
using PipelineExporter.Collectors;
using PipelineExporter.Scraping;
using PipelineExporter.State;
using PipelineExporter.Web;
using Prometheus;

namespace PipelineExporter.Benchmarks;

/// <summary>
/// 100,000 series in 10 collectors through the real runner, ledger and HTTP server, against the same series rendered on
/// demand by prometheus-net. All times are of the process, on all its threads; the clients are other processes.
/// </summary>
internal static class CoreBenchmark
{
    private const int Collectors = 10;
    private const int Rounds = 5;
    private const int Scrapes = 200;
    private const int ScrapesOnDemand = 20;

    public static async Task<int> RunAsync()
    {
        var folder = Directory.CreateTempSubdirectory("pipeline-exporter-benchmark-");
        try
        {
            return await MeasureAsync(folder.FullName);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<int> MeasureAsync(string folder)
    {
        var (store, scrapes) = (new SnapshotStore(), new ScrapeLog());
        // Nothing is held back, so that every series changes each time.
        using var ledger = new Ledger(
            StateFile.Open(folder, TimeProvider.System, NullLogger.Instance), scrapes, TimeProvider.System, LedgerOptions.Default with { ZeroHold = TimeSpan.Zero });
        SyntheticCollector[] collectors = [.. Enumerable.Range(0, Collectors).Select(i => new SyntheticCollector(i, ledger))];
        CollectorRunner[] runners =
        [
            .. collectors.Select(collector => new CollectorRunner(
                collector, ledger, store, RunnerOptions.For(collector.Interval), TimeProvider.System, NullLogger.Instance)),
        ];
        var registry = Prometheus.Metrics.NewCustomRegistry();
        await using var app = await ServeAsync(store, scrapes, registry);
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();

        TimeSpan publishing = default;
        for (var round = 0; round < Rounds; round++)
        {
            publishing = await Report.CpuAsync(async () =>
            {
                foreach (var runner in runners)
                    await runner.RunOnceAsync(CancellationToken.None);
            });
            foreach (var runner in runners)
            {
                if (runner.Status is not { Succeeded: true })
                    throw new InvalidOperationException(runner.Status?.Error);
            }

            publishing -= SyntheticCollector.TakeCounting();
            await ScrapeAsync($"{address}/metrics", 2); // ends the hold
        }

        var report = new Report();
        var page = store.Page;
        var series = Report.Series(page);
        Console.WriteLine($"{series} series, {page.PlainLength / 1e6:0.0} MB, compressed {page.GzipLength / 1e6:0.0} MB, in {Collectors} collectors; "
            + (System.Runtime.CompilerServices.RuntimeFeature.IsDynamicCodeSupported ? "JIT" : "Native AOT"));
        report.Line("publishing all of them, CPU", publishing.TotalMilliseconds, "ms", atMost: 1000);

        await ScrapeAsync($"{address}/metrics", Scrapes);
        var scrape = (await Report.CpuAsync(() => ScrapeAsync($"{address}/metrics", Scrapes))) / Scrapes;
        report.Line($"a gzip scrape over HTTP, CPU, mean of {Scrapes}", scrape.TotalMilliseconds, "ms", atMost: 5);
        report.Line(
            "peak resident memory after publishing and scraping", Report.MemoryMiB("VmHWM"), "MiB",
            atMost: System.Runtime.CompilerServices.RuntimeFeature.IsDynamicCodeSupported ? 220 : 150);

        foreach (var collector in collectors)
            collector.Register(Prometheus.Metrics.WithCustomRegistry(registry));
        await ScrapeAsync($"{address}/on-demand", ScrapesOnDemand);
        var plain = (await Report.CpuAsync(() => ScrapeAsync($"{address}/on-demand", ScrapesOnDemand, "identity"))) / ScrapesOnDemand;
        var gzip = (await Report.CpuAsync(() => ScrapeAsync($"{address}/on-demand", ScrapesOnDemand))) / ScrapesOnDemand;
        report.Line($"rendering on demand, not compressed, mean of {ScrapesOnDemand}", plain.TotalMilliseconds, "ms");
        report.Line($"rendering on demand, gzip, mean of {ScrapesOnDemand}", gzip.TotalMilliseconds, "ms");
        report.Line("rendering on demand, not compressed, against a gzip scrape", plain / scrape, "x");
        report.Line("rendering on demand, gzip, against a gzip scrape", gzip / scrape, "x", atLeast: 20);
        return report.ExitCode;
    }

    private static async Task<WebApplication> ServeAsync(SnapshotStore store, ScrapeLog scrapes, Prometheus.CollectorRegistry registry)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.Services.AddResponseCompression(compression =>
        {
            compression.Providers.Add<GzipCompressionProvider>();
            compression.MimeTypes = ["text/plain"];
        });
        builder.Services.Configure<GzipCompressionProviderOptions>(gzip => gzip.Level = CompressionLevel.Fastest);
        var app = builder.Build();
        app.MapGet("/metrics", (RequestDelegate)(context => MetricsEndpoint.ServeAsync(context, store, scrapes)));
        app.Map("/on-demand", branch => branch.UseResponseCompression().UseMetricServer("", registry));
        await app.StartAsync();
        return app;
    }

    // One curl for all of them: it keeps its connection, as Prometheus does.
    private static Task ScrapeAsync(string url, int times, string encoding = "gzip") => Report.RunAsync(
        "curl", "--silent", "--show-error", "--fail", "--header", $"Accept-Encoding: {encoding}", "--output", "/dev/null", $"{url}?[1-{times}]");
}
