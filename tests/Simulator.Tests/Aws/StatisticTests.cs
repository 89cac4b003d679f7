using PipelineExporter.Simulator.Aws;

namespace PipelineExporter.Simulator.Tests.Aws;

public sealed class StatisticTests
{
    static readonly double[] Values = [4, 1, 3, 2];

    [Theory]
    [InlineData("SampleCount", 4)]
    [InlineData("Sum", 10)]
    [InlineData("Average", 2.5)]
    [InlineData("Minimum", 1)]
    [InlineData("Maximum", 4)]
    [InlineData("p0", 1)]
    [InlineData("p50", 2.5)]
    [InlineData("p90", 3.7)]
    [InlineData("p99.9", 3.997)]
    [InlineData("p100", 4)]
    public void Computes(string name, double expected) => Assert.Equal(
        expected, Statistic.Parse(name)!.Of([.. Values.Select(value => new MetricSample(default, value))]), 9);

    [Theory]
    [InlineData("average")]
    [InlineData("p101")]
    [InlineData("p")]
    [InlineData("p-1")]
    [InlineData("")]
    public void Knows_no_other(string name) => Assert.Null(Statistic.Parse(name));
}
