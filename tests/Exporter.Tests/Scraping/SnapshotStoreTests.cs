using System.Collections.Immutable;
using System.IO.Compression;
using System.Text;
using PipelineExporter.Metrics;
using PipelineExporter.Scraping;

namespace PipelineExporter.Tests.Scraping;

public sealed class SnapshotStoreTests
{
    private static readonly MetricDesc Slots = MetricDesc.Gauge("pool_slots", "Slots.", "pool");
    private static readonly MetricDesc Dags = MetricDesc.Gauge("dag_paused", "Paused.", "dag_id");

    private readonly SnapshotStore store = new();

    [Fact]
    public void The_first_page_is_empty() => Assert.Equal("", Plain(store.Page));

    [Fact]
    public void Two_sources_with_one_family_share_its_header()
    {
        store.Publish("airflow/production/pools", Parts("production", (Slots, 1, "default")));
        store.Publish("airflow/development/pools", Parts("development", (Slots, 2, "default"), (Dags, 1, "etl")));
        Assert.Equal(
            """
            # HELP dag_paused Paused.
            # TYPE dag_paused gauge
            dag_paused{environment="development",dag_id="etl"} 1
            # HELP pool_slots Slots.
            # TYPE pool_slots gauge
            pool_slots{environment="development",pool="default"} 2
            pool_slots{environment="production",pool="default"} 1

            """,
            Plain(store.Page));
    }

    [Fact]
    public void The_compressed_page_says_the_same()
    {
        store.Publish("a", Parts("production", (Slots, 1, "default"), (Dags, 1, "etl")));
        store.Publish("b", Parts("development", (Slots, 2, "größe 🎵")));
        Assert.Equal(
            """
            # HELP dag_paused Paused.
            # TYPE dag_paused gauge
            dag_paused{environment="production",dag_id="etl"} 1
            # HELP pool_slots Slots.
            # TYPE pool_slots gauge
            pool_slots{environment="production",pool="default"} 1
            pool_slots{environment="development",pool="größe 🎵"} 2

            """,
            Unzipped(store.Page));
        Assert.Equal(Plain(store.Page), Unzipped(store.Page));
        Assert.Equal(store.Page.PlainLength, Encoding.UTF8.GetByteCount(Plain(store.Page)));
        Assert.Equal(store.Page.GzipLength, store.Page.Gzip.Sum(bytes => bytes.Length));
        Assert.Equal("", Unzipped(MetricsPage.Empty));
    }

    [Fact]
    public void What_an_owner_no_longer_publishes_vanishes_and_the_family_with_it()
    {
        store.Publish("a", Parts("production", (Slots, 1, "default"), (Dags, 1, "etl")));
        store.Publish("a", Parts("production", (Slots, 1, "default")));
        Assert.DoesNotContain("dag_paused", Plain(store.Page));
        store.Publish("a", []);
        Assert.Equal("", Plain(store.Page));
    }

    [Fact]
    public void Every_publishing_makes_a_later_page_and_leaves_the_earlier_ones_alone()
    {
        var first = store.Publish("a", Parts("production", (Slots, 1, "default")));
        var page = store.Page;
        var second = store.Publish("a", Parts("production", (Slots, 2, "default")));
        Assert.True(second > first);
        Assert.Equal(first, page.Generation);
        Assert.EndsWith("} 1\n", Plain(page), StringComparison.Ordinal);
        Assert.EndsWith("} 2\n", Plain(store.Page), StringComparison.Ordinal);
    }

    [Fact]
    public void Two_configured_sources_that_are_one_are_noticed_and_what_was_published_stays()
    {
        store.Publish("aws/a/pools", Parts("production", (Slots, 1, "default")));
        var before = Plain(store.Page);
        var e = Assert.Throws<MetricException>(() => store.Publish("aws/b/pools", Parts("production", (Slots, 1, "default"))));
        Assert.Equal(
            "metric pool_slots: is published for environment=production by aws/a/pools already: two configured sources are the same one, so make them one",
            e.Message);
        Assert.Equal(before, Plain(store.Page));
    }

    [Fact]
    public async Task A_page_is_never_torn_whatever_is_published_while_it_is_read()
    {
        // Each owner publishes two families that always say the same number.
        const int Owners = 4;
        const int Rounds = 300;
        var writers = Enumerable.Range(0, Owners).Select(owner => Task.Run(() =>
        {
            for (var round = 1; round <= Rounds; round++)
                store.Publish($"owner {owner}", Parts($"e{owner}", (Slots, round, "same"), (Dags, round, "same")));
        })).ToList();
        var written = Task.WhenAll(writers);
        var readers = Enumerable.Range(0, 4).Select(reader => Task.Run(() =>
        {
            var (pages, last) = (0, 0L);
            while (!written.IsCompleted || pages == 0)
            {
                var page = store.Page;
                Assert.True(page.Generation >= last);
                last = page.Generation;
                var text = reader % 2 == 0 ? Plain(page) : Unzipped(page);
                foreach (var owner in text.Split('\n').Where(line => line.Contains("=\"same\"")).GroupBy(line => line.Split('"')[1]))
                    Assert.Single(owner.Select(line => line[line.LastIndexOf(' ')..]).Distinct());
                Assert.Equal(2 * text.Split("environment=").Skip(1).Select(part => part.Split('"')[1]).Distinct().Count(), text.Split('\n').Count(line => line.Contains("environment=")));
                pages++;
            }
        })).ToList();
        await written;
        await Task.WhenAll(readers);
        Assert.Equal(Owners * Rounds, store.Page.Generation);
    }

    private static ImmutableArray<FamilyPart> Parts(string environment, params (MetricDesc Gauge, double Value, string Label)[] samples)
    {
        var sink = new MetricSink([new("environment", environment)], [Slots, Dags], 100);
        foreach (var (gauge, value, label) in samples)
            sink.Set(gauge, value, label);
        return FamilyRenderer.Render(sink, gauges: true, []);
    }

    private static string Plain(MetricsPage page) => page.Text();

    private static string Unzipped(MetricsPage page) =>
        PageText.Read(new GZipStream(new MemoryStream([.. page.Gzip.SelectMany(bytes => bytes)]), CompressionMode.Decompress));
}
