using PipelineExporter.State;

namespace PipelineExporter.Tests.State;

public sealed class ScrapeLogTests
{
    private readonly ScrapeLog scrapes = new();

    [Fact]
    public void Nothing_was_scraped_at_first() => Assert.False(scrapes.ScrapedTwiceSince(0));

    [Theory]
    [InlineData(new long[] { 5 }, false)]
    [InlineData(new long[] { 5, 5 }, true)]
    [InlineData(new long[] { 5, 6 }, true)]
    [InlineData(new long[] { 6, 5 }, true)]
    [InlineData(new long[] { 4, 5 }, false)]
    [InlineData(new long[] { 5, 4 }, false)]
    [InlineData(new long[] { 9, 4, 3, 4 }, false)]
    [InlineData(new long[] { 9, 4, 5 }, true)]
    [InlineData(new long[] { 4, 9, 3, 8 }, true)]
    public void A_page_counts_for_itself_and_for_those_before(long[] answered, bool twice)
    {
        foreach (var generation in answered)
            scrapes.Answered(generation);
        Assert.Equal(twice, scrapes.ScrapedTwiceSince(5));
    }
}
