using System.Text.RegularExpressions;
using PipelineExporter.State;
using PipelineExporter.Tests.Web;

namespace PipelineExporter.Tests.Collectors.Aws;

/// <summary>Whoever scrapes, and however often: AWS hears nothing of it.</summary>
public sealed partial class ScrapesTests
{
    [Fact]
    public async Task Two_scrapers_ask_nothing_and_are_billed_nothing_and_no_sample_carries_a_time()
    {
        await using var both = await BesideControl.StartAsync();
        await both.RunAsync(2);
        await using var server = await MetricsServer.StartAsync(both.Troubled.Store, both.Troubled.Scrapes);
        using var http = new HttpClient();
        var page = "";
        for (var minute = 0; minute < 5; minute++)
        {
            var asked = both.Requests.Count();
            await Task.WhenAll(ScrapeAsync(), ScrapeAsync());
            Assert.Equal(asked, both.Requests.Count());
            await both.RunAsync(1);
            Assert.NotEqual(asked, both.Requests.Count());
        }

        var (control, scraped) = (both.Control.Counted(isOwn: true), both.Troubled.Counted(isOwn: true));
        Assert.Contains(control, one => one.Key.StartsWith("pipeline_exporter_cloudwatch_billed_metrics_total", StringComparison.Ordinal) && one.Value.Value[0] > 0);
        Assert.Equal(Values(control), Values(scraped));

        // A name, labels, a value and nothing more: Prometheus refuses what is stamped a day late, as S3's sizes are.
        Assert.Contains("\naws_s3_bucket_size_bytes{", page, StringComparison.Ordinal);
        Assert.All(page.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => line[0] != '#'), line => Assert.Matches(Sample(), line));

        async Task ScrapeAsync()
        {
            for (var i = 0; i < 20; i++)
                page = await http.GetStringAsync(server.Url);
        }
    }

    private static IEnumerable<(string Series, double Value)> Values(IReadOnlyDictionary<string, (double[] Value, PeriodSums? Periods)> counts) =>
        counts.Select(one => (one.Key, one.Value.Value[0])).OrderBy(one => one.Key, StringComparer.Ordinal);

    [GeneratedRegex("""^[a-z_0-9]+(\{([a-z_]+="([^"\\]|\\.)*",?)*\})? [^ ]+$""", RegexOptions.ExplicitCapture)]
    private static partial Regex Sample();
}
